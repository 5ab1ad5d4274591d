"""StyleRig's render loss: how well the face of some coefficients explains a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.losses.landmark import LandmarkLoss
from faceuv.losses.photometric import PhotometricLoss
from faceuv.registry import LOSSES


@LOSSES.register_module()
class RenderLoss(nn.Module):
    """``L_render(I, p) = λ_photo · ‖M ⊙ (I − R(p))‖² / |M| + λ_land · mean ‖l − l_p‖²``; StyleRig's, whose factors are
    not published: ``dict(type="RenderLoss", landmarks=100.0)``.

    ``pred`` is the drawn face: ``image (B, 3, H, W)``, its coverage ``mask (B, 1, H, W)``, and ``landmarks (B, 68, 2)``
    in units of the image's side; ``target`` the same of the picture I. M is the product of both masks, without
    gradient: a face cannot lower the loss by leaving the picture.

    Args:
        landmarks: λ_land.
        photo: λ_photo.
        emphasis: how many times the landmarks of nose and mouth count, see :class:`~faceuv.losses.LandmarkLoss`.
    """

    def __init__(self, landmarks: float = 100.0, *, photo: float = 1.0, emphasis: float = 1.0) -> None:
        super().__init__()
        if not (landmarks >= 0 and photo >= 0 and landmarks + photo > 0):
            raise InputError(f"expected landmarks and photo ≥ 0, one of them > 0, got {landmarks} and {photo}")
        self.landmarks, self.photo = landmarks, photo
        self.points, self.colours = LandmarkLoss(emphasis), PhotometricLoss("squared")

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``."""
        shape, colour = self.points.per_image(pred, target), self.colours.per_image(pred, target)
        return self.landmarks * shape + self.photo * colour

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return self.per_image(pred, target).mean()
