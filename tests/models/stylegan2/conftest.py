"""Checkpoints in the public layouts, their values given by a formula, and small networks of ours."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest
import torch

from faceuv.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator

CHANNELS = {4: 24, 8: 20, 16: 12, 32: 10, 64: 8, 128: 6, 256: 4}
CODE = 16
DEPTH = 3


def wave(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Values of unit variance that look random and are the same on every machine."""
    offset = sum((k + 1) * ord(c) for k, c in enumerate(name))
    index = torch.arange(int(np.prod(shape)), dtype=torch.float64)
    return (torch.sin((index * index * 0.7389 + index * 1.61803 + offset) % 6283.0) * 2**0.5).float().reshape(shape)


def kernel(gain: float = 1.0) -> torch.Tensor:
    row = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(row, row) * gain / 64


def rosinality_generator(size: int, channels=CHANNELS, code: int = CODE, depth: int = DEPTH) -> dict:
    state = OrderedDict()

    def put(name, shape, scale=1.0, offset=0.0):
        state[name] = wave(name, shape) * scale + offset

    def modulated(name, inputs, outputs, k):
        put(f"{name}.conv.weight", (1, outputs, inputs, k, k))
        put(f"{name}.conv.modulation.weight", (inputs, code))
        put(f"{name}.conv.modulation.bias", (inputs,), 0.1, 1.0)

    def styled(name, inputs, outputs, up):
        modulated(name, inputs, outputs, 3)
        if up:
            state[f"{name}.conv.blur.kernel"] = kernel(4)
        put(f"{name}.noise.weight", (1,), 0.2)
        put(f"{name}.activate.bias", (outputs,), 0.1)

    def rgb(name, inputs, up):
        if up:
            state[f"{name}.upsample.kernel"] = kernel(4)
        modulated(name, inputs, 3, 1)
        put(f"{name}.bias", (1, 3, 1, 1), 0.1)

    for k in range(depth):
        put(f"style.{k + 1}.weight", (code, code), 100.0)
        put(f"style.{k + 1}.bias", (code,), 10.0)
    put("input.input", (1, channels[4], 4, 4))
    styled("conv1", channels[4], channels[4], False)
    rgb("to_rgb1", channels[4], False)
    doublings = size.bit_length() - 3
    for j in range(doublings):
        inputs, outputs = channels[4 << j], channels[8 << j]
        styled(f"convs.{2 * j}", inputs, outputs, True)
        styled(f"convs.{2 * j + 1}", outputs, outputs, False)
        rgb(f"to_rgbs.{j}", outputs, True)
    for k in range(2 * doublings + 1):
        r = 4 << ((k + 1) // 2)
        put(f"noises.noise_{k}", (1, 1, r, r))
    return state


def rosinality_discriminator(size: int, channels=CHANNELS) -> dict:
    state = OrderedDict()

    def put(name, shape, scale=1.0):
        state[name] = wave(name, shape) * scale

    put("convs.0.0.weight", (channels[size], 3, 1, 1))
    put("convs.0.1.bias", (channels[size],), 0.1)
    for j in range(size.bit_length() - 3):
        inputs, outputs = channels[size >> j], channels[size >> (j + 1)]
        name = f"convs.{j + 1}"
        put(f"{name}.conv1.0.weight", (inputs, inputs, 3, 3))
        put(f"{name}.conv1.1.bias", (inputs,), 0.1)
        state[f"{name}.conv2.0.kernel"] = kernel()
        put(f"{name}.conv2.1.weight", (outputs, inputs, 3, 3))
        put(f"{name}.conv2.2.bias", (outputs,), 0.1)
        state[f"{name}.skip.0.kernel"] = kernel()
        put(f"{name}.skip.1.weight", (outputs, inputs, 1, 1))
    put("final_conv.0.weight", (channels[4], channels[4] + 1, 3, 3))
    put("final_conv.1.bias", (channels[4],), 0.1)
    put("final_linear.0.weight", (channels[4], channels[4] * 16))
    put("final_linear.0.bias", (channels[4],), 0.1)
    put("final_linear.1.weight", (1, channels[4]))
    put("final_linear.1.bias", (1,), 0.1)
    return state


def rosinality_checkpoint(size: int) -> dict:
    generator = rosinality_generator(size)
    return {
        "g_ema": generator,
        "g": OrderedDict((k, v if "kernel" in k else v * 0.9) for k, v in generator.items()),
        "d": rosinality_discriminator(size),
        "latent_avg": wave("latent_avg", (CODE,)) * 0.3,
    }


class FakePackages:
    """Modules of foreign names whose classes pickle as the real ones do; taken away before anything is read."""

    def __init__(self, monkeypatch):
        self.monkeypatch = monkeypatch
        self.names: list[str] = []

    def add(self, path: str, **members) -> types.ModuleType:
        parts = path.split(".")
        for k in range(1, len(parts) + 1):
            name = ".".join(parts[:k])
            if name not in sys.modules:
                self.monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
                self.names.append(name)
        for name, member in members.items():
            member.__module__, member.__qualname__ = path, name
            self.monkeypatch.setattr(sys.modules[path], name, member, raising=False)
        return sys.modules[path]

    def dump(self, value, path, protocol: int = 2) -> None:
        with open(path, "wb") as file:
            pickle.dump(value, file, protocol=protocol)
        for name in self.names:  # the reader must not find them
            sys.modules.pop(name, None)


@pytest.fixture
def packages(monkeypatch):
    return FakePackages(monkeypatch)


@pytest.fixture
def rosinality_file(tmp_path):
    def write(size=16, change=None, legacy=False, **extra):
        data = {**rosinality_checkpoint(size), **extra}
        if change:
            change(data)
        path = tmp_path / f"rosinality-{size}.pt"
        torch.save(data, path, _use_new_zipfile_serialization=not legacy)
        return path

    return write


@pytest.fixture
def layouts():
    """The builders above, for tests (which cannot import this file)."""
    return types.SimpleNamespace(
        wave=wave,
        kernel=kernel,
        generator=rosinality_generator,
        discriminator=rosinality_discriminator,
        checkpoint=rosinality_checkpoint,
        channels=CHANNELS,
        code=CODE,
        depth=DEPTH,
    )


@pytest.fixture
def small_generator():
    torch.manual_seed(0)
    g = StyleGAN2Generator(16, 8, mapping_depth=2, channel_base=128, channel_max=8)
    with torch.no_grad():
        g.mean_code.normal_()
        for layer in g.synthesis.styled:
            layer.noise_strength.fill_(0.3)
    return g


@pytest.fixture
def small_discriminator():
    torch.manual_seed(1)
    return StyleGAN2Discriminator(16, channel_base=128, channel_max=8)
