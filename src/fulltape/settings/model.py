"""Every setting: type, default, unit, reason. Unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field

from fulltape.market.time import SECOND
from fulltape.settings.kinds import (
    SIZES,
    Address,
    Day,
    Duration,
    PostgresAddress,
    Secret,
    Section,
    Size,
    as_written,
    spell,
)
from fulltape.settings.rules import RetentionRules, Rules
from fulltape.settings.running import NotifySettings, ScheduleSettings, SyncSettings, WebSettings
from fulltape.settings.thresholds import QualitySettings


def _long(microseconds: int) -> Any:
    """A default that is a duration, in the spelling of the file."""
    return as_written(spell(microseconds / SECOND))


def _large(size: int) -> Any:
    """A default that is a size, in the spelling of the file."""
    unit = max((suffix for suffix in SIZES if size % SIZES[suffix] == 0), key=lambda suffix: SIZES[suffix])
    return as_written(f"{size // SIZES[unit]}{unit}")


_RULES, _KEEP = Rules(), RetentionRules()


class NodeSettings(Section):
    lake: str = Field("lake", description="folder of the lake, relative to the node")
    worker: str = Field(
        _RULES.worker,
        max_length=48,
        pattern=r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*$",
        description="name under which this node leases tasks and writes its journal: small letters, digits, _ . and -",
    )
    min_free: Size | None = Field(
        None,
        description="room that stays free on the lake's disk: with less nothing more is fetched, with less than a quarter of it nights stop and live capture goes on; absent: 5 % of the disk, from 2 to 50 GB",
    )
    lock_wait: Duration = Field(
        as_written(spell(_RULES.lock_wait)),
        ge=0,
        description="how long a stage waits for another process that is at the same one",
    )
    stop_within: Duration = Field(
        as_written(spell(_RULES.stop_within)),
        ge=1,
        le=3_600,
        description="how long `fulltape run` may take to end once it is asked to; what still runs then is killed, and loses nothing",
    )
    clock_wait: Duration = Field(
        as_written(spell(_RULES.clock_wait)),
        ge=0,
        description="how long after its start `fulltape run` waits with its schedule for a clock that is not synchronised; live capture does not wait",
    )


class UniverseSettings(Section):
    symbols: tuple[str, ...] = Field(
        (),
        description="symbols; their listing is what the reference table says, else unknown. With `file` or `query` beside it the universe is all of them together",
    )
    file: str = Field("", description="a universe.csv (symbol, listed_from, listed_to, instrument)")
    query: str = Field(
        "",
        description="which instruments of the reference table: conditions that must all hold, such as type=ETF venue=XNAS active=yes",
    )


class DatasetSettings(Section):
    universe: str = Field(description="which [universe.NAME] it covers")
    sources: tuple[str, ...] = Field(
        (),
        description="sources of history (vendor.feed) in order of preference; without any those that are captured live are asked, as far as they have a history",
    )
    live: tuple[str, ...] = Field(
        (),
        description="sources that `fulltape capture` listens to; their own history proves what they delivered",
    )
    from_: Day = Field(alias="from", description="first session wanted")
    until: Day | None = Field(None, description="last session wanted; absent: for ever")
    calendar: str = Field(
        "",
        description="another session table than the dataset's own, such as XTKS; `fulltape calendars refresh` builds it",
    )
    synthetic: bool = Field(
        False, description="whether the rows are made up; they are named so wherever they are shown"
    )
    by_instrument: bool = Field(
        False,
        description="whether closed months and years are held a second time, by instrument: a few symbols over a long time are read many times as fast, and curated rows take twice the room",
    )
    final_after: Duration = Field(
        as_written("30m"),
        description="time after the close from which an answer is final; a source's own delay counts if longer",
    )
    recheck: tuple[Annotated[Duration, Field(ge=3_600)], ...] = Field(
        (),
        description='how long after a session is final each source of it is asked again, such as ["1d", "3d", "30d"]: what it says otherwise is taken, counted, and shown by `fulltape diff`. Each entry asks for every session once more',
    )


class VendorSettings(Section):
    key: Secret | None = Field(None, description="API key; write ${VAR} or use key_file")
    secret: Secret | None = Field(None, description="API secret, where the vendor has one; or secret_file")
    plan: str = Field("", description="the plan you pay for; its limits are the defaults below")
    base_url: Address = Field(
        "", description="another address for all of the vendor's hosts, such as a simulator"
    )
    stream_url: Address = Field(
        "", description="another address for the vendor's live streams, such as a simulator's"
    )
    stream_delay: Duration | None = Field(
        None,
        ge=0,
        le=86_400,
        description="how late the live streams of your plan come; overrides the plan's delay",
    )
    requests_per_minute: int | None = Field(
        None, ge=1, le=1_000_000, strict=True, description="overrides the plan's limit"
    )
    requests_per_day: int | None = Field(
        None, ge=1, le=1_000_000_000, strict=True, description="overrides the plan's daily cap"
    )
    requests_per_hour: int | None = Field(
        None, ge=1, le=100_000_000, strict=True, description="overrides the plan's limit"
    )
    requests_per_second: int | None = Field(
        None, ge=1, le=100_000, strict=True, description="overrides the plan's limit"
    )
    weight_per_minute: int | None = Field(
        None,
        ge=1,
        le=1_000_000_000,
        strict=True,
        description="overrides the plan's limit on weighted requests",
    )
    credits_per_day: int | None = Field(
        None, ge=1, le=1_000_000_000, strict=True, description="overrides the plan's daily credits"
    )
    concurrency: int | None = Field(
        None,
        ge=1,
        le=1_000,
        strict=True,
        description="requests that may be under way at once, over all processes",
    )
    identical_after: Duration | None = Field(
        None, description="least time between two identical requests, where the vendor wants one"
    )
    preference: float = Field(
        1.0,
        gt=0,
        le=1_000,
        description="weight of this vendor's sources when tasks are shared out, beside their order",
    )
    history_from: Day | None = Field(None, description="first day that your plan serves, if it differs")
    timeout: Duration = Field(
        as_written("30s"), gt=0, description="longest wait for an answer to one request"
    )


class BackfillSettings(Section):
    max_wait: Duration = Field(
        _long(_RULES.max_wait), description="longest wait for room in a budget; beyond it the source pauses"
    )
    lease: Duration = Field(
        _long(_RULES.lease), ge=1, description="how long a worker may hold a task without a sign of life"
    )
    max_failures: int = Field(
        _RULES.max_failures, ge=1, description="real failures after which a task is stalled and shown"
    )
    attempts: int = Field(
        _RULES.attempts, ge=1, description="tries of one request inside a lease, with growing random waits"
    )
    retry_wait: Duration = Field(
        as_written(spell(_RULES.retry_wait)),
        description="first wait between tries; doubles, with full jitter",
    )
    cooldown: Duration = Field(
        _long(_RULES.cooldown),
        description="how long 'not entitled' or 'unknown symbol' keeps a source away; doubles each time, at most 90d",
    )
    workers: int = Field(
        _RULES.workers,
        ge=1,
        le=64,
        validation_alias=AliasChoices("workers", "lanes"),
        description="conversations with one source at once, as far as its plan has room",
    )
    seal_after: Duration = Field(
        _long(_RULES.seal_after), description="fetched pages are sealed at least this often"
    )
    seal_bytes: Size = Field(
        _large(_RULES.seal_bytes), description="and when the journal has grown by this much"
    )
    rounds: int = Field(
        _RULES.rounds, ge=1, description="how often a nightly run audits again after filling gaps"
    )


class CaptureSettings(Section):
    flush_interval: Duration = Field(
        as_written("1s"),
        ge=0.01,
        le=60,
        description="what was received is durable at least this often; a crash loses no more",
    )
    rotate_every: Duration = Field(
        as_written("1h"), ge=1, description="a journal is closed and can be sealed after this"
    )
    rotate_bytes: Size = Field(as_written("100MB"), ge=1_000_000, description="and when it has grown to this")
    queue_bytes: Size = Field(
        as_written("64MB"),
        ge=100_000,
        description="what may wait for the disk, by source; beyond it books go first, then quotes, bars, trades",
    )
    stale_after: Duration = Field(
        as_written("10s"), ge=1, description="a silence shorter than this is never doubted"
    )
    keep_messages: Duration = Field(
        _long(_RULES.keep_messages),
        description="how long sealed messages stay after history has confirmed their sessions",
    )
    clock_tolerance: Duration = Field(
        _long(_RULES.clock_tolerance),
        ge=0,
        le=600,
        description="how far the clocks of a venue and of this machine may lie apart; history is asked for so much more",
    )
    compress: bool = Field(False, description="offer compression, for a thin line and a strong processor")


class BudgetSettings(Section):
    forward: float = Field(
        0.4,
        ge=0,
        le=1,
        description="share of a daily cap kept for the newest sessions, as far as they need it",
    )
    gap: float = Field(0.3, ge=0, le=1, description="the same for gaps")
    bootstrap: float = Field(0.25, ge=0, le=1, description="the same for first history")
    qc_probe: float = Field(0.05, ge=0, le=1, description="the same for second opinions")


class ExportSettings(Section):
    policy: Literal["drop_rows", "drop_cell", "keep_flagged"] = Field(
        _RULES.export_policy,
        description="what happens to RED cells: lose their bad rows, stay out whole, or stay in, flagged",
    )
    sign: str = Field(
        "",
        description="a private key of ssh, relative to the node's folder: each bundle's SHA256SUMS is signed by it",
    )
    splits: dict[str, Day] = Field(
        {},
        description="names and first sessions, in their order, of what a bundle is split into, in `splits.json`",
    )
    purge: int = Field(
        _RULES.purge, ge=0, description="sessions before a split that are in none: labels look so far ahead"
    )
    embargo: int = Field(
        _RULES.embargo,
        ge=0,
        description="sessions at the begin of every split but the first that are in none",
    )


class VerifySettings(Section):
    nightly: Duration = Field(
        as_written(spell(_RULES.verify_for)),
        ge=0,
        description="how long a night holds files against the ledger, those first that were verified longest ago",
    )


class RetentionSettings(Section):
    requests: Duration = Field(
        _long(_KEEP.requests), ge=0, description="how long it is known which request an answer came from"
    )
    tasks: Duration = Field(
        _long(_KEEP.tasks), ge=0, description="how long tasks are kept after they have ended"
    )
    rejected: Duration = Field(
        _long(_KEEP.rejected), ge=0, description="how long bytes are kept that could not be taken"
    )
    replaced: Duration = Field(
        _long(_KEEP.replaced), ge=0, description="how long curated files are kept that others have replaced"
    )
    damaged: Duration = Field(_long(_KEEP.damaged), ge=0, description="how long damaged files are kept apart")
    streams: Duration = Field(
        _long(_KEEP.streams),
        ge=0,
        description="how long captured sessions that history has confirmed are told one by one; then by month",
    )
    knowledge: Duration = Field(
        _long(_KEEP.knowledge),
        ge=0,
        description="for how long back it can be asked what was known at a moment",
    )
    consumers: Duration = Field(
        _long(_KEEP.consumers),
        ge=0,
        description="how long journals are kept for a consumer that has not read them, since it last read",
    )
    bundles: int = Field(
        _KEEP.bundles, ge=0, description="how many bundles are kept, the newest; 0: all of them"
    )


class ClusterSettings(Section):
    ledger: PostgresAddress | None = Field(
        None,
        description="postgresql://… of the ledger; absent: ledger.db in the node",
    )


class Settings(Section):
    node: NodeSettings = NodeSettings()
    universe: dict[str, UniverseSettings] = Field(default_factory=dict)
    dataset: dict[str, DatasetSettings] = Field(default_factory=dict)
    vendor: dict[str, VendorSettings] = Field(default_factory=dict)
    backfill: BackfillSettings = BackfillSettings()
    capture: CaptureSettings = CaptureSettings()
    budget: BudgetSettings = BudgetSettings()
    quality: QualitySettings = QualitySettings()
    export: ExportSettings = ExportSettings()
    verify: VerifySettings = VerifySettings()
    retention: RetentionSettings = RetentionSettings()
    schedule: dict[str, ScheduleSettings] = Field(default_factory=dict)
    web: WebSettings = WebSettings()
    notify: NotifySettings = NotifySettings()
    sync: SyncSettings = SyncSettings()
    cluster: ClusterSettings = ClusterSettings()


SECTIONS: dict[str, type[Section]] = {
    "node": NodeSettings,
    "universe.NAME": UniverseSettings,
    "dataset.NAME": DatasetSettings,
    "vendor.NAME": VendorSettings,
    "backfill": BackfillSettings,
    "capture": CaptureSettings,
    "budget": BudgetSettings,
    "quality": QualitySettings,
    "export": ExportSettings,
    "verify": VerifySettings,
    "retention": RetentionSettings,
    "schedule.NAME": ScheduleSettings,
    "web": WebSettings,
    "notify": NotifySettings,
    "sync": SyncSettings,
    "cluster": ClusterSettings,
}
"""The tables of the file in the order of the reference."""
