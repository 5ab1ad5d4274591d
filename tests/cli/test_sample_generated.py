"""``faceuv sample --generator``: heads with drawn detail, or with the maps as they are generated."""

from __future__ import annotations

import torch
from installed import needs_heads

from faceuv.cli.main import main
from faceuv.face import Face

SMALL = ["--num", "1", "--seed", "5", "--size", "32", "--hair", "bald", "--format", "ply"]


def sampled(folder, *options):
    assert main(["sample", *SMALL, "--out", str(folder), *options]) == 0
    (path,) = folder.glob("*.safetensors")
    return Face.load(path)


@needs_heads
def test_generated_heads_have_detail_of_the_asked_size_unless_refused(tmp_path):
    fine = sampled(tmp_path / "fine", "--generator", "heads_64", "--texture-size", "96")
    plain = sampled(tmp_path / "plain", "--generator", "heads_64", "--no-detail")
    assert fine.metadata["detail"] == {"size": 96, "seed": 5} and "detail" not in plain.metadata
    assert fine.maps.diffuse.shape[-1] == 96 and plain.maps.diffuse.shape[-1] == 128
    assert torch.equal(fine.coefficients.data, plain.coefficients.data)


def test_faces_whose_model_has_colours_of_its_own_stay_as_generated(tmp_path):
    face = sampled(tmp_path, "--generator", "quickstart")
    assert "detail" not in face.metadata and face.maps.diffuse is not None
