"""A generator without pictures worth looking at, a source that fails on purpose, and a stage that only writes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from faceuv.engine.stages import Stage, StageResult
from faceuv.fitting.sources import CoefficientSource, Estimates
from faceuv.models.stylegan2 import broadcast_code
from faceuv.registry import COEFFICIENT_SOURCES, GENERATORS, STAGES
from faceuv.structures import Coefficients


@GENERATORS.register_module(force=True)
class ToyCodes(nn.Module):
    """w is a turned z; pictures are flat."""

    def __init__(self, layers=3, width=8):
        super().__init__()
        self.num_layers, self.code_dim = layers, width
        rng = torch.Generator().manual_seed(5)
        self.register_buffer("turn", torch.linalg.qr(torch.randn(width, width, generator=rng))[0])
        self.register_buffer("mean_code", torch.full((width,), 0.5))

    def sample_latents(self, count, *, generator=None):
        return torch.randn(count, self.code_dim, generator=generator)

    def mapping(self, z):
        return z @ self.turn + self.mean_code

    def truncate(self, code, psi):
        return torch.lerp(self.mean_code.expand_as(code), code, psi)

    def sample_codes(self, count, *, generator=None):
        return self.broadcast(self.mapping(self.sample_latents(count, generator=generator)))

    def broadcast(self, code):
        return broadcast_code(code, self.num_layers, self.code_dim)

    def synthesis(self, code):
        w = self.broadcast(code).mean(1)
        return w[:, :3, None, None].sigmoid().expand(-1, 3, 4, 4)


def toy_coefficients(w):
    """A linear map of w ``(B, D)`` with yaw = 0.3 · w₀ and a bend in the expression."""
    data = torch.zeros(len(w), 257, dtype=w.dtype)
    data[:, : w.shape[1]] = w
    data[:, 80] = w[:, 1].square()
    data[:, 144] = 0.5 * w[:, 2]
    data[:, 225] = 0.3 * w[:, 0]
    return Coefficients(data)


@COEFFICIENT_SOURCES.register_module(name="toy", force=True)
class ToySource(CoefficientSource):
    """Fails where w₃ is large, gives NaN where w₄ is."""

    def __init__(self, fail=9.0, nan=9.0, reads_images=False):
        self.fail, self.nan, self.reads_images = fail, nan, reads_images

    def prepare(self, generator, device):
        self.generator = generator

    def estimate(self, code, images, names=()):
        assert len(names) == len(code)
        assert images is not None or not self.reads_images
        code = code.mean(1) if code.ndim == 3 else code
        found = toy_coefficients(code).data
        found[code[:, 4] > self.nan] = float("nan")
        reasons = ["no face found" if value > self.fail else "" for value in code[:, 3].tolist()]
        return Estimates(Coefficients(found), reasons, {"landmarks": code[:, 0].abs()})


@STAGES.register_module(name="note", force=True)
class NoteStage(Stage):
    """Writes a text, and counts how often it has run in ``runs`` beside the work dir's folders."""

    seeded = True
    neutral = ("speed",)
    extends = ("more",)

    def __init__(self, text="", file=None, speed=1, more=0, broken=False):
        self.text, self.file, self.more, self.broken = text, file, more, broken

    def run(self, context):
        with (context.folder.parent / "runs").open("a") as log:
            log.write(f"{context.name}\n")
        if self.broken:
            raise ValueError("broken on purpose")
        content = self.text + (Path(self.file).read_text() if self.file else "") + str(self.more)
        (context.folder / "note.txt").write_text(content)
        return StageResult(["note.txt"], {"length": len(content)})
