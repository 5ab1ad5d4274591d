"""docs/upgrade.md names what there is: its new modules exist, its old ones do not, its new names can be imported."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from faceuv.errors import InputError
from faceuv.geometry.lighting import named_light

PAGE = (Path(__file__).parents[1] / "docs" / "upgrade.md").read_text(encoding="utf-8")
ROWS = [line.strip("|").split(" | ") for line in PAGE.partition("## Modules")[2].partition("\n`")[0].splitlines()[4:]]
ROWS = [row for row in ROWS if len(row) == 2]
STILL_THERE = {"faceuv.zoo"}  # the folder of the zoo's files


def modules(cell: str) -> list[str]:
    return re.findall(r"`(faceuv\.[a-z0-9_.]+)`", cell)


def exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize(("old", "new"), ROWS, ids=lambda cell: cell.strip()[:40])
def test_a_module_has_moved(old, new):
    assert modules(new), f"{old} has no new place"
    for name in modules(new):
        assert exists(name), f"there is no {name}"
    for name in modules(old):
        assert name in STILL_THERE or not exists(name), f"{name} is still there"


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("faceuv.figures", "FigureRenderer FigureStyle ProgressCallback"),
        ("faceuv.synthetic", "SceneRender"),
        ("faceuv.renderers", "Rasterized"),
        ("faceuv.evaluation.measures", "Instruments"),
        ("faceuv.files.networks", "save_network"),
        ("faceuv.models.base.code_space", "YAW_LIMIT"),
        ("faceuv.models.base", "BaseMethod LossTerms frozen"),
        ("faceuv.face", "Face"),
    ],
)
def test_a_new_name_can_be_imported(module, names):
    for name in names.split():
        assert hasattr(importlib.import_module(module), name)
        assert name in PAGE


def test_the_even_light_answers_with_its_new_name():
    with pytest.raises(InputError, match="'default' is called 'flat'"):
        named_light("default")
