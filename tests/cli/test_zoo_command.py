"""``faceuv zoo`` lists what there is, with what may be done with it, and prints cards."""

from __future__ import annotations

import re

import pytest

from faceuv.cli.main import main
from faceuv.files import zoo
from faceuv.files.cards import write_card


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def test_every_entry_has_a_size_and_a_licence(capsys):
    assert main(["zoo"]) == 0
    out = capsys.readouterr().out
    rows = {line.split()[0]: line for line in out.splitlines()[1:-1]}
    assert set(rows) == set(zoo.entries())
    for entry, row in rows.items():
        size = sum(file.stat().st_size for file in zoo.folders()[entry].iterdir()) / 1e6
        assert re.search(rf" {size:.1f}  Apache-2.0  +yes", row), row
    assert "MB in all" in out


def test_an_entry_of_another_package_that_says_no_licence_is_to_be_asked(tmp_path, monkeypatch, capsys):
    write_card("theirs", "Weights of others", {}, "Text.", folder=tmp_path / "theirs")
    (tmp_path / "theirs" / "weights.bin").write_bytes(b"0" * 2_000_000)
    monkeypatch.setattr(zoo, "zoos_of_packages", lambda: (("other", tmp_path),))
    assert main(["zoo"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("theirs"))
    assert re.search(r"Weights of others +2\.0  unknown +ask", row)


def test_a_card_is_printed(capsys):
    assert main(["zoo", "regressor"]) == 0
    assert capsys.readouterr().out.startswith("# Coefficient regressor")
    assert main(["zoo", "regresor"]) == 2
    assert "Did you mean 'regressor'" in capsys.readouterr().err
