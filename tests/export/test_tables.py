"""Tables of pictures: where pictures and headings lie."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.export.tables import picture_table

RED, GREEN = (torch.zeros(3, 40, 60).index_fill(0, torch.tensor(k), 1.0) for k in (0, 1))


def ink(sheet):
    """Where something dark is written, ``(H, W)`` bool."""
    return (sheet < 0.5).all(0)


def find(sheet, colour):
    """Top, bottom, left, right (exclusive) of the pixels of one colour."""
    rows, columns = ((sheet - colour[:, :1, :1]).abs().amax(0) == 0).nonzero().unbind(1)
    return int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1


def test_pictures_lie_in_their_places_and_headings_beside_them():
    sheet = picture_table([[RED, None], [None, GREEN]], columns=["one", "two"], rows=["first", "second"], margin=4)
    top, bottom, left, right = find(sheet, RED)
    assert (bottom - top, right - left) == (40, 60)
    assert find(sheet, GREEN) == (top + 44, bottom + 44, left + 64, right + 64)
    assert sheet.shape == (3, top + 2 * 44, left + 2 * 64)
    written = ink(sheet)
    assert written[:top, left:right].any()
    assert written[:top, left + 64 : right + 64].any()
    assert written[top:bottom, :left].any()
    assert written[top + 44 : bottom + 44, :left].any()
    assert not written[top:, left:].any()  # nothing is written over a picture or an empty place


def test_long_headings_stay_within_their_columns():
    plain = picture_table([[RED, RED]], columns=["a", "b"])
    sheet = picture_table([[RED, RED]], columns=["smile 1 and jaw_open 0.5 with squint 1", "mmmmmmmmmmmmmmmmmmmmmmmm"])
    assert sheet.shape[1] > plain.shape[1]  # several lines
    assert sheet.shape[2] == plain.shape[2]
    assert not ink(sheet)[:, 64:68].any()  # the space between the two columns


def test_lines_of_row_headings_are_those_of_the_text():
    one = picture_table([[RED]], rows=["seed 12 image"])
    two = picture_table([[RED]], rows=["seed 12\nimage"])
    assert two.shape[2] < one.shape[2]
    assert two.shape[1] == one.shape[1]


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        ([], {}, "rows of one length ≥ 1, got lengths"),
        ([[RED], [RED, RED]], {}, r"got lengths \[1, 2\]"),
        ([[RED, None]], {"columns": ["one"]}, "1 × 2 pictures .* 0 for rows and 1 for columns"),
        ([[RED, RED[:, 1:]]], {}, "one size, got 39 × 60, 40 × 60"),
        ([[None]], {}, "got none at all"),
        ([[RED]], {"margin": -1}, "margin ≥ 0, got -1"),
        ([[RED, RED * float("nan")]], {}, "row 0, column 1 holds NaN"),
    ],
)
def test_tables_that_cannot_be_drawn(cells, options, message):
    with pytest.raises(InputError, match=message):
        picture_table(cells, **options)
