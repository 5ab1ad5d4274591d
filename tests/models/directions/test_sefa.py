from __future__ import annotations

import numpy as np
import pytest
import torch

from faceuv.errors import InputError
from faceuv.models.directions import SeFaDirections, load_directions, save_directions
from faceuv.models.directions.sefa import factorise
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.registry import DIRECTION_FINDERS
from faceuv.synthetic import ProceduralGenerator


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return StyleGAN2Generator(16, 24, mapping_depth=2, channels={4: 8, 8: 12, 16: 8})


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("layers", [[0, 1], [2, 5], None])
def test_is_the_svd_by_brute_force(small, angle, layers, normalise):
    found = SeFaDirections(layers, components=3, normalise=normalise).find(small)
    weights = small.synthesis.style_weights()
    rows = np.concatenate([weights[i].detach().numpy() for i in (layers or range(6))]).astype(np.float64)
    if normalise:
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    _, sizes, axes = np.linalg.svd(rows)
    for k, direction in enumerate(found):
        assert direction.layers == tuple(layers or range(6))
        row = direction.vector[direction.layers[0]]
        off = angle(row, torch.tensor(axes[k]))
        assert min(off, 180 - off) < 0.01
        assert float(row[row.abs().argmax()]) > 0
        assert direction.metadata["eigenvalue"] == pytest.approx(sizes[k] ** 2, rel=1e-6)
        assert direction.metadata["share"] == pytest.approx(sizes[k] ** 2 / (sizes**2).sum(), rel=1e-6)


def test_planted_axis(angle):
    axis = torch.randn(24, generator=torch.Generator().manual_seed(0))
    axis = axis / axis.norm()
    noise = torch.randn(2, 40, 24, generator=torch.Generator().manual_seed(1))
    weights = [torch.randn(40, 1, generator=torch.Generator().manual_seed(k)) * 40 * axis + noise[k] for k in range(2)]
    values, vectors = factorise(weights, normalise=False)
    off = angle(vectors[0], axis)
    assert min(off, 180 - off) < 1
    assert bool((values.diff() <= 0).all())


def test_a_row_of_zeros_is_left_alone():
    weight = torch.eye(4)
    weight[3] = 0
    values, vectors = factorise([weight])
    assert bool(torch.isfinite(vectors).all())
    assert values.tolist() == [1, 1, 1, 0]


def test_it_changes_the_styles_most(small):
    finder = DIRECTION_FINDERS.build(dict(type="sefa", layers=[1], components=1, normalise=False))
    (found,) = finder.find(small)
    weight = small.synthesis.style_weights()[1].detach()
    others = torch.nn.functional.normalize(torch.randn(200, 24, generator=torch.Generator().manual_seed(0)), dim=1)
    assert float((weight @ found.vector[1]).norm()) > float((others @ weight.T).norm(dim=1).max())


def test_scale_is_sigma(small):
    (found,) = SeFaDirections([0, 1], components=1).find(small)
    code = small.sample_codes(8000, generator=torch.Generator().manual_seed(77))
    assert found.scale == pytest.approx(float(found.position(code).detach().std()), rel=0.05)


def test_deterministic_and_kept(small, tmp_path):
    finder = SeFaDirections(components=4)
    first, again = finder.find(small), finder.find(small)
    read = load_directions(save_directions(tmp_path / "sefa.safetensors", first), small)
    for a, b, c in zip(first, again, read):
        assert torch.equal(a.vector, b.vector) and torch.equal(a.vector, c.vector)
        assert (a.name, a.scale, a.metadata) == (c.name, c.scale, c.metadata)


def test_generator_without_styles():
    with pytest.raises(InputError, match="ProceduralGenerator has none; 'svm' and 'ganspace' work"):
        SeFaDirections().find(ProceduralGenerator(size=32))


def test_bad_settings(small):
    with pytest.raises(InputError, match="width 24 have no 25 components"):
        SeFaDirections(components=25).find(small)
    with pytest.raises(InputError, match="rows 0 … 5 of a code"):
        SeFaDirections([6]).find(small)
    with pytest.raises(InputError, match="components must be a whole number of at least 1, got 0"):
        SeFaDirections(components=0)


def test_styles_are_normalised_unless_asked_otherwise(small):
    """The default is that of the authors' release; the paper's formula gives other directions."""
    default, release, paper = (
        SeFaDirections([0, 1], components=2, **words).find(small)[0]
        for words in ({}, {"normalise": True}, {"normalise": False})
    )
    assert torch.equal(default.vector, release.vector)
    assert default.metadata["normalise"] is True
    assert not torch.allclose(default.vector, paper.vector, atol=1e-3)
