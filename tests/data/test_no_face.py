"""Pictures without a face."""

from __future__ import annotations

import pytest
import torch

from faceuv.data.no_face import KINDS, no_face
from faceuv.errors import InputError


def faces(count: int = 12, side: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    """Grey pictures with something in the middle, which is where the points are."""
    images = torch.full((count, 3, side, side), 0.4)
    middle = slice(side // 3, -side // 3)
    images[:, :, middle, middle] = torch.rand(images[:, :, middle, middle].shape)
    points = (torch.rand(count, 68, 2, generator=torch.Generator().manual_seed(0)) - 0.5) * 0.6
    return images, points


@pytest.mark.parametrize("kind", KINDS)
class TestKinds:
    def test_keeps_shape_and_range_and_repeats(self, kind):
        images, points = faces()
        first, again = (no_face(images, points, torch.Generator().manual_seed(3), (kind,)) for _ in range(2))
        assert first.shape == images.shape and torch.isfinite(first).all()
        assert 0 <= first.min() and first.max() <= 1
        assert torch.equal(first, again)

    def test_the_face_is_gone(self, kind):
        images, points = faces()
        found = no_face(images, points, torch.Generator().manual_seed(3), (kind,))
        middle = (slice(None), slice(None), slice(12, 18), slice(12, 18))
        same = (found[middle] == images[middle]).flatten(1).float().mean(1)
        assert same.mean() < 0.3  # a shuffled tile may fall on its own place
        assert same.max() < 1 or kind == "shuffled"


def test_shuffled_tiles_keep_the_pixels():
    images, points = torch.rand(6, 3, 24, 24), torch.zeros(6, 68, 2)
    found = no_face(images, points, torch.Generator().manual_seed(0), ("shuffled",))
    torch.testing.assert_close(found.flatten(2).sort(2).values, images.flatten(2).sort(2).values)


def test_what_lies_beside_the_face_stays_where_it_is_erased():
    images, points = faces()
    found = no_face(images, points, torch.Generator().manual_seed(0), ("erased",))
    assert (found[:, :, :2, :2] - images[:, :, :2, :2]).abs().max() < 0.02


def test_all_kinds_occur():
    images, points = faces(200)
    found = no_face(images, points, torch.Generator().manual_seed(0))
    assert len({tuple(row) for row in found.flatten(1)[:, :5].tolist()}) > 50


def test_unknown_kinds_are_named():
    with pytest.raises(InputError, match=r"no kind of picture without a face is called \['dog'\]; known: erased"):
        no_face(*faces(2), None, ("dog",))
