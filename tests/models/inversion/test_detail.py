"""Painted detail: nothing where nothing is asked for, the same for a seed, within its limits."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.models.inversion import DetailPainter, DetailShares
from faceuv.models.inversion.detail import _KINDS
from faceuv.structures import UVMaps

SIZE = 64
NONE = dict.fromkeys(_KINDS, 0.0)


@pytest.fixture(scope="module")
def painter(coarse):
    return DetailPainter(coarse, SIZE)


def grey(count):
    return UVMaps(torch.full((count, 3, SIZE, SIZE), 0.5), torch.zeros(count, 3, SIZE, SIZE))


def test_no_share_paints_nothing_and_no_strength_neither(painter):
    seeds = torch.arange(3)
    for shares in (DetailShares(**NONE), DetailShares(strength=0)):
        made = painter(grey(3), seeds, shares)
        assert torch.equal(made.diffuse, grey(3).diffuse)
        assert torch.equal(made.displacement, grey(3).displacement)


@pytest.mark.parametrize("kind", _KINDS)
def test_each_kind_paints_by_its_seed_alone(painter, kind):
    shares = DetailShares(**{**NONE, kind: 1.0})
    seeds = torch.tensor([5, 6, 7])
    made = painter(grey(3), seeds, shares)
    changed = (made.diffuse != 0.5).any(1)
    assert bool(changed.flatten(1).any(1).all()), "every face has it"
    assert 0 <= float(made.diffuse.min())
    assert float(made.diffuse.max()) <= 1
    alone = painter(grey(1), seeds[1:2], shares)
    assert torch.equal(alone.diffuse[0], made.diffuse[1])
    assert not torch.equal(made.diffuse[0], made.diffuse[1])
    if kind not in ("tint", "make_up"):
        assert float(changed.float().mean()) < 0.5, "it is local"


def test_relief_follows_the_normals_and_is_a_millimetre_at_most(painter):
    made = painter(grey(8), torch.arange(8), DetailShares(**{**NONE, "scars": 1.0, "moles": 1.0}))
    height = (made.displacement * painter.normals).sum(1)
    across = made.displacement - height[:, None] * painter.normals
    assert float(across.abs().max()) < 1e-6
    assert 0.002 < float(height.abs().max()) < 0.05
    assert float(height.min()) < 0 < float(height.max()), "scars sink in or stand out"


def test_wrong_input_is_one_line(painter):
    with pytest.raises(InputError, match=r"shares of detail lie in \[0, 1\], got {'moles': 2}"):
        DetailShares(moles=2)
    with pytest.raises(InputError, match="these maps have none"):
        painter(UVMaps(displacement=torch.zeros(1, 3, SIZE, SIZE)), torch.tensor([1]))
