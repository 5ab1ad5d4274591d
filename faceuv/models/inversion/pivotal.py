"""Pivotal tuning (Roich et al. 2021): the generator's weights are tuned until a fixed code gives the picture."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import whole_number
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.models.base.contracts import Inversion, Inverter
from faceuv.models.base.generator import Generator, check_generator
from faceuv.models.base.loss_terms import LossTerms
from faceuv.models.inversion.pictures import first_reason, prepared
from faceuv.models.inversion.projection import LOSSES, Progress, WProjection, _digest
from faceuv.registry import GENERATORS, INVERTERS
from faceuv.synthetic.seeds import combine

KIND = "tuned_generator"


@INVERTERS.register_module()
class PivotalTuning(Inverter):
    """PTI: a pivot code, then a copy of the generator's synthesis network for each picture, tuned to draw it:
    ``dict(type="PivotalTuning", steps=100, pivot=dict(type="WProjection"))``.

    ``Inversion.generators`` has the tuned generator of each picture; the given one does not change. A tuning that
    becomes NaN is reported, and the other pictures go on.

    Args:
        generator: a StyleGAN2, or another generator with weights; or its config.
        steps: of the tuning.
        rate: Adam's step.
        pivot: the inverter that finds the codes; by default a :class:`WProjection`, as in the paper.
        losses: as for projections.
        locality: weight of the term that keeps the pictures of other codes as they were.
        distance: how far those codes lie from the pivot, toward random ones.
        state: folder where each finished picture's weights are kept; a call with the same pictures and settings takes
            them from there.
        seed: of the random codes.
    """

    def __init__(
        self,
        generator: Generator | Mapping[str, Any],
        *,
        steps: int = 100,
        rate: float = 1e-3,
        pivot: Inverter | Mapping[str, Any] | None = None,
        losses: Mapping[str, Any] | None = None,
        locality: float = 0.1,
        distance: float = 0.3,
        state: str | Path | None = None,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        found: Any = GENERATORS.build(generator) if isinstance(generator, Mapping) else generator
        self.generator = check_generator(found, type(self).__name__)
        network = getattr(found, "synthesis", None)
        if not isinstance(found, nn.Module) or not isinstance(network, nn.Module) or not list(network.parameters()):
            raise InputError(
                f"pivotal tuning changes the weights of a synthesis network; a {type(found).__name__} has none: use"
                " WPlusProjection"
            )
        self.steps = whole_number("steps", steps, low=1)
        if not (rate > 0 and locality >= 0 and distance >= 0):
            raise InputError(f"expected rate > 0, locality ≥ 0, distance ≥ 0, got {rate}, {locality}, {distance}")
        self.rate, self.locality, self.distance, self.seed = float(rate), float(locality), float(distance), int(seed)
        folder = None if state is None else Path(state)
        if pivot is None:
            self.pivot: Inverter = WProjection(self.generator, losses=losses, state=folder)
        else:
            self.pivot = INVERTERS.build(pivot, generator=self.generator) if isinstance(pivot, Mapping) else pivot
        self.losses = LossTerms(LOSSES if losses is None else losses).to(self.generator.mean_code.device)
        if not self.losses.terms:
            raise InputError("PivotalTuning has no loss left to descend; see its losses")
        self.state, self.progress = folder, progress
        self._asked = {
            "steps": self.steps, "rate": self.rate, "locality": self.locality, "distance": self.distance,
            "seed": self.seed, "losses": repr(sorted(self.losses.weights.items())),
        }  # fmt: skip

    def invert(self, images: Tensor) -> Inversion:
        """``images (B, 3, S, S)`` in [0, 1] → pivots, and a generator for each picture."""
        found = self.pivot.invert(images)
        pictures, reasons = prepared(images, self.generator.size)
        pictures = pictures.to(self.generator.mean_code)
        reasons = first_reason(reasons, found.reasons or [""] * len(pictures))
        generators: list[Any] = []
        values: list[dict[str, float]] = []
        for row, reason in enumerate(reasons):
            tuned, errors = self.generator, {name: float("nan") for name in self.losses.terms}
            if not reason:
                tuned, errors, reasons[row] = self._tune(found.codes[row : row + 1], pictures[row : row + 1], row)
            generators.append(tuned)
            values.append(errors)
            if self.progress is not None:
                self.progress(row + 1, len(pictures))
        errors_of = {name: torch.tensor([value[name] for value in values]) for name in self.losses.terms}
        return Inversion(
            found.codes,
            errors={name: value.to(pictures) for name, value in errors_of.items()},
            reasons=reasons if any(reasons) else (),
            generators=generators,
        )

    def _tune(self, code: Tensor, picture: Tensor, row: int) -> tuple[Any, dict[str, float], str]:
        """The generator of one picture, its errors, and why there is none."""
        tuned: Any = copy.deepcopy(self.generator)
        if self._read(tuned, code, picture):
            return tuned, self._errors(tuned, code, picture), ""
        weights = list(tuned.synthesis.requires_grad_(True).parameters())
        optimizer = torch.optim.Adam(weights, lr=self.rate)
        rng = torch.Generator()
        for step in range(self.steps):
            with torch.enable_grad():
                loss = torch.stack([value.sum() for value in self._values(tuned, code, picture).values()]).sum()
                if self.locality:
                    rng.manual_seed(int(combine(combine(torch.tensor([self.seed]), row), step)))
                    loss = loss + self.locality * self._moved_others(tuned, code, rng)
                optimizer.zero_grad()
                loss.backward()
            if not bool(torch.isfinite(loss)):
                return self.generator, {name: float("nan") for name in self.losses.terms}, _nan(step)
            optimizer.step()
        tuned.requires_grad_(False)
        errors = self._errors(tuned, code, picture)
        if any(value != value for value in errors.values()):
            return self.generator, errors, _nan(self.steps)
        self._write(tuned, code, picture)
        return tuned, errors, ""

    def _values(self, generator: Any, code: Tensor, picture: Tensor) -> dict[str, Tensor]:
        image = generator.synthesis(code)
        pred, target = {"image": image, "mask": torch.ones_like(image[:, :1])}, {"image": picture}
        return {name: self.losses.per_image(name, pred, target) for name in self.losses.terms}

    @torch.no_grad()
    def _errors(self, generator: Any, code: Tensor, picture: Tensor) -> dict[str, float]:
        return {name: float(value) for name, value in self._values(generator, code, picture).items()}

    def _moved_others(self, tuned: Any, code: Tensor, rng: torch.Generator) -> Tensor:
        """How far the picture of a code between the pivot and a random one has moved."""
        with torch.no_grad():
            other = torch.lerp(code, self.generator.sample_codes(1, generator=rng).to(code), self.distance)
            before = self.generator.synthesis(other)
        return (tuned.synthesis(other) - before).square().sum(1).mean()

    # ---------------------------------------------------------------- files

    def _file(self, picture: Tensor) -> Path:
        assert self.state is not None
        return self.state / f"tuned_{_digest(picture)}.safetensors"

    def _write(self, tuned: Any, code: Tensor, picture: Tensor) -> None:
        if self.state is None:
            return
        self.state.mkdir(parents=True, exist_ok=True)
        weights = {name: value.detach().cpu().contiguous() for name, value in tuned.synthesis.named_parameters()}
        facts = {"kind": KIND, "asked": self._asked, "code": _digest(code)}
        save_tensors(self._file(picture), weights, facts)

    def _read(self, tuned: Any, code: Tensor, picture: Tensor) -> bool:
        if self.state is None or not self._file(picture).is_file():
            return False
        path = self._file(picture)
        weights, facts = load_tensors(path, kind=KIND)
        if facts.get("asked") != self._asked or facts.get("code") != _digest(code):
            raise InputError(f"{path} was tuned with other settings: choose another folder for the state, or delete it")
        own = dict(tuned.synthesis.named_parameters())
        if own.keys() != weights.keys() or any(own[name].shape != weights[name].shape for name in own):
            raise AssetError(f"{path} holds the weights of another generator: delete it")
        with torch.no_grad():
            for name, value in weights.items():
                own[name].copy_(value)
        return True


def _nan(step: int) -> str:
    return f"the tuning became NaN at step {step}"
