"""A downstream package: used by each of the three routes of docs/plugins.md, and for a whole method of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import trimesh

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
WHOLE_METHOD = """
import json
import sys
from pathlib import Path
import torch
import faceuv
from faceuv.cli.main import main
from faceuv.errors import FaceUVError

def refused(words, action):
    try:
        action()
    except FaceUVError as error:
        assert words in str(error), error
    else:
        raise AssertionError(f"not refused: {words}")

def command(*words):
    assert main(list(map(str, words))) == 0, words

work, out, recipe = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

# trained by its own recipe, for a few steps
steps = ["report.protocol.pictures=4", "report.protocol.curve=2", "report.strips=1"]
steps += [f"relief.{key}=30" for key in ("train_cfg.max_iters", "train_cfg.val_interval", "custom_hooks.0.interval")]
command("train", recipe, "--work-dir", work, "--cfg-options", *steps)

# one checkpoint by its report: the training's, and the weights that it exported
for checkpoint in (work / "relief" / "iter_30.pth", work / "relief" / "relief.safetensors"):
    command("test", recipe, checkpoint, "--work-dir", work, "--cfg-options", *steps)
    found, again = (json.loads((work / folder / "metrics.json").read_text())["subjects"]["ours"]["metrics"]
                    for folder in ("report", "test/report"))
    assert found == again, checkpoint

# loaded by its type, from the work dir and from the zoo of its package
trained, shipped = faceuv.load(work), faceuv.load("sample_eggs")
for generator in (trained, shipped):
    assert type(generator).__module__ == "faceuv_plugin_sample.relief.faces", type(generator)
codes = shipped.codes([5, 6, 7])
truth = shipped.image(codes)
untrained = type(trained.relief)(2, 4)
begun = type(trained)(trained.teacher, untrained)
off = [float((g.generate(codes, seam="hard") - truth).abs().mean()) for g in (shipped, trained, begun)]
assert off[0] < 0.02 < off[1] < 0.6 * off[2], off

# saved and loaded again
shipped.save(out / "copy")
again = faceuv.load(out / "copy")
assert torch.equal(again.generate(codes), shipped.generate(codes))

# its faces are surfaces without a face model: rendered, turned, lit, written and read
face = shipped.sample(seed=5)
assert face.coefficients is None and face.face_model is None
front, side = face.render(64), face.render(64, yaw_deg=40)
torch.testing.assert_close(shipped.generate(codes[:1], size=64, seam="hard")[0][:, 8:56, 8:56], front[:, 8:56, 8:56],
                           atol=0.02, rtol=0)
assert (side - front).abs().mean() > 0.02
assert (face.render(64, light="left") - front).abs().mean() > 0.02
for suffix in ("glb", "obj", "ply", "safetensors"):
    face.save(out / f"face.{suffix}")
read = faceuv.Face.load(out / "face.safetensors")
assert torch.equal(read.render(64, yaw_deg=40), side) and read.metadata["seed"] == 5
refused("an expression needs the coefficients of a face model", lambda: face.with_expression(smile=1.0))
refused("blend shapes needs the coefficients", lambda: face.save(out / "shapes.glb", blend_shapes=True))
refused("have no expressions such as 'smile'", lambda: shipped.check_movement("smile"))
refused("has no face model", lambda: faceuv.load("sample_eggs", face_model="ProceduralFace"))
refused("no editor that turns codes", lambda: shipped.turn(codes, 30))

# the commands know it by its name
few = ["--seeds", "1", "2", "--size", "32", "--yaws", "0", "30", "--lights", "left", "--fine", "4", "--sigmas", "1",
       "--frames", "2", "--steps", "2"]
command("generate", "all", "--generator", "sample_eggs", "--out", out / "figures", *few)
command("sample", "--generator", work, "--num", "1", "--size", "32", "--out", out / "sample")
command("list", "zoo")
command("list", "face_generators")
"""


def python(code, *arguments, path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path)), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=400)


def test_a_config_can_import_parts_or_name_modules_to_import(tmp_path):
    (tmp_path / "first.py").write_text(IN_A_CONFIG)
    (tmp_path / "second.py").write_text(CUSTOM_IMPORTS)
    done = python(FROM_SOURCE, tmp_path / "first.py", tmp_path / "second.py", path=[ROOT, PACKAGE / "src"])
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The package, installed by pip into a folder of its own, above what is installed here."""
    pytest.importorskip("hatchling")  # the build back end, from the extra [test]
    site = tmp_path_factory.mktemp("plugin") / "site"
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--target", str(site)]
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, str(PACKAGE)], capture_output=True, text=True, timeout=120
    )
    assert installed.returncode == 0, installed.stderr
    assert list(site.glob("faceuv_plugin_sample-*.dist-info/entry_points.txt"))
    return site


def test_an_installed_package_is_found_and_its_config_trains_with_its_parts(site, tmp_path):
    done = python(INSTALLED, tmp_path / "work", path=[ROOT, site])
    assert done.returncode == 0, done.stderr
    import torch

    colour = torch.load(tmp_path / "work" / "iter_40.pth", weights_only=True)["state_dict"]["colour"]
    torch.testing.assert_close(colour, torch.tensor([1.0, 0.5, 0.1]), atol=0.1, rtol=0)
    assert (tmp_path / "work" / "samples" / "triangle_0000040.png").is_file()


def test_an_installed_package_brings_a_whole_method(site, tmp_path):
    work, out = tmp_path / "work", tmp_path / "out"
    recipe = site / "faceuv_plugin_sample" / "configs" / "relief.py"
    done = python(WHOLE_METHOD, work, out, recipe, path=[ROOT, site])
    assert done.returncode == 0, done.stderr + done.stdout
    assert (work / "relief" / "generator.json").is_file()
    assert (work / "relief" / "samples" / "eggs_0000030.png").is_file()
    report = json.loads((work / "report" / "metrics.json").read_text())
    ours = report["subjects"]["ours"]
    assert ours["metrics"]["l1"]["value"] < 0.2 and "needs a surface" not in str(ours)
    assert ours["not_measured"]["texels"] == "needs coefficients"
    assert ours["not_measured"]["l1_symmetric"] == "needs a mapper that reads codes and an editor that turns codes"
    assert len(ours["curves"]["identity"]) == 3  # its sheets turn by themselves
    assert report["figures"] == ["curves", "yaw_0", "views"] and set(report["instruments"]).isdisjoint(
        ("mapper", "stepper")
    )
    assert (work / "report" / "report.html").is_file()
    figures = {path.name for path in (out / "figures").iterdir()}
    assert figures == {
        "yaw.png", "interpolation_1_2.png", "lights.png", "mixing.png", "edits_wide.png", "turntable.gif",
        "face_0001.glb", "face_0001.safetensors", "face_0002.glb", "face_0002.safetensors",
    }  # fmt: skip
    assert "left out expressions: the faces of a ReliefGenerator have no expressions" in done.stdout
    assert (out / "sample" / "face_000.glb").is_file()
    assert "sample_eggs: eggs from stylecodes" in " ".join(done.stdout.split()) and "SampleRelief" in done.stdout
    assert len(trimesh.load(out / "face.glb", force="mesh").vertices) == len(
        trimesh.load(out / "face.obj", force="mesh", process=False).vertices
    )
