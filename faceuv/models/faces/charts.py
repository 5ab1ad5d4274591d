"""Regions on the chart of a head model, computed once for a size of maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from faceuv.geometry.uv import bake
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.part_texels import part_texels

_REACH = (0.12, 0.45)  # dm from the landmarks of brows, eyes, nose and mouth: inner part, its end

T = TypeVar("T")
_KEPT: WeakKeyDictionary[FaceModel, dict[str, tuple[Any, Any]]] = WeakKeyDictionary()


def kept(model: FaceModel, name: str, size: int, make: Callable[[], T]) -> T:
    """What ``make`` gives, kept by ``name`` for ``model`` until another ``size`` or device is asked for: maps are
    large, so that only those of the last size are held. Nobody may write into it."""
    known = _KEPT.setdefault(model, {})
    key = (size, model.faces.device)
    if name not in known or known[name][0] != key:
        known[name] = (key, make())
    found: T = known[name][1]
    return found


def inner_face(model: FaceModel, size: int) -> Tensor:
    """``(1, T, T)`` in [0, 1]: near brows, eyes, nose and mouth."""
    return near_landmarks(model, size, range(17, 68), _REACH)


def near_landmarks(model: FaceModel, size: int, rows: Sequence[int], reach: tuple[float, float]) -> Tensor:
    """``(1, T, T)`` in [0, 1]: 1 within the first distance of the landmarks, 0 beyond the second."""

    def make() -> Tensor:
        away = torch.cdist(model.mean, model.mean[model.landmarks[list(rows)]]).amin(1)
        near = ((reach[1] - away) / (reach[1] - reach[0])).clamp(0, 1)
        return bake(near[None, :, None], model.chart(size, size))[0]

    return kept(model, f"near {tuple(rows)} {reach}", size, make)


def height_on_chart(model: FaceModel, size: int) -> Tensor:
    """``(1, T, T)``: dm above the origin, of the mean head."""
    return kept(model, "height", size, lambda: bake(model.mean[None, :, 1:2], model.chart(size, size))[0])


def on_parts(model: FaceModel, size: int, *parts: str) -> Tensor:
    """``(1, T, T)`` bool, see :func:`~faceuv.models.faces.part_texels.part_texels`."""
    return kept(model, f"parts {parts}", size, lambda: part_texels(model, model.chart(size, size), *parts))
