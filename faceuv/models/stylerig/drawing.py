"""Coefficients → what the render loss compares with a picture: image, coverage, landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.registry import FACE_MODELS
from faceuv.renderers.base import Renderer
from faceuv.structures import Coefficients

Drawn = dict[str, Tensor]
"""``image (B, 3, S, S)`` in [0, 1], ``mask (B, 1, S, S)``, ``landmarks (B, 68, 2)`` in units of the image's side."""


class Drawing(nn.Module):
    """R of the paper: vertex colours under spherical-harmonic light.

    Args:
        face_model: config; a coarse one of the same kind has the same coefficients and costs less.
        size: side of the images.
        renderer: config of a renderer.
    """

    def __init__(
        self,
        face_model: FaceModel | Mapping[str, Any] | str,
        size: int,
        renderer: Renderer | Mapping[str, Any] | str = "torch",
    ) -> None:
        super().__init__()
        model: FaceModel = FACE_MODELS.build(face_model)
        self.renderer = FaceRenderer(model, renderer)
        self.points = LandmarkTruth(model, self.renderer.renderer.camera)
        self.size = size

    @property
    def face_model(self) -> FaceModel:
        """The face model of the coefficients."""
        return self.renderer.face_model

    def forward(self, coefficients: Coefficients) -> Drawn:
        """Differentiable in the coefficients."""
        render = self.renderer(coefficients, size=self.size)
        points, _ = self.points(coefficients, self.size)
        return {"image": render.image, "mask": render.mask, "landmarks": points / self.size}


def picture_of(batch: Mapping[str, Tensor], size: int | None = None) -> Drawn:
    """What the render loss compares with, of a batch of :class:`~faceuv.data.drawn.DrawnCodes`; with a ``size``, pixels
    are averaged to images of that side."""
    image, mask, landmarks = batch["image"], batch["mask"], batch["landmarks"]
    sizes = check_shape("the pictures of a batch", image, ("B", 3, "S", "S"))
    check_shape("the masks of a batch", mask, (sizes["B"], 1, sizes["S"], sizes["S"]))
    check_shape("the landmarks of a batch", landmarks, (sizes["B"], 68, 2))
    check_finite("the codes of a batch", batch["code"].flatten(1))
    image = image.float() / 255 if image.dtype == torch.uint8 else image
    mask = mask.to(image.dtype)
    if size is not None and size != sizes["S"]:
        image, mask = (F.adaptive_avg_pool2d(value, size) for value in (image, mask))
    return {"image": image, "mask": mask, "landmarks": landmarks}


def compared_size(size: int | None, pictures: int) -> int:
    """The side at which faces are compared, by default that of the pictures, which it must divide."""
    if size is None:
        return pictures
    if isinstance(size, bool) or not isinstance(size, int) or size < 1 or pictures % size:
        raise InputError(f"size must divide the side of the pictures, {pictures}, got {size!r}")
    return size


@torch.no_grad()
def render_errors(drawn: Drawn, picture: Drawn) -> dict[str, Tensor]:
    """How far drawn faces are from pictures: ``landmarks_percent (B,)``, the mean distance of landmarks in % of the
    distance of the outer eye corners, and ``colour (B,)``, the mean absolute difference where both show the face."""
    away = torch.linalg.vector_norm(drawn["landmarks"] - picture["landmarks"], dim=2).mean(1)
    eyes = torch.linalg.vector_norm(picture["landmarks"][:, 36] - picture["landmarks"][:, 45], dim=1)
    mask = drawn["mask"] * picture["mask"]
    difference = (drawn["image"] - picture["image"]).abs().mean(1, keepdim=True) * mask
    return {
        "landmarks_percent": 100 * away / eyes.clamp_min(1e-6),
        "colour": difference.flatten(1).sum(1) / mask.flatten(1).sum(1).clamp_min(1e-6),
    }
