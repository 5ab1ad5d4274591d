"""The mutation tool: faults in a copy, killed and surviving ones, and going on where it was."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "mutate.py"


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """The tool, for a repository of one module with one test."""
    spec = importlib.util.spec_from_file_location("mutate", TOOL)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "mutate", module)
    spec.loader.exec_module(module)
    root = tmp_path / "repository"
    (root / "tools" / "mutants").mkdir(parents=True)
    (root / "arithmetic.py").write_text("def double(x):\n    return x + x\n\n\nUNUSED = 1\n")
    (root / "test_arithmetic.py").write_text(
        "from arithmetic import double\n\n\ndef test():\n    assert double(3) == 6\n"
    )
    (root / "tools" / "mutants" / "all.py").write_text(
        'MUTANTS = [("arithmetic.py", "test_arithmetic.py", [("x + x", "x - x"), ("UNUSED = 1", "UNUSED = 2")])]\n'
    )
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    monkeypatch.setattr(module, "ROOT", root)
    return module


def test_one_is_killed_and_one_survives(tool, tmp_path, monkeypatch, capsys):
    found = tool.run(tool.mutants(), tmp_path / "work")
    assert [killed for _, killed in found] == [True, False]
    assert "SURVIVED" in capsys.readouterr().out
    copy = tmp_path / "work" / "tree" / "arithmetic.py"
    assert copy.read_text() == (tool.ROOT / "arithmetic.py").read_text()  # the fault is taken out again
    monkeypatch.setattr(tool, "passes", None)  # nothing is run twice
    assert [killed for _, killed in tool.run(tool.mutants(), tmp_path / "work")] == [True, False]


def test_a_changed_test_is_run_again(tool, tmp_path):
    tool.run(tool.mutants(), tmp_path / "work")
    with (tool.ROOT / "test_arithmetic.py").open("a") as file:
        file.write("\n\ndef test_unused():\n    from arithmetic import UNUSED\n\n    assert UNUSED == 1\n")
    assert [killed for _, killed in tool.run(tool.mutants(), tmp_path / "work")] == [True, True]


def test_tests_that_fail_anyway_say_nothing(tool, tmp_path, capsys):
    (tool.ROOT / "test_arithmetic.py").write_text("def test():\n    assert False\n")
    assert tool.run(tool.mutants(), tmp_path / "work") == []
    assert capsys.readouterr().out.count("its tests fail without any fault") == 2


def test_an_entry_must_name_a_text_that_is_there_once(tool):
    mutant = tool.Mutant("arithmetic.py", "x", "y", ("test_arithmetic.py",))
    assert "its text occurs 3 times, expected once" in tool.wrong(mutant)
    assert "gone.py does not exist" in tool.wrong(tool.Mutant("gone.py", "x", "y", ()))
    assert tool.wrong(tool.mutants()[0]) is None


def test_the_list_of_the_project_is_long_and_of_all_rooms():
    spec = importlib.util.spec_from_file_location("mutate_here", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutate_here"] = module
    try:
        spec.loader.exec_module(module)
        found = module.mutants()
    finally:
        del sys.modules["mutate_here"]
    assert len(found) >= 120
    rooms = {
        "geometry",
        "renderers",
        "losses",
        "synthetic",
        "data",
        "fitting",
        "evaluation",
        "engine",
        "export",
        "files",
    }
    rooms |= {f"models/{name}" for name in ("base", "faces", "stylegan2", "directions", "readers", "stylefaceuv")}
    assert {mutant.room for mutant in found} >= rooms
