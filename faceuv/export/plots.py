"""Charts for reports, drawn with Pillow alone: lines with bands, and bars. Each is an image ``(3, H, W)`` in [0, 1].

Charts of one size join to a figure with :func:`~faceuv.export.images.contact_sheet`. The k-th name has the same colour
in every chart. Labels use the letters of Pillow's own font, which has no Greek and no U+2212.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from faceuv.errors import InputError

# Okabe and Ito's colours, which people with any colour vision tell apart
COLOURS = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0), (86, 180, 233), (90, 90, 90))
_INK, _GRID, _PAPER = (30, 30, 30), (222, 222, 222), (255, 255, 255)
_TEXT, _TITLE = 13, 15  # pixels
_FINE = 2  # drawn this much larger, then reduced: Pillow's lines are not antialiased
_TOP, _RIGHT, _LEFT, _BOTTOM = 34, 14, 62, 44  # margins in pixels, for the title and the labels
_ROW = 17  # of the legend

Range = tuple[float, float]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Line:
    """One line: ``y`` over ``x``, and ``band``, half the height of a band around it, all of one length."""

    x: Sequence[float]
    y: Sequence[float]
    band: Sequence[float] | None = None


def line_chart(
    lines: Mapping[str, Line],
    *,
    title: str,
    x_label: str = "",
    y_label: str = "",
    size: tuple[int, int] = (380, 300),
    y_range: Range | None = None,
) -> Tensor:
    """Lines by name with a legend → ``(3, H, W)``; ``size`` is (width, height)."""
    if not lines:
        raise InputError("a chart needs at least one line")
    for name, line in lines.items():
        lengths = {len(line.x), len(line.y), len(line.x if line.band is None else line.band)}
        if len(lengths) > 1 or 0 in lengths:
            raise InputError(f"the line {name!r} must have as many x as y and band, and some, got {sorted(lengths)}")
    x_all = [float(v) for line in lines.values() for v in line.x]
    y_all = [edge for line in lines.values() for edge in (*_edge(line, -1), *_edge(line, 1))]
    chart = _Chart(size, title, _span(x_all, title), y_range or _span(y_all, title, margin=0.05))
    chart.grid(x_label, y_label)
    for k, line in enumerate(lines.values()):
        if line.band is not None:
            up, down = (list(zip(line.x, _edge(line, sign))) for sign in (1, -1))
            chart.area([*up, *reversed(down)], _colour(k))
    for k, line in enumerate(lines.values()):
        chart.polyline(list(zip(line.x, line.y)), _colour(k))
    chart.legend(list(lines))
    return chart.image()


def bar_chart(
    bars: Mapping[str, float],
    *,
    title: str,
    y_label: str = "",
    size: tuple[int, int] = (380, 300),
    y_range: Range | None = None,
    form: Callable[[float], str] = "{:.3g}".format,
) -> Tensor:
    """Bars from zero by name, each with its value written on it → ``(3, H, W)``; a NaN is a place without a bar."""
    if not bars:
        raise InputError("a chart needs at least one bar")
    heights = [0.0, *(float(v) for v in bars.values() if not math.isnan(v))]
    low, high = y_range or _span(heights, title)
    if y_range is None:  # room for the written values
        space = 0.12 * (high - low)
        low, high = (low - space if min(heights) < 0 else 0.0), (high + space if max(heights) >= 0 else 0.0)
    chart = _Chart(size, title, (-0.5, len(bars) - 0.5), (low, high))
    chart.grid("", y_label, x_ticks=False)
    for k, (name, value) in enumerate(bars.items()):
        chart.below(k, name)
        if math.isnan(value):
            chart.note(k, 0.0, "none", above=True)
        else:
            chart.bar(k, float(value), _colour(k))
            chart.note(k, float(value), form(float(value)), above=value >= 0)
    return chart.image()


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between ``low`` and ``high``, at most ``most``: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / max(most - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


class _Chart:
    """A sheet with axes; the methods draw on it in data coordinates."""

    def __init__(self, size: tuple[int, int], title: str, x_range: Range, y_range: Range) -> None:
        if min(size) < 120:
            raise InputError(f"a chart needs at least 120 × 120 pixels, got {size[0]} × {size[1]}")
        self.width, self.height = size
        self.x_range, self.y_range = x_range, y_range
        self.sheet = Image.new("RGB", (_FINE * self.width, _FINE * self.height), _PAPER)
        self.draw = ImageDraw.Draw(self.sheet)
        self.font = ImageFont.load_default(_FINE * _TEXT)
        self.write((self.width / 2, _TOP / 2), title, font=ImageFont.load_default(_FINE * _TITLE))

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Data → pixels of the finished chart."""
        (x0, x1), (y0, y1) = self.x_range, self.y_range
        across, up = (x - x0) / (x1 - x0), (y - y0) / (y1 - y0)
        return (
            _LEFT + across * (self.width - _LEFT - _RIGHT),
            self.height - _BOTTOM - up * (self.height - _TOP - _BOTTOM),
        )

    def write(self, at: tuple[float, float], text: str, anchor: str = "mm", font: Font | None = None) -> None:
        self.draw.text((_FINE * at[0], _FINE * at[1]), text, fill=_INK, font=font or self.font, anchor=anchor)

    def grid(self, x_label: str, y_label: str, *, x_ticks: bool = True) -> None:
        left, bottom = self.place(self.x_range[0], self.y_range[0])
        right, top = self.place(self.x_range[1], self.y_range[1])
        values = ticks(*self.y_range)
        form = _form(values)
        for value in values:
            _, y = self.place(self.x_range[0], value)
            self.segment((left, y), (right, y), _INK if value == 0 else _GRID)
            self.write((left - 6, y), form(value), "rm")
        if x_ticks:
            values = ticks(*self.x_range, most=8)
            form = _form(values)
            for value in values:
                x, _ = self.place(value, self.y_range[0])
                self.segment((x, bottom), (x, top), _GRID)
                self.write((x, bottom + 11), form(value))
        self.segment((left, bottom), (left, top), _INK)
        self.segment((left, bottom), (right, bottom), _INK)
        self.write(((left + right) / 2, self.height - 12), x_label)
        if y_label:
            self._write_upward(y_label, (top + bottom) / 2)

    def _write_upward(self, text: str, middle: float) -> None:
        box = self.font.getbbox(text)
        tile = Image.new("L", (round(box[2]) + 2, round(box[3]) + 4), 0)
        ImageDraw.Draw(tile).text((0, 0), text, fill=255, font=self.font)
        tile = tile.rotate(90, expand=True)
        at = (_FINE * 4, round(_FINE * middle - tile.height / 2))
        self.sheet.paste(Image.new("RGB", tile.size, _INK), at, tile)

    def segment(self, a: tuple[float, float], b: tuple[float, float], colour: tuple[int, int, int]) -> None:
        self.draw.line([_FINE * v for point in (a, b) for v in point], fill=colour, width=_FINE)

    def polyline(self, points: Sequence[tuple[float, float]], colour: tuple[int, int, int]) -> None:
        placed = [tuple(_FINE * v for v in self.place(*point)) for point in points]
        if len(placed) > 1:
            self.draw.line([v for point in placed for v in point], fill=colour, width=2 * _FINE, joint="curve")
        if len(placed) <= 25:  # more marks than that hide the line
            for x, y in placed:
                self.draw.ellipse((x - 3 * _FINE, y - 3 * _FINE, x + 3 * _FINE, y + 3 * _FINE), fill=colour)

    def area(self, points: Sequence[tuple[float, float]], colour: tuple[int, int, int]) -> None:
        placed = [tuple(_FINE * v for v in self.place(*point)) for point in points]
        veil = Image.new("L", self.sheet.size, 0)
        ImageDraw.Draw(veil).polygon(placed, fill=48)
        self.sheet.paste(Image.new("RGB", self.sheet.size, colour), (0, 0), veil)

    def bar(self, k: int, value: float, colour: tuple[int, int, int]) -> None:
        low, high = self.y_range
        ends = sorted(min(max(v, low), high) for v in (0.0, value))
        (left, bottom), (right, top) = self.place(k - 0.33, ends[0]), self.place(k + 0.33, ends[1])
        self.draw.rectangle([_FINE * v for v in (left, top, right, bottom)], fill=colour)

    def note(self, k: int, value: float, text: str, *, above: bool) -> None:
        x, y = self.place(k, min(max(value, self.y_range[0]), self.y_range[1]))
        self.write((x, y - 9 if above else y + 9), text)

    def below(self, k: int, name: str) -> None:
        """The name of a bar, smaller where it would touch its neighbour."""
        x, y = self.place(k, self.y_range[0])
        room = _FINE * (self.place(1.0, 0.0)[0] - self.place(0.0, 0.0)[0]) - 4
        size = _FINE * _TEXT
        while size > _FINE * 9 and ImageFont.load_default(size).getlength(name) > room:
            size -= 1
        self.write((x, y + 13), name, font=ImageFont.load_default(size))

    def legend(self, names: Sequence[str]) -> None:
        """In the corner where least is drawn, the upper left one if there is a choice."""
        longest = max(self.font.getlength(name) for name in names) / _FINE
        tall, wide = _ROW * len(names), longest + 24
        lefts, tops = (_LEFT + 8, self.width - _RIGHT - wide - 6), (_TOP + 6, self.height - _BOTTOM - 6 - tall)
        corners = [(left, top) for left in lefts for top in tops]
        x, y = min(corners, key=lambda corner: self._drawn(corner, (wide, tall)))
        for k, name in enumerate(names):
            middle = y + _ROW * (k + 0.5)
            box = [_FINE * v for v in (x, middle - 4, x + 14, middle + 4)]
            self.draw.rectangle(box, fill=_colour(k))
            self.write((x + 20, middle), name, "lm")

    def _drawn(self, corner: tuple[float, float], size: tuple[float, float]) -> int:
        """How many pixels of a box are neither paper nor grid."""
        left, top = (round(_FINE * v) for v in corner)
        right, bottom = (round(_FINE * (c + s)) for c, s in zip(corner, size))
        box = np.asarray(self.sheet)[top:bottom, left:right]
        return int((box != np.array(_PAPER)).any(-1).sum() - (box == np.array(_GRID)).all(-1).sum())

    def image(self) -> Tensor:
        reduced = self.sheet.resize((self.width, self.height), Image.Resampling.BOX)
        return torch.from_numpy(np.array(reduced)).permute(2, 0, 1).float() / 255


def _edge(line: Line, sign: int) -> list[float]:
    """The upper (1) or lower (-1) edge of a line's band; the line itself where it has none."""
    return [float(y) + sign * float(b) for y, b in zip(line.y, line.band or [0.0] * len(line.y))]


def _colour(k: int) -> tuple[int, int, int]:
    return COLOURS[k % len(COLOURS)]


def _span(values: Sequence[float], title: str, margin: float = 0.0) -> Range:
    """The range of values, never empty."""
    if not all(math.isfinite(v) for v in values):
        raise InputError(f"the chart {title!r} holds NaN or infinity; leave those points out")
    low, high = min(values), max(values)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        space = 0.5 * abs(high) or 1.0
        return low - space, high + space
    return low - margin * (high - low), high + margin * (high - low)


def _form(values: Sequence[float]) -> Callable[[float], str]:
    """As many digits as tell neighbouring ticks apart."""
    step = min((b - a for a, b in pairwise(values)), default=1.0)
    largest = max((abs(v) for v in values), default=0.0)
    if largest >= 1e5 or step < 1e-4:
        return "{:.1e}".format
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return lambda value: f"{0.0 if abs(value) < 0.5 * step else value:.{digits}f}"
