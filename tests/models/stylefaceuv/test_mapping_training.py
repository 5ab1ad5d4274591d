"""The trainings of the mapper and the stepper: which rows they learn from, which angles they ask for."""

from __future__ import annotations

import math

import pytest
import torch
from small_world import oval_arrays, small_networks

from faceuv.data.codes import FitShard
from faceuv.files.networks import save_network
from faceuv.models.faces.base import FaceModel
from faceuv.models.stylefaceuv import CoefficientMapping, YawStepping
from faceuv.models.stylefaceuv.options import AdversarialOptions, ViewOptions
from faceuv.models.stylefaceuv.uv_generator import UVGenerator
from faceuv.models.stylefaceuv.views import ViewWeights
from faceuv.structures import Coefficients

YAW = {"yaw": {"type": "MeanDistance", "of": "yaw"}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Files of 100 fits, whose held-out rows (every tenth) are far from all others; networks of a small world."""
    folder = tmp_path_factory.mktemp("mapping")
    small = small_networks(FaceModel(oval_arrays()), 16, 6)
    codes, data = small.codes.clone(), small.fitted.data.clone()
    codes[::10] += 50
    data[::10] += 7
    layout = small.fitted.layout
    metadata = {"num_layers": small.teacher.num_layers, "layout": layout.groups, "run": "test", "seed": 0}
    every = torch.ones(100, dtype=torch.bool)
    (folder / "fits").mkdir()
    FitShard(torch.arange(100), codes, data, every, [""] * 100, {}, metadata).save(
        folder / "fits" / "fits_000000.safetensors"
    )
    save_network(folder / "mapper.safetensors", small.mapper)
    small.direction.save(folder / "direction.safetensors")
    kept = torch.arange(100) % 10 != 0
    return folder, small, codes[kept], Coefficients(data[kept], layout)


def stepping(made, **changes):
    folder, *_ = made
    torch.manual_seed(0)
    return YawStepping(
        folder / "fits", folder / "mapper.safetensors", folder / "direction.safetensors", YAW, widths=(8,), **changes
    )


class TestHeldOutRows:
    def test_f3d_is_standardised_by_the_training_rows_alone(self, made):
        folder, _, codes, fitted = made
        method = CoefficientMapping(folder / "fits", {"raw": {"type": "RawL1"}}, widths=(8,))
        torch.testing.assert_close(method.mapper.mean, fitted.data.mean(0))
        torch.testing.assert_close(method.mapper.deviation, fitted.data.std(0, correction=0).clamp_min(1e-4))
        torch.testing.assert_close(method.mapper.code_mean, codes.mean(0))
        assert method.origin["fits"] == 90

    def test_f_yaw_likewise(self, made):
        _, small, codes, fitted = made
        method = stepping(made)
        torch.testing.assert_close(method.stepper.code_mean, codes.mean(0))
        assert method.range == pytest.approx(float(fitted.rotation[:, 1].abs().quantile(0.98)))
        position = method.stepper.position(codes)
        yaw = small.mapper.yaw(codes)
        slope = torch.cov(torch.stack([position, yaw]))[0, 1] / position.var()
        assert float(method.stepper.yaw_per_sigma) == pytest.approx(float(slope), rel=1e-3)


class TestWantedAngles:
    def test_the_symmetric_one_is_minus_the_code_s_own_yaw(self, made):
        _, small, codes, _ = made
        wanted = stepping(made, symmetric=1.0).wanted(codes)
        torch.testing.assert_close(wanted, -small.mapper.yaw(codes))
        assert float(wanted.abs().max()) > 0.1

    def test_the_others_are_uniform_over_the_range(self, made):
        codes = made[2].repeat(50, 1)
        wanted = stepping(made, symmetric=0.0, range_deg=20.0).wanted(codes) * 180 / math.pi
        assert 19.5 < float(wanted.max()) <= 20
        assert -20 <= float(wanted.min()) < -19.5
        assert abs(float(wanted.mean())) < 1
        assert float(wanted.std()) == pytest.approx(20 / math.sqrt(3), rel=0.05)

    def test_half_of_a_batch_is_symmetric(self, made):
        _, small, codes, _ = made
        codes = codes.repeat(50, 1)
        same = stepping(made).wanted(codes) == -small.mapper.yaw(codes)
        assert float(same.float().mean()) == pytest.approx(0.5, abs=0.03)

    def test_the_loss_compares_what_f3d_reads_with_the_angle_in_degrees(self, made):
        _, small, codes, _ = made
        method = stepping(made, symmetric=1.0)

        class Optimizer:
            def optim_context(self, model):
                import contextlib

                return contextlib.nullcontext()

            def update_params(self, loss):
                self.loss = float(loss)

        optimizer = Optimizer()
        with torch.no_grad():
            turned = method.stepper.move(codes, -small.mapper.yaw(codes))
            off = (small.mapper.yaw(turned) + small.mapper.yaw(codes)) * 180 / math.pi
        logs = method.train_step({"code": codes}, {"stepper": optimizer})
        expected = ((off.square() + 0.1**2).sqrt() - 0.1).mean()
        assert float(logs["yaw"]) == pytest.approx(float(expected), rel=1e-4)
        assert optimizer.loss == pytest.approx(float(expected), rel=1e-4)


def test_f3d_s_raw_loss_is_the_l1_of_coefficients(made):
    folder, _, codes, fitted = made
    torch.manual_seed(0)
    method = CoefficientMapping(folder / "fits", {"raw": {"type": "RawL1"}}, widths=(8,))
    with torch.no_grad():
        expected = (method.mapper(codes[:5]).data - fitted.data[:5]).abs().mean()
    sides = method._sides(method.mapper(codes[:5]).data), method._sides(fitted.data[:5])
    torch.testing.assert_close(method.losses(*sides)["raw"].detach(), expected)


def test_defaults_are_the_paper_s():
    assert ViewOptions() == ViewOptions(("original", "symmetric"), 0.75, "fitted", "shared", False, 0)
    assert ViewWeights() == ViewWeights("splat", 0.5)
    assert AdversarialOptions() == AdversarialOptions("pasted", 5, False)
    assert UVGenerator(16, 6, channel_base=64, channel_max=6).displacement_scale == 0.01  # ±1 mm
