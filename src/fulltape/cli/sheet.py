"""Coverage as a coloured sheet, instruments by months: HTML, or PNG with the extra `fulltape[pictures]`."""

from __future__ import annotations

import html as escaping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fulltape import errors
from fulltape.cli import picture
from fulltape.core.series import Picture
from fulltape.core.sessions import Calendar

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

COLOURS = {
    "█": ("#2f7d4f", "held"),
    "▒": ("#d9a441", "partly"),
    "░": ("#c8453b", "missing"),
    "o": ("#a9c4d8", "rightly empty"),
    "×": ("#5b3a6b", "unobtainable"),
    "·": ("#eeeeec", "not wanted (closed, not listed)"),
}
_CELL, _LEFT, _RIGHT, _TOP = 7, 90, 30, 44
_INK, _PAPER = "#222222", "#ffffff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A dataset: its months (year, month), and per instrument one sign of `COLOURS` a month."""

    title: str
    months: Sequence[tuple[int, int]]
    rows: Sequence[tuple[str, str]]


def grid(title: str, calendar: Calendar, rows: Sequence[tuple[str, Picture]]) -> Grid:
    """The signs of every instrument."""
    months, signs = picture.monthly(calendar, rows)
    return Grid(title=title, months=months, rows=signs)


def html(grids: Sequence[Grid]) -> str:
    """One page that needs nothing else; a cell tells its month and state when pointed at."""
    body = []
    for one in grids:
        width, height = _LEFT + _CELL * len(one.months) + _RIGHT, _TOP + _CELL * len(one.rows) + 10
        shapes = [
            f'<text x="{_LEFT + _CELL * at}" y="{_TOP - 6}" font-size="10">{year}</text>'
            for at, (year, month) in enumerate(one.months)
            if month == 1 or at == 0
        ]
        for line, (name, signs) in enumerate(one.rows):
            y = _TOP + _CELL * line
            shapes.append(f'<text x="4" y="{y + _CELL - 1}" font-size="7">{escaping.escape(name)}</text>')
            for at, (sign, length) in _runs(signs):
                colour, words = COLOURS[sign]
                (year, month), (until_year, until_month) = one.months[at], one.months[at + length - 1]
                span = f"{year}-{month:02}" + (f" to {until_year}-{until_month:02}" if length > 1 else "")
                shapes.append(
                    f'<rect x="{_LEFT + _CELL * at}" y="{y}" width="{_CELL * length - 1}" height="{_CELL - 1}" '
                    f'fill="{colour}"><title>{escaping.escape(name)} {span}: {words}</title></rect>'
                )
        body.append(
            f"<h2>{escaping.escape(one.title)}</h2>"
            f'<svg width="{width}" height="{height}" font-family="sans-serif">{"".join(shapes)}</svg>'
        )
    legend = " ".join(
        f'<span><i style="background:{colour}"></i>{words}</span>' for colour, words in COLOURS.values()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>fulltape: coverage</title><style>'
        "body{font-family:sans-serif;margin:2em;color:#222}i{display:inline-block;width:.8em;height:.8em;"
        "margin:0 .3em 0 1em}svg{display:block}</style></head><body><h1>Coverage</h1>"
        f"<p>{legend}</p>{''.join(body)}</body></html>\n"
    )


def png(grids: Sequence[Grid], path: Path) -> None:
    """The same as a picture."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise errors.UsageError(
            "a PNG needs Pillow.", hint="Install it: pip install 'fulltape[pictures]'; HTML needs nothing."
        ) from error
    width = max([700, *(_LEFT + _CELL * len(one.months) + _RIGHT for one in grids)])
    heights = [_TOP + 24 + _CELL * len(one.rows) for one in grids]
    image = Image.new("RGB", (width, 30 + sum(heights)), _PAPER)
    draw: ImageDraw.ImageDraw = ImageDraw.Draw(image)
    small, large = ImageFont.load_default(8), ImageFont.load_default(13)
    at = 8
    for colour, words in COLOURS.values():
        draw.rectangle((at, 9, at + 9, 18), fill=colour)
        draw.text((at + 13, 7), words, fill=_INK, font=ImageFont.load_default(10))
        at += 26 + int(draw.textlength(words, font=ImageFont.load_default(10)))
    top = 30
    for one, height in zip(grids, heights, strict=True):
        draw.text((8, top), one.title, fill=_INK, font=large)
        _paint(draw, one, top + 18, small)
        top += height
    image.save(path)


def _paint(draw: ImageDraw, one: Grid, top: int, font: object) -> None:
    for at, (year, month) in enumerate(one.months):
        if month == 1 or at == 0:
            draw.text((_LEFT + _CELL * at, top + 10), str(year), fill=_INK, font=font)  # type: ignore[arg-type]
    for line, (name, signs) in enumerate(one.rows):
        y = top + _TOP - 20 + _CELL * line
        draw.text((4, y - 2), name, fill=_INK, font=font)  # type: ignore[arg-type]
        for at, (sign, length) in _runs(signs):
            x = _LEFT + _CELL * at
            draw.rectangle((x, y, x + _CELL * length - 2, y + _CELL - 2), fill=COLOURS[sign][0])


def _runs(signs: str) -> list[tuple[int, tuple[str, int]]]:
    """(where, (sign, how many)) of equal signs in a row."""
    found: list[tuple[int, tuple[str, int]]] = []
    for at, sign in enumerate(signs):
        if found and found[-1][1][0] == sign:
            found[-1] = (found[-1][0], (sign, found[-1][1][1] + 1))
        else:
            found.append((at, (sign, 1)))
    return found
