"""Tables of pictures: one heading above each column, one before each row. Pictures are ``(3, H, W)`` RGB in [0, 1]."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from faceuv.errors import InputError
from faceuv.export.images import shorten, to_bytes

_LEAST_TEXT, _SHARE = 11, 11  # pixels at least; else a picture's width over this
_PAPER, _INK = (255, 255, 255), (25, 25, 25)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def picture_table(
    cells: Sequence[Sequence[Tensor | None]],
    *,
    columns: Sequence[str] = (),
    rows: Sequence[str] = (),
    margin: int = 4,
) -> Tensor:
    """Equally large pictures in rows and columns → one ``(3, H', W')`` picture on the CPU.

    Args:
        cells: rows of pictures ``(3, H, W)``, all of one length; ``None`` is an empty place.
        columns: a heading for each column, or none; broken at spaces where it is wider than a picture.
        rows: a heading for each row, or none, left of it; its lines are those of the text.
        margin: pixels around and between pictures.
    """
    count = _check(cells, columns, rows, margin)
    pictures = [
        [None if cell is None else to_bytes(cell, f"the picture in row {r}, column {c}") for c, cell in enumerate(row)]
        for r, row in enumerate(cells)
    ]
    height, width = _one_size(pictures)
    text = max(_LEAST_TEXT, width // _SHARE)
    font, line = ImageFont.load_default(text), round(1.25 * text)
    above = [_wrap(heading, width, font) for heading in columns]
    head = max((len(lines) for lines in above), default=0) * line + (margin if above else 0)
    before = [heading.splitlines() for heading in rows]
    side = max((round(font.getlength(words)) for lines in before for words in lines), default=0)
    left, top = side + (2 * margin if side else margin), margin + head

    size = (left + count * (width + margin), top + len(cells) * (height + margin))
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for c, lines in enumerate(above):
        middle = top - margin - len(lines) * line / 2  # the last lines stand side by side
        _write(draw, lines, left + c * (width + margin) + width / 2, middle, line, font, "mm")
    for r, row in enumerate(pictures):
        y = top + r * (height + margin)
        if before:
            _write(draw, before[r], margin, y + height / 2, line, font, "lm")
        for c, picture in enumerate(row):
            if picture is not None:
                sheet.paste(Image.fromarray(picture), (left + c * (width + margin), y))
    return torch.from_numpy(np.array(sheet)).permute(2, 0, 1).float() / 255


def angle_heading(degrees: float) -> str:
    """``-60°``, ``0°``, ``+15°``."""
    return f"{degrees:+g}°" if degrees else "0°"


def _check(cells: Sequence[Sequence[Tensor | None]], columns: Sequence[str], rows: Sequence[str], margin: int) -> int:
    """The number of columns of a table that can be drawn."""
    lengths = {len(row) for row in cells}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError(f"a table needs rows of one length ≥ 1, got lengths {[len(row) for row in cells]}")
    (count,) = lengths
    if len(columns) not in (0, count) or len(rows) not in (0, len(cells)):
        raise InputError(
            f"a table of {len(cells)} × {count} pictures needs a heading for each row and column or none, got"
            f" {len(rows)} for rows and {len(columns)} for columns"
        )
    if margin < 0:
        raise InputError(f"expected margin ≥ 0, got {margin}")
    return count


def _one_size(pictures: Sequence[Sequence[np.ndarray | None]]) -> tuple[int, int]:
    sizes = sorted({picture.shape[:2] for row in pictures for picture in row if picture is not None})
    if len(sizes) != 1:
        found = ", ".join(f"{height} × {width}" for height, width in sizes) or "none at all"
        raise InputError(f"the pictures of a table must be of one size, got {found}: resize first")
    height, width = sizes[0]
    return height, width


def _wrap(text: str, width: int, font: Font) -> list[str]:
    """Lines of at most ``width`` pixels: broken at spaces, and what is then still too wide is shortened."""
    lines: list[str] = []
    for paragraph in text.splitlines():
        current = ""
        for word in paragraph.split():
            longer = f"{current} {word}".strip()
            if current and font.getlength(longer) > width:
                lines.append(current)
                longer = word
            current = longer
        lines.append(current)
    return [shorten(words, width, font) for words in lines]


def _write(
    draw: ImageDraw.ImageDraw, lines: Sequence[str], x: float, middle: float, line: int, font: Font, anchor: str
) -> None:
    """Lines of text about the height ``middle``."""
    first = middle - (len(lines) - 1) * line / 2
    for k, words in enumerate(lines):
        draw.text((x, first + k * line), words, fill=_INK, font=font, anchor=anchor)
