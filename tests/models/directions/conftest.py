from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from faceuv.models.stylegan2 import broadcast_code


class LinearGenerator(nn.Module):
    """The smallest thing with a generator's interface: w is a linear map of z, pictures are a linear map of w."""

    size = 5

    def __init__(self, layers=4, width=16, seed=0):
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.num_layers, self.code_dim = layers, width
        turn, _ = torch.linalg.qr(torch.randn(width, width, generator=rng, dtype=torch.float64))
        self.deviations = torch.linspace(2.0, 0.5, width)
        self.axes = turn.T.float()  # rows; w = Σ deviation · normal · axis
        self.offset = torch.randn(width, generator=rng)
        self.features = nn.Linear(width, 3 * 5 * 5)
        with torch.no_grad():
            self.features.weight.copy_(torch.randn(75, width, generator=rng))

    def sample_latents(self, count, *, generator=None):
        return torch.randn(count, self.code_dim, generator=generator)

    def mapping(self, z):
        return z * self.deviations @ self.axes + self.offset

    @property
    def mean_code(self):
        return self.offset

    def broadcast(self, code):
        return broadcast_code(code, self.num_layers, self.code_dim)

    def synthesis(self, code):
        return self.features(self.broadcast(code).mean(1)).unflatten(1, (3, 5, 5)).tanh()


def degrees(a, b):
    """Angle of two tensors taken as vectors."""
    a, b = (t.detach().double().flatten() for t in (a, b))
    a, b = a / a.norm(), b / b.norm()
    return math.degrees(2 * math.atan2(float((a - b).norm()), float((a + b).norm())))


@pytest.fixture
def linear():
    return LinearGenerator()


@pytest.fixture
def angle():
    return degrees


@pytest.fixture
def make_linear():
    return LinearGenerator
