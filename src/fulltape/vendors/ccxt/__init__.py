"""Any of ccxt's exchanges: bars, asked and read by ccxt's own request signing and parsing. Needs the extra `crypto`.

ccxt sends its requests itself; here its one door to the network is closed and each request that it would have sent is
ours to yield. A call of ccxt is a pure function of the answers so far: we run it, it asks for an answer that is not
there, we yield the request, and run it again with one answer more. The same way its parsing reads a journalled page. A
source is named for the exchange (`ccxt.bitstamp`); symbols are ccxt's unified ones (`BTC/USD`).

Exchanges answer with fewer rows than asked for, and some with their newest rows whatever was asked: pages go on until
one is empty, and a page that begins later than asked and is full is no answer to the question.

Belongs here: what is asked of ccxt and what its answers mean, and its live trades in a file of their own. Does not belong
here: other vendors.
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib.machinery
import importlib.util
import math
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from fulltape import errors
from fulltape.contract import envelopes, symbology
from fulltape.contract.envelopes import UNREADABLE
from fulltape.contract.plans import Limits
from fulltape.contract.vendor import (
    Capability,
    Conversation,
    Cursor,
    Decoded,
    FetchRequest,
    Outcome,
    Page,
    PageResult,
    Rejected,
    Request,
    Response,
    Source,
    Table,
    VendorSpec,
)
from fulltape.decoding import bars
from fulltape.market import datasets
from fulltape.market.time import DAY, MINUTE, Instant
from fulltape.vendors.ccxt.live import feed as feed
from fulltape.vendors.ccxt.live import meaning as meaning
from fulltape.vendors.ccxt.live import streams as streams

_MILLISECOND = 1_000
_TIMEFRAMES = {"crypto_bars_day": ("1d", DAY), "crypto_bars_minute": ("1m", MINUTE)}
_DEFAULT_LIMIT = 300
_PROBE = "a full page that begins later than asked"
_KEPT = ("id", "symbol", "base", "quote", "baseId", "quoteId", "type", "spot", "lowercaseId")
"""What parsing a page needs to know of a market."""


def _source(feed: str) -> Source | None:
    """The source of an exchange, None if the installed ccxt has no such exchange."""
    if not feed.isidentifier() or feed != feed.lower():
        return None
    installed = importlib.util.find_spec("ccxt")
    if installed is not None and installed.submodule_search_locations is not None:
        # Without importing it: that takes half a second and 70 MB.
        where = list(installed.submodule_search_locations)
        if importlib.machinery.PathFinder.find_spec(feed, where) is None and feed != "exchange":
            return None
    capability = tuple(
        Capability(
            dataset=dataset,
            history_from=dt.date(2011, 1, 1),
            symbols_per_request=1,
            rows_per_page=_DEFAULT_LIMIT,
            volume_unit="base units",
        )
        for dataset in _TIMEFRAMES
    )
    return Source(name=f"ccxt.{feed}", feed=feed, scope="single venue", capabilities=capability)


SPEC = VendorSpec(
    name="ccxt",
    title="ccxt",
    hosts={},
    any_host=True,
    secrets=(),
    auth={},
    # The slowest of the exchanges want a second between requests; set what yours allows.
    plans={"public": Limits(per_second=1, counted_by="ip")},
    default_plan="public",
    sources=(),
    any_source=_source,
    documents=("https://docs.ccxt.com/#/?id=ohlcv-candlestick-charts",),
)


class _NeededError(BaseException):
    """ccxt wants an answer that is not there; no `Exception`, since ccxt catches those of the network."""

    def __init__(self, request: Request) -> None:
        super().__init__(request.path)
        self.request = request


class _Exchange:
    """One exchange of ccxt, fed with answers instead of a network."""

    def __init__(self, feed: str) -> None:
        try:
            import ccxt
        except ImportError:
            raise errors.ConfigError(
                "ccxt is not installed.", hint="Install fulltape with its extra crypto (README: extras)."
            ) from None
        if feed not in ccxt.exchanges:
            raise errors.ConfigError(f"ccxt has no exchange {feed!r}.")
        self.errors: Any = ccxt
        self.api: Any = getattr(ccxt, feed)({"enableRateLimit": False})
        self.api.has["fetchCurrencies"] = False
        chosen = self.api.options.get("fetchMarkets")
        if isinstance(chosen, dict) and "types" in chosen:
            self.api.options["fetchMarkets"] = {**chosen, "types": ["spot"]}
        self.api.fetch = self._fetch
        self._answers: list[Response] = []
        self.parsed: object = None
        """The body of the last answer that ccxt has read."""

    def run(self, call: Callable[[Any], Any], answers: Sequence[Response]) -> Any:
        """What a call returns with these answers; `_NeededError` where it needs one more."""
        self._answers = list(answers)
        return call(self.api)

    def _fetch(
        self, url: str, method: str = "GET", headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Any:
        """What ccxt's own method does with an HTTP answer, and nothing of what it does to get one."""
        if not self._answers:
            raise _NeededError(_request(url, method, headers or {}, body))
        answer = self._answers.pop(0)
        text = answer.body.decode(errors="replace")
        parsed = self.api.parse_json(text)
        arguments = (answer.status, "", url, method, dict(answer.headers), text, parsed, headers or {}, body)
        self.api.handle_errors(*arguments)
        self.api.handle_http_status_code(answer.status, "", url, method, text)
        if parsed is None:
            raise self.errors.BadResponse("the body is no JSON")
        self.parsed = parsed
        return parsed


def _request(url: str, method: str, headers: Mapping[str, str], body: Any) -> Request:
    parts = urllib.parse.urlsplit(url)
    return Request(
        path=parts.path or "/",
        params=dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
        host=f"{parts.scheme}://{parts.netloc}",
        method=method,
        headers={name: str(value) for name, value in headers.items()},
        body=body or "",
    )


_known: dict[str, list[Any]] = {}
"""The markets of each exchange, as this process has loaded them: they take two requests and megabytes."""


def history(fetch: FetchRequest, resume: Cursor | None) -> Conversation:
    """The exchange's markets, if this process has not seen them, then pages of candles until one is empty."""
    feed = fetch.source.partition(".")[2]
    exchange = _Exchange(feed)
    wire = symbology.vendor_symbol(fetch)
    if wire not in {market["symbol"] for market in _known.get(feed, ())}:
        # What this process has seen may be old: the exchange itself must say that it does not list a symbol.
        listed = yield from _called(
            fetch,
            exchange,
            lambda api: api.load_markets(),
            lambda markets: _listed(fetch, feed, wire, markets),
        )
        if listed.outcome is not Outcome.EMPTY:
            return
    exchange.api.set_markets(_known[feed])
    timeframe, step = _TIMEFRAMES[fetch.dataset]
    limit = min(fetch.rows_per_page or 10_000, _limit(exchange))
    at = int(resume.token) if resume else fetch.start
    probed = resume is not None
    asked = functools.partial(_candles, wire, timeframe)
    while at < fetch.end:
        page: list[Instant] = []
        read = functools.partial(_page, fetch, exchange, wire, at, limit, step, page, probed=probed)
        answer = yield from _called(fetch, exchange, functools.partial(asked, at, limit), read)
        if answer.reason == _PROBE:
            # Full, and it begins later than asked: listed late, or its newest rows whatever is asked? Asked from one
            # candle later on, the one sends a candle more at the end, the other one less at the beginning.
            last, later = page[-1], page[0] + step
            judge = functools.partial(_probe, fetch, last)
            answer = yield from _called(fetch, exchange, functools.partial(asked, later, limit), judge)
            if answer.outcome is not Outcome.EMPTY:
                return
            probed = True
            continue
        if answer.outcome not in (Outcome.ROWS, Outcome.EMPTY) or answer.cursor is None:
            return
        probed, at = True, int(answer.cursor.token)


def _probe(fetch: FetchRequest, last: Instant, rows: Any) -> PageResult:
    timestamps = [int(row[0]) * _MILLISECOND for row in rows]
    if timestamps and timestamps[-1] > last:
        return PageResult(outcome=Outcome.EMPTY)
    reason = f"{fetch.source} answers with its newest candles, whatever is asked"
    return PageResult(outcome=Outcome.NOT_SUPPORTED, reason=reason)


def _listed(fetch: FetchRequest, feed: str, wire: str, markets: Mapping[str, Any]) -> PageResult:
    if not markets:
        return envelopes.malformed("a list of no markets")
    _known[feed] = list(markets.values())
    if wire in markets:
        return PageResult(outcome=Outcome.EMPTY)
    reason = f"{fetch.source} lists no {fetch.symbols[0]}"
    return PageResult(outcome=Outcome.UNKNOWN_SYMBOL, symbols=fetch.symbols, reason=reason)


def _limit(exchange: _Exchange) -> int:
    spot = (exchange.api.features or {}).get("spot") or {}
    return int((spot.get("fetchOHLCV") or {}).get("limit") or _DEFAULT_LIMIT)


def _called(
    fetch: FetchRequest, exchange: _Exchange, call: Callable[[Any], Any], read: Callable[[Any], PageResult]
) -> Any:
    """Run a call of ccxt to its end, yielding the requests that it makes; returns the answer that stands."""
    answers: list[Response] = []
    try:
        exchange.run(call, answers)
    except _NeededError as needed:
        request = needed.request
    except exchange.errors.BaseError as error:
        # Refused before anything was asked: its list of markets carries the answer.
        try:
            exchange.run(lambda api: api.fetch_markets(), [])
        except _NeededError as needed:
            yield needed.request
        answer = _refusal(
            fetch, exchange.errors, error, Response(status=200, headers={}, body=b"", received_at=0)
        )
        yield answer
        return answer
    while True:
        response = yield request
        assert response is not None
        following: Request | None = None
        try:
            answer = read(exchange.run(call, [*answers, response]))
        except _NeededError as needed:
            answer, following = PageResult(outcome=Outcome.EMPTY), needed.request
        except exchange.errors.BaseError as error:
            answer = _refusal(fetch, exchange.errors, error, response)
        except (*UNREADABLE, TypeError, KeyError, IndexError, AttributeError, ArithmeticError) as error:
            answer = envelopes.malformed(f"ccxt cannot read it: {type(error).__name__}: {error}"[:200])
        yield answer
        if answer.outcome in (Outcome.RATE_LIMITED, Outcome.TRANSIENT, Outcome.MALFORMED):
            continue
        if following is None:
            return answer
        answers.append(response)
        request = following


def _candles(wire: str, timeframe: str, since: Instant, limit: int, api: Any) -> Any:
    return api.fetch_ohlcv(wire, timeframe, since // _MILLISECOND, limit)


def _page(
    fetch: FetchRequest,
    exchange: _Exchange,
    wire: str,
    since: Instant,
    limit: int,
    step: Instant,
    page: list[Instant],
    rows: Any,
    *,
    probed: bool,
) -> PageResult:
    """A page without rows says nothing of what comes after its window; one that begins late must be looked into."""
    timestamps = [int(row[0]) * _MILLISECOND for row in rows]
    if timestamps != sorted(timestamps):
        return envelopes.malformed("candles out of order")
    if not timestamps and not _holds_an_empty_list(exchange.parsed):
        # ccxt takes whatever it does not find for nothing, also in a body that has another shape.
        return envelopes.malformed("no candles, and no list that they are not in")
    page[:] = timestamps
    if not probed and len(timestamps) >= limit and timestamps[0] > since + step:
        return PageResult(outcome=Outcome.EMPTY, reason=_PROBE)
    inside = [timestamp for timestamp in timestamps if since <= timestamp < fetch.end]
    market = exchange.api.market(wire)
    memo = {"since": since, "limit": limit, "market": {name: market.get(name) for name in _KEPT}}
    at = max(timestamps[-1] + step, since + step) if timestamps else since + limit * step
    answer = PageResult(
        outcome=Outcome.ROWS if inside else Outcome.EMPTY,
        keep=True,
        confirmed=fetch.symbols,
        memo=msgspec.json.encode(memo).decode(),
        complete_through=bars.all_complete(fetch),
    )
    if at >= fetch.end:
        return answer
    session_of = datasets.get(fetch.dataset).session_of()
    through = bars.complete_before(fetch, fetch.symbols[0], [at], session_of)
    return replace(answer, complete_through=through, cursor=Cursor(token=str(at)))


def _holds_an_empty_list(body: object) -> bool:
    """Whether an empty list stands somewhere in a body: the only way to say that there is nothing."""
    if isinstance(body, Mapping):
        return any(map(_holds_an_empty_list, body.values()))
    if isinstance(body, list):
        return not body or any(map(_holds_an_empty_list, body))
    return False


def _refusal(fetch: FetchRequest, kinds: Any, error: Exception, response: Response) -> PageResult:
    """ccxt's exceptions; some that look as if they could be tried again are for ever, as the status shows."""
    reason = envelopes.reason(f"{type(error).__name__}: {error}", response.status)
    if response.status in (401, 407) or isinstance(error, kinds.AuthenticationError):
        return PageResult(outcome=Outcome.BAD_CREDENTIALS, reason=reason)
    if response.status == 451 or isinstance(error, (kinds.PermissionDenied, kinds.RestrictedLocation)):
        return PageResult(outcome=Outcome.NOT_ENTITLED, reason=reason)
    if response.status in envelopes.TOO_MANY or isinstance(
        error, (kinds.RateLimitExceeded, kinds.DDoSProtection)
    ):
        return envelopes.rate_limited(response, reason)
    if isinstance(error, kinds.BadSymbol):
        return PageResult(outcome=Outcome.UNKNOWN_SYMBOL, symbols=fetch.symbols, reason=reason)
    if isinstance(error, kinds.NotSupported):
        return PageResult(outcome=Outcome.NOT_SUPPORTED, reason=reason)
    if isinstance(error, kinds.NetworkError):
        return PageResult(outcome=Outcome.TRANSIENT, reason=reason)
    if isinstance(error, kinds.BadRequest):
        return PageResult(outcome=Outcome.BAD_REQUEST, reason=reason)
    return envelopes.malformed(reason) if response.status == 200 else envelopes.undocumented(response, reason)


def decode(pages: Sequence[Page]) -> Decoded:
    """ccxt reads each page again, told of its market by the memo."""
    tables: list[Table] = []
    rejected: list[Rejected] = []
    for page in pages:
        try:
            rows = _rows(page)
        except errors.FulltapeError:
            raise
        except Exception as error:  # noqa: BLE001 — a library reads a stranger's bytes: it may raise anything
            reason = f"ccxt cannot read it: {type(error).__name__}: {error}"[:200]
            rejected.append(Rejected(page=page.number, symbol=None, session=None, rows=0, reason=reason))
            continue
        names = ("open", "high", "low", "close", "volume")
        columns: dict[str, list[object]] = {
            name: [row[at] for row in rows] for at, name in enumerate(names, start=1)
        }
        columns["timestamp"] = [int(row[0] or 0) * _MILLISECOND for row in rows]
        tables.append(Table(page=page.number, symbol=page.fetch.symbols[0], columns=columns))
    return Decoded(tables=tuple(tables), rejected=tuple(rejected))


class _Memo(msgspec.Struct):
    since: int
    limit: int
    market: dict[str, Any]


def _rows(page: Page) -> list[list[float | None]]:
    """The candles of a page that lie in the span, with numbers or nulls and nothing else."""
    fetch = page.fetch
    memo = msgspec.json.decode(page.memo, type=_Memo)
    exchange = _Exchange(fetch.source.partition(".")[2])
    exchange.api.set_markets([exchange.api.safe_market_structure(memo.market)])
    timeframe, _ = _TIMEFRAMES[fetch.dataset]
    answer = Response(status=page.status, headers={}, body=page.body, received_at=0)
    asked = functools.partial(_candles, memo.market["symbol"], timeframe, memo.since, memo.limit)
    candles = exchange.run(asked, [answer])
    rows = [[_number(value) for value in row[:6]] for row in candles]
    return [row for row in rows if row[0] is not None and fetch.start <= row[0] * _MILLISECOND < fetch.end]


def _number(value: object) -> float | None:
    if value is None:
        return None
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no number")
    return number
