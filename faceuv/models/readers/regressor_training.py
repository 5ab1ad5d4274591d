"""The training of a coefficient regressor on images whose coefficients are known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.data.motions import Mirror, roll_coefficients, roll_images
from faceuv.data.perturb import Shares, perturb
from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.models.base.method import BaseMethod
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.models.faces.natural_units import UNITS, NaturalUnits
from faceuv.models.readers.regressor import CoefficientRegressor
from faceuv.registry import DATASETS, FACE_MODELS, MODELS
from faceuv.structures import Coefficients

REGRESSOR_FILE = "regressor.safetensors"
TERMS = (*UNITS, "scores")
APPEARANCE = ("colours", "light", "scores")
"""What a photographic perturbation changes, so that the truth no longer says it."""
_POPULATION = 4096  # coefficients that mean and deviation are taken from
_HELD_OUT = 10_000_000  # first index of the pictures that are shown: beyond any pool


@MODELS.register_module()
class CoefficientRegression(BaseMethod):
    """Image → coefficients, supervised by exact truth, with errors in natural units: landmarks in % of
    the image, millimetres, degrees, colour and light in %.

    A batch is ``dict(image (B, 3, S, S), coefficients (B, N))``; images are uint8 or float in [0, 1]. The hook
    ``GeneratorEMA(modules=["regressor"])`` keeps the average that is evaluated and shipped.

    Args:
        regressor: config of a :class:`~faceuv.models.readers.CoefficientRegressor`; its layout is that of the face
            model unless it says another.
        face_model: of the coefficients; a coarse one of the same kind trains the same.
        losses: terms on :class:`~faceuv.models.faces.natural_units.NaturalUnits`, and ``scores``, all coefficients in
            standard deviations.
        population: config of a data set with ``facts(indices)`` and ``batch(indices)``, from whose coefficients the
            network's units are taken, and whose images are shown; None to keep the units of ``regressor``.
        mirror: show each image mirrored half the time; needs a face model with mirrored modes.
        roll_deg: half the images are turned about their centre by a normal angle of this deviation; 0 for none.
        perturbed: share of the images that suffer photographic perturbations. Terms of colour and light are taken
            of the others alone, whose truth still holds.
        shares: of :class:`~faceuv.data.perturb.Shares`, for the perturbed ones.
    """

    exports: ClassVar[tuple[str, ...]] = (REGRESSOR_FILE,)

    def __init__(
        self,
        regressor: Mapping[str, Any],
        face_model: FaceModel | Mapping[str, Any] | str,
        losses: Mapping[str, Any],
        *,
        population: Mapping[str, Any] | None = None,
        mirror: bool = True,
        roll_deg: float = 5.0,
        perturbed: float = 0.5,
        shares: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(losses)
        unknown = sorted(set(losses) - set(TERMS))
        if unknown:
            raise InputError(f"CoefficientRegression has the losses {', '.join(TERMS)}; unknown: {unknown}")
        if not 0 <= perturbed < 1 or roll_deg < 0:
            raise InputError(f"expected perturbed in [0, 1) and roll_deg ≥ 0, got {perturbed} and {roll_deg}")
        self._face_model = {"type": face_model} if isinstance(face_model, str) else face_model
        model: FaceModel = FACE_MODELS.build(face_model)
        self.regressor = cast(CoefficientRegressor, MODELS.build({"layout": model.layout.groups, **regressor}))
        if model.layout != self.regressor.layout:
            raise InputError(
                f"the regressor answers in {self.regressor.layout.groups}, the face model has {model.layout.groups}"
            )
        self.units = NaturalUnits(model)
        self.mirror = Mirror(model) if mirror else None
        self.roll_deg, self.perturbed = roll_deg, perturbed
        self.shares = Shares(**(shares or {}))
        self._population = population
        if population is not None:
            self.regressor.set_statistics(self.population.facts(range(_POPULATION))["coefficients"])

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step on a batch; each term by name, for the log."""
        image, true = self.examples(data)
        image, true = self.moved(image, true)
        image, clean = self.photographed(image)
        return self.update(optim_wrapper, lambda: self.terms(image, true, clean))

    def examples(self, data: Any) -> tuple[Tensor, Coefficients]:
        """Images ``(B, 3, S, S)`` in [0, 1] and their true coefficients, on the model's device."""
        data = self.data_preprocessor(data, True)
        image = data["image"]
        check_shape("images", image, ("B", 3, "S", "S"))
        if "coefficients" not in data:
            raise InputError(f"a batch needs coefficients beside the images, it has {', '.join(sorted(data))}")
        image = image.float() / 255 if image.dtype == torch.uint8 else image.float()
        return image, Coefficients(data["coefficients"].float(), self.regressor.layout)

    def moved(self, image: Tensor, true: Coefficients) -> tuple[Tensor, Coefficients]:
        """Mirrored and turned, with coefficients that follow."""
        batch, device = len(image), image.device
        if self.mirror is not None:
            flip = torch.rand(batch, device=device) < 0.5
            image = torch.where(flip[:, None, None, None], image.flip(3), image)
            true = Coefficients(torch.where(flip[:, None], self.mirror(true).data, true.data), true.layout)
        if self.roll_deg:
            angle = torch.randn(batch, device=device) * torch.deg2rad(torch.tensor(self.roll_deg))
            angle = torch.where(torch.rand(batch, device=device) < 0.5, angle, torch.zeros_like(angle))
            image, true = roll_images(image, angle), roll_coefficients(true, angle)
        return image, true

    def photographed(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Some of the images perturbed, and ``(B,)`` which ones are not; one of them at least."""
        clean = torch.rand(len(image), device=image.device) >= self.perturbed
        clean[0] = True
        rows = (~clean).nonzero()[:, 0]
        if len(rows):
            seeds = torch.randint(2**62, (len(rows),))
            image = image.index_copy(0, rows, perturb(image[rows], seeds, shares=self.shares))
        return image, clean

    def terms(self, image: Tensor, true: Coefficients, clean: Tensor) -> dict[str, Tensor]:
        """The weighted loss terms."""
        pred = self.regressor(image)
        sides = []
        for coefficients in (pred, true):
            found = self.units(coefficients) | {"scores": self.regressor.standardised(coefficients.data)}
            sides.append({name: value[clean] if name in APPEARANCE else value for name, value in found.items()})
        return self.losses(*sides)

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For :class:`~faceuv.evaluation.CoefficientErrors`: what the averaged network says beside the truth."""
        image, true = self.examples(data)
        pred = self.averaged("regressor").eval()(image)
        return [{"pred": p, "true": t} for p, t in zip(pred.data, true.data)]

    def export(self, folder: Path) -> list[str]:
        """Write ``regressor.safetensors``, the averaged network."""
        regressor = self.averaged("regressor")
        assert isinstance(regressor, CoefficientRegressor)
        save_network(folder / REGRESSOR_FILE, regressor, metadata={"images": "synthetic"})
        return [REGRESSOR_FILE]

    @cached_property
    def population(self) -> Any:
        """The data set of ``population``."""
        if self._population is None:
            raise InputError("without population=dict(type=…) there are no pictures to show")
        return DATASETS.build(self._population)

    @torch.no_grad()
    def sample_images(self, count: int) -> dict[str, Tensor]:
        """Held-out images of the population, and in the same order what the averaged network reads in them."""
        device = self.regressor.mean.device
        image = self._shown(count).to(device)
        renderer = FaceRenderer(FACE_MODELS.build(self._face_model).to(device))
        pred = self.averaged("regressor").eval()(image)
        drawn = renderer(pred, size=image.shape[-1], background=image * 0.3)
        return {"pictures": image, "read": drawn.image.clamp(0, 1)}

    def _shown(self, count: int) -> Tensor:
        kept = self.__dict__.setdefault("_pictures", torch.zeros(0, 3, 1, 1))
        if len(kept) < count:
            kept = self.population.batch(range(_HELD_OUT, _HELD_OUT + count))["image"]
            self.__dict__["_pictures"] = kept
        return cast(Tensor, kept[:count])
