"""Landmarks by our small network, which has seen synthetic faces only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from faceuv.data.cutouts import FINEST, cut, mirror_points, pixel_size, points_from, similar_frames, whole_frames
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
_HOPELESS = 5.0
"""Of the logit: a picture this far below the threshold is not looked at mirrored. Of 503 faces that were found
in 7155 squares of photographs, none was more than 2.3 below."""
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
        self.network = load_network(file, LandmarkNetwork).to(memory_format=torch.channels_last)
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
        clean = images.masked_fill(bad[:, None, None, None], 0.0) if bool(bad.any()) else images
        parts = [self._look(part) for part in clean.split(_CHUNK)]
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
            looks = self._searches(part)
            parts.append(torch.linalg.vector_norm(looks - points.to(looks), dim=3).mean((0, 2)))
        apart = torch.cat(parts).to(found.points)
        return replace(found, disagreement=apart.masked_fill(~found.found, torch.nan))

    def _searches(self, images: Tensor) -> Tensor:
        """Points in pixels ``(K, B, 68, 2)`` of searches that begin at the K other frames, without averaging."""
        images = images.to(device=self.network.mean_points.device, dtype=torch.float32)
        whole = whole_frames(images)
        half = pixel_size(whole)
        begin = [
            similar_frames(
                whole[:, :, 2] + 2 * half[:, None] * whole.new_tensor([right, down]),
                side * half,
                torch.full_like(half, turn),
            )
            for right, down, side, turn, _ in _OTHER_LOOKS
        ]
        frames, count = torch.cat(begin), len(_OTHER_LOOKS)
        mirrored = torch.tensor([look[-1] for look in _OTHER_LOOKS], device=images.device)
        mirrored = mirrored.repeat_interleave(len(images))
        for look in range(max(2, self.looks)):
            shown = torch.cat([cut(images, own, self.network.size) for own in frames.chunk(count)])
            points, _ = self.network(torch.where(mirrored[:, None, None, None], shown.flip(3), shown))
            points = points_from(frames, torch.where(mirrored[:, None, None], mirror_points(points), points))
            if look + 1 < max(2, self.looks):
                frames = self._frames_about(points, whole.repeat(count, 1, 1))
        return points.unflatten(0, (count, -1))

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """``(B,)``: what the score is made of, before calibration."""
        images = images.to(device=self.network.mean_points.device, dtype=torch.float32)
        return torch.cat([self._answer(self._whole(part))[1] for part in images.split(_CHUNK)])

    def _look(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Points in pixels ``(B, 68, 2)``; logits of the first look, as later ones are led to see a face anywhere.

        Most squares of a search show no face: they are looked at once, without the mirrored and the later looks.
        """
        device = self.network.mean_points.device
        images = images.to(device=device, dtype=torch.float32)
        shown, frames = self._whole(images), whole_frames(images)
        features = self.network.features(shown)
        logit = self.network.logit_of(features)
        scale, offset = self.calibration
        least = (torch.logit(torch.tensor(self.threshold)).item() - offset) / scale  # of a face that counts as found
        relative = self.network.mean_points.repeat(len(images), 1, 1)
        rows = (logit >= least - _HOPELESS).nonzero()[:, 0]
        if len(rows):
            own = self.network.points_of(tuple(part[rows] for part in features))
            if self.mirror:
                other, other_logit = self.network(shown[rows].flip(3))
                own = (own + mirror_points(other)) / 2
                logit = logit.index_put((rows,), (logit[rows] + other_logit) / 2)
            relative[rows] = own
        points = points_from(frames, relative)
        rows = (logit >= least).nonzero()[:, 0]
        for look in range(1, self.looks if len(rows) else 1):
            own, zooms = images[rows], self.zooms if look + 1 == self.looks else (1.0,)
            about = self._frames_about(points[rows], frames[rows])
            wide = torch.cat([_zoomed(about, zoom) for zoom in zooms])
            seen, _ = self._answer(torch.cat([cut(own, _zoomed(about, zoom), self.network.size) for zoom in zooms]))
            points[rows] = points_from(wide, seen).unflatten(0, (len(zooms), -1)).mean(0)
        return points, logit

    def _whole(self, images: Tensor) -> Tensor:
        """What the network reads of whole pictures: :func:`cut` of their :func:`whole_frames`."""
        size, (height, width) = self.network.size, images.shape[2:]
        if height == width and width % size == 0 and width <= FINEST * size:
            return F.avg_pool2d(images, width // size)
        return cut(images, whole_frames(images), size)

    def _answer(self, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Points in [−1, 1] and logits of cut-outs and, if they are looked at mirrored as well, of the mean of both."""
        points, logit = self.network(torch.cat([shown, shown.flip(3)]) if self.mirror else shown)
        if not self.mirror:
            return points, logit
        (points, other), (logit, other_logit) = points.chunk(2), logit.chunk(2)
        return (points + mirror_points(other)) / 2, (logit + other_logit) / 2

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
