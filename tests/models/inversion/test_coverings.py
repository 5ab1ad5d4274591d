"""Things before a face: where they are said to be, the same for a picture whatever its batch, off by default."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.models.inversion.coverings import CoveringShares, cover


@pytest.fixture(scope="module")
def faces(quickstart):
    """Grey pictures, and where the landmarks of faces would be in them."""
    from faceuv.geometry.projection import pose, project

    coefficients = quickstart.coefficients(quickstart.codes(range(6), truncation=0.7))
    model = quickstart.face_model
    vertices = model.shape(coefficients.identity, coefficients.expression)[:, model.landmarks]
    placed = pose(vertices, coefficients.rotation, coefficients.translation)
    points = project(placed, quickstart.renderer.camera, 64, 64)[..., :2].detach()
    return torch.full((6, 3, 64, 64), 0.5), points, torch.arange(6)


@pytest.mark.parametrize("kind", ["sides", "fringe", "strands", "glasses"])
def test_a_picture_changes_where_it_is_covered_and_nowhere_else(faces, kind):
    pictures, points, seeds = faces
    shares = CoveringShares(**{kind: 1.0})
    image, covered = cover(pictures, points, seeds, shares)
    assert covered.shape == (6, 1, 64, 64)
    assert 0 <= float(covered.min()) <= float(covered.max()) <= 1
    assert torch.equal(image[(covered == 0).expand_as(image)], pictures[(covered == 0).expand_as(image)])
    assert float((covered.mean((1, 2, 3)) > 0.005).float().mean()) > 0.6
    assert float(covered.mean()) < 0.6
    alone = cover(pictures[3:4], points[3:4], seeds[3:4], shares)
    torch.testing.assert_close(alone[0], image[3:4])
    assert not torch.equal(cover(pictures, points, seeds + 9, shares)[1], covered)


def test_glasses_are_around_the_eyes_and_a_fringe_is_above_the_mouth(faces):
    pictures, points, seeds = faces
    _, covered = cover(pictures, points, seeds, CoveringShares(glasses=1.0))
    rows = torch.arange(64) + 0.5
    middle = (covered[:, 0].sum(2) * rows).sum(1) / covered[:, 0].sum((1, 2))
    eyes = points[:, 36:48, 1].mean(1)
    assert float((middle - eyes).abs().max()) < 5
    _, covered = cover(pictures, points, seeds, CoveringShares(fringe=1.0))
    for mask, mouth in zip(covered[:, 0], points[:, 48:, 1].amin(1)):
        assert float(mask[int(mouth) :].max()) == 0


def test_nothing_is_drawn_by_default_and_a_wrong_share_is_one_line(faces):
    pictures, points, seeds = faces
    image, covered = cover(pictures, points, seeds, CoveringShares())
    assert torch.equal(image, pictures)
    assert not bool(covered.any())
    assert not CoveringShares().any
    assert CoveringShares(strands=0.1).any
    with pytest.raises(InputError, match="shares of coverings lie in .0, 1., got {'glasses': 2}"):
        CoveringShares(glasses=2)
