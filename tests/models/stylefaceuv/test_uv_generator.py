"""The UV generator: what it starts from, its maps' ranges, its two heads, its files."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from faceuv.errors import AssetError, InputError
from faceuv.files.networks import save_network
from faceuv.models.faces.base import FaceModel
from faceuv.models.stylefaceuv import UVGenerator, load_uv_generator
from faceuv.models.stylegan2 import StyleGAN2Generator, load_generator
from faceuv.registry import GENERATORS

SMALL = {"channel_base": 64, "channel_max": 6}


def teacher(size=16, code_dim=5):
    torch.manual_seed(0)
    built = StyleGAN2Generator(size, code_dim, mapping_depth=1, **SMALL)
    with torch.no_grad():
        for layer in built.synthesis.styled:
            layer.noise_strength.fill_(0.1)
            layer.bias.normal_()
        for bias in built.synthesis.head.biases:
            bias.normal_()
    return built


def codes(count=2, layers=6, width=5):
    return torch.randn(count, layers, width, generator=torch.Generator().manual_seed(1))


def sphere(n=9):
    """Part of a sphere, whose normals are its own directions."""
    line = torch.linspace(-1, 1, n)
    v, u = torch.meshgrid(line, line, indexing="ij")
    mean = torch.stack([torch.sin(u) * torch.cos(v), -torch.sin(v), torch.cos(u) * torch.cos(v)], -1).reshape(-1, 3)
    r, c = torch.meshgrid(torch.arange(n - 1), torch.arange(n - 1), indexing="ij")
    a = (r * n + c).reshape(-1)
    index = torch.arange(n * n)
    basis = torch.zeros(n * n, 3, 1)
    return FaceModel(
        {
            "mean": mean,
            "identity_basis": basis,
            "expression_basis": basis,
            "mean_albedo": torch.ones_like(mean),
            "albedo_basis": basis,
            "faces": torch.cat([torch.stack([a, a + n, a + n + 1], 1), torch.stack([a, a + n + 1, a + 1], 1)]),
            "uv": torch.stack([(u + 1) / 2, (v + 1) / 2], -1).reshape(-1, 2),
            "landmarks": torch.arange(68),
            "skin_mask": torch.ones(n * n, dtype=torch.bool),
            "mirror": index.reshape(n, n).flip(1).reshape(-1),
        }
    )


class TestStart:
    def test_the_first_diffuse_map_is_the_teachers_picture(self):
        source = teacher()
        maps = UVGenerator.from_teacher(source)(codes())
        wanted = (source.synthesis(codes(), raw=True).tanh() + 1) / 2
        torch.testing.assert_close(maps.diffuse, wanted)

    def test_larger_maps_start_as_the_enlarged_picture(self):
        source = teacher()
        uv = UVGenerator.from_teacher(source, size=64)
        assert (uv.size, uv.num_layers, uv.code_dim) == (64, 6, 5)
        assert {r: uv.channels[r] for r in (16, 32, 64)} == {16: 4, 32: 2, 64: 1}
        with torch.no_grad():
            diffuse = uv(codes()).diffuse
            small = (source.synthesis(codes(), raw=True).tanh() + 1) / 2
        torch.testing.assert_close(diffuse.mean((2, 3)), small.mean((2, 3)), atol=0.02, rtol=0)
        shrunk = torch.nn.functional.avg_pool2d(diffuse, 4)[..., 2:-2, 2:-2]
        assert float((shrunk - small[..., 2:-2, 2:-2]).abs().mean()) < 0.05

    def test_smaller_maps_read_the_first_rows(self):
        source = teacher()
        uv = UVGenerator.from_teacher(source, size=8)
        code, other = codes(), codes()
        other[:, 4:] += 1
        torch.testing.assert_close(uv(code).diffuse, uv(other).diffuse)
        assert uv(code).diffuse.shape == (2, 3, 8, 8)

    def test_displacement_starts_at_zero_and_learns(self):
        uv = UVGenerator.from_teacher(teacher())
        displacement = uv(codes()).displacement
        assert displacement.shape == (2, 3, 16, 16)
        assert not displacement.any()
        displacement.sum().backward()
        gradients = [layer.weight.grad for layer in uv.displacement.layers]
        assert all(float(gradient.abs().max()) > 0 for gradient in gradients)

    def test_the_heads_are_two(self):
        uv = UVGenerator.from_teacher(teacher())
        before = uv(codes()).diffuse
        with torch.no_grad():
            for layer in uv.displacement.layers:
                layer.weight.normal_()
        assert float(uv(codes()).displacement.abs().max()) > 0
        torch.testing.assert_close(uv(codes()).diffuse, before)

    def test_a_stylegan2_gives_its_channels(self):
        with pytest.raises(InputError, match="takes channel_max from its StyleGAN2 teacher: leave them out"):
            UVGenerator.from_teacher(teacher(), channel_max=4)

    def test_what_is_no_generator_is_refused(self):
        with pytest.raises(InputError, match="UVGenerator needs a generator; Linear has no size, num_layers"):
            UVGenerator.from_teacher(torch.nn.Linear(2, 2))


class Stripes(torch.nn.Module):
    """A generator of a plug-in: L = 3, D = 4, no layers to copy."""

    num_layers, code_dim = 3, 4

    def __init__(self, size=16):
        super().__init__()
        self.size = size
        self.register_buffer("mean_code", torch.zeros(4))

    def sample_latents(self, count, *, generator=None):
        return torch.randn(count, 4, generator=generator)

    def mapping(self, z):
        return z

    def synthesis(self, code):
        return code[:, :3, :1, None].sigmoid().expand(-1, -1, self.size, self.size)

    def sample_codes(self, count, *, truncation=1.0, generator=None):
        return self.sample_latents(count, generator=generator)[:, None].repeat(1, 3, 1)


class TestOtherTeachers:
    def test_its_codes_are_read_and_the_channels_are_ones_own(self):
        source = Stripes()
        uv = UVGenerator.from_teacher(source, displacement_scale=0.02, **SMALL)
        assert (uv.size, uv.num_layers, uv.code_dim, uv.displacement_scale) == (16, 3, 4, 0.02)
        assert uv.channels == {4: 6, 8: 6, 16: 4}
        code = source.sample_codes(2, generator=torch.Generator().manual_seed(0))
        maps = uv(code)
        assert maps.diffuse.shape == maps.displacement.shape == (2, 3, 16, 16)
        assert not maps.displacement.any()
        for row in range(3):  # every row of the code reaches the map
            changed = code.clone()
            changed[:, row] += 1
            assert float((uv(changed).diffuse - maps.diffuse).detach().abs().max()) > 1e-4, row

    def test_a_side_that_is_no_power_of_two_needs_a_size(self):
        with pytest.raises(InputError, match="a power of two, got 48, the teacher's: give one, size=64 for instance"):
            UVGenerator.from_teacher(Stripes(48), **SMALL)
        assert UVGenerator.from_teacher(Stripes(48), size=64, **SMALL).size == 64

    def test_displacements_along_normals(self):
        uv = UVGenerator.from_teacher(Stripes(), face_model=sphere(), displacement_space="normal", **SMALL)
        assert float(uv.normals.norm(dim=1).mean()) > 0.9


class TestRows:
    def test_layers_beyond_the_code_read_its_last_row(self):
        uv = UVGenerator.from_teacher(teacher(), size=64)
        rows = uv.rows(codes())
        assert rows.shape == (2, 10, 5)
        torch.testing.assert_close(rows[:, :6], codes())
        for row in range(6, 10):
            torch.testing.assert_close(rows[:, row], codes()[:, 5])

    def test_one_w_is_its_repeat(self):
        uv = UVGenerator.from_teacher(teacher())
        w = codes()[:, 0]
        torch.testing.assert_close(uv(w).diffuse, uv(w[:, None].repeat(1, 6, 1)).diffuse)

    def test_other_codes_are_refused(self):
        with pytest.raises(InputError, match="code must have shape"):
            UVGenerator.from_teacher(teacher())(codes(layers=8))


@settings(max_examples=8)
@given(scale=st.floats(1e-3, 1.0), loud=st.floats(0.1, 50.0), space=st.sampled_from(["xyz", "normal"]))
def test_maps_keep_their_ranges(scale, loud, space):
    uv = UVGenerator(8, 5, displacement_scale=scale, displacement_space=space, **SMALL)
    if space == "normal":
        uv.set_normals(sphere())
    with torch.no_grad():
        for layer in uv.displacement.layers:
            layer.weight.normal_().mul_(loud)
        maps = uv(codes(layers=4) * loud)
    assert float(maps.diffuse.min()) >= 0
    assert float(maps.diffuse.max()) <= 1
    assert float(maps.displacement.abs().max()) <= scale * (1 + 1e-6)
    if space == "normal":
        assert float(maps.displacement.norm(dim=1).max()) <= scale * (1 + 1e-5)


class TestNormals:
    def test_displacements_follow_the_mean_face(self):
        face = sphere(17)
        uv = UVGenerator.from_teacher(teacher(), size=16, face_model=face, displacement_space="normal")
        with torch.no_grad():
            uv.displacement.layers[-1].weight.normal_()
            displacement = uv(codes()).displacement
        u, v = torch.meshgrid((torch.arange(16) + 0.5) / 8 - 1, (torch.arange(16) + 0.5) / 8 - 1, indexing="xy")
        outward = torch.stack([torch.sin(u) * torch.cos(v), -torch.sin(v), torch.cos(u) * torch.cos(v)])
        along = (displacement * outward).sum(1, keepdim=True)
        inner = (slice(None), slice(None), slice(2, -2), slice(2, -2))
        torch.testing.assert_close(displacement[inner], (along * outward)[inner], atol=2e-4, rtol=0)
        assert float(along.abs().max()) > 1e-3

    def test_without_normals_nothing_is_made(self):
        uv = UVGenerator(8, 5, displacement_space="normal", **SMALL)
        with pytest.raises(InputError, match=r"has none yet; call set_normals\(face_model\)"):
            uv(codes(layers=4))
        with pytest.raises(InputError, match="only a UVGenerator with displacement_space='normal'"):
            UVGenerator(8, 5, **SMALL).set_normals(sphere())
        with pytest.raises(InputError, match="need a face_model"):
            UVGenerator.from_teacher(teacher(), displacement_space="normal")


class TestFiles:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
    def test_round_trip(self, tmp_path, dtype):
        uv = UVGenerator.from_teacher(
            teacher(), size=32, face_model=sphere(), displacement_space="normal", displacement_scale=0.02
        )
        with torch.no_grad():
            uv.displacement.layers[-1].weight.normal_()
        path = save_network(tmp_path / "uv.safetensors", uv, dtype=dtype, metadata={"licence": "ours"})
        back = load_uv_generator(path, size=32)
        assert back.settings() == uv.settings()
        assert not any(parameter.requires_grad for parameter in back.parameters())
        tolerance = {} if dtype == torch.float32 else {"atol": 5e-3, "rtol": 0}
        for name in ("diffuse", "displacement"):
            torch.testing.assert_close(getattr(back(codes()), name), getattr(uv(codes()), name), **tolerance)
        assert all(parameter.requires_grad for parameter in back.train_all().parameters())

    def test_other_files_are_refused(self, tmp_path):
        save_network(tmp_path / "g.safetensors", teacher())
        save_network(tmp_path / "uv.safetensors", UVGenerator(8, 5, **SMALL))
        with pytest.raises(AssetError, match="holds 'stylegan2_generator', expected 'uv_generator'"):
            load_uv_generator(tmp_path / "g.safetensors")
        with pytest.raises(AssetError, match="holds 'uv_generator', expected 'stylegan2_generator'"):
            load_generator(tmp_path / "uv.safetensors")
        with pytest.raises(AssetError, match="8² maps, expected 16²"):
            load_uv_generator(tmp_path / "uv.safetensors", size=16)
        with pytest.raises(AssetError, match="does not exist"):
            load_uv_generator(tmp_path / "none.safetensors")


def test_settings():
    built = GENERATORS.build({"type": "UVGenerator", "size": 8, "code_dim": 5, "diffuse": False, **SMALL})
    assert built(codes(layers=4)).diffuse is None
    assert not any(parameter.requires_grad for parameter in built.synthesis.head.parameters())
    flat = UVGenerator(8, 5, displacement=False, **SMALL)
    assert flat(codes(layers=4)).displacement is None
    for wrong, message in (
        ({"displacement_scale": 0.0}, "must be positive"),
        ({"displacement_space": "uv"}, "'xyz' or 'normal'"),
        ({"num_layers": 0}, "num_layers must be"),
        ({"diffuse": False, "displacement": False}, "both are switched off"),
    ):
        with pytest.raises(InputError, match=message):
            UVGenerator(8, 5, **SMALL, **wrong)
