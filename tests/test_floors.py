"""The floors of the package: a room imports from floors below it, and no rooms import each other in a circle."""

import importlib.util
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "imports.py"


@pytest.fixture
def floors():
    spec = importlib.util.spec_from_file_location("faceuv_imports", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_import_goes_down(floors):
    assert not floors.breaches()
    assert not floors.circles()


def test_an_import_that_goes_up_is_found(floors, tmp_path):
    package = tmp_path / "faceuv"
    (package / "geometry").mkdir(parents=True)
    (package / "engine").mkdir()
    (package / "geometry" / "uv.py").write_text("def lazy():\n    from faceuv.engine.runner import Runner\n")
    (package / "engine" / "runner.py").write_text("from faceuv.geometry import uv\n")
    (package / "stray.py").write_text("import faceuv.errors\n")
    floors.PACKAGE = package
    up, stray = floors.breaches()
    assert up.startswith("faceuv.geometry.uv:2 imports faceuv.engine.runner")
    assert stray.startswith("faceuv.stray stands on no floor")
    assert floors.circles() == [{"faceuv.geometry", "faceuv.engine"}]
