"""Numbers read from text, against Python's own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceuv.models.faces.makehuman import decimals
from faceuv.models.faces.makehuman.decimals import table_of

_SHORT = st.from_regex(r"-?([0-9]{1,6}|[0-9]{0,4}\.[0-9]{1,6})", fullmatch=True)


@given(st.lists(_SHORT, min_size=1, max_size=40))
def test_plain_numbers_to_the_last_bit(words):
    found = table_of(words, 1)[:, 0]
    assert found.tobytes() == np.array([float(word) for word in words]).tobytes()


def test_plain_numbers_take_the_fast_way(monkeypatch):
    monkeypatch.setattr(decimals, "_any", None)  # calling it would be an error
    assert table_of(["12 -.5 0.25", "7 1 -3"], 3).tolist() == [[12, -0.5, 0.25], [7, 1, -3]]
    assert table_of([], 4).shape == (0, 4)


@pytest.mark.parametrize("word", ["1e-05", "+2.5", "0.12345678901234567", "123456789012345678"])
def test_other_numbers(word):
    assert table_of([f"{word} 1"], 2)[0, 0] == float(word)


@pytest.mark.parametrize("line", ["0 0 zero", "1-2 3 4", "1.2.3 4 5", "1 2", "1 2 3 4", "- 1 2", "é 1 2"])
def test_what_is_no_row_of_numbers(line):
    with pytest.raises(ValueError, match="number"):
        table_of([line], 3)
