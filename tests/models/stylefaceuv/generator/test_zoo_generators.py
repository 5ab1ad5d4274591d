"""The zoo's face generators: they load without a network, their faces look as the card says, and quickly."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from installed import needs_heads

import faceuv
from faceuv.files import zoo
from faceuv.models.base.code_space import YAW_LIMIT
from faceuv.models.base.manifest import entries as generators
from faceuv.models.base.manifest import find_manifest
from faceuv.models.faces.part_texels import part_texels
from faceuv.structures import UVMaps

MANIFESTS = {name: find_manifest(name)[1] for name in generators()}
NAMES = [
    pytest.param(name, marks=needs_heads if manifest.settings["face_model"]["type"] == "MakeHuman" else ())
    for name, manifest in MANIFESTS.items()
    if manifest.type == "StyleFaceUV"
]
LARGEST = 20e6
COLD = """
from time import process_time
import mmengine.model
import torch
import torch._dynamo
import faceuv
imported = process_time()
for name in {names!r}:
    start = process_time()
    faceuv.load(name).sample(seed=7)
    print(name, (process_time() - start) / imported)
"""
COLD_LIMIT = 6.0  # times the imports of torch and MMEngine: 1.2 quiet, 3 on a crowded machine; a minute is 25


@pytest.fixture(scope="module", params=NAMES)
def entry(request):
    return faceuv.load(request.param, renderer="torch")


def test_its_weights_are_small(entry):
    files = (zoo.FOLDER / entry.name).glob("*.safetensors")
    assert sum(file.stat().st_size for file in files) <= LARGEST


def test_both_face_models_have_one():
    assert {"quickstart", "heads_64"} <= {param.values[0] for param in NAMES}


def test_a_seed_is_a_face(entry):
    first, second = entry.sample(7), faceuv.load(entry.name, renderer="torch").sample(seed=7)
    assert torch.equal(first.coefficients.data, second.coefficients.data)
    assert torch.equal(first.maps.diffuse, second.maps.diffuse)


def test_renders_differ_from_the_teachers_pictures_as_the_card_says(entry):
    """In the original and in the symmetric view; measured on other renderers' settings and more seeds."""
    measured = entry.metadata["measured"]
    code = entry.codes(range(12))
    yaw = -entry.coefficients(code).rotation[:, 1].rad2deg().clamp(-YAW_LIMIT, YAW_LIMIT)
    own = entry.generate(code, seam="hard") - entry.image(code)
    other = entry.generate(code, yaw_deg=yaw, seam="hard") - entry.image(entry.turn(code, yaw))
    assert float(own.abs().mean()) < 1.3 * measured["original"]
    assert float(other.abs().mean()) < 1.3 * measured["symmetric"]


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    """Entry → how long its first face takes with an empty cache, in imports; one process for all of them."""
    names = [param.values[0] for param in NAMES if not any(mark.args[0] for mark in param.marks)]
    folder = tmp_path_factory.mktemp("cache")
    run = subprocess.run(
        [sys.executable, "-c", COLD.format(names=names)],
        env={**os.environ, "FACEUV_CACHE": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return {name: float(share) for name, share in map(str.split, run.stdout.splitlines())}


def test_it_loads_quickly_with_an_empty_cache(entry, cold):
    assert cold[entry.name] < COLD_LIMIT


def test_behind_the_lips_are_the_models_own_colours(entry):
    """A face without an inside of the mouth keeps the maps as they are made."""
    code = entry.codes([7])
    maps, made = entry.maps(code), entry.uv_generator(code)
    inside = part_texels(entry.face_model, entry.face_model.chart(*maps.diffuse.shape[2:]), "teeth", "gums", "tongue")
    assert bool(inside.any()) == (entry.face_model.part is not None)
    mean = entry.face_model.albedo_map(torch.zeros(1, entry.face_model.layout.albedo), *maps.diffuse.shape[2:])
    assert torch.equal(maps.diffuse[:, :, inside[0]], mean[:, :, inside[0]])
    assert not maps.displacement[:, :, inside[0]].any()
    skin = part_texels(entry.face_model, entry.face_model.chart(*maps.diffuse.shape[2:]), "skin")[0]
    kept = (maps.diffuse[:, :, skin] - made.diffuse[:, :, skin]).abs().amax((0, 1)) < 1e-5
    assert bool(kept.all()) if entry.face_model.part is None else 0.5 < float(kept.float().mean()) < 0.95


def test_hair_has_the_colour_of_the_teachers_pictures(entry):
    """A generated head has hair of the colour that its own map shows, whatever its coefficients of albedo."""
    if entry.face_model.part is None:
        pytest.skip("an open face shows no hair on its map")
    face = entry.sample(seed=3)
    assert face.maps is not None and face.maps.diffuse is not None
    whole = torch.ones_like(face.maps.diffuse) * torch.tensor([0.7, 0.2, 0.1])[:, None, None]
    painted = face.with_maps(UVMaps(diffuse=whole)).with_hair("short")
    assert painted.hair is not None
    assert painted.hair.rgb == pytest.approx((0.7, 0.2, 0.1), abs=1e-3)
    light, dark = (entry.sample(seed=seed).with_hair(seed=0).hair.rgb for seed in (3, 1))
    assert sum(light) > sum(dark) + 0.5
    assert face.with_hair("short", colour="red").hair.colour == "red"
