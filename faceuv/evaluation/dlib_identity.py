"""Identity features of dlib's recognition network, which no training of faceuv uses; both are packages of their own."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_finite, check_shape
from faceuv.errors import MissingDependency
from faceuv.registry import MODELS

_NETWORK, _POINTS = "dlib_face_recognition_resnet_model_v1.dat", "shape_predictor_68_face_landmarks.dat"
_PACKAGE = "face_recognition_models"
_SIDE = 320  # pixels: smaller pictures are enlarged to it, for the detector finds no face below 80
_NUMBERS = 128


@MODELS.register_module()
class DlibIdentity:
    """dlib's face recognition network (a ResNet of 29 layers, trained on photographs of 7485 people): images
    ``(B, 3, H, W)`` in [0, 1] → ``(B, 128)``. A picture in which dlib finds no face gets NaN.

    Its authors call two pictures with a :func:`~faceuv.evaluation.distance` of less than 0.6 the same person; cosines
    are close to 1 for all faces, so compare them with those of other persons. It runs on the CPU, picture by picture.

    ``dict(type="DlibIdentity")`` needs ``pip install "faceuv[recognition]"``: the packages dlib-bin, and
    face-recognition-models, from which the weights are read as files.
    """

    name = "dlib_resnet_v1"
    needs_landmarks = False

    def __init__(self) -> None:
        self.dlib = _dlib()
        folder = _models()
        self.network = self.dlib.face_recognition_model_v1(str(folder / _NETWORK))
        self.points = self.dlib.shape_predictor(str(folder / _POINTS))
        self.detector = self.dlib.get_frontal_face_detector()

    @torch.no_grad()
    def __call__(self, images: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """``landmarks (B, 68, 2)`` in pixels, if they are known, take the place of dlib's own detector."""
        sizes = check_shape("images", images, ("B", 3, "H", "W"))
        check_finite("images", images)
        if landmarks is not None:
            check_shape("landmarks", landmarks, (sizes["B"], 68, 2))
        factor = max(1, -(-_SIDE // min(sizes["H"], sizes["W"])))
        shown = images.detach().float().cpu()
        if factor > 1:
            shown = F.interpolate(shown, scale_factor=factor, mode="bicubic", align_corners=False)
        pixels = (shown.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
        rows = []
        for k, picture in enumerate(pixels):
            shape = self._shape(picture) if landmarks is None else self._given(landmarks[k] * factor)
            found = [float("nan")] * _NUMBERS
            if shape is not None:
                found = list(self.network.compute_face_descriptor(picture, shape))
            rows.append(found)
        return torch.tensor(rows, dtype=torch.float32, device=images.device).reshape(-1, _NUMBERS)

    def _shape(self, picture: Any) -> Any:
        """Landmarks of the largest face, None without one."""
        boxes = self.detector(picture, 1)
        return self.points(picture, max(boxes, key=lambda box: box.width())) if len(boxes) else None

    def _given(self, points: Tensor) -> Any:
        places = [self.dlib.point(round(x), round(y)) for x, y in (points - 0.5).tolist()]
        low, high = points.amin(0).round().long().tolist(), points.amax(0).round().long().tolist()
        return self.dlib.full_object_detection(self.dlib.rectangle(*low, *high), places)


def _dlib() -> Any:
    try:
        return importlib.import_module("dlib")
    except ImportError as error:
        raise MissingDependency(f"DlibIdentity needs dlib ({error}): {_INSTALL}") from error


def _models() -> Path:
    """The folder of the weights. The package is not imported: it needs pkg_resources, which new setuptools lack."""
    found = importlib.util.find_spec(_PACKAGE)
    for place in (found.submodule_search_locations or []) if found is not None else []:
        folder = Path(place) / "models"
        if all((folder / name).is_file() for name in (_NETWORK, _POINTS)):
            return folder
    raise MissingDependency(f"DlibIdentity needs the weights in the package {_PACKAGE}: {_INSTALL}")


_INSTALL = (
    'pip install "faceuv[recognition]". Without it, dict(type="RegressorIdentity") needs no download (and knows drawn'
    " faces only)"
)
