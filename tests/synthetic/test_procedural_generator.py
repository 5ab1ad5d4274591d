"""The generator that is its own truth."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.registry import GENERATORS
from faceuv.synthetic import FACTORS, FIELDS, ProceduralGenerator


def test_registered_and_shaped_like_a_stylegan(generator, rng):
    assert GENERATORS.get("ProceduralGenerator") is ProceduralGenerator
    assert generator.num_layers == 8
    z = generator.sample_latents(2, generator=rng)
    w = generator.mapping(z)
    assert w.shape == (2, generator.code_dim)
    image = generator.synthesis(w)
    assert image.shape == (2, 3, 32, 32)
    assert 0 <= float(image.min()) <= float(image.max()) <= 1
    assert torch.equal(image, generator.synthesis(generator.broadcast(w)))
    assert torch.allclose(image, generator(z))
    assert torch.equal(generator.truncate(w, 0.0), torch.zeros_like(w) + generator.mean_code)


def test_normal_latents_give_normal_codes(generator, rng):
    z = generator.sample_latents(500, generator=rng)
    w = generator.mapping(z)
    assert torch.allclose(w.norm(dim=1), z.norm(dim=1), rtol=1e-4)


def test_codes_use_disjoint_columns_and_all_layers(generator):
    used = torch.zeros(generator.num_layers, generator.code_dim)
    for factor, width in FACTORS.items():
        columns = generator.columns_of(factor)
        assert columns.stop - columns.start == width
        used[generator.layers_of(factor), columns] += 1
    assert float(used.max()) == 1
    assert bool((used.sum(1) > 0).all())


def test_truth_is_that_of_the_picture(generator, rng):
    code = generator.sample_codes(2, generator=rng)
    truth = generator.truth(code)
    assert set(truth.fields) == set(FIELDS)
    assert torch.equal(truth.coefficients.data, truth.fields["coefficients"])
    moved = code.clone()
    layout = truth.coefficients.layout
    moved[:, generator.layers_of("albedo"), generator.columns_of("albedo")] += 0.5
    other = generator.truth(moved).coefficients
    assert not torch.allclose(other.albedo, truth.coefficients.albedo)
    for group in ("identity", "expression", "rotation", "lighting", "translation"):
        columns = layout.slice(group)
        assert torch.equal(other.data[:, columns], truth.coefficients.data[:, columns]), group


def test_coarse_layers_turn_the_head_fine_ones_do_not(generator, rng):
    a, b = generator.sample_codes(2, generator=rng).split(1)
    third = generator.layers_of("pose").stop
    mixed = torch.cat([a[:, :third], b[:, third:]], 1)
    rotation = generator.truth(a).coefficients.rotation
    # expression moves the mouth's corners a little, and with them the alignment's roll
    assert torch.equal(generator.truth(mixed).coefficients.rotation[:, :2], rotation[:, :2])
    lighting = generator.truth(b).coefficients.lighting
    assert torch.equal(generator.truth(mixed).coefficients.lighting, lighting)


@pytest.mark.parametrize("factor", ["albedo", "light", "identity"])
def test_gradients_agree_with_differences(generator, factor):
    """Along a random direction of a smooth factor, over the nose and the cheeks, where there is no silhouette."""
    rng = torch.Generator().manual_seed(3)
    code = generator.sample_codes(1, generator=rng)
    code[:, generator.layers_of("pose"), generator.columns_of("pose")] = 0.0
    direction = torch.zeros_like(code)
    rows, columns = generator.layers_of(factor), generator.columns_of(factor)
    direction[:, rows, columns] = torch.randn(1, 1, FACTORS[factor], generator=rng)
    centre = torch.zeros(1, 1, 32, 32)
    centre[..., 14:22, 12:20] = 1

    def measure(step: float | torch.Tensor) -> torch.Tensor:
        return (generator.synthesis(code + step * direction) * centre).double().sum()

    step = torch.zeros((), requires_grad=True)
    (slope,) = torch.autograd.grad(measure(step), step)
    h = 0.003
    with torch.no_grad():
        difference = (measure(h) - measure(-h)) / (2 * h)
    assert abs(float(slope - difference)) < 0.05 * abs(float(difference)) + 0.03


def test_every_continuous_factor_has_a_gradient(generator, rng):
    code = generator.sample_codes(1, generator=rng).requires_grad_()
    generator.synthesis(code).square().mean().backward()
    for factor in FACTORS:
        part = code.grad[:, generator.layers_of(factor), generator.columns_of(factor)]
        assert bool(torch.isfinite(part).all()), factor
        if factor not in ("glasses", "beard"):  # nothing to see where none is worn
            assert float(part.abs().max()) > 0, factor


def test_gradients_leave_the_picture_as_it_is(generator, rng):
    code = generator.sample_codes(1, generator=rng)
    assert torch.equal(generator.synthesis(code), generator.synthesis(code.clone().requires_grad_()).detach())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: ProceduralGenerator(33), "size must be a power of two"),
        (lambda g: ProceduralGenerator(32, 64), "code_dim must be at least"),
        (lambda g: g.mapping(torch.zeros(1, 5)), "z must have shape"),
        (lambda g: g.synthesis(torch.zeros(1, 3, 4)), "a code must have shape"),
        (lambda g: g.synthesis(torch.zeros(4)), "a code must have shape"),
        (lambda g: g.synthesis(torch.full((1, g.code_dim), torch.nan)), "NaN or infinity"),
        (lambda g: g.layers_of("nose"), "no factor is called 'nose'"),
    ],
)
def test_bad_input_is_refused_clearly(generator, call, message):
    with pytest.raises(InputError, match=message):
        call(generator)
