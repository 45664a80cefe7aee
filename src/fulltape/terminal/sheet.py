"""Coverage as a coloured sheet, instruments by months: HTML, or PNG with the extra `fulltape[pictures]`."""

from __future__ import annotations

import calendar as months_of
import html as escaping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fulltape import errors
from fulltape.coverage.series import Picture
from fulltape.market.sessions import Calendar
from fulltape.terminal import picture

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

COLOURS = {
    "█": ("#2f7d4f", "held"),
    "▒": ("#d9a441", "partly"),
    "░": ("#c8453b", "missing"),
    "o": ("#a9c4d8", "confirmed empty"),
    "×": ("#5b3a6b", "no vendor has it"),
    "·": ("#eeeeec", "not wanted (closed, not listed)"),
}
_CELL, _ROW, _TOP, _LETTER = 14, 18, 40, 8
"""Pixels: a month, an instrument, what stands above them, a letter of a name."""
_NAMED_MONTHS = 36
"""So many months have names of their own, more only their years."""
_INK, _PAPER = "#222222", "#ffffff"
_STYLE = """
body{font-family:sans-serif;margin:1.5em;color:#222;line-height:1.4}
h1{font-size:1.5em}h2{font-size:1.15em;margin:1.6em 0 .3em}
.legend{position:sticky;top:0;z-index:2;background:#fff;padding:.5em 0;display:flex;flex-wrap:wrap;gap:.3em 1.2em}
.legend i{display:inline-block;width:.9em;height:.9em;margin-right:.35em;vertical-align:-.05em}
.grid{display:flex;overflow-x:auto}.names{position:sticky;left:0;background:#fff}
svg{display:block;flex:none;font-family:sans-serif;font-size:12px}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:.9em;margin:.6em 0}
th,td{text-align:left;padding:.25em .9em .25em 0;border-bottom:1px solid #ddd;vertical-align:top;white-space:nowrap}
td:last-child{white-space:normal;min-width:18em}summary{cursor:pointer;margin-top:.6em}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A dataset: its months (year, month), per instrument one sign of `COLOURS` a month, and what is lacking as rows of
    text."""

    title: str
    months: Sequence[tuple[int, int]]
    rows: Sequence[tuple[str, str]]
    lacking: Sequence[tuple[str, ...]] = ()

    @property
    def left(self) -> int:
        """How wide the names are."""
        return 12 + _LETTER * max((len(name) for name, _ in self.rows), default=0)

    @property
    def labels(self) -> list[tuple[int, str, str]]:
        """Above which month stands which year and which name of a month."""
        named = len(self.months) <= _NAMED_MONTHS
        return [
            (at, str(year) if month == 1 or at == 0 else "", months_of.month_abbr[month][:1] if named else "")
            for at, (year, month) in enumerate(self.months)
        ]


def grid(
    title: str,
    calendar: Calendar,
    rows: Sequence[tuple[str, Picture]],
    lacking: Sequence[tuple[str, ...]] = (),
) -> Grid:
    """The signs of every instrument."""
    months, signs = picture.monthly(calendar, rows)
    return Grid(title=title, months=months, rows=signs, lacking=lacking)


def html(grids: Sequence[Grid], head: Sequence[str]) -> str:
    """One page that needs nothing else; a cell tells its month and state when pointed at. `head` names the columns of what
    is lacking."""
    body = []
    for chart in grids:
        height = _TOP + _ROW * len(chart.rows) + 6
        names = "".join(
            f'<text x="0" y="{_TOP + _ROW * line + 13}">{escaping.escape(name)}</text>'
            for line, (name, _) in enumerate(chart.rows)
        )
        body.append(
            f"<h2>{escaping.escape(chart.title)}</h2>{_table(chart, head)}<div class=grid>"
            f'<svg class=names width="{chart.left}" height="{height}">{names}</svg>'
            f'<svg width="{_CELL * len(chart.months) + 40}" height="{height}">{_cells(chart)}</svg></div>'
        )
    legend = "".join(
        f'<span><i style="background:{colour}"></i>{words}</span>' for colour, words in COLOURS.values()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>fulltape: coverage</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>Coverage by month</h1>"
        f"<div class=legend>{legend}</div>{''.join(body)}</body></html>\n"
    )


def _cells(chart: Grid) -> str:
    shapes = []
    for at, year, month in chart.labels:
        x = _CELL * at
        if year:
            shapes.append(f'<text x="{x}" y="{_TOP - 22}">{year}</text>')
        if month:
            shapes.append(f'<text x="{x + 2}" y="{_TOP - 6}" fill="#666">{month}</text>')
    for line, (name, signs) in enumerate(chart.rows):
        y = _TOP + _ROW * line
        for at, (sign, length) in _runs(signs):
            colour, words = COLOURS[sign]
            (year_, month_), (until_year, until_month) = chart.months[at], chart.months[at + length - 1]
            span = f"{year_}-{month_:02}" + (f" to {until_year}-{until_month:02}" if length > 1 else "")
            shapes.append(
                f'<rect x="{_CELL * at}" y="{y}" width="{_CELL * length - 1}" height="{_ROW - 2}" '
                f'fill="{colour}"><title>{escaping.escape(name)} {span}: {words}</title></rect>'
            )
    return "".join(shapes)


def _table(chart: Grid, head: Sequence[str]) -> str:
    if not chart.lacking:
        return "<p>Nothing is missing.</p>"
    columns = "".join(f"<th>{escaping.escape(name)}</th>" for name in head)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escaping.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in chart.lacking
    )
    shown = " open" if len(chart.lacking) <= _OPEN else ""
    return (
        f"<details{shown}><summary>What is missing, why, and what happens next</summary><div class=scroll>"
        f"<table><thead><tr>{columns}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


_OPEN = 50
"""Tables of so many rows at most are open from the beginning."""


def png(grids: Sequence[Grid], path: Path) -> None:
    """The same as a picture, without the tables."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise errors.UsageError(
            "a PNG needs Pillow.",
            hint="Install fulltape with its extra pictures (README: extras); HTML needs nothing.",
        ) from error
    width = max([760, *(16 + chart.left + _CELL * len(chart.months) + 40 for chart in grids)])
    heights = [_TOP + 40 + _ROW * len(chart.rows) for chart in grids]
    image = Image.new("RGB", (width, 34 + sum(heights)), _PAPER)
    draw: ImageDraw.ImageDraw = ImageDraw.Draw(image)
    small, large = ImageFont.load_default(12), ImageFont.load_default(16)
    at = 8
    for colour, words in COLOURS.values():
        draw.rectangle((at, 10, at + 10, 20), fill=colour)
        draw.text((at + 15, 7), words, fill=_INK, font=small)
        at += 32 + int(draw.textlength(words, font=small))
    top = 34
    for panel, height in zip(grids, heights, strict=True):
        draw.text((8, top), panel.title, fill=_INK, font=large)
        _paint(draw, panel, top + 24, small)
        top += height
    image.save(path)


def _paint(draw: ImageDraw, chart: Grid, top: int, font: object) -> None:
    for at, year, month in chart.labels:
        x = 8 + chart.left + _CELL * at
        draw.text((x, top + 2), year, fill=_INK, font=font)  # type: ignore[arg-type]
        draw.text((x + 2, top + 18), month, fill=_INK, font=font)  # type: ignore[arg-type]
    for line, (name, signs) in enumerate(chart.rows):
        y = top + _TOP + _ROW * line
        draw.text((8, y), name, fill=_INK, font=font)  # type: ignore[arg-type]
        for at, (sign, length) in _runs(signs):
            x = 8 + chart.left + _CELL * at
            draw.rectangle((x, y, x + _CELL * length - 2, y + _ROW - 3), fill=COLOURS[sign][0])


def _runs(signs: str) -> list[tuple[int, tuple[str, int]]]:
    """(where, (sign, how many)) of equal signs in a row."""
    runs: list[tuple[int, tuple[str, int]]] = []
    for at, sign in enumerate(signs):
        if runs and runs[-1][1][0] == sign:
            runs[-1] = (runs[-1][0], (sign, runs[-1][1][1] + 1))
        else:
            runs.append((at, (sign, 1)))
    return runs
