from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import InputError
from faceuv.evaluation import Reconstruction, masked_l1, masked_psnr, masked_ssim, reconstruction_errors
from faceuv.registry import LOSSES


def picture(count=2, size=24, seed=0):
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def half(count=2, size=24):
    """The left half of the picture."""
    mask = torch.zeros(count, 1, size, size)
    mask[..., : size // 2] = 1
    return mask


class TestKnownAnswers:
    def test_a_constant_difference(self):
        truth = picture() * 0.5
        assert masked_l1(truth + 0.1, truth, half()) == pytest.approx([0.1, 0.1], abs=1e-6)
        assert masked_psnr(truth + 0.1, truth, half()) == pytest.approx([20, 20], abs=1e-4)

    def test_what_lies_outside_does_not_count(self):
        truth = picture()
        image = torch.where(half() > 0, truth, 1 - truth)
        assert masked_l1(image, truth, half()).tolist() == [0, 0]
        assert masked_psnr(image, truth, half()) == pytest.approx([100, 100], abs=1e-3)
        assert masked_ssim(image, truth, half()) == pytest.approx([1, 1], abs=1e-6)
        assert bool((masked_l1(image, truth, 1 - half()) > 0.3).all())
        assert bool((masked_ssim(image, truth, 1 - half()) < 0.5).all())

    def test_nan_outside_does_not_count(self):
        truth = picture()
        image = torch.where(half() > 0, truth, torch.nan)
        assert masked_l1(image, truth, half()).tolist() == [0, 0]
        assert masked_ssim(image, truth, half()) == pytest.approx([1, 1], abs=1e-6)

    def test_each_image_has_its_own_mask(self):
        truth = torch.zeros(2, 3, 16, 16)
        image = truth.clone()
        image[0, :, 3, 4], image[1, :, 5, 6] = 0.7, 0.2
        mask = torch.zeros(2, 1, 16, 16)
        mask[:, :, 3, 4] = 1
        assert masked_l1(image, truth, mask) == pytest.approx([0.7, 0.0], abs=1e-6)

    def test_an_empty_mask_is_not_a_number(self):
        values = reconstruction_errors(picture(), picture(seed=1), torch.zeros(2, 1, 24, 24))
        assert all(math.isnan(v) for column in values.values() for v in column.tolist())

    def test_ssim_against_its_definition(self):
        """Of the pixel in the middle, by the published formula and window, in float64."""
        image, truth = picture(1, 25).double(), picture(1, 25, seed=1).double()
        line = np.exp(-0.5 * ((np.arange(11) - 5) / 1.5) ** 2)
        window = torch.from_numpy(np.outer(line, line) / line.sum() ** 2)
        x, y = image[0, :, 7:18, 7:18], truth[0, :, 7:18, 7:18]
        mean = [(window * side).sum((1, 2)) for side in (x, y)]
        var = [(window * side**2).sum((1, 2)) - m**2 for side, m in zip((x, y), mean)]
        cov = (window * x * y).sum((1, 2)) - mean[0] * mean[1]
        wanted = (2 * mean[0] * mean[1] + 1e-4) * (2 * cov + 9e-4)
        wanted = wanted / ((mean[0] ** 2 + mean[1] ** 2 + 1e-4) * (var[0] + var[1] + 9e-4))
        middle = torch.zeros(1, 1, 25, 25).double()
        middle[..., 12, 12] = 1
        # the picture is replaced by the truth outside the mask, so look through a full one
        from kornia.metrics import ssim

        assert float(ssim(image, truth, 11)[0, :, 12, 12].mean()) == pytest.approx(float(wanted.mean()), abs=1e-9)
        full = masked_ssim(image, truth, torch.ones_like(middle))
        assert float(full) == pytest.approx(float(ssim(image, truth, 11).mean()), abs=1e-9)

    @given(st.floats(0.01, 0.4), st.integers(0, 5))
    def test_psnr_is_minus_ten_decades_of_the_squared_error(self, step, seed):
        truth = torch.full((1, 3, 12, 12), 0.5)
        signs = torch.where(picture(1, 12, seed) > 0.5, 1.0, -1.0)
        found = float(masked_psnr(truth + step * signs, truth, torch.ones(1, 1, 12, 12)))
        assert found == pytest.approx(-20 * math.log10(step), abs=1e-3)


class TestBadInput:
    def test_shapes(self):
        with pytest.raises(InputError, match="mask must have shape"):
            masked_l1(picture(), picture(), torch.ones(2, 3, 24, 24))
        with pytest.raises(InputError, match="second picture must have shape"):
            masked_psnr(picture(), picture(size=12), half())

    def test_too_small_for_a_window(self):
        with pytest.raises(InputError, match="at least 11² pixels"):
            masked_ssim(picture(size=8), picture(size=8), half(size=8))


PHOTO = {"type": "PhotometricLoss", "norm": "squared", "weight": 7.0}


def samples(count=5, views=("",)):
    found = []
    for k in range(count):
        row = {}
        for j, view in enumerate(views):
            real = picture(1, seed=10 * k + j)[0] * 0.5
            row |= {f"real{view}": real, f"fake{view}": real + 0.1 * (j + 1), f"mask{view}": half(1)[0]}
        found.append(row)
    return found


class TestMetric:
    def test_means_of_every_view(self):
        metric = Reconstruction(losses={"photo": PHOTO, "off": None})
        metric.process({}, samples(3, ("", "_symmetric")))
        metric.process({}, samples(2, ("", "_symmetric")))
        found = metric.evaluate(5)
        assert found["l1"] == pytest.approx(0.1, abs=1e-6)
        assert found["l1_symmetric"] == pytest.approx(0.2, abs=1e-6)
        assert found["psnr"] == pytest.approx(20, abs=1e-4)
        assert found["photo"] == pytest.approx(0.03, abs=1e-6)  # the weight of a config is that of training
        assert found["ssim"] > found["ssim_symmetric"]
        assert found["reconstruction_samples"] == 5

    def test_processes_change_nothing(self, in_ranks):
        def varied(ranks, rank):
            rows = samples(5)
            for k, row in enumerate(rows):
                row["fake"] = row["fake"] + 0.05 * k
            metric = Reconstruction()
            # what DefaultSampler gives a rank: the first samples again to fill up
            metric.process({}, [rows[k % 5] for k in range(rank, -(-5 // ranks) * ranks, ranks)])
            return metric.evaluate(5)

        together = in_ranks(lambda rank: varied(2, rank), 2)
        assert together == pytest.approx(varied(1, 0), rel=1e-6)
        assert together["l1"] == pytest.approx(0.2, abs=1e-6)

    def test_a_face_that_left_the_picture_does_not_count(self):
        rows = samples(3)
        rows[1]["mask"] = torch.zeros_like(rows[1]["mask"])
        metric = Reconstruction(losses={"photo": PHOTO})
        metric.process({}, rows)
        found = metric.evaluate(3)
        assert found["l1"] == pytest.approx(0.1, abs=1e-6)
        assert found["photo"] == pytest.approx(0.03, abs=1e-6)

    def test_samples_of_another_kind(self):
        with pytest.raises(InputError, match=r"Reconstruction reads samples dict\(real .* they have image"):
            Reconstruction().process({}, [{"image": picture(1)[0]}])

    def test_losses_that_do_not_fit(self):
        class Plain(torch.nn.Module):
            pass

        LOSSES.register_module(name="PlainOfTest", module=Plain, force=True)
        with pytest.raises(InputError, match=r"losses with per_image.* 'plain' is a Plain"):
            Reconstruction(losses={"plain": {"type": "PlainOfTest"}})
        with pytest.raises(InputError, match="names other than l1"):
            Reconstruction(losses={"l1": PHOTO})

    def test_nothing_to_measure(self):
        with pytest.raises(InputError, match="no samples"):
            Reconstruction().compute_metrics([])
