"""Landmarks of photographs, by the package ``face-alignment`` 1.5 (Bulat & Tzimiropoulos 2017).

From its source:

- Its 68 points come in the iBUG order, which is ours.
- A picture goes in as a uint8 array ``(H, W, 3)``, RGB.
- Points come out as whole numbers: the place on the picture, in pixels counted from its left and upper edge, with the
  fraction cut off. So each is the index of the pixel that holds the point, whose centre is half a pixel further: 0.5 is
  added. As whole pixels are coarse in small pictures, those are enlarged first.
- ``LandmarksType.TWO_D`` follows the visible contour of the face, ``TWO_HALF_D`` projects the points of the head, be
  they hidden or not. A face model's landmarks are points of the head.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.logging import MMLogger
from torch import Tensor
from torch.nn import functional as F

from faceuv.errors import InputError, MissingDependency
from faceuv.files.assets import Missing
from faceuv.fitting.landmarks.base import (
    COUNT,
    LandmarkDetector,
    Landmarks,
    check_images,
    look_at_mirrored,
    unreadable,
)
from faceuv.models.faces.sliding import Contour
from faceuv.registry import LANDMARK_DETECTORS

_TYPES: dict[str, str] = {"head": "TWO_HALF_D", "visible": "TWO_D"}


@LANDMARK_DETECTORS.register_module()
class FaceAlignmentLandmarks(LandmarkDetector):
    """Landmarks of photographs, by the package ``face-alignment`` (``pip install "faceuv[landmarks]"``).

    Of several faces in a picture the largest is taken, which ``notes`` says. The package downloads its weights when it
    is first used, and not before.

    Args:
        face_detector: the package's detector of faces: ``sfd``, ``blazeface``, ``dlib``, …
        contour: ``"head"``, points of the head though they be hidden, as face models have them; ``"visible"``, the
            jaw's points run along the contour that is seen.
        least_side: pictures with a shorter side than this many pixels are enlarged for the detector.
        device: of the package's networks.
        alignment: a ``face_alignment.FaceAlignment`` that is already built; the other settings then do not reach it.
    """

    def __init__(
        self,
        face_detector: str = "sfd",
        contour: Contour = "head",
        *,
        least_side: int = 256,
        device: str = "cpu",
        alignment: Any = None,
    ) -> None:
        super().__init__()
        if contour not in _TYPES:
            raise InputError(f"contour must be one of {', '.join(_TYPES)}, got {contour!r}")
        self.face_detector, self.contour, self.device_name = face_detector, contour, device
        self.least_side = least_side
        self._alignment = alignment
        if alignment is None:
            _package()  # a missing package is an error now, not after an hour of fitting

    @classmethod
    def missing_assets(cls, alignment: Any = None, **settings: Any) -> list[Missing]:
        """The package, if it is not installed."""
        if alignment is not None or importlib.util.find_spec("face_alignment") is not None:
            return []
        return [
            Missing(
                "the package face-alignment (landmarks of photographs; it downloads its weights when first used)",
                "https://github.com/1adrianb/face-alignment (BSD-3-Clause)",
                'pip install "faceuv[landmarks]"',
                ("the installed packages",),
            )
        ]

    @property
    def alignment(self) -> Any:
        """The package's object, built when it is first needed."""
        if self._alignment is None:
            package = _package()
            MMLogger.get_current_instance().info(
                "building face-alignment's networks; it downloads their weights if they are not in torch's cache"
            )
            self._alignment = package.FaceAlignment(
                getattr(package.LandmarksType, _TYPES[self.contour]),
                device=self.device_name,
                face_detector=self.face_detector,
                compile=False,  # compiling takes longer than thousands of pictures
            )
        return self._alignment

    @torch.no_grad()
    def detect(self, images: Tensor, names: Sequence[str] | None = None) -> Landmarks:
        """See :meth:`LandmarkDetector.detect`."""
        check_images(images, names)
        bad = unreadable(images).tolist()
        rows, notes = [], []
        for image, is_bad in zip(images, bad):
            row, note = ((None, 0.0, "the picture holds NaN or infinity"), "") if is_bad else self._row(image)
            rows.append(row)
            notes.append(note)
        return Landmarks.stack(rows, images, tuple(notes))

    @torch.no_grad()
    def look_again(self, images: Tensor, found: Landmarks, names: Sequence[str] | None = None) -> Landmarks:
        """See :meth:`LandmarkDetector.look_again`; a second run, on the mirrored pictures."""
        return look_at_mirrored(self, images, found, names)

    def _row(self, image: Tensor) -> tuple[tuple[Tensor | None, float, str], str]:
        height, width = image.shape[1:]
        if min(height, width) < self.least_side:
            size = [max(1, round(side * self.least_side / min(height, width))) for side in (height, width)]
            image = F.interpolate(image[None], size=size, mode="bicubic")[0]
        levels = (image.float().clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="No faces were detected")  # that is a row here
            points, _, boxes = self.alignment.get_landmarks_from_image(
                np.ascontiguousarray(levels), return_bboxes=True, return_landmark_score=True
            )
        if points is None or len(points) == 0:
            return (None, 0.0, "no face was found"), ""
        boxes = [np.asarray(box, dtype=np.float64) for box in boxes]
        areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in boxes]
        largest = int(np.argmax(areas))
        found = torch.as_tensor(np.asarray(points[largest], dtype=np.float32))[:, :2]
        if found.shape != (COUNT, 2) or not bool(torch.isfinite(found).all()):
            return (None, 0.0, "the detector gave no usable points"), ""
        box = boxes[largest]
        score = float(np.clip(box[4], 0, 1)) if len(box) > 4 else 1.0
        note = f"{len(points)} faces, the largest was taken" if len(points) > 1 else ""
        shrink = found.new_tensor([width / levels.shape[1], height / levels.shape[0]])
        return ((found + 0.5) * shrink, score, ""), note


def _package() -> Any:
    try:
        return importlib.import_module("face_alignment")
    except ImportError as error:
        raise MissingDependency(
            f'FaceAlignmentLandmarks needs the package face-alignment ({error}): pip install "faceuv[landmarks]";'
            " or use SyntheticLandmarks, which is built in"
        ) from error
