"""What the tests of the inversion share."""

from __future__ import annotations

import contextlib

import torch

COARSE = {"type": "ProceduralFace", "rows": 49, "columns": 41, "verbose": False}
REGRESSOR = "zoo:regressor/weights.safetensors"


class Descent:
    """What the method needs of an optimiser wrapper."""

    def __init__(self, parameters, rate):
        self.optimizer = torch.optim.Adam(parameters, lr=rate)

    def optim_context(self, model):
        return contextlib.nullcontext()

    def update_params(self, loss):
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def shaken(network, seed, size):
    """Weights of heads that begin with zeros, made random, so that they have an effect."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if not bool(parameter.any()):
                parameter.copy_(size * torch.randn(parameter.shape, generator=rng))
    return network.eval().requires_grad_(False)
