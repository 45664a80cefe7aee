"""What a venue refuses takes nothing else down, whatever its words: every adapter against venues that name the bad name,
refuse a whole command without one, or have room for so many only."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fulltape import vendors
from fulltape.contract.streams import (
    ProtocolStep,
    ProtocolSteps,
    Resubscribe,
    Stream,
    StreamingVendor,
    Subscription,
)
from fulltape.contract.subscribing import Subscribing

Manner = Literal["named", "whole", "full"]


@dataclass(kw_only=True)
class Venue:
    """A venue that has bad names: `refuses` them in one manner, `live` is what it has accepted."""

    bad: set[str]
    manner: Manner
    room: int = 10**9
    live: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)

    def accepts(self, names: Sequence[str]) -> tuple[bool, str]:
        """Whether a whole command, and else which name is told."""
        wrong = [name for name in names if name in self.bad]
        if wrong:
            return False, wrong[0] if self.manner == "named" else ""
        if len({*self.live, *names}) > self.room:
            return False, ""
        self.live += [name for name in names if name not in self.live]
        return True, ""


def binance(venue: Venue, said: dict[str, Any]) -> list[object]:
    taken, _ = venue.accepts(said["params"])
    if taken:
        return [{"result": None, "id": said["id"]}]
    return [{"code": 2, "msg": "Invalid request: unknown stream", "id": said["id"]}]


def coinbase(venue: Venue, said: dict[str, Any]) -> list[object]:
    kind = "matches"
    (wires,) = (one["product_ids"] for one in said["channels"] if one["name"] == kind)
    taken, told = venue.accepts([f"match|{wire}" for wire in wires])
    if not taken:
        about = f"{told.partition('|')[2]} is not a valid product" if told else "Failed to pre-authorize"
        return [{"type": "error", "message": "Failed to subscribe", "reason": about}]
    live = [name.partition("|")[2] for name in venue.live]
    return [{"type": "subscriptions", "channels": [{"name": kind, "product_ids": live}]}]


def kraken(venue: Venue, said: dict[str, Any]) -> list[object]:
    """By symbol where it names the bad one; the others of the command are taken then."""
    params, number = said["params"], said["req_id"]
    names = [f"{params['channel']}|{wire}" for wire in params["symbol"]]
    if venue.manner != "named" and not venue.accepts(names)[0]:
        return [{"method": "subscribe", "success": False, "error": "Malformed request", "req_id": number}]
    replies: list[object] = []
    for name in names:
        wire = name.partition("|")[2]
        about = {"method": "subscribe", "req_id": number}
        if venue.accepts([name])[0]:
            result = {"channel": params["channel"], "symbol": wire}
            replies.append({**about, "success": True, "result": result})
        else:
            error = f"Currency pair not supported {wire}"
            replies.append({**about, "success": False, "error": error, "symbol": wire})
    return replies


def alpaca(venue: Venue, said: dict[str, Any]) -> list[object]:
    if said["action"] == "auth":
        return [[{"T": "success", "msg": "authenticated"}]]
    taken, _ = venue.accepts([f"t|{wire}" for wire in said["trades"]])
    if not taken and venue.manner == "full":
        return [[{"T": "error", "code": 405, "msg": "symbol limit exceeded"}]]
    if not taken:
        return [[{"T": "error", "code": 400, "msg": "invalid syntax"}]]
    return [[{"T": "subscription", "trades": [name.partition("|")[2] for name in venue.live]}]]


def massive(venue: Venue, said: dict[str, Any]) -> list[object]:
    """One status a name; the refusals come first, so that the names taken are not known yet."""
    if said["action"] == "auth":
        return [[{"ev": "status", "status": "auth_success", "message": "authenticated"}]]
    taken, refused = [], []
    for word in said["params"].split(","):
        name = word.replace(".", "|", 1)
        if venue.accepts([name])[0]:
            told = {"ev": "status", "status": "success", "message": f"subscribed to: {word}"}
            taken.append(told)
        else:
            words = f"not authorized for {word}" if venue.manner == "named" else "not authorized"
            refused.append({"ev": "status", "status": "error", "message": words})
    return [[one] for one in (*refused, *taken)]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """An adapter, what it is greeted with, and its venue."""

    vendor: str
    source: str
    dataset: str
    symbol: Callable[[int], str]
    answers: Callable[[Venue, dict[str, Any]], list[object]]
    greeting: tuple[object, ...] = ()
    most_bytes: int = 10**9
    manners: tuple[Manner, ...] = ("named", "whole")

    def stream(self, count: int) -> Stream:
        """A connection for so many symbols."""
        module = cast("StreamingVendor", vendors.load(self.vendor))
        wanted = [Subscription(dataset=self.dataset, symbol=self.symbol(at)) for at in range(count)]
        return module.streams(self.source, wanted)[0]


def ticker(at: int) -> str:
    """A different symbol of letters for each number."""
    return "".join(chr(65 + at // 26**place % 26) for place in range(3))


KINDS = (
    Kind(vendor="binance", source="binance.spot", dataset="crypto_trades", symbol=lambda at: f"{ticker(at)}/USDT",
         answers=binance, most_bytes=4_088, manners=("whole",)),
    Kind(vendor="coinbase", source="coinbase.exchange", dataset="crypto_trades", symbol=lambda at: f"{ticker(at)}/USD",
         answers=coinbase),
    Kind(vendor="kraken", source="kraken.spot", dataset="crypto_trades", symbol=lambda at: f"{ticker(at)}/USD",
         answers=kraken),
    Kind(vendor="alpaca", source="alpaca.sip", dataset="equities_trades", symbol=ticker, answers=alpaca,
         greeting=([{"T": "success", "msg": "connected"}],), most_bytes=32_768, manners=("whole", "full")),
    Kind(vendor="massive", source="massive.sip", dataset="equities_trades", symbol=ticker, answers=massive,
         greeting=([{"ev": "status", "status": "connected", "message": "Connected Successfully"}],)),
)  # fmt: skip


def talked(
    kind: Kind, venue: Venue, talk: ProtocolSteps, turn: ProtocolStep, greeting: Sequence[object] = ()
) -> Iterator[ProtocolStep]:
    """The conversation until neither side has anything more to say."""
    open_commands = list(turn.say)
    messages = list(greeting)
    while open_commands or messages:
        if messages:
            turn = talk.send(json.dumps(messages.pop(0), separators=(",", ":")).encode())
            yield turn
            open_commands += turn.say
            # Massive answers by name: names taken of an older command may be all that a newer one lacks.
            assert len(open_commands) <= 1 or kind.vendor == "massive"
            continue
        text = open_commands.pop(0)
        assert len(text.encode()) <= kind.most_bytes
        if "auth" not in text:
            venue.commands.append(text)
        messages += kind.answers(venue, json.loads(text))


@pytest.mark.parametrize(
    ("kind", "manner"),
    [(kind, manner) for kind in KINDS for manner in kind.manners if manner != "full"],
    ids=lambda of: of.vendor if isinstance(of, Kind) else of,
)
@given(count=st.integers(1, 300), data=st.data())
def test_bad_names_are_refused_and_all_others_are_live(
    kind: Kind, manner: Manner, count: int, data: st.DataObject
) -> None:
    stream = kind.stream(count)
    names = [channel.name for channel in stream.channels]
    bad = data.draw(st.sets(st.sampled_from(names), max_size=min(count, 12)))
    venue = Venue(bad=bad, manner=manner)
    talk = stream.converse(stream.channels)
    refused: set[str] = set()
    confirmed: set[str] = set()
    for turn in talked(kind, venue, talk, next(talk), kind.greeting):
        assert not turn.end
        refused |= turn.refused.keys()
        refused -= set(turn.confirmed)
        confirmed |= set(turn.confirmed)
    assert (refused, confirmed) == (bad, set(names) - bad)
    assert len(venue.commands) <= math.ceil(count / 50) + 1 + 2 * len(bad) * math.ceil(math.log2(count + 1))
    before = len(venue.commands)
    for turn in talked(kind, venue, talk, talk.send(Resubscribe(channels=tuple(sorted(bad))))) if bad else ():
        assert not turn.confirmed or bad.isdisjoint(turn.confirmed)
    assert len(venue.commands) - before <= len(bad), "a name that was refused is asked for by itself"


@given(count=st.integers(1, 700), room=st.integers(0, 60))
def test_a_plan_with_room_for_few_gets_as_many_as_it_has_room_for(count: int, room: int) -> None:
    kind = next(one for one in KINDS if "full" in one.manners)
    stream = kind.stream(count)
    venue = Venue(bad=set(), manner="full", room=room)
    talk = stream.converse(stream.channels)
    turns = list(talked(kind, venue, talk, next(talk), kind.greeting))
    assert len({name for turn in turns for name in turn.confirmed}) == min(count, room)
    assert len({name for turn in turns for name in turn.refused}) == max(count - room, 0)
    assert len(venue.commands) <= 2 * math.ceil(math.log2(count + 1)) + 2


@given(count=st.integers(1, 300), data=st.data())
def test_names_that_the_venue_is_silent_about_hold_nothing_up_for_long(
    count: int, data: st.DataObject
) -> None:
    """A venue says nothing at all to a command with one of them. Each time the node asks again for what is missing."""
    names = [f"N{number}" for number in range(count)]
    mute = data.draw(st.sets(st.sampled_from(names), max_size=4))
    asking = Subscribing(lambda some, _: ",".join(some), most=100)
    turn = asking.subscribe(names)
    live: set[str] = set()
    asked = in_vain = worst = 0
    while len(live) < count - len(mute):
        while turn.say and mute.isdisjoint(turn.say[0].split(",")):
            asking.confirm(turn.say[0].split(","))
            turn = asking.step()
            worst, in_vain = max(worst, in_vain), 0
            live |= set(turn.confirmed)
        missing = [name for name in names if name not in live]
        turn = asking.subscribe(missing)
        asked, in_vain = asked + 1, in_vain + 1
        assert asked <= 3 + 25 * len(mute)
    assert live == {*names} - mute
    # A connection on which three asks in a row are in vain is given up: with one such name it never comes to that.
    assert max(worst, in_vain) <= 2 or len(mute) > 1


@pytest.mark.parametrize(
    ("vendor", "error"),
    [
        ("alpaca", [{"T": "error", "code": 405, "msg": "symbol limit exceeded"}]),
        ("alpaca", [{"T": "error", "code": 400, "msg": "invalid syntax"}]),
        (
            "massive",
            [{"ev": "status", "status": "error", "message": "symbol limit exceeded: invalid syntax"}],
        ),
    ],
)
def test_a_refusal_before_anything_was_asked_for_is_told(vendor: str, error: list[dict[str, object]]) -> None:
    kind = next(one for one in KINDS if one.vendor == vendor)
    stream = kind.stream(3)
    talk = stream.converse(stream.channels)
    next(talk)
    talk.send(json.dumps(kind.greeting[0]).encode())
    turn = talk.send(json.dumps(error).encode())
    assert turn.refused.keys() == {channel.name for channel in stream.channels}
    assert all("symbol limit exceeded" in why or "invalid syntax" in why for why in turn.refused.values())


@given(bad=st.sets(st.integers(0, 19), max_size=20))
def test_deriv_refuses_by_symbol(bad: set[int]) -> None:
    module = cast("StreamingVendor", vendors.load("deriv"))
    wanted = [Subscription(dataset="synthetic_ticks", symbol=f"R_{at}") for at in range(20)]
    stream = module.streams("deriv.synthetic", wanted)[0]
    talk = stream.converse(stream.channels)
    said = [json.loads(text) for text in next(talk).say]
    refused: set[str] = set()
    for one in said:
        if int(one["ticks"].removeprefix("R_")) in bad:
            error = {"code": "InvalidSymbol", "message": f"Symbol {one['ticks']} is invalid."}
            turn = talk.send(
                json.dumps({"msg_type": "tick", "req_id": one["req_id"], "error": error}).encode()
            )
            assert not turn.say
            refused |= turn.refused.keys()
    assert refused == {f"tick|R_{at}" for at in bad}
    again = talk.send(Resubscribe(channels=tuple(sorted(refused))))
    assert len(again.say) == len(bad)


def test_a_library_is_not_asked_for_what_its_exchange_does_not_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """ccxt refuses all symbols for one that it does not know."""
    pro = pytest.importorskip("ccxt.pro")
    watched: list[list[str]] = []

    class Exchange:
        def __init__(self, options: object) -> None:
            self.has = {"watchTradesForSymbols": True}

        async def load_markets(self) -> dict[str, object]:
            return {"BTC/USDT": {}, "ETH/USDT": {}}

        async def watch_trades_for_symbols(self, symbols: list[str]) -> list[dict[str, object]]:
            watched.append(list(symbols))
            if "LUNA/USDT" in symbols:
                raise pro.BadSymbol("binance does not have market symbol LUNA/USDT")
            about = {"id": "1", "timestamp": 1, "side": "buy", "price": 1.0, "amount": 1.0, "info": {}}
            return [{**about, "symbol": symbol} for symbol in symbols]

        async def close(self) -> None:
            """Nothing is open."""

    monkeypatch.setattr(pro, "binance", Exchange)
    module = cast("Any", vendors.load("ccxt"))
    wanted = [
        Subscription(dataset="crypto_trades", symbol=symbol)
        for symbol in ("BTC/USDT", "LUNA/USDT", "ETH/USDT")
    ]
    (stream,) = module.streams("ccxt.binance", wanted)

    async def first() -> list[Any]:
        feed = module.feed(stream, "", {})
        found = [await anext(feed) for _ in range(3)]
        await feed.aclose()
        return found

    refused, *told = asyncio.run(first())
    assert (refused.channel, refused.refused) == ("LUNA/USDT", "ccxt.binance lists no LUNA/USDT")
    assert [one.channel for one in told] == ["BTC/USDT", "ETH/USDT"]
    assert watched[1:] == [["BTC/USDT", "ETH/USDT"]]
