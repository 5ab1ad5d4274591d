"""Sources of coefficients for the ``fits`` stage: the fitter, the regressor, or the truth of a procedural generator."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from faceuv.errors import InputError, did_you_mean
from faceuv.models.base.generator import Generator
from faceuv.registry import COEFFICIENT_SOURCES, LANDMARK_DETECTORS
from faceuv.structures import Coefficients


@dataclass(frozen=True, eq=False)
class Estimates:
    """Coefficients of a batch ``(B, N)``. ``reasons``: why a row failed, ``""`` where it did not; ``errors``: name →
    ``(B,)``, how far a fit is from its image."""

    coefficients: Coefficients
    reasons: Sequence[str]
    errors: Mapping[str, Tensor] = field(default_factory=dict)


class CoefficientSource(ABC):
    """Estimates coefficients of codes and their images. :meth:`prepare` loads what the quick constructor does not."""

    reads_images: ClassVar[bool] = True

    def check(self, generator_config: Mapping[str, Any]) -> None:  # noqa: B027 (nothing to check is fine)
        """Raise if the source cannot work with this generator, before anything runs."""

    @abstractmethod
    def prepare(self, generator: Generator, device: torch.device | str) -> None:
        """Load what is needed, once."""

    @abstractmethod
    def estimate(self, code: Tensor, images: Tensor | None, names: Sequence[str] = ()) -> Estimates:
        """Coefficients of ``code (B, D)``, or of mixed codes ``(B, L, D)``.

        Args:
            images: ``(B, 3, S, S)`` in [0, 1]; None if not ``reads_images``.
            names: names of the images, ``000017.png`` for sample 17, for landmarks from a file.
        """


@COEFFICIENT_SOURCES.register_module(name="truth")
class TruthSource(CoefficientSource):
    """The exact coefficients of a ``ProceduralGenerator``, without drawing anything."""

    reads_images = False

    def check(self, generator_config: Mapping[str, Any]) -> None:
        """Raise unless the generator is a ``ProceduralGenerator``."""
        if generator_config.get("type") != "ProceduralGenerator":
            raise InputError(
                f"source 'truth' works with the generator 'ProceduralGenerator', not {generator_config.get('type')!r}:"
                " use 'regressor' or 'fitter'"
            )

    def prepare(self, generator: Generator, device: torch.device | str) -> None:
        """Keep the generator."""
        self.generator: Any = generator

    def estimate(self, code: Tensor, images: Tensor | None, names: Sequence[str] = ()) -> Estimates:
        """The coefficients of the codes' scenes."""
        return Estimates(self.generator.studio.coefficients(self.generator.scene(code)), [""] * len(code))


@COEFFICIENT_SOURCES.register_module(name="regressor")
class RegressorSource(CoefficientSource):
    """A :class:`~faceuv.models.readers.CoefficientRegressor` alone: one pass of a small network, no fitting.

    Args:
        path: its weights, or ``zoo:regressor/weights.safetensors``.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def prepare(self, generator: Generator, device: torch.device | str) -> None:
        """Load the regressor."""
        from faceuv.models.readers.regressor import load_regressor

        self.regressor = load_regressor(self.path).to(device).eval()

    def estimate(self, code: Tensor, images: Tensor | None, names: Sequence[str] = ()) -> Estimates:
        """One pass of the regressor."""
        assert images is not None
        return Estimates(self.regressor(images), [""] * len(code))


@COEFFICIENT_SOURCES.register_module(name="fitter")
class FitterSource(CoefficientSource):
    """The batched fitter (:mod:`faceuv.fitting`): landmarks and colours, started by a regressor or cold.

    Args:
        regressor: its weights (or ``zoo:…``); None for a cold start.
        settings: the other arguments of :class:`~faceuv.fitting.Fitter`: ``face_model``, ``renderer``, ``detector``,
            ``schedule``, …
    """

    def __init__(self, regressor: str | None = None, **settings: Any) -> None:
        self.regressor, self.settings = regressor, settings

    def check(self, generator_config: Mapping[str, Any]) -> None:
        """Raise for settings that the fitter does not have, and if there is no landmark detector."""
        from faceuv.fitting import Fitter
        from faceuv.fitting.fitter import steps_of

        known = [name for name in inspect.signature(Fitter).parameters if name != "regressor"]
        for name in self.settings:
            if name not in known:
                raise InputError(
                    f"source 'fitter' has no setting {name!r}{did_you_mean(name, known)}; it has {', '.join(known)}"
                )
        steps_of(self.settings.get("schedule", "fast"))
        if self.settings.get("detector") is None:
            raise InputError(
                "source 'fitter' needs a landmark detector, detector=dict(type=…), of"
                f" {', '.join(LANDMARK_DETECTORS.names())}"
            )

    def prepare(self, generator: Generator, device: torch.device | str) -> None:
        """Build the fitter."""
        from faceuv.fitting import Fitter
        from faceuv.models.readers.regressor import load_regressor

        regressor = load_regressor(self.regressor) if self.regressor is not None else None
        self.fitter = Fitter(regressor=regressor, **self.settings).to(device).eval()

    def estimate(self, code: Tensor, images: Tensor | None, names: Sequence[str] = ()) -> Estimates:
        """Fit the batch."""
        assert images is not None
        fit = self.fitter.fit(images, names=list(names) or None)
        reasons = [reason or ("" if good else "the fit failed") for reason, good in zip(fit.reasons, fit.ok.tolist())]
        return Estimates(fit.coefficients, reasons, {"landmarks": fit.landmark_error, "photometric": fit.photometric})
