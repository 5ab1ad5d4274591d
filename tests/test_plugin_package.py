"""A downstream package, installed by pip and used by each of the three routes of docs/plugins.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = Path(__file__).parent / "plugin_package"

IN_A_CONFIG = """
from faceuv_plugin_sample.loss import HuberPhotometric

losses = dict(photo=dict(type=HuberPhotometric, delta=0.5))
"""
CUSTOM_IMPORTS = """
custom_imports = dict(imports=["faceuv_plugin_sample"])
renderer = dict(type="painter")
"""
FROM_SOURCE = """
import sys
from faceuv.engine import load_config
from faceuv.models.base import LossTerms
from faceuv.registry import RENDERERS

first, second = sys.argv[1:]
assert "painter" not in RENDERERS.names()                      # nothing is found by itself: it is not installed
assert LossTerms(load_config(first).losses).terms.photo.delta == 0.5
assert load_config(second).renderer.type == "painter"
assert RENDERERS.build(load_config(second).renderer).name == "painter"
"""
INSTALLED = """
import sys
from faceuv.cli.main import main
from faceuv.registry import LOSSES, RENDERERS
assert "painter" in RENDERERS.names() and "HuberPhotometric" in LOSSES.names()
import faceuv_plugin_sample.configs
sys.exit(main(["train", faceuv_plugin_sample.configs.__path__[0] + "/fit_colour.py", "--work-dir", sys.argv[1]]))
"""


def python(code, *arguments, path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_a_config_can_import_parts_or_name_modules_to_import(tmp_path):
    (tmp_path / "first.py").write_text(IN_A_CONFIG)
    (tmp_path / "second.py").write_text(CUSTOM_IMPORTS)
    done = python(FROM_SOURCE, tmp_path / "first.py", tmp_path / "second.py", path=[ROOT, PACKAGE / "src"])
    assert done.returncode == 0, done.stderr


def test_an_installed_package_is_found_and_its_config_trains_with_its_parts(tmp_path):
    pytest.importorskip("hatchling")  # the build back end, from the extra [test]
    site = tmp_path / "site"
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--target", str(site)]
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, str(PACKAGE)], capture_output=True, text=True, timeout=120
    )
    assert installed.returncode == 0, installed.stderr
    assert list(site.glob("faceuv_plugin_sample-*.dist-info/entry_points.txt"))

    done = python(INSTALLED, tmp_path / "work", path=[ROOT, site])
    assert done.returncode == 0, done.stderr
    import torch

    colour = torch.load(tmp_path / "work" / "iter_40.pth", weights_only=True)["state_dict"]["colour"]
    torch.testing.assert_close(colour, torch.tensor([1.0, 0.5, 0.1]), atol=0.1, rtol=0)
    assert (tmp_path / "work" / "samples" / "triangle_0000040.png").is_file()
