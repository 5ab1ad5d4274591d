"""Projection: the code of a picture by gradient descent, in W or in W+."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import whole_number
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.contracts import Inversion, Inverter
from faceuv.models.base.fixed import frozen
from faceuv.models.base.generator import Generator, check_generator
from faceuv.models.base.loss_terms import LossTerms
from faceuv.models.inversion.pictures import prepared
from faceuv.registry import GENERATORS, INVERTERS
from faceuv.synthetic.seeds import combine, normals

Progress = Callable[[int, int], None]
"""Called with the number of finished steps and of all steps."""
KIND = "projection"
LOSSES: dict[str, Any] = {"image": {"type": "PhotometricLoss", "norm": "squared", "weight": 1.0}}
_BETAS, _EPSILON = (0.9, 0.999), 1e-8


@dataclass
class _State:
    """A running projection of B pictures; everything that a file keeps, so that it goes on exactly."""

    code: Tensor  # (B, rows, D) in standard deviations from the mean code
    first: Tensor  # Adam's moments, of the code's shape
    second: Tensor
    best: Tensor
    error: Tensor  # (B,) of the best
    step: int = 0
    failed: list[int] = field(default_factory=list)  # step at which each picture became NaN, −1 if it did not


class Projection(Inverter):
    """The base of projections: Adam on the code of each picture, which starts at the mean code.

    Pictures do not influence each other: a batch gives what each picture alone gives. A picture whose loss becomes NaN
    is reported, the others go on. The best code of the whole descent is returned.

    Args:
        generator: codes → images, or its config.
        steps: of the descent.
        rate: Adam's step, in standard deviations of the generator's codes.
        losses: terms of ``loss.per_image({"image", "mask"}, {"image"})``, each with its weight; squared colour
            differences by default. ``errors`` of the result has each one.
        prior: weight of the squared distance from the mean code, in standard deviations.
        noise: deviation of the noise that is added to codes at the start, and falls to 0 over the first three quarters.
        start: an inverter whose codes are the start.
        batch: pictures at a time.
        state: folder where the descent is kept every ``every`` steps; a call with the same pictures and settings goes
            on from there, with the same result. None keeps nothing.
        seed: of the noise.
    """

    per_row = False

    def __init__(
        self,
        generator: Generator | Mapping[str, Any],
        *,
        steps: int = 300,
        rate: float = 0.05,
        losses: Mapping[str, Any] | None = None,
        prior: float = 1e-3,
        noise: float = 0.05,
        start: Inverter | Mapping[str, Any] | None = None,
        batch: int = 16,
        state: str | Path | None = None,
        every: int = 50,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        found: Any = GENERATORS.build(generator) if isinstance(generator, Mapping) else generator
        self.generator = check_generator(found, type(self).__name__)
        self.steps = whole_number("steps", steps, low=1)
        self.batch, self.every = whole_number("batch", batch, low=1), whole_number("every", every, low=1)
        if not (rate > 0 and prior >= 0 and noise >= 0):
            raise InputError(f"expected rate > 0, prior ≥ 0 and noise ≥ 0, got {rate}, {prior} and {noise}")
        self.rate, self.prior, self.noise, self.seed = float(rate), float(prior), float(noise), int(seed)
        given = LOSSES if losses is None else losses
        self.losses = LossTerms(given).to(self.generator.mean_code.device)
        if not self.losses.terms:
            raise InputError(f"{type(self).__name__} has no loss left to descend; see its losses")
        self.start: Inverter | None = None
        if start is not None:
            self.start = INVERTERS.build(start, generator=self.generator) if isinstance(start, Mapping) else start
        self.state = None if state is None else Path(state)
        self.progress = progress
        self._asked = {
            "type": type(self).__name__, "steps": self.steps, "rate": self.rate, "prior": self.prior,
            "noise": self.noise, "seed": self.seed, "losses": repr(sorted(self.losses.weights.items())),
        }  # fmt: skip
        rng = torch.Generator().manual_seed(0)
        with torch.no_grad():
            w = self.generator.mapping(self.generator.sample_latents(2048, generator=rng))
            self.mean = self.generator.mean_code
            self.deviation = (w - self.mean).square().mean(0).sqrt().clamp_min(1e-4)

    @property
    def code_rows(self) -> int:
        """How many rows of the code are free: 1 in W, L in W+."""
        return self.generator.num_layers if self.per_row else 1

    def invert(self, images: Tensor) -> Inversion:
        """``images (B, 3, S, S)`` in [0, 1], of any size ≥ 32, framed as the generator's own images are."""
        pictures, reasons = prepared(images, self.generator.size)
        pictures = pictures.to(self.mean)
        chunks = [self._descend(part, k) for k, part in enumerate(pictures.split(self.batch))]
        failed = [step for state in chunks for step in state.failed]
        told = [f"the descent became NaN at step {step}" if step >= 0 else "" for step in failed]
        codes = self._codes(torch.cat([state.best for state in chunks]))
        with torch.no_grad():
            pairs = zip(codes.split(self.batch), pictures.split(self.batch))
            parts = [self._values(code, part) for code, part in pairs]
            errors = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        kept = [first or second for first, second in zip(reasons, told)]
        bad = torch.tensor([bool(reason) for reason in kept], device=codes.device)
        errors = {name: value.masked_fill(bad, torch.nan) for name, value in errors.items()}
        codes = torch.where(bad[:, None, None], broadcast_code(self.mean[None], *self._shape), codes)
        return Inversion(codes, errors=errors, reasons=kept if any(kept) else ())

    @property
    def _shape(self) -> tuple[int, int]:
        return self.generator.num_layers, self.generator.code_dim

    def _codes(self, free: Tensor) -> Tensor:
        """Free numbers ``(B, rows, D)`` → codes ``(B, L, D)``."""
        return (self.mean + self.deviation * free).expand(-1, self.generator.num_layers, -1).contiguous()

    def _values(self, codes: Tensor, pictures: Tensor) -> dict[str, Tensor]:
        """Name → ``(B,)``, weighted."""
        image = self.generator.synthesis(codes)
        pred, target = {"image": image, "mask": torch.ones_like(image[:, :1])}, {"image": pictures}
        return {name: self.losses.per_image(name, pred, target) for name in self.losses.terms}

    # ---------------------------------------------------------------- the descent

    def _descend(self, pictures: Tensor, number: int) -> _State:
        state = self._read(pictures, number) or self._begin(pictures)
        modules = [m for m in (self.generator,) if isinstance(m, torch.nn.Module)]
        with frozen(*modules):
            while state.step < self.steps:
                self._step(state, pictures)
                if self.progress is not None:
                    self.progress(state.step, self.steps)
                if state.step % self.every == 0 or state.step == self.steps:
                    self._write(state, pictures, number)
        return state

    def _begin(self, pictures: Tensor) -> _State:
        if self.start is None:
            code = self.mean.new_zeros(len(pictures), self.code_rows, self.generator.code_dim)
        else:
            found = (self.start.invert(pictures).codes.to(self.mean) - self.mean) / self.deviation
            code = found.detach() if self.per_row else found.detach().mean(1, keepdim=True)
        infinite = code.new_full((len(code),), math.inf)
        return _State(code, torch.zeros_like(code), torch.zeros_like(code), code.clone(), infinite, 0, [-1] * len(code))

    def _step(self, state: _State, pictures: Tensor) -> None:
        share = state.step / self.steps
        alive = torch.tensor([step < 0 for step in state.failed], device=pictures.device)
        tried = torch.where(alive[:, None, None], state.code, torch.zeros_like(state.code))
        strength = self.noise * max(0.0, 1 - share / 0.75) ** 2
        if strength:
            # the same for each picture, so that a result does not depend on the others of its batch
            seed = combine(torch.tensor([self.seed]), state.step)
            tried = tried + strength * normals(seed, tuple(tried.shape[1:])).to(tried)
        tried = tried.detach().requires_grad_()
        with torch.enable_grad():
            values = torch.stack(list(self._values(self._codes(tried), pictures).values())).sum(0)
            total = values + self.prior * tried.square().sum(2).mean(1)
            (gradient,) = torch.autograd.grad(torch.where(alive, total, torch.zeros_like(total)).sum(), tried)
        sound = torch.isfinite(total) & torch.isfinite(gradient).flatten(1).all(1)
        for row in (alive & ~sound).nonzero()[:, 0].tolist():
            state.failed[row] = state.step
        going = alive & sound
        better = going & (values < state.error)
        state.best = torch.where(better[:, None, None], tried.detach(), state.best)
        state.error = torch.where(better, values.detach(), state.error)
        gradient = torch.where(going[:, None, None], gradient, torch.zeros_like(gradient))
        state.step += 1
        state.first = torch.lerp(gradient, state.first, _BETAS[0])
        state.second = torch.lerp(gradient.square(), state.second, _BETAS[1])
        mean, square = (m / (1 - b**state.step) for m, b in zip((state.first, state.second), _BETAS))
        moved = state.code - self.rate * _ramp(share) * mean / (square.sqrt() + _EPSILON)
        state.code = torch.where(going[:, None, None], moved, state.code)

    # ---------------------------------------------------------------- files

    def _file(self, number: int) -> Path:
        assert self.state is not None
        return self.state / f"projection_{number:06d}.safetensors"

    def _write(self, state: _State, pictures: Tensor, number: int) -> None:
        if self.state is None:
            return
        tensors = {name: getattr(state, name).cpu() for name in ("code", "first", "second", "best", "error")}
        facts = {"kind": KIND, "step": state.step, "failed": state.failed, "pictures": _digest(pictures)}
        self.state.mkdir(parents=True, exist_ok=True)
        save_tensors(self._file(number), tensors, {**facts, "asked": self._asked})

    def _read(self, pictures: Tensor, number: int) -> _State | None:
        if self.state is None or not self._file(number).is_file():
            return None
        path = self._file(number)
        tensors, facts = load_tensors(path, kind=KIND)
        if facts.get("pictures") != _digest(pictures) or facts.get("asked") != self._asked:
            what = "other pictures" if facts.get("asked") == self._asked else "other settings"
            raise InputError(f"{path} is the projection of {what}: choose another folder for the state, or delete it")
        shape = (len(pictures), self.code_rows, self.generator.code_dim)
        if any(tuple(tensors[name].shape) != shape for name in ("code", "first", "second", "best")):
            raise AssetError(f"{path} holds no projection onto codes of shape {shape}: delete it")
        kept = {name: value.to(self.mean) for name, value in tensors.items()}
        return _State(**kept, step=int(facts["step"]), failed=list(facts["failed"]))


def _ramp(share: float) -> float:
    """The factor of the rate at a share of the steps: it rises over the first twentieth and falls over the last
    quarter."""
    fall = min(1.0, (1 - share) / 0.25)
    return (0.5 - 0.5 * math.cos(math.pi * fall)) * min(1.0, (share + 1e-3) / 0.05)


def _digest(pictures: Tensor) -> str:
    return hashlib.sha256(pictures.detach().float().cpu().contiguous().numpy().tobytes()).hexdigest()[:16]


@INVERTERS.register_module()
class WProjection(Projection):
    """One w for all rows of the code: ``dict(type="WProjection", steps=300)``. It stays where the generator's own faces
    are, and edits well; it reproduces a picture least."""

    per_row = False


@INVERTERS.register_module()
class WPlusProjection(Projection):
    """A row of its own for every layer: ``dict(type="WPlusProjection", steps=300)``. It reproduces a picture better
    than W; far from the mean code its edits are worse."""

    per_row = True
