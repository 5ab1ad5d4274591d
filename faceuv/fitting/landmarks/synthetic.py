"""Landmarks by our small network, which has seen synthetic faces only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from faceuv.data.cutouts import cut, mirror_points, pixel_size, points_from, similar_frames, whole_frames
from faceuv.errors import InputError
from faceuv.files.locate import locate
from faceuv.files.networks import load_network, read_header
from faceuv.fitting.landmarks.base import LandmarkDetector, Landmarks, check_images, unreadable
from faceuv.models.readers.landmark_network import LandmarkNetwork
from faceuv.registry import LANDMARK_DETECTORS

LEAST_SIDE = 16
"""Pixels: in pictures with a shorter side nothing is looked for."""
_CHUNK = 64
_OTHER_LOOKS = ((0.06, 0.04, 1.12, 0.10, False), (-0.05, 0.05, 0.93, -0.08, True))
"""Where looks of :meth:`SyntheticLandmarks.look_again` begin: shift in x and y and side (shares of the whole frame's
side), turn in radians, mirrored or not."""
_ZOOM = (0.35, 1.6)  # how far a second look may go from the whole picture: its frame's side, in those of the picture


@LANDMARK_DETECTORS.register_module()
class SyntheticLandmarks(LandmarkDetector):
    """Our small network, trained on synthetic faces: no downloads, any device, one face per picture.

    It looks at the whole picture first, then at an upright frame about what it found. A picture should be framed to one
    face, as portraits and FFHQ are: a face that fills less than half of it may be missed, and of two faces it gives one
    or a mixture.

    Args:
        path: weights of a :class:`~faceuv.models.readers.landmark_network.LandmarkNetwork`, by default the zoo's.
        looks: number of passes; each cuts out a frame around the landmarks of the pass before.
        mirror: average with the result for the mirrored frame: twice the time, less error.
        threshold: smallest score of a face that counts as found.
        zooms: sizes of the frames of the last look, in those of the usual one; their points are averaged. A network
            that draws what it does not know toward the mean face does so less in the mean of several sizes.
    """

    def __init__(
        self,
        path: str | Path = "zoo:landmarks/weights.safetensors",
        *,
        looks: int = 2,
        mirror: bool = True,
        threshold: float = 0.5,
        zooms: Sequence[float] = (1.0,),
    ) -> None:
        super().__init__()
        if looks < 1 or not 0 <= threshold <= 1:
            raise InputError(f"expected looks ≥ 1 and threshold in [0, 1], got {looks} and {threshold}")
        if not zooms or not all(0.3 <= zoom <= 3 for zoom in zooms):
            raise InputError(f"expected zooms between 0.3 and 3, at least one, got {tuple(zooms)}")
        file = locate(path)
        self.network = load_network(file, LandmarkNetwork)
        header = read_header(file)
        scale, offset = header.get("calibration", (1.0, 0.0))
        self.contour = header.get("contour", "head")  # trained on a face without contour lines, unless the file says so
        self.calibration: tuple[float, float] = (float(scale), float(offset))
        self.looks, self.mirror, self.threshold, self.zooms = looks, mirror, threshold, tuple(zooms)

    @torch.no_grad()
    def detect(self, images: Tensor, names: Sequence[str] | None = None) -> Landmarks:
        """See :meth:`LandmarkDetector.detect`."""
        check_images(images, names)
        height, width = images.shape[2:]
        if min(height, width) < LEAST_SIDE or not len(images):
            reason = f"{width} × {height} pixels are too few: at least {LEAST_SIDE} are needed either way"
            return Landmarks.stack([(None, 0.0, reason)] * len(images), images)
        bad = unreadable(images)
        parts = [self._look(part) for part in images.masked_fill(bad[:, None, None, None], 0.0).split(_CHUNK)]
        points, logit = (torch.cat(values) for values in zip(*parts))
        scale, offset = self.calibration
        score = torch.sigmoid(scale * logit + offset).masked_fill(bad, 0.0)
        found = score >= self.threshold
        reasons = [
            "the picture holds NaN or infinity" if b else "" if f else f"no face was found (score {s:.2f})"
            for b, f, s in zip(bad.tolist(), found.tolist(), score.tolist())
        ]
        return Landmarks(points.to(images.dtype), found & ~bad, score.to(images.dtype), tuple(reasons))

    @torch.no_grad()
    def look_again(self, images: Tensor, found: Landmarks, names: Sequence[str] | None = None) -> Landmarks:
        """See :meth:`LandmarkDetector.look_again`: two more searches, which begin at shifted, scaled and turned frames,
        one of them in the mirrored picture."""
        check_images(images, names)
        if min(images.shape[2:]) < LEAST_SIDE or not len(images):
            return found
        clean = images.masked_fill(unreadable(images)[:, None, None, None], 0.0)
        parts = []
        for part, points in zip(clean.split(_CHUNK), found.points.split(_CHUNK)):
            looks = torch.stack([self._search(part, *look) for look in _OTHER_LOOKS])
            parts.append(torch.linalg.vector_norm(looks - points.to(looks), dim=3).mean((0, 2)))
        apart = torch.cat(parts).to(found.points)
        return replace(found, disagreement=apart.masked_fill(~found.found, torch.nan))

    def _search(self, images: Tensor, right: float, down: float, side: float, turn: float, mirrored: bool) -> Tensor:
        """Points in pixels ``(B, 68, 2)`` of a search that begins at another frame, without averaging."""
        images = images.to(device=self.network.mean_points.device, dtype=torch.float32)
        whole = whole_frames(images)
        half = pixel_size(whole)
        centre = whole[:, :, 2] + 2 * half[:, None] * whole.new_tensor([right, down])
        frames = similar_frames(centre, side * half, torch.full_like(half, turn))
        for look in range(max(2, self.looks)):
            shown = cut(images, frames, self.network.size)
            points, _ = self.network(shown.flip(3) if mirrored else shown)
            points = points_from(frames, mirror_points(points) if mirrored else points)
            if look + 1 < max(2, self.looks):
                frames = self._frames_about(points, whole)
        return points

    def logits(self, images: Tensor) -> Tensor:
        """``(B,)``: what the score is made of, before calibration."""
        return torch.cat([self._look(part)[1] for part in images.split(_CHUNK)])

    def _look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Points in pixels ``(B, 68, 2)``; logits of the first look, as later ones are led to see a face anywhere."""
        device = self.network.mean_points.device
        images = images.to(device=device, dtype=torch.float32)
        frames = whole_frames(images)
        points, logit = self._answer(images, frames)
        for look in range(1, self.looks):
            frames = self._frames_about(points, whole_frames(images))
            zooms = self.zooms if look + 1 == self.looks else (1.0,)
            points = torch.stack([self._answer(images, _zoomed(frames, zoom))[0] for zoom in zooms]).mean(0)
        return points, logit

    def _answer(self, images: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        shown = cut(images, frames, self.network.size)
        points, logit = self.network(shown)
        if self.mirror:
            other, other_logit = self.network(shown.flip(3))
            points, logit = (points + mirror_points(other)) / 2, (logit + other_logit) / 2
        return points_from(frames, points), logit

    def _frames_about(self, points: Tensor, whole: Tensor) -> Tensor:
        """Frames ``(B, 2, 3)`` in which the points lie about as the mean face does: as large, as upright, in the same
        place."""
        mean = self.network.mean_points
        centre, mean_centre = points.mean(1), mean.mean(0)
        away, mean_away = points - centre[:, None], mean - mean_centre
        half = (away.square().sum((1, 2)) / mean_away.square().sum()).sqrt()
        limits = pixel_size(whole)
        half = torch.minimum(torch.maximum(half, _ZOOM[0] * limits), _ZOOM[1] * limits)
        # the turn that brings the mean's points nearest to these
        along = (away * mean_away).sum((1, 2))
        across = (away[..., 1] * mean_away[..., 0] - away[..., 0] * mean_away[..., 1]).sum(1)
        frames = similar_frames(centre, half, torch.atan2(across, along))
        shift = points_from(frames, mean_centre.expand(len(points), 1, 2))[:, 0] - centre
        return torch.cat([frames[:, :, :2], (frames[:, :, 2] - shift)[:, :, None]], 2)


def _zoomed(frames: Tensor, zoom: float) -> Tensor:
    """Frames ``(B, 2, 3)`` with the same centres, ``zoom`` times as large."""
    return torch.cat([zoom * frames[:, :, :2], frames[:, :, 2:]], 2)
