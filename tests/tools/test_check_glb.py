"""The Khronos validator and a real browser on our GLB files; skipped where node, its packages or chromium are missing.

``NODE_PATH`` names a folder of node_modules with gltf-validator, three and playwright-core.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from toy_head import toy_head

from faceuv import Face
from faceuv.structures import UVMaps

TOOL = Path(__file__).parents[2] / "tools" / "check_glb.mjs"
PACKAGES = Path(os.environ.get("NODE_PATH", "") or "/nowhere")

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (PACKAGES / "gltf-validator").is_dir(),
    reason="needs node, and NODE_PATH with gltf-validator, three and playwright-core",
)


def tool(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["node", TOOL, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def head():
    relief = torch.zeros(1, 3, 32, 32)
    relief[:, 2] = 0.02 * torch.rand(32, 32, generator=torch.Generator().manual_seed(0))
    return Face.random(2, face_model=toy_head()).with_maps(UVMaps(displacement=relief))


def test_the_validator_finds_nothing(head, tmp_path):
    files = [head.save(tmp_path / "plain.glb", texture_size=64, lod=2),
             head.save(tmp_path / "quantised.glb", texture_size=64, quantised=True, look_at=(1, 0, 5))]  # fmt: skip
    done = tool("validate", *files, tmp_path / "plain_lod1.glb", tmp_path / "plain_lod2.glb")
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(reports) == 4 and done.returncode == 0, done.stdout
    assert all(report["errors"] == report["warnings"] == report["infos"] == 0 for report in reports)


def test_the_validator_can_fail(head, tmp_path):
    path = head.save(tmp_path / "a.glb", texture_size=8)
    data = bytearray(path.read_bytes())
    data[data.index(b'"componentType":5126') + 16 : data.index(b'"componentType":5126') + 20] = b"5125"
    path.write_bytes(data)
    assert tool("validate", path).returncode == 1


def test_a_browser_shows_movements_and_turns(head, tmp_path):
    if not shutil.which("chromium") and "CHROMIUM" not in os.environ:
        pytest.skip("needs chromium, or its path in CHROMIUM")
    views = [{"name": "rest"}, {"name": "jaw", "weights": {"jawOpen": 1}},
             {"name": "head", "turn": {"head": [0, 0.38, 0, 0.92]}}, {"name": "back", "yaw": 180}]  # fmt: skip
    (tmp_path / "views.json").write_text(json.dumps(views))
    done = tool(
        "draw", tmp_path / "views.json", tmp_path, head.save(tmp_path / "a.glb", texture_size=64, quantised=True)
    )
    assert done.returncode == 0, done.stdout + done.stderr
    pictures = {
        view["name"]: np.asarray(Image.open(tmp_path / f"{view['name']}.png").convert("RGB"), int) for view in views
    }
    skin = (np.abs(pictures["rest"] - [255, 0, 255]).sum(-1) > 60).mean()
    assert 0.05 < skin < 0.6
    for name in ("jaw", "head", "back"):
        assert (np.abs(pictures[name] - pictures["rest"]).sum(-1) > 30).mean() > 0.005
