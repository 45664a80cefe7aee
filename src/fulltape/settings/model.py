"""Every setting: type, default, unit, reason. Unknown keys are refused."""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST = 10 * 366 * 86_400
_SIZES = {"B": 1, "kB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000, "TB": 1_000_000_000_000}


def seconds(value: Any) -> Any:
    """A duration like "250ms", "15m" or "7d" as seconds."""
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value.strip())
        if not found:
            raise ValueError('a duration looks like "250ms", "30s", "15m", "2h" or "7d"')
        length = float(found[1]) * _UNITS[found[2]]
        if length > _LONGEST:
            raise ValueError("a duration is at most ten years")
        return length
    raise ValueError('a duration is text with a unit, like "30s"')


def spell(length: float) -> str:
    """A duration in seconds as the file writes it."""
    for unit, worth in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        if length >= worth and length % worth == 0:
            return f"{length / worth:g}{unit}"
    return f"{length * 1_000:g}ms"


def size(value: Any) -> Any:
    """A size like "100MB" as bytes."""
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB|TB)", value.strip())
        if found:
            return int(float(found[1]) * _SIZES[found[2]])
    raise ValueError('a size is text with a unit, like "100MB"')


def day(value: Any) -> Any:
    """A date, written as TOML's own date or as text."""
    if isinstance(value, dt.datetime) or not isinstance(value, (dt.date, str)):
        raise ValueError("a date is written YYYY-MM-DD")  # noqa: TRY004 — pydantic wants it
    try:
        return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)
    except ValueError:
        raise ValueError("a date is written YYYY-MM-DD") from None


def address(value: Any) -> Any:
    """An http or websocket address, or nothing."""
    if value == "" or (isinstance(value, str) and re.fullmatch(r"(?:http|ws)s?://[^/\s@]+(/\S*)?", value)):
        return value
    raise ValueError("an address looks like http://127.0.0.1:8080")


def secret(value: Any) -> Any:
    """A key that fits into a header."""
    if isinstance(value, str):
        value = value.strip()
        if value.isascii() and value.isprintable() and " " not in value:
            return value
    raise ValueError("a key is one line of printable ASCII without spaces")


def postgres_address(value: Any) -> Any:
    """An address of a database on PostgreSQL."""
    if isinstance(value, str) and re.fullmatch(r"postgres(ql)?://\S+", value):
        return value
    raise ValueError("an address looks like postgresql://user:password@host/database")


def _text(value: str) -> Any:
    """A default in the spelling of the file; it is validated like any other value."""
    return value


Day = Annotated[dt.date, BeforeValidator(day)]
Address = Annotated[str, BeforeValidator(address)]
Secret = Annotated[SecretStr, BeforeValidator(secret)]
PostgresAddress = Annotated[SecretStr, BeforeValidator(postgres_address)]
Duration = Annotated[float, BeforeValidator(seconds)]
Size = Annotated[int, BeforeValidator(size)]


class Section(BaseModel):
    """A table of the file: frozen, and no key that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class NodeSettings(Section):
    lake: str = Field("lake", description="folder of the lake, relative to the node")
    worker: str = Field(
        "node",
        max_length=48,
        pattern=r"^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*$",
        description="name under which this node leases tasks and writes its journal: small letters, digits, _ . and -",
    )
    min_free: Size | None = Field(
        None,
        description="room that stays free on the lake's disk: with less nothing more is fetched, with less than a quarter of it nights stop and live capture goes on; absent: 5 % of the disk, from 2 to 50 GB",
    )
    lock_wait: Duration = Field(
        _text("60s"), ge=0, description="how long a stage waits for another process that is at the same one"
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
        _text("30m"),
        description="time after the close from which an answer is final; a source's own delay counts if longer",
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
    timeout: Duration = Field(_text("30s"), gt=0, description="longest wait for an answer to one request")


class BackfillSettings(Section):
    max_wait: Duration = Field(
        _text("90s"), description="longest wait for room in a budget; beyond it the source pauses"
    )
    lease: Duration = Field(
        _text("10m"), description="how long a worker may hold a task without a sign of life"
    )
    max_failures: int = Field(5, ge=1, description="real failures after which a task is stalled and shown")
    attempts: int = Field(
        4, ge=1, description="tries of one request inside a lease, with growing random waits"
    )
    retry_wait: Duration = Field(
        _text("500ms"), description="first wait between tries; doubles, with full jitter"
    )
    cooldown: Duration = Field(
        _text("7d"),
        description="how long 'not entitled' or 'unknown symbol' keeps a source away; doubles each time, at most 90d",
    )
    lanes: int = Field(
        8, ge=1, le=64, description="conversations with one source at once, as far as its plan has room"
    )
    seal_after: Duration = Field(_text("60s"), description="fetched pages are sealed at least this often")
    seal_bytes: Size = Field(_text("100MB"), description="and when the journal has grown by this much")
    rounds: int = Field(4, ge=1, description="how often a nightly run audits again after filling gaps")


class CaptureSettings(Section):
    flush_interval: Duration = Field(
        _text("1s"),
        ge=0.01,
        le=60,
        description="what was received is durable at least this often; a crash loses no more",
    )
    rotate_every: Duration = Field(
        _text("1h"), ge=1, description="a journal is closed and can be sealed after this"
    )
    rotate_bytes: Size = Field(_text("100MB"), ge=1_000_000, description="and when it has grown to this")
    queue_bytes: Size = Field(
        _text("64MB"),
        ge=100_000,
        description="what may wait for the disk, by source; beyond it books go first, then quotes, bars, trades",
    )
    stale_after: Duration = Field(
        _text("10s"), ge=1, description="a silence shorter than this is never doubted"
    )
    keep_messages: Duration = Field(
        _text("7d"), description="how long sealed messages stay after history has confirmed their sessions"
    )
    clock_tolerance: Duration = Field(
        _text("5s"),
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


class QualitySettings(Section):
    bad_share_red: float = Field(0.01, gt=0, le=1, description="share of bad rows from which a cell is RED")
    vwap_ticks: float = Field(0.02, ge=0, description="currency by which vwap may lie outside low to high")
    vwap_share: float = Field(
        0.005, ge=0, description="the same as a share of the price; the larger one counts"
    )
    baseline_sessions: int = Field(40, ge=1, description="sessions from which minute occupancy is learned")
    baseline_least: int = Field(
        10, ge=2, description="with fewer, completeness is judged by the day's volume only"
    )
    band: float = Field(
        0.001, gt=0, lt=1, description="probability below which a count of minutes is too low"
    )
    stretch_p: float = Field(
        1e-6, gt=0, lt=1, description="probability below which an empty stretch is a finding"
    )
    stretch_red_minutes: int = Field(30, ge=1, description="an empty stretch this long in a busy name is RED")
    stretch_red_p: float = Field(0.95, gt=0, lt=1, description="what busy means there: mean occupancy")
    day_volume_share: float = Field(
        0.7, ge=0, le=1, description="minutes with a smaller share of the day bar's volume lack some"
    )
    day_volume_whole: float = Field(
        0.99, gt=0, description="minutes with at least this share of it are whole, also without a baseline"
    )
    early_close_share: float = Field(
        0.5, gt=0, le=1, description="share of minutes with rows after an early close"
    )
    early_close_volume: float = Field(
        0.25,
        gt=0,
        description="and their median volume against regular minutes, from which the calendar is doubted",
    )


class ExportSettings(Section):
    policy: Literal["drop_rows", "drop_cell", "keep_flagged"] = Field(
        "drop_cell",
        description="what happens to RED cells: lose their bad rows, stay out whole, or stay in, flagged",
    )


class VerifySettings(Section):
    nightly: Duration = Field(
        _text("30s"),
        ge=0,
        description="how long a night holds files against the ledger, those first that were verified longest ago",
    )


class RetentionSettings(Section):
    requests: Duration = Field(
        _text("30d"), ge=0, description="how long it is known which request an answer came from"
    )
    tasks: Duration = Field(_text("90d"), ge=0, description="how long tasks are kept after they have ended")
    rejected: Duration = Field(
        _text("90d"), ge=0, description="how long bytes are kept that could not be taken"
    )
    replaced: Duration = Field(
        _text("30d"), ge=0, description="how long curated files are kept that others have replaced"
    )
    damaged: Duration = Field(_text("30d"), ge=0, description="how long damaged files are kept apart")
    streams: Duration = Field(
        _text("90d"),
        ge=0,
        description="how long captured sessions that history has confirmed are told one by one; then by month",
    )
    knowledge: Duration = Field(
        _text("730d"), ge=0, description="for how long back it can be asked what was known at a moment"
    )
    consumers: Duration = Field(
        _text("14d"),
        ge=0,
        description="how long journals are kept for a consumer that has not read them, since it last read",
    )
    bundles: int = Field(30, ge=0, description="how many bundles are kept, the newest; 0: all of them")


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
    "cluster": ClusterSettings,
}
"""The tables of the file in the order of the reference."""
