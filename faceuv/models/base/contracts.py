"""Contracts of methods: mappers read codes, editors move codes, inverters find the code of an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from faceuv.models.base.generator import CodeSpace
from faceuv.structures import CoefficientLayout, Coefficients, UVMaps


class CodeMapper(CodeSpace, Protocol):
    """Estimates 3DMM coefficients from codes; StyleFaceUV's F3D is one."""

    @property
    def layout(self) -> CoefficientLayout:
        """The layout of the coefficients, that of a face model."""

    def __call__(self, code: Tensor) -> Coefficients:
        """``code (B, L, D)`` → coefficients of B faces."""

    def yaw(self, code: Tensor) -> Tensor:
        """The yaw alone, ``(B,)`` radians; may cost less than all coefficients."""


@runtime_checkable
class CodeEditor(CodeSpace, Protocol):
    """Moves codes to change one property of their faces. Editors are StyleFaceUV's stepper F_yaw (target: yaw in
    radians), a :class:`~faceuv.models.directions.Direction` (target: step), a rig (target: coefficients)."""

    def move(self, code: Tensor, target: Any) -> Tensor:
        """``code (B, L, D)``, or one w per face ``(B, D)``, and a target for all or one per code → ``(B, L, D)``.

        Differentiable in the code. The code itself is not changed.
        """


@dataclass(frozen=True, eq=False)
class Inversion:
    """The result of an :class:`Inverter` for B images.

    codes         ``(B, L, D)``
    coefficients  of the faces in the images, where the inverter estimates them
    residual      maps that are added to the generator's own, for what the code does not reproduce
    errors        name → ``(B,)``: distances between reconstruction and image
    reasons       B texts: why an image was not inverted, ``""`` where it was; empty: all were
    generators    a generator of each image's own, where the inverter changes its weights; None: the inverter's own
    """

    codes: Tensor
    coefficients: Coefficients | None = None
    residual: UVMaps | None = None
    errors: Mapping[str, Tensor] = field(default_factory=dict)
    reasons: Sequence[str] = ()
    generators: Sequence[Any] = ()

    @property
    def ok(self) -> Tensor:
        """``(B,)`` bool: the images that were inverted."""
        return torch.tensor([not reason for reason in self.reasons or [""] * len(self.codes)])


class Inverter(ABC):
    """Images → codes of a generator."""

    @abstractmethod
    def invert(self, images: Tensor) -> Inversion:
        """``images (B, 3, S, S)`` in [0, 1], framed as the generator's own images are."""
