"""Ears of generated heads: in the colour of the cheeks, whatever a map has there."""

from __future__ import annotations

import torch

from faceuv.geometry.uv import bake, sample_map
from faceuv.models.faces.ears import ear_weights, with_bare_ears
from faceuv.models.faces.procedural import ProceduralFace

SIZE = 128


def test_ears_stand_out_on_both_sides_and_are_nothing_else(makehuman):
    weight = ear_weights(makehuman)
    mean, ears = makehuman.mean, weight > 0.5
    assert bool((mean[ears, 0].abs() > 0.6).all()) and 300 < int(ears.sum()) < 3000
    assert float((weight - weight[makehuman.mirror]).abs().max()) < 0.2
    assert float(weight[makehuman.landmarks[1:16]].max()) < 0.05
    assert float(weight[makehuman.landmarks[17:]].max()) == 0.0


def test_dark_ears_become_as_light_as_the_cheeks(makehuman):
    chart = makehuman.chart(SIZE, SIZE)
    ears = bake(ear_weights(makehuman)[None, :, None], chart)
    skin = torch.tensor([0.5, 0.3, 0.25])[:, None, None]
    dark = torch.where(ears > 0.01, 0.05, skin[None].expand(1, 3, SIZE, SIZE))
    bare = with_bare_ears(makehuman, dark)
    seen = sample_map(bare, makehuman.uv)[0, ear_weights(makehuman) > 0.9]
    assert torch.allclose(seen.mean(0), skin[:, 0, 0], rtol=0.35)
    assert torch.equal(bare[(ears == 0).expand_as(bare)], dark[(ears == 0).expand_as(dark)])


def test_an_open_face_keeps_its_map():
    face = ProceduralFace(rows=49, columns=41, verbose=False)
    maps = torch.rand(1, 3, 32, 32)
    assert with_bare_ears(face, maps) is maps
