"""The lines between the process of the pages and the one that reads for them: questions and their answers."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from fulltape.bundle.manifest import BundleFile
from fulltape.market.time import Instant

Kind = Literal["bars", "rows"]


class CellQuestion(msgspec.Struct, frozen=True, kw_only=True, tag="cell"):
    """The story of a cell; `session` is an ISO date."""

    dataset: str
    symbol: str
    session: str


class BarsQuestion(msgspec.Struct, frozen=True, kw_only=True, tag="bars"):
    """Rows of a series for a chart, sessions or moments as `Reader.scan` takes them; '' leaves it to us. `every` "auto" gives bars of
    a length that makes a readable chart, "rows" the rows as they are."""

    dataset: str
    symbol: str
    start: str = ""
    end: str = ""
    every: str = "auto"
    adjust: str = "none"


class FindingsQuestion(msgspec.Struct, frozen=True, kw_only=True, tag="findings"):
    """What the checks found, by series."""


class TasksQuestion(msgspec.Struct, frozen=True, kw_only=True, tag="tasks"):
    """The newest tasks, of one state or of all ('')."""

    state: str = ""


class BundlesQuestion(msgspec.Struct, frozen=True, kw_only=True, tag="bundles"):
    """The bundles on disk; the files of one of them, by its day."""

    day: str = ""


Question = CellQuestion | BarsQuestion | FindingsQuestion | TasksQuestion | BundlesQuestion


class BrowseOrder(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: whose node is read. `text` is the settings file as the service has read it."""

    folder: str
    text: str


class BrowseRefusal(msgspec.Struct, frozen=True, kw_only=True, tag="refusal"):
    """Why there is no answer, and what to do; `ours` where that is no fault of the question."""

    text: str
    ours: bool = False


class CellAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="cell"):
    """A cell: what it is and why (`answer`), everything behind that (`pairs`), and of minute bars which are missing (`holes`: from
    the first to the last minute, in the market's zone) out of how many that are expected. `state` is what the map shows of it.
    `before` and `after` are its neighbouring sessions, '' where there is none."""

    dataset: str
    title: str
    instrument: str
    session: str
    state: str
    verdict: str
    answer: str
    pairs: list[tuple[str, str]]
    zone: str
    expected: int
    rows: int
    holes: list[str]
    before: str
    after: str


class Marker(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the checks said of a session, at the time of its first bar."""

    time: int | str
    verdict: str
    text: str


class BarsAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="bars"):
    """Rows of a series. Of `bars`: times (sessions as ISO dates, or seconds since 1970 as a clock in `zone` shows them), their sessions,
    prices and volumes, null where a bar is expected and is not there. Of `rows`: columns and values as text. `cut`: older rows are left
    out. `lacking`: sessions of the window that should be there and are not, or not whole. `short`: minutes that are expected and not
    there inside of longer bars. `unmarked`: markers that are left out; RED ones are not while there are AMBER ones to leave out."""

    dataset: str
    title: str
    instrument: str
    kind: Kind
    zone: str
    every: str
    first: str
    last: str
    python: str
    cut: bool
    lacking: int = 0
    short: int = 0
    unmarked: int = 0
    time: list[int | str] = []
    session: list[str] = []
    open: list[float | None] = []
    high: list[float | None] = []
    low: list[float | None] = []
    close: list[float | None] = []
    volume: list[float | None] = []
    markers: list[Marker] = []
    columns: list[str] = []
    rows: list[list[str]] = []


class SeriesFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What the checks found of a series: on how many sessions, from the first to the last one."""

    dataset: str
    instrument: str
    verdict: str
    codes: str
    sessions: int
    first: str
    last: str


class FindingsAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="findings"):
    """The worst first; `series` are all of them, of which the first are listed. `codes` counts sessions by dataset, verdict and
    codes."""

    series: int
    findings: list[SeriesFinding]
    codes: list[tuple[str, str, str, int]]


class TasksAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="tasks"):
    """The newest first, with the fields of `fulltape tasks --json`."""

    tasks: list[dict[str, Any]]


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle on disk: when it was written (0: not known), what is in it, and the digest of its manifest. `files` only where they were
    asked for. `problem` says what is wrong with it."""

    day: str
    at: Instant
    rows: int
    bytes: int
    verdicts: dict[str, int]
    digest: str
    count: int
    files: list[BundleFile]
    problem: str = ""


class BundlesAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="bundles"):
    """The newest bundle first; `older` are not listed."""

    bundles: list[Bundle]
    older: int


Reply = CellAnswer | BarsAnswer | FindingsAnswer | TasksAnswer | BundlesAnswer | BrowseRefusal
