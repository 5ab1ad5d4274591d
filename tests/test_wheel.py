"""The wheel: it builds, holds what it must, and README's five lines run from it where the sources are not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(command, cwd, **environment):
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling")  # the build back end, from the extra [test]
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--wheel-dir", folder]
    run(["-m", "pip", "wheel", *offline, ROOT], cwd=folder)
    (built,) = folder.glob("faceuv-*-py3-none-any.whl")
    return built


def test_it_holds_the_package_with_its_weights_and_recipes_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"faceuv"}
    for name in ("faceuv/py.typed", "faceuv/configs/stylefaceuv_64.py", "faceuv/zoo/quickstart/card.md"):
        assert name in names
    inside = {name for name in names if name.startswith("faceuv/")}
    tracked = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "faceuv").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == tracked
    assert wheel.stat().st_size < 60e6


def test_the_five_lines_run_from_it(wheel, tmp_path):
    site = tmp_path / "site"
    run(
        ["-m", "pip", "install", "--no-index", "--no-deps", "--no-compile", "--quiet", "--target", site, wheel],
        cwd=tmp_path,
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = re.search(r"## Five lines\n\n```python\n(.*?)```", readme, re.DOTALL).group(1)
    said = "\nimport faceuv\nfrom faceuv.cli.main import main\nmain(['list', 'zoo'])\n"
    said += "print(faceuv.__file__, tuple(image.shape))\n"
    path = {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    out = run(["-c", lines + said], cwd=tmp_path, **path)
    assert out.splitlines()[-1] == f"{site / 'faceuv' / '__init__.py'} (3, 512, 512)"
    assert (tmp_path / "face.glb").is_file() and (tmp_path / "face.gif").is_file()
    assert "quickstart" in out
