"""The notebooks of examples/: small, without outputs, and every cell runs.

Cells are executed as they stand, by ``exec``: no Jupyter is needed for the tests.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from faceuv.registry import LOSSES

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def cells(path, kind):
    return ["".join(cell["source"]) for cell in read(path)["cells"] if cell["cell_type"] == kind]


def test_there_are_three_and_the_page_names_them():
    assert len(NOTEBOOKS) == 3
    page = (NOTEBOOKS[0].parents[1] / "docs" / "start.md").read_text(encoding="utf-8")
    assert all(path.name in page for path in NOTEBOOKS)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_stripped_and_the_file_is_small(path):
    notebook = read(path)
    assert notebook["nbformat"] == 4
    assert path.stat().st_size < 10_000
    for cell in notebook["cells"]:
        assert re.fullmatch(r"[\w-]{1,64}", cell["id"])
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
    assert cells(path, "markdown")[0].startswith("# ")


@pytest.fixture
def tidy():
    """What a notebook registers goes with it, and it leaves torch's random numbers alone."""
    state, before = torch.random.get_rng_state(), set(LOSSES.names())
    yield
    torch.random.set_rng_state(state)
    for name in set(LOSSES.names()) - before:
        del LOSSES._module_dict[name]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path, tmp_path, monkeypatch, tidy):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": path.stem}
    for number, code in enumerate(cells(path, "code"), 1):
        try:
            exec(compile(code, f"{path.name}, code cell {number}", "exec"), names)
        except Exception as error:
            pytest.fail(f"{path.name}, code cell {number}: {type(error).__name__}: {error}")
    if path.stem == "03_train_and_compare":
        ours, zoo = (names["errors"][key]["yaw_deg"].median() for key in ("trained here", "the zoo's"))
        assert float(zoo) < float(ours) < 40
