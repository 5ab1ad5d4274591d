"""Networks in safetensors files of ours."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import AssetError
from faceuv.files.artefacts import save_tensors
from faceuv.files.networks import save_network
from faceuv.models.stylegan2 import load_discriminator, load_generator


def assert_same(a, b):
    one, other = a.state_dict(), b.state_dict()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert a.settings() == b.settings()


class TestOurs:
    def test_round_trip(self, small_generator, small_discriminator, tmp_path):
        g = load_generator(save_network(tmp_path / "g.safetensors", small_generator), size=16)
        d = load_discriminator(save_network(tmp_path / "d.safetensors", small_discriminator))
        assert_same(g, small_generator)
        assert_same(d, small_discriminator)

    def test_half_precision_is_half_the_size(self, small_generator, tmp_path):
        full = save_network(tmp_path / "a.safetensors", small_generator)
        half = save_network(tmp_path / "b.safetensors", small_generator, dtype=torch.float16, metadata={"images": 7})
        assert half.stat().st_size < 0.6 * full.stat().st_size + 4000
        g = load_generator(half)
        assert g.synthesis.constant.dtype == torch.float32
        z = g.sample_latents(2, generator=torch.Generator().manual_seed(0))
        assert float((g(z) - small_generator(z).detach()).abs().max()) < 0.02

    def test_what_half_precision_cannot_hold_is_refused(self, small_generator, tmp_path):
        with torch.no_grad():
            small_generator.synthesis.constant.fill_(1e6)
        path = tmp_path / "g.safetensors"
        with pytest.raises(AssetError, match="not written: synthesis.constant"):
            save_network(path, small_generator, dtype=torch.float16)
        assert not path.exists()

    def test_wrong_files(self, small_generator, small_discriminator, tmp_path):
        path = save_network(tmp_path / "d.safetensors", small_discriminator)
        with pytest.raises(AssetError, match="holds 'stylegan2_discriminator', expected 'stylegan2_generator'"):
            load_generator(path)
        tensors = {k: v.contiguous() for k, v in small_generator.state_dict().items()}
        metadata = {"kind": "stylegan2_generator", "settings": small_generator.settings()}
        cut = {k: v for k, v in tensors.items() if k != "mean_code"}
        with pytest.raises(AssetError, match="the tensor mean_code is missing"):
            load_generator(save_tensors(tmp_path / "g.safetensors", cut, metadata))
        wrong = {**tensors, "mean_code": torch.zeros(9)}
        with pytest.raises(AssetError, match=r"mean_code must have shape \(8,\), found \(9,\)"):
            load_generator(save_tensors(tmp_path / "g.safetensors", wrong, metadata))
