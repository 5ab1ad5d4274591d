"""Identity features of ArcFace, from weights that the user provides."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.checks import check_finite, check_shape
from faceuv.errors import AssetError, InputError
from faceuv.evaluation.iresnet import SIDE, IResNet, iresnet_of
from faceuv.files.artefacts import load_state_dict, sha256_of
from faceuv.files.paths import user_path
from faceuv.models.base.fixed import Fixed
from faceuv.registry import LANDMARK_DETECTORS, MODELS

TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Where eyes, the tip of the nose and the corners of the mouth lie in an aligned face of 112², pixel centres at whole
numbers, left in the picture first."""
_FIVE = ((36, 42), (42, 48), (30, 31), (48, 49), (54, 55))  # runs of the 68 whose means are those points
_LAYOUT = "the backbone.pth of insightface's arcface_torch (iresnet18 … 200), a state dict"
_OFFLINE = 'dict(type="RegressorIdentity") needs no download (and is not ArcFace)'


def five_points(landmarks: Tensor) -> Tensor:
    """Eyes, nose tip and corners of the mouth ``(B, 5, 2)`` of 68 landmarks ``(B, 68, 2)``."""
    check_shape("landmarks", landmarks, ("B", 68, 2))
    return torch.stack([landmarks[:, start:end].mean(1) for start, end in _FIVE], 1)


def align_faces(images: Tensor, landmarks: Tensor) -> Tensor:
    """Pictures ``(B, 3, H, W)`` with ``landmarks (B, 68, 2)`` → faces ``(B, 3, 112, 112)`` in ArcFace's frame.

    The similarity (turn, scale, shift) that brings five points nearest to :data:`TEMPLATE`, least squares; bilinear,
    black beyond the picture, as the published code crops faces. Landmarks are pixels with centres at half integers.
    """
    sizes = check_shape("images", images, ("B", 3, "H", "W"))
    check_shape("landmarks", landmarks, (sizes["B"], 68, 2))
    check_finite("landmarks", landmarks)
    points = torch.view_as_complex(five_points(landmarks).double().contiguous())
    wanted = torch.view_as_complex(landmarks.new_tensor(TEMPLATE, dtype=torch.float64) + 0.5)
    # from the template to the picture: z ↦ a·z + b, in the plane of complex numbers
    centre, aim = points.mean(1, keepdim=True), wanted.mean()
    spread = (points - centre).abs().square().sum(1, keepdim=True)
    if not bool((spread > 0).all()):
        raise InputError("the landmarks of a face coincide: it cannot be aligned by them")
    into = ((points - centre).conj() * (wanted - aim)).sum(1, keepdim=True) / spread
    line = torch.arange(SIDE, device=images.device, dtype=torch.float64) + 0.5
    y, x = torch.meshgrid(line, line, indexing="ij")
    place = (torch.complex(x, y).flatten()[None] - aim) / into + centre
    size = images.new_tensor([sizes["W"], sizes["H"]], dtype=torch.float64)
    grid = (torch.view_as_real(place) * (2 / size) - 1).to(images.dtype).unflatten(1, (SIDE, SIDE))
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


@MODELS.register_module()
class ArcFaceIdentity(nn.Module):
    """ArcFace's embedding of a face, by published weights that you bring: images ``(B, 3, H, W)`` in [0, 1] with
    landmarks ``(B, 68, 2)`` → ``(B, 512)``.

    ``name`` is ``arcface_<network>_<first 8 digits of the file's SHA-256>``: cosines of two files are not comparable.

    Args:
        weights: a ``.pth`` of insightface's arcface_torch (``backbone.pth``), depth and all read from it. It is read
            without running code; nothing is ever downloaded.
        sha256: the beginning of the file's SHA-256, at least 8 digits, to be sure which file it is.
        detector: config of a landmark detector, for pictures that come without landmarks; a picture in which it finds
            no face gets NaN.
    """

    needs_landmarks = True

    def __init__(
        self,
        weights: str | Path,
        *,
        sha256: str | None = None,
        detector: Mapping[str, Any] | str | None = None,
    ) -> None:
        super().__init__()
        network, kind, digest = read_arcface(user_path(weights), sha256)
        self.network: Fixed[IResNet] = Fixed(network)
        self.detector: Any = None if detector is None else Fixed(LANDMARK_DETECTORS.build(detector))
        self.name = f"arcface_{kind}_{digest[:8]}"

    def forward(self, images: Tensor, landmarks: Tensor | None = None) -> Tensor:
        check_shape("images", images, ("B", 3, "H", "W"))
        found: Tensor | None = None
        if landmarks is None:
            if self.detector is None:
                raise InputError(
                    "ArcFace reads aligned faces: give their landmarks (B, 68, 2), or a detector,"
                    " dict(type='ArcFaceIdentity', …, detector=dict(type='SyntheticLandmarks'))"
                )
            detected = self.detector(images)
            landmarks, found = detected.points, detected.found
        with torch.autocast(images.device.type, enabled=False):
            aligned = align_faces(images.float(), landmarks) if found is None else _aligned(images, landmarks, found)
            embedding: Tensor = self.network(aligned.clamp(0, 1) * 2 - 1)
        return embedding if found is None else embedding.masked_fill(~found[:, None], torch.nan)


def _aligned(images: Tensor, landmarks: Tensor, found: Tensor) -> Tensor:
    """Faces that were found; black for others, whose landmarks mean nothing."""
    faces = images.new_zeros(len(images), 3, SIDE, SIDE, dtype=torch.float32)
    if bool(found.any()):
        faces[found] = align_faces(images[found].float(), landmarks[found])
    return faces


def read_arcface(path: Path, sha256: str | None = None) -> tuple[IResNet, str, str]:
    """The network in a file, what it is called, and the file's SHA-256."""
    if not path.is_file():
        raise AssetError(f"{path} does not exist; expected {_LAYOUT}. Without it, {_OFFLINE}")
    digest = sha256_of(path)
    if sha256 is not None and (len(sha256) < 8 or not digest.startswith(sha256.lower())):
        raise AssetError(
            f"{path} has SHA-256 {digest[:12]}…, expected {sha256[:12]!r}…: it is truncated or another file"
        )
    where = f"{path} (SHA-256 {digest[:12]}…)"
    state = load_state_dict(path, expected=_LAYOUT, where=where)
    try:
        network, kind = iresnet_of({key.removeprefix("module."): value for key, value in state.items()}, where)
    except InputError as error:
        raise AssetError(f"{error}; expected {_LAYOUT}") from error
    return network, kind, digest
