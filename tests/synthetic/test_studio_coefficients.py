"""Coefficients without a surface are those of the surface."""

from __future__ import annotations

import torch


def test_coefficients_are_those_of_the_face(generator, rng):
    scene = generator.scene(generator.sample_codes(5, generator=rng))
    with torch.no_grad():
        quick, whole = generator.studio.coefficients(scene), generator.studio.face_of(scene).coefficients
    assert quick.layout == whole.layout
    assert torch.allclose(quick.data, whole.data, atol=1e-5)
