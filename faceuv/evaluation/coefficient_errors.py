"""Errors of coefficients in natural units: degrees, millimetres, pixels, colours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError
from faceuv.geometry import pose, project, sh_irradiance
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.region import face_weight, hemisphere
from faceuv.registry import FACE_MODELS, METRICS
from faceuv.structures import Camera, Coefficients

MM_PER_DM = 100.0
SHAPES = ("shape_mm", "identity_mm", "expression_mm", "albedo")
"""Errors of the linear modes, which can be compared with those of the mean face."""
_NORMALS = 200


@torch.no_grad()
def coefficient_errors(
    pred: Coefficients,
    true: Coefficients,
    face_model: FaceModel,
    camera: Camera | None = None,
    size: int = 256,
    *,
    weight: Tensor | None = None,
) -> dict[str, Tensor]:
    """Errors of ``pred`` against ``true``, each ``(B,)``.

    ========================================= =========================================================================
    ``yaw_deg``, ``pitch_deg``, ``roll_deg``  difference of the angle, degrees
    ``landmarks_px``, ``landmarks_percent``   mean distance of the 68 projected landmarks: pixels, % of the image's side
    ``translation_mm``                        distance of the positions; most of it along the view, where a picture says
                                              least
    ``shape_mm``                              mean distance of the faces (identity and expression) after the best rigid
                                              motion, no scaling
    ``identity_mm``                           the same of the neutral faces
    ``expression_mm``                         mean length of the difference between the movements
    ``albedo``                                mean absolute difference of the vertex colours, in [0, 1]
    ``light``                                 mean absolute difference of the light on the visible half of a sphere
    ========================================= =========================================================================

    Args:
        camera, size: for the landmarks; ``size`` is the side of the image in pixels.
        weight: of the vertices, ``(V,)``, by default :func:`face_weight`; give it when you call this often.
    """
    camera = camera or Camera()
    if len(pred) != len(true):
        raise InputError(f"errors need as many predictions as truths, got {len(pred)} and {len(true)}")
    for name, coefficients in (("predicted coefficients", pred), ("true coefficients", true)):
        face_model.check_layout(coefficients)
        check_finite(name, coefficients.data)
    weight = face_weight(face_model) if weight is None else weight
    check_shape("weight", weight, (face_model.mean.shape[0],))

    turned = (pred.rotation - true.rotation) * (180 / math.pi)
    pitch, yaw, roll = (torch.remainder(turned + 180, 360) - 180).abs().unbind(1)
    shape, true_shape = (face_model.shape(c.identity, c.expression) for c in (pred, true))
    neutral, true_neutral = (face_model.shape(c.identity, torch.zeros_like(c.expression)) for c in (pred, true))
    moved = (shape - neutral) - (true_shape - true_neutral)
    place, true_place = (
        project(pose(s[:, face_model.landmarks], c.rotation, c.translation), camera, size, size)[..., :2]
        for s, c in ((shape, pred), (true_shape, true))
    )
    landmarks = torch.linalg.vector_norm(place - true_place, dim=2).mean(1)
    colours = face_model.albedo(pred.albedo) - face_model.albedo(true.albedo)
    normals = hemisphere(_NORMALS).to(pred.data).expand(len(pred), -1, -1)
    light = sh_irradiance(normals, pred.lighting) - sh_irradiance(normals, true.lighting)
    return {
        "yaw_deg": yaw,
        "pitch_deg": pitch,
        "roll_deg": roll,
        "landmarks_px": landmarks,
        "landmarks_percent": landmarks * (100 / size),
        "translation_mm": torch.linalg.vector_norm(pred.translation - true.translation, dim=1) * MM_PER_DM,
        "shape_mm": _rigid_distance(shape, true_shape, weight) * MM_PER_DM,
        "identity_mm": _rigid_distance(neutral, true_neutral, weight) * MM_PER_DM,
        "expression_mm": torch.linalg.vector_norm(moved, dim=2) @ weight * MM_PER_DM,
        "albedo": colours.abs().mean(2) @ weight,
        "light": light.abs().mean((1, 2)),
    }


def mean_face(like: Coefficients) -> Coefficients:
    """``like`` with the shape and albedo of the mean face: a baseline that knows pose and light only."""
    zero = {name: torch.zeros_like(like.view(name)) for name in ("identity", "expression", "albedo")}
    return like.replace(**zero)


def summarise(errors: Mapping[str, Tensor], baseline: Mapping[str, Tensor] | None = None) -> dict[str, float]:
    """Per-image errors ``(N,)`` → ``<name>_median``, ``<name>_mean``, ``<name>_p95``; with the errors of the mean face
    as ``baseline`` also ``<name>_of_mean_face``, the mean error in % of that one's."""
    found: dict[str, float] = {}
    for name, values in errors.items():
        values = values.double()
        found[f"{name}_median"] = float(values.quantile(0.5))
        found[f"{name}_mean"] = float(values.mean())
        found[f"{name}_p95"] = float(values.quantile(0.95))
        if baseline is not None and name in SHAPES:
            found[f"{name.removesuffix('_mm')}_of_mean_face"] = 100 * float(
                values.mean() / baseline[name].double().mean().clamp_min(1e-12)
            )
    return found


def _rigid_distance(first: Tensor, second: Tensor, weight: Tensor) -> Tensor:
    """Weighted mean distance ``(B,)`` of two surfaces ``(B, V, 3)`` after the best rigid motion (Kabsch)."""
    chosen = weight > 0
    share = weight[chosen].double()
    first, second = ((x := s[:, chosen].double()) - (share @ x)[:, None] for s in (first, second))
    u, _, vh = torch.linalg.svd((first * share[:, None]).transpose(1, 2) @ second)
    flip = torch.ones_like(u[:, 0])
    flip[:, 2] = torch.linalg.det(u @ vh).sign()  # a rotation, never a mirror image
    aligned = first @ (u * flip[:, None] @ vh)
    return (torch.linalg.vector_norm(aligned - second, dim=2) @ share).to(weight.dtype)


@METRICS.register_module()
class CoefficientErrors(BaseMetric):
    """Errors of predicted coefficients in degrees, millimetres, pixels and colour: median, mean, 95th percentile.

    Samples are ``dict(pred (N,), true (N,))``, coefficients of the face model's layout. Logged are the names of
    :func:`coefficient_errors` with ``_median``, ``_mean`` and ``_p95``, and for shape, identity, expression and albedo
    ``_of_mean_face``: the mean error in % of what the mean face would have.

    Args:
        face_model: of the coefficients, or its config; a coarse one of the same kind gives the same figures sooner.
        size: side of the images in pixels, for the landmarks.
        camera: :class:`~faceuv.structures.Camera`, or its settings.
    """

    default_prefix = None

    def __init__(
        self,
        face_model: FaceModel | Mapping[str, Any] | str,
        size: int = 256,
        camera: Camera | Mapping[str, Any] | None = None,
        *,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.face_model: FaceModel = FACE_MODELS.build(face_model)
        self.weight = face_weight(self.face_model)
        self.size, self.camera = size, Camera.of(camera)

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Tensor]]) -> None:
        """The errors of each sample, and those of the mean face."""
        pred, true = (
            Coefficients(torch.stack([sample[side] for sample in data_samples]).float().cpu(), self.face_model.layout)
            for side in ("pred", "true")
        )
        own = coefficient_errors(pred, true, self.face_model, self.camera, self.size, weight=self.weight)
        mean = coefficient_errors(mean_face(true), true, self.face_model, self.camera, self.size, weight=self.weight)
        self.results += [
            ({name: value[k] for name, value in own.items()}, {name: mean[name][k] for name in SHAPES})
            for k in range(len(data_samples))
        ]

    def compute_metrics(self, results: list[tuple[dict[str, Tensor], dict[str, Tensor]]]) -> dict[str, float]:
        """The summary over all samples, and how many there were."""
        own, mean = ({name: torch.stack([row[name] for row in side]) for name in side[0]} for side in zip(*results))
        return {**summarise(own, mean), "samples": float(len(results))}
