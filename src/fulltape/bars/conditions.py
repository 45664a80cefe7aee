"""What a trade counts for in a bar: its sale conditions, read by a dated table."""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import importlib.resources
import operator
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from fulltape import errors

OPEN_CLOSE, HIGH_LOW, VOLUME, EXTENDED, CLOSING, OFFICIAL, UNKNOWN = (1 << bit for bit in range(7))
"""Bits of what a trade counts for. `EXTENDED`: it may make a price outside of regular hours. `UNKNOWN`: it has a code that no
table has."""
_ALLOWED = OPEN_CLOSE | HIGH_LOW | VOLUME | EXTENDED
_NOTHING = 0
FILE = "conditions.toml"

COLUMN, _HASH = "counts_for", "hash"
_KNOWN = {_HASH: pl.UInt64, COLUMN: pl.UInt8}
KEY = ("source", "session", "conditions", "tape", "correction")
ALIKE_BY = ("conditions", "tape", "correction")
"""Trades of one instrument and session that agree in these count for the same: all of them are of one source."""
_AUCTIONS = {"": 0, "close": CLOSING, "official_close": OFFICIAL}
_FIELDS = frozenset({"codes", "name", "tapes", "from", "to", "open_close", "high_low", "volume", "extended", "auction"})  # fmt: skip


def alike(names: Sequence[str]) -> pl.Expr:
    """A number that is the same where these columns are: a hash of 64 bits, which is looked up many times faster than text."""
    return functools.reduce(operator.xor, (pl.col(name).hash(seed=seed) for seed, name in enumerate(names)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRule:
    """What a code allows, on some tapes (none: all), in sessions from `first` to `last`, both inclusive."""

    code: str
    allows: int
    auction: int
    tapes: frozenset[str]
    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How some vendors write conditions: their rules by code, their tapes, and which corrections leave a trade standing."""

    rules: Mapping[str, tuple[CodeRule, ...]]
    tapes: Mapping[str, str]
    standing: frozenset[str]

    def counts_for(self, conditions: str | None, tape: str | None, session: dt.date) -> int:
        """The bits of a trade with these codes, which are parted by commas."""
        allowed, auction = _ALLOWED, 0
        for code in (conditions or "").split(","):
            rule = self._rule(code, self.tapes.get(tape or "", tape or ""), session)
            if rule is None:
                allowed, auction = allowed & VOLUME, auction | UNKNOWN
            else:
                allowed, auction = allowed & rule.allows, auction | rule.auction
        return allowed | auction

    def _rule(self, code: str, tape: str, session: dt.date) -> CodeRule | None:
        dated = not code  # who says nothing has nothing to say
        for rule in self.rules.get(code, ()):
            if rule.tapes and tape and tape not in rule.tapes:
                continue
            if rule.first <= session <= rule.last:
                return rule
            dated = True
        # Before or after its dates a known code means nothing.
        return _PLAIN if dated else None


_UNREAD = Scheme(rules={}, tapes={}, standing=frozenset())
_PLAIN = CodeRule(code="", allows=_ALLOWED, auction=0, tapes=frozenset(), first=dt.date.min, last=dt.date.max)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleConditions:
    """The tables of all vendors; `version` is a digest of their texts."""

    schemes: Mapping[str, Scheme]
    version: str

    def knows(self, source: str) -> bool:
        """Whether the conditions of a source can be read."""
        return _vendor(source) in self.schemes

    def column(self) -> pl.Expr:
        """What each trade counts for, as the column `counts_for`, out of source, session, conditions, tape and correction."""

        known = pl.DataFrame(schema=_KNOWN)

        def values_of(rows: pl.Series) -> pl.Series:
            nonlocal known
            keys, table = pl.DataFrame({_HASH: rows.struct.field(_HASH)}), known
            looked_up = keys.join(table, on=_HASH, how="left", maintain_order="left")[COLUMN]
            if looked_up.null_count():
                new = rows.filter(looked_up.is_null()).struct.unnest().unique(_HASH)
                bits = [self._bits(*row) for row in new.select(KEY).iter_rows()]
                table = pl.concat([table, new.select(_HASH, pl.Series(COLUMN, bits, dtype=pl.UInt8))])
                looked_up = keys.join(table, on=_HASH, how="left", maintain_order="left")[COLUMN]
                known = table
            return looked_up

        hashed = pl.struct(alike(KEY).alias(_HASH), *KEY)
        return hashed.map_batches(values_of, return_dtype=pl.UInt8, is_elementwise=True).alias(COLUMN)

    def _bits(
        self, source: str, session: dt.date, conditions: str | None, tape: str | None, correction: str | None
    ) -> int:
        scheme = self.schemes.get(_vendor(source), _UNREAD)
        if correction is not None and correction not in scheme.standing:
            return _NOTHING
        return scheme.counts_for(conditions, tape, session)


def _vendor(source: str) -> str:
    return source.partition(".")[0]


def load(node: str = "") -> SaleConditions:
    """The tables of the package; `node`: the text of a node's own table, which goes before. `UsageError` says what is wrong in it."""
    own = importlib.resources.files(__package__).joinpath(FILE).read_text()
    schemes = _schemes(tomllib.loads(own), {})
    if node:
        try:
            schemes = _schemes(tomllib.loads(node), schemes)
        except (tomllib.TOMLDecodeError, TypeError, ValueError, AttributeError) as error:
            raise errors.UsageError(
                f"the node's {FILE} cannot be read: {error}.", hint="docs/prices.md shows its form."
            ) from error
    return SaleConditions(schemes=schemes, version=hashlib.sha256((own + node).encode()).hexdigest()[:12])


def _schemes(table: Mapping[str, Any], known: Mapping[str, Scheme]) -> dict[str, Scheme]:
    made = dict(known)
    for name, section in table.items():
        vendors = section.get("vendors", [name])
        for vendor in vendors:
            made[vendor] = _scheme(section, made.get(vendor))
    return made


def _scheme(section: Mapping[str, Any], known: Scheme | None) -> Scheme:
    by_code: dict[str, list[CodeRule]] = {}
    for row in section.get("code", ()):
        for rule in _rules(row):
            by_code.setdefault(rule.code, []).append(rule)
    rules = {code: tuple(listed) for code, listed in by_code.items()}
    tapes = dict(section.get("tapes", {}))
    standing = frozenset(section.get("standing_corrections", ()))
    if known is None:
        return Scheme(rules=rules, tapes=tapes, standing=standing)
    return Scheme(
        rules={**known.rules, **rules}, tapes={**known.tapes, **tapes}, standing=known.standing | standing
    )


def _rules(row: Mapping[str, Any]) -> Sequence[CodeRule]:
    unknown = set(row) - _FIELDS
    if unknown:
        raise ValueError(f"{', '.join(sorted(unknown))} is no field of a code")
    if not isinstance(row.get("codes"), list):
        raise ValueError("a rule has no list of codes")  # noqa: TRY004
    open_close = _flag(row, "open_close", default=True)
    allows = (
        OPEN_CLOSE * open_close
        | HIGH_LOW * _flag(row, "high_low", default=True)
        | VOLUME * _flag(row, "volume", default=True)
        | EXTENDED * _flag(row, "extended", default=open_close)
    )
    auction = str(row.get("auction", ""))
    if auction not in _AUCTIONS:
        raise ValueError(f"auction = {auction!r} is not close or official_close")
    first, last = row.get("from", dt.date.min), row.get("to", dt.date.max)
    if not (isinstance(first, dt.date) and isinstance(last, dt.date)):
        raise ValueError("from and to are dates, written without quotes")  # noqa: TRY004
    return [
        CodeRule(
            code=str(code),
            allows=allows,
            auction=_AUCTIONS[auction],
            tapes=frozenset(row.get("tapes", ())),
            first=first,
            last=last,
        )
        for code in row["codes"]
    ]


def _flag(row: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = row.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name} = {value!r} is not true or false")  # noqa: TRY004
    return value
