"""Spoilt faces: what each kind does to a picture, and where the points go."""

from __future__ import annotations

import pytest
import torch

from faceuv.data.occlude import KINDS, occlude
from faceuv.errors import InputError
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.structures import Coefficients

SIZE = 64


@pytest.fixture(scope="module")
def points() -> torch.Tensor:
    model = ProceduralFace(rows=49, columns=41, verbose=False)
    return LandmarkTruth(model)(Coefficients.zeros(1, model.layout), SIZE)[0][0]


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand(3, SIZE, SIZE, generator=torch.Generator().manual_seed(5)) * 0.5 + 0.25


def spoil(image, points, kind, seed=0):
    return occlude(image, points, kind, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_picture(image, points, kind):
    one, where = spoil(image, points, kind)
    other, again = spoil(image, points, kind)
    assert torch.equal(one, other) and torch.equal(where, again)
    assert one.shape == image.shape and 0 <= float(one.min()) and float(one.max()) <= 1
    assert not torch.equal(one, spoil(image, points, kind, seed=1)[0])
    assert torch.equal(where, points) == (kind not in ("cut", "small", "turned"))


def test_things_lie_where_their_names_say(image, points):
    changed = {
        kind: (spoil(image, points, kind)[0] != image).any(0).nonzero().float().mean(0) for kind in ("cap", "bar")
    }
    brows, mouth = points[17:27].mean(0), points[48:68].mean(0)
    assert float(changed["cap"][0]) < float(brows[1]) + 6  # rows; the cap lies above the brows or on them
    assert float(changed["bar"][0]) > float(points[30, 1])  # below the tip of the nose
    assert float(changed["bar"][0]) == pytest.approx(float(mouth[1]), abs=12)


@pytest.mark.parametrize("kind", ["cut", "small", "turned"])
def test_points_move_with_the_picture(points, kind):
    """A bright spot under the tip of the nose stays under it."""
    image = torch.zeros(3, SIZE, SIZE)
    column, row = points[30].long().tolist()
    image[:, row - 2 : row + 3, column - 2 : column + 3] = 1
    spoilt, moved = spoil(image, points, kind, seed=3)
    assert bool(((moved[30] > 0) & (moved[30] < SIZE)).all()), "choose another seed"
    y, x = (spoilt[0] > 0.5 * spoilt[0].max()).nonzero().float().mean(0).tolist()
    assert [x + 0.5, y + 0.5] == pytest.approx(moved[30].tolist(), abs=1.5)


def test_unknown_kinds_are_refused(image, points):
    with pytest.raises(InputError, match="kind must be one of cap, .*, got 'mask'"):
        spoil(image, points, "mask")
