"""Parts of the fitting steps that can be checked by hand."""

from __future__ import annotations

import math

import torch

from faceuv.fitting.steps import blurred


def test_a_spot_becomes_a_gaussian_and_a_plain_picture_stays():
    sigma = 2.0
    spot = torch.zeros(1, 3, 33, 33)
    spot[:, :, 16, 16] = 1.0
    soft = blurred(spot, sigma)
    torch.testing.assert_close(soft.sum((2, 3)), torch.ones(1, 3))
    torch.testing.assert_close(soft, soft.transpose(2, 3))
    row = soft[0, 0, 16] / soft[0, 0, 16, 16]
    wanted = [math.exp(-0.5 * (k / sigma) ** 2) if k <= 5 else 0.0 for k in range(9)]  # cut off at 2.5 σ
    torch.testing.assert_close(row[16:25], torch.tensor(wanted))
    plain = torch.full((2, 3, 16, 24), 0.3)
    torch.testing.assert_close(blurred(plain, 3.0), plain)  # the border does not darken


def test_a_blur_passes_gradients():
    images = torch.rand(1, 3, 9, 11, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: blurred(x, 1.0), images)
