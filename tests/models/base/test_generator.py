"""The contract of generators: ours satisfy it; the error names what an object lacks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from faceuv.errors import InputError
from faceuv.models.base.generator import MEMBERS, check_generator, check_same_codes
from faceuv.models.stylefaceuv import CoefficientMapper
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.synthetic import ProceduralGenerator


def complete():
    return type("Whole", (), dict.fromkeys(MEMBERS, 1))()


@pytest.mark.parametrize(
    "generator",
    [StyleGAN2Generator(16, 8, channel_base=64, channel_max=6, mapping_depth=2), ProceduralGenerator(16)],
    ids=["StyleGAN2", "procedural"],
)
def test_what_generators_promise(generator):
    assert check_generator(generator, "a test") is generator
    rows, width, size = generator.num_layers, generator.code_dim, generator.size
    assert generator.mean_code.shape == (width,)
    with torch.no_grad():
        latents = generator.sample_latents(3, generator=torch.Generator().manual_seed(5))
        w = generator.mapping(latents)
        codes = generator.sample_codes(3, generator=torch.Generator().manual_seed(5))
        near = generator.sample_codes(3, truncation=0.5, generator=torch.Generator().manual_seed(5))
        assert w.shape == (3, width)
        assert codes.shape == (3, rows, width)
        torch.testing.assert_close(codes, w[:, None].expand_as(codes))
        torch.testing.assert_close(near, torch.lerp(generator.mean_code.expand_as(codes), codes, 0.5))
        image = generator.synthesis(codes)
        assert image.shape == (3, 3, size, size)
        torch.testing.assert_close(generator.synthesis(w), image)  # one w per image is a code, too


def test_a_complete_object_is_a_generator():
    assert check_generator(complete(), "a test")


@pytest.mark.parametrize("member", MEMBERS)
def test_each_missing_member_is_named(member):
    kept = {name: 1 for name in MEMBERS if name != member}
    with pytest.raises(InputError, match=rf"^the stage 'fits' needs a generator; Part has no {member}: see"):
        check_generator(type("Part", (), kept)(), "the stage 'fits'")


def test_something_else_is_told_all_that_it_lacks():
    with pytest.raises(InputError, match=r"Linear has no size, num_layers, .*sample_codes: see faceuv\.models\.base"):
        check_generator(nn.Linear(2, 2), "a StyleFaceUVGenerator")


@pytest.mark.parametrize("shape", [(8, 8), (6, 16)])
def test_a_reader_of_other_codes_is_told_both_shapes(shape):
    generator = StyleGAN2Generator(16, 8, channel_base=64, channel_max=6, mapping_depth=2)
    rows, width = shape
    reader = CoefficientMapper(rows, width, widths=(4,))
    with pytest.raises(
        InputError, match=f"this CoefficientMapper reads codes with L = {rows}, D = {width}; .* has L = 6, D = 8: train"
    ):
        check_same_codes(reader, generator)
    fitting = CoefficientMapper(6, 8, widths=(4,))
    assert check_same_codes(fitting, generator) is fitting
