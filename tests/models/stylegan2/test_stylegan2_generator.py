from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.models.stylegan2 import SkipHead, StyleGAN2Generator, broadcast_code, mix, truncate
from faceuv.models.stylegan2.channels import channel_table, style_layers
from faceuv.models.stylegan2.filters import upsample
from faceuv.models.stylegan2.mapping import MappingNetwork
from faceuv.registry import GENERATORS


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


class TestSizes:
    @pytest.mark.parametrize(("size", "layers"), [(8, 4), (64, 10), (256, 14), (1024, 18)])
    def test_style_layers(self, size, layers):
        assert style_layers(size) == layers

    def test_config_f(self):
        assert channel_table(1024) == {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}

    @pytest.mark.parametrize("size", [4, 48, 0, 64.0])
    def test_bad_size(self, size):
        with pytest.raises(InputError, match="power of two"):
            StyleGAN2Generator(size)

    def test_incomplete_table(self):
        with pytest.raises(InputError, match=r"\[4, 16\] are missing"):
            StyleGAN2Generator(16, channels={8: 4})

    def test_empty_resolution(self):
        with pytest.raises(InputError, match="at least one channel"):
            StyleGAN2Generator(16, channel_base=8, code_dim=8)


class TestGenerator:
    @pytest.mark.parametrize("size", [8, 32, 64])
    def test_shapes(self, size):
        g = GENERATORS.build(
            dict(type="StyleGAN2Generator", size=size, code_dim=6, latent_dim=5, mapping_depth=1, channel_base=256)
        )
        assert g.mapping(torch.randn(2, 5)).shape == (2, 6)
        assert g(torch.randn(3, 5)).shape == (3, 3, size, size)
        assert g.sample_codes(2).shape == (2, g.num_layers, 6)

    def test_w_is_broadcast_and_w_plus_is_taken(self, small_generator):
        g = small_generator
        w = g.mapping(g.sample_latents(2, generator=rng()))
        torch.testing.assert_close(g.synthesis(w), g.synthesis(g.broadcast(w).contiguous()))
        changed = g.broadcast(w).clone()
        changed[:, -1] += 1
        assert not torch.allclose(g.synthesis(w), g.synthesis(changed))

    def test_every_row_of_a_code_matters_and_each_layer_reads_its_own(self, small_generator):
        g = small_generator
        code = g.sample_codes(1, generator=rng()).detach()
        base = g.synthesis(code, return_features=True)
        for row in range(g.num_layers):
            moved = code.clone()
            moved[:, row] += 1
            image, features = g.synthesis(moved, return_features=True)
            assert not torch.allclose(image, base.image)
            same = [torch.equal(a, b) for a, b in zip(features, base.features)]
            assert same == [k < row for k in range(g.num_layers - 1)]

    def test_raw_and_image(self, small_generator):
        code = small_generator.sample_codes(2, generator=rng())
        raw = small_generator.synthesis(code, raw=True)
        torch.testing.assert_close(small_generator.synthesis(code), (raw + 1) / 2)

    def test_features_and_head(self, small_generator):
        g = small_generator
        code = g.sample_codes(2, generator=rng())
        image, features = g.synthesis(code, return_features=True, raw=True)
        assert [tuple(f.shape[1:]) for f in features] == [(8, r, r) for r in (4, 8, 8, 16, 16)]
        torch.testing.assert_close(g.synthesis.head(features, code), image)

    def test_a_second_head(self, small_generator):
        g = small_generator
        code = g.sample_codes(2, generator=rng())
        features = g.synthesis(code, return_features=True).features
        head = SkipHead(g.channels, g.code_dim, outputs=2, start=16)
        assert head(features, code).shape == (2, 2, 16, 16)
        with pytest.raises(InputError, match="has no features to read"):
            SkipHead(g.channels, g.code_dim, start=32)

    def test_style_weights(self, small_generator):
        g = small_generator
        matrices = g.synthesis.style_weights()
        assert len(matrices) == g.num_layers
        layer = g.synthesis.styled[2].conv.affine
        w = torch.randn(3, g.code_dim)
        torch.testing.assert_close(w @ matrices[2].T + layer.bias, layer(w))

    def test_gradients_reach_every_parameter(self, small_generator):
        small_generator(small_generator.sample_latents(2, generator=rng())).square().sum().backward()
        for name, parameter in small_generator.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name

    def test_bfloat16_is_near(self, small_generator):
        code = small_generator.sample_codes(2, generator=rng())
        exact = small_generator.synthesis(code).detach()
        with torch.autocast("cpu", torch.bfloat16):
            image, features = small_generator.synthesis(code, return_features=True)
        assert features[-1].dtype == torch.bfloat16
        assert image.dtype == torch.float32
        assert float((image.detach() - exact).abs().mean()) < 0.02

    def test_double_gives_double(self, small_generator):
        g = small_generator.double()
        assert g(g.sample_latents(1, generator=rng())).dtype == torch.float64

    def test_clamp_limits_features(self):
        g = StyleGAN2Generator(8, 8, channel_base=32, mapping_depth=1, activation_clamp=0.5)
        features = g.synthesis(torch.randn(2, 8), return_features=True).features
        assert max(float(f.detach().abs().max()) for f in features) <= 0.5

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            (torch.zeros(2, 5, 8), r"a code must have shape \(B, 6, 8\), got \(2, 5, 8\)"),
            (torch.zeros(2, 7), r"a w code must have shape \(B, 8\), got \(2, 7\)"),
            (torch.zeros(8), r"\(B, 6, 8\) or \(B, 8\), got \(8,\)"),
            (torch.zeros(2, 8, dtype=torch.int64), "floating point"),
            ([1.0], "got list"),
        ],
    )
    def test_wrong_codes(self, small_generator, code, message):
        with pytest.raises(InputError, match=message):
            small_generator.synthesis(code)

    def test_rows_of_sampled_codes_can_be_changed(self, small_generator):
        code = small_generator.sample_codes(2, generator=rng())
        kept = code[:, 1:].clone()
        code[:, 0] = 0.0
        assert torch.equal(code[:, 1:], kept)

    def test_wrong_latents(self, small_generator):
        with pytest.raises(InputError, match=r"latents z must have shape \(B, 8\), got \(2, 9\)"):
            small_generator(torch.zeros(2, 9))

    def test_no_mapping_layers(self):
        with pytest.raises(InputError, match="mapping_depth=0"):
            StyleGAN2Generator(8, mapping_depth=0)


class TestNoise:
    def test_fixed_noise_makes_the_image_a_function_of_its_code(self, small_generator):
        g = small_generator
        code = g.sample_codes(4, generator=rng()).detach()
        batch = g.synthesis(code)
        torch.testing.assert_close(g.synthesis(code), batch, atol=0, rtol=0)
        for index in range(4):
            torch.testing.assert_close(g.synthesis(code[index : index + 1])[0], batch[index], atol=1e-5, rtol=1e-5)

    def test_the_seed_gives_the_pattern(self):
        make = [StyleGAN2Generator(8, 8, channel_base=32, mapping_depth=1, noise_seed=s) for s in (1, 1, 2)]
        a, b, c = (g.synthesis.styled[1].noise for g in make)
        torch.testing.assert_close(a, b)
        assert not torch.allclose(a, c)

    def test_random_noise_differs_and_repeats_with_its_generator(self, small_generator):
        g = small_generator
        code = g.sample_codes(1, generator=rng()).expand(2, -1, -1)
        image = g.synthesis(code, noise="random", generator=rng(3))
        assert not torch.allclose(image[0], image[1])
        torch.testing.assert_close(g.synthesis(code, noise="random", generator=rng(3)), image)

    def test_none_is_zero_noise_and_patterns_can_be_given(self, small_generator):
        g = small_generator
        code = g.sample_codes(2, generator=rng())
        silent = g.synthesis(code, noise="none")
        zeros = [torch.zeros_like(layer.noise) for layer in g.synthesis.styled]
        torch.testing.assert_close(g.synthesis(code, noise=zeros), silent)
        own = [layer.noise.expand(2, -1, -1, -1) for layer in g.synthesis.styled]
        torch.testing.assert_close(g.synthesis(code, noise=own), g.synthesis(code))
        assert not torch.allclose(g.synthesis(code), silent)

    def test_wrong_noise(self, small_generator):
        code = torch.zeros(3, 8)
        with pytest.raises(InputError, match="'fixed', 'random', 'none'"):
            small_generator.synthesis(code, noise="const")
        with pytest.raises(InputError, match="5 noise patterns are needed"):
            small_generator.synthesis(code, noise=[torch.zeros(1, 1, 4, 4)])
        patterns = [layer.noise for layer in small_generator.synthesis.styled]
        with pytest.raises(InputError, match="noise pattern 4 has 2 rows for a batch of 3"):
            small_generator.synthesis(code, noise=[*patterns[:4], torch.zeros(2, 1, 16, 16)])
        with pytest.raises(InputError, match=r"noise pattern 0 must have shape \(B, 1, 4, 4\)"):
            small_generator.synthesis(code, noise=[torch.zeros(1, 1, 8, 8), *patterns[1:]])


class TestTruncation:
    def test_ends(self, small_generator):
        g = small_generator
        w = torch.randn(3, 8)
        torch.testing.assert_close(g.truncate(w, 1.0), w)
        torch.testing.assert_close(g.truncate(w, 0.0), g.mean_code.expand(3, 8))
        torch.testing.assert_close(g.truncate(w, 0.25), g.mean_code + 0.25 * (w - g.mean_code))

    def test_first_layers_only(self):
        code, mean = torch.randn(2, 6, 4), torch.randn(4)
        result = truncate(code, mean, 0.5, layers=2)
        torch.testing.assert_close(result[:, 2:], code[:, 2:])
        torch.testing.assert_close(result[:, :2], (code[:, :2] + mean) / 2)
        with pytest.raises(InputError, match="first 7 layers"):
            truncate(code, mean, 0.5, layers=7)

    def test_forward_uses_it(self, small_generator):
        z = small_generator.sample_latents(2, generator=rng())
        image = small_generator(z, truncation=0.0)
        torch.testing.assert_close(image[0], image[1])

    def test_mean_code_is_estimated_and_tracked(self, small_generator):
        g = small_generator
        mean = g.estimate_mean_code(3000, seed=1).clone()
        w = g.mapping(g.sample_latents(3000, generator=rng(1))).detach()
        assert float((mean - w.mean(0)).abs().max()) < 1e-5
        g.track_mean_code(torch.ones(5, 8), decay=0.5)
        torch.testing.assert_close(g.mean_code, (mean + 1) / 2)


class TestMixing:
    def test_rows(self):
        a, b = torch.zeros(2, 6, 3), torch.ones(2, 6, 3)
        torch.testing.assert_close(mix(a, b, 2)[0, :, 0], torch.tensor([0.0, 0, 1, 1, 1, 1]))
        torch.testing.assert_close(mix(a, b, torch.tensor([0, 6]))[:, :, 0], torch.stack([b[0, :, 0], a[0, :, 0]]))

    def test_wrong_inputs(self):
        a = torch.zeros(2, 6, 3)
        with pytest.raises(InputError, match="same shape"):
            mix(a, a[:1], 2)
        with pytest.raises(InputError, match="0 … 6, got 7"):
            mix(a, a, 7)
        with pytest.raises(InputError, match="one per sample"):
            mix(a, a, torch.tensor([1, 2, 3]))

    def test_broadcast_keeps_a_full_code(self):
        code = torch.zeros(1, 4, 2)
        assert broadcast_code(code, 4, 2) is code


def test_synthesis_can_be_traced_as_a_whole(small_generator):
    code = small_generator.sample_codes(2, generator=rng()).detach()
    plain = small_generator.synthesis(code)
    small_generator.synthesis.compile(backend="eager", fullgraph=True)  # what ``compile=True`` does, without a compiler
    torch.testing.assert_close(small_generator.synthesis(code), plain)


def test_latents_are_brought_to_unit_mean_square():
    mapping = MappingNetwork(6, 5, depth=1)
    z = torch.randn(3, 6, generator=rng()) * 7
    with torch.no_grad():
        torch.testing.assert_close(mapping(z), mapping.layers[0](z / z.square().mean(1, keepdim=True).sqrt()))


def test_a_picture_is_the_sum_over_resolutions():
    head = SkipHead({4: 2, 8: 3}, 5)
    features = [torch.randn(2, 2, 4, 4, generator=rng(1)), torch.randn(2, 3, 8, 8, generator=rng(2))]
    code = torch.randn(2, 4, 5, generator=rng(3))
    with torch.no_grad():
        for bias in head.biases:
            bias.normal_(generator=rng(4))
        small, large = (
            layer(part, code[:, row])[0] + bias[None, :, None, None]
            for layer, part, row, bias in zip(head.layers, features, (1, 3), head.biases)
        )
        picture = head.step(features[1], code, head.step(features[0], code, None))
    torch.testing.assert_close(picture, upsample(small) + large)
