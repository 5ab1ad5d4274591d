"""Cat heads by formula: symmetric, differentiable, and their truth is that of the picture."""

import math

import pytest
import torch

from faceuv.errors import InputError
from faceuv.geometry.normals import vertex_normals
from faceuv.models.base.generator import check_generator
from faceuv.registry import GENERATORS
from faceuv.synthetic.cats import FACTORS


@pytest.fixture(scope="module")
def cats():
    return check_generator(GENERATORS.build(dict(type="CatHeads", size=32)), "this test")


def code_of(cats, **factors):
    """A code whose factors are the given numbers, zero where nothing is said."""
    numbers = []
    for name, count in FACTORS.items():
        given = torch.tensor(factors.get(name, []), dtype=torch.float32)
        numbers.append(torch.cat([given, torch.zeros(count - len(given))]))
    return (torch.cat(numbers) @ cats.turn)[None]


def test_a_code_is_a_picture(cats):
    codes = cats.sample_codes(3, generator=torch.Generator().manual_seed(0))
    assert codes.shape == (3, cats.num_layers, 36)
    images = cats.synthesis(codes)
    assert images.shape == (3, 3, 32, 32) and 0 <= images.min() and images.max() <= 1.05
    assert torch.allclose(cats.synthesis(codes[1:2]), images[1:2], atol=1e-5)
    assert not torch.allclose(images[0], images[1], atol=0.1)


def test_a_head_is_symmetric_and_faces_outward(cats):
    cat = cats.cat(code_of(cats, shape=[0.5, -0.5, 0.3, 1.0, 0.2, 0.1, 0.4, -0.3], light=[0.0, 0.0, 0.0, 0.3]))
    normals = vertex_normals(cat.vertices, cat.faces)
    assert ((normals * cat.vertices).sum(-1)[:, : 41 * 41] > 0).all()
    image = cats.synthesis(code_of(cats, shape=[0.5, -0.5, 0.3, 1.0], fur=[0.3, 0.2]))
    assert (image - image.flip(3)).abs().mean() < 5e-3  # but for pixels that an edge crosses


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_ears_face_outward(cats, side):
    cat = cats.cat(code_of(cats))
    ear = 41 * 41 + (0 if side > 0 else 12 * 6)
    points, normals = (x[0, ear : ear + 12 * 5] for x in (cat.vertices, vertex_normals(cat.vertices, cat.faces)))
    rings = points.view(5, 12, 3)
    away = (rings - rings.mean(1, keepdim=True)).reshape(-1, 3)
    assert ((normals * away).sum(-1) > 0).float().mean() > 0.95


def test_yaw_turns_to_the_right(cats):
    for raw in (1.0, -1.0):
        truth = cats.truth(code_of(cats, pose=[raw]))
        assert truth.rotation[0, 1] * raw > 0.3
        nearest = truth.depth[0, 0].where(truth.mask[0, 0] > 0, math.inf).argmin() % 32
        assert (nearest - 15.5) * raw > 2  # the muzzle


def test_truth_is_that_of_the_picture(cats):
    codes = cats.sample_codes(2, generator=torch.Generator().manual_seed(1))
    truth, image = cats.truth(codes), cats.synthesis(codes)
    inside = (truth.mask > 0).expand(-1, 3, -1, -1)
    light = image[inside] / truth.albedo[inside].clamp_min(1e-3)
    assert 0.3 < light.min() and light.max() < 1.3
    assert (truth.depth[truth.mask > 0] > 8.5).all() and (truth.depth[truth.mask == 0] == 0).all()
    assert torch.allclose(truth.light.norm(dim=1), torch.ones(2))


def test_gradients_reach_every_factor(cats):
    """Pictures follow the code: the slope is that of finite differences."""
    code = code_of(cats, pose=[0.3, 0.2, 0.1], light=[0.1, 0.2, 0.5, 0.3], fur=[0.4], eyes=[0.3]).double()
    cats = GENERATORS.build(dict(type="CatHeads", size=32)).double()
    cats.turn.copy_(torch.linalg.qr(cats.turn)[0] * torch.linalg.qr(cats.turn)[1].diag().sign())
    code = code.requires_grad_()
    (slope,) = torch.autograd.grad(cats.synthesis(code).square().mean(), code)
    assert (slope @ cats.turn.T).abs()[0, 5:].min() >= 0 and slope.abs().max() > 1e-4
    step = torch.zeros(1, 36, dtype=torch.float64)
    step[0, 5:9] = 1  # the light moves no edge
    step = step @ cats.turn
    ends = [cats.synthesis(code.detach() + sign * 1e-4 * step).square().mean() for sign in (1, -1)]
    assert float((ends[0] - ends[1]) / 2e-4) == pytest.approx(float((slope * step).sum()), rel=1e-4)


@pytest.mark.parametrize("size", [8, 33, 32.0, True])
def test_sizes(size):
    with pytest.raises(InputError, match="power of two"):
        GENERATORS.build(dict(type="CatHeads", size=size))
