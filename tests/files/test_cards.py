"""Model cards: what was measured, in tables; never a failed measurement."""

from __future__ import annotations

import math

import pytest

from faceuv.errors import InputError
from faceuv.files.cards import write_card


def test_a_card_holds_title_text_and_facts(tmp_path):
    facts = {"config": "a.py", "images seen": 123456, "time": [1.0, 2.5], "Errors": {"yaw, degrees": 1.23456, "n": 200}}
    path = write_card("entry", "A network", facts, "What it is.\n", folder=tmp_path)
    text = path.read_text(encoding="utf-8")
    assert path == tmp_path / "card.md"
    assert text.startswith("# A network\n\nWhat it is.\n\n| | |\n")
    assert "| images seen | 123,456 |" in text and "| time | 1, 2.5 |" in text
    assert text.index("## Errors") > text.index("| config | a.py |")
    assert "| yaw, degrees | 1.23 |" in text and "| n | 200 |" in text
    assert "| faceuv |" in text


def test_bars_and_breaks_stay_in_their_cell(tmp_path):
    text = write_card("e", "T", {"a|b": "c\nd|e"}, "x", folder=tmp_path).read_text(encoding="utf-8")
    assert "| a\\|b | c d\\|e |" in text


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_failed_measurement_is_refused_and_the_old_card_stays(tmp_path, value):
    write_card("e", "Old", {}, "x", folder=tmp_path)
    with pytest.raises(InputError, match="finite numbers"):
        write_card("e", "New", {"Errors": {"yaw": value}}, "x", folder=tmp_path)
    assert (tmp_path / "card.md").read_text(encoding="utf-8").startswith("# Old")
