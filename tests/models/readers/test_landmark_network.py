"""The landmark network: shapes, files, gradients, mirrored truth."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import save_tensors
from faceuv.files.networks import load_network, read_header, save_network
from faceuv.models.readers.landmark_network import LandmarkNetwork
from faceuv.registry import MODELS

SMALL = dict(size=32, widths=(8, 8, 16, 16), hidden=16)


def network(**settings) -> LandmarkNetwork:
    torch.manual_seed(0)
    return MODELS.build(dict(type="LandmarkNetwork", **{**SMALL, **settings}))


class TestNetwork:
    @pytest.mark.parametrize("heatmaps", [True, False])
    def test_answers_points_and_a_logit(self, heatmaps):
        points, logit = network(heatmaps=heatmaps)(torch.rand(3, 3, 32, 32))
        assert points.shape == (3, 68, 2) and logit.shape == (3,)

    def test_rows_do_not_depend_on_their_company(self):
        model, images = network(), torch.rand(4, 3, 32, 32)
        with torch.no_grad():
            together, alone = model(images), [model(image[None]) for image in images]
        torch.testing.assert_close(together[0], torch.cat([a[0] for a in alone]), atol=1e-5, rtol=0)
        torch.testing.assert_close(together[1], torch.cat([a[1] for a in alone]), atol=1e-5, rtol=0)

    @pytest.mark.parametrize("heatmaps", [True, False])
    def test_every_weight_is_trained(self, heatmaps):
        model = network(heatmaps=heatmaps)
        torch.nn.init.normal_(model.points.weight, std=0.1)  # zero at first: nothing flows past it
        points, logit = model(torch.rand(2, 3, 32, 32))
        (points.square().sum() + logit.square().sum()).backward()
        assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())

    def test_maps_point_at_what_they_see(self):
        model = network()
        maps = model.maps
        assert maps is not None
        grid = torch.zeros(1, 68, 8, 8)
        grid[:, :, 2, 6] = 50.0  # row 2, column 6 of 8
        maps.maps = torch.nn.Identity()
        maps.mix = torch.nn.Identity()
        maps.fine = torch.nn.Identity()
        maps.deep = maps.middle = torch.nn.Identity()
        zero = torch.zeros(1, 68, 4, 4)
        points = maps(grid, zero, zero[:, :, :2, :2])
        torch.testing.assert_close(points, torch.tensor([13 / 8 - 1, 5 / 8 - 1]).expand(1, 68, 2))

    def test_settings_are_checked(self):
        with pytest.raises(InputError, match="multiple of 16 and widths four multiples of 8"):
            network(size=40)
        with pytest.raises(InputError, match=r"cut-outs must have shape \(B, 3, 32, 32\)"):
            network()(torch.zeros(1, 3, 64, 64))


class TestFile:
    def test_comes_back_in_half_precision(self, tmp_path):
        model = network()
        model.mean_points.normal_()
        metadata = {"calibration": [2.0, 1.0]}
        path = save_network(tmp_path / "w.safetensors", model, dtype=torch.float16, metadata=metadata)
        loaded = load_network(path, LandmarkNetwork)
        images = torch.rand(2, 3, 32, 32)
        with torch.no_grad():
            torch.testing.assert_close(loaded(images)[0], model(images)[0], atol=5e-3, rtol=0)
        assert read_header(path)["calibration"] == [2.0, 1.0] and loaded.settings() == model.settings()
        assert not loaded.training and path.stat().st_size < 3 * sum(p.numel() for p in model.parameters())

    def test_other_files_are_refused(self, tmp_path):
        save_tensors(tmp_path / "a.safetensors", {"x": torch.zeros(1)}, {"kind": "regressor"})
        with pytest.raises(AssetError, match="holds 'regressor', expected 'landmark_network'"):
            load_network(tmp_path / "a.safetensors", LandmarkNetwork)
        save_tensors(tmp_path / "b.safetensors", {"x": torch.zeros(1)}, {"kind": "landmark_network", "settings": {}})
        with pytest.raises(AssetError, match="b.safetensors: no network can be built with its settings"):
            load_network(tmp_path / "b.safetensors", LandmarkNetwork)
