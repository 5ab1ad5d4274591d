"""The training of a landmark network on images whose coefficients, and so whose landmarks, are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.data.cutouts import cut, mirror_points, points_from, points_in, random_frames, whole_frames
from faceuv.data.no_face import no_face
from faceuv.data.perturb import Shares, perturb
from faceuv.errors import InputError
from faceuv.export.landmarks import draw_points
from faceuv.files.locate import locate
from faceuv.files.networks import load_network
from faceuv.models.base.method import BaseMethod
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.landmark_truth import LandmarkTruth, interocular_distance
from faceuv.models.readers.landmark_network import LandmarkNetwork
from faceuv.registry import DATASETS, FACE_MODELS, MODELS
from faceuv.structures import Coefficients

TERMS = ("points", "face")
_POPULATION = 2048  # coefficients that the mean landmarks are taken from
_HELD_OUT = 10_000_000  # first index of the pictures that are shown: beyond any pool


@MODELS.register_module()
class LandmarkRegression(BaseMethod):
    """Cut-out → 68 landmarks and whether there is a face, supervised by exact truth.

    A batch is ``dict(image (B, 3, S, S), coefficients (B, N))``, uint8 or float in [0, 1]; pictures of several head
    models come with ``landmarks (B, 68, 2)`` in their pixels instead. Each image is mirrored
    half the time, cut out of a random frame and perturbed; some are replaced by images without a face. The hook
    ``GeneratorEMA(modules=["network"])`` keeps the average that is evaluated and shipped.

    Args:
        network: config of a :class:`~faceuv.models.readers.landmark_network.LandmarkNetwork`.
        face_model: of the coefficients; a coarse one of the same kind has the same landmarks.
        losses: ``points``, on landmarks in % of the frame's side, of images with a face; ``face``, on the ``scores``
            (logits) of images without a face, pred, and with one, target.
        population: config of a data set with ``facts(indices)`` and ``batch(indices)``, of whose landmarks the network
            takes the mean, and whose images are shown; None to keep the mean of ``network``.
        start: weights of a network of the same shape to train on from.
        shift, zoom, turn_deg: of the frames: share of the side, range of sizes, degrees either way.
        without_face: share of the batch that is replaced.
        shares: of :class:`~faceuv.data.perturb.Shares`.
    """

    def __init__(
        self,
        network: Mapping[str, Any],
        face_model: FaceModel | Mapping[str, Any] | str,
        losses: Mapping[str, Any],
        *,
        population: Mapping[str, Any] | None = None,
        start: str | Path | None = None,
        shift: float = 0.15,
        zoom: tuple[float, float] = (0.7, 1.3),
        turn_deg: float = 30.0,
        without_face: float = 0.15,
        shares: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(losses)
        if unknown := sorted(set(losses) - set(TERMS)):
            raise InputError(f"LandmarkRegression has the losses {', '.join(TERMS)}; unknown: {unknown}")
        if not 0 <= without_face < 1 or shift < 0 or turn_deg < 0 or not 0 < zoom[0] <= zoom[1]:
            raise InputError(
                "expected without_face in [0, 1), shift ≥ 0, turn_deg ≥ 0 and 0 < zoom[0] ≤ zoom[1], got"
                f" {without_face}, {shift}, {turn_deg} and {zoom}"
            )
        self.network = cast(LandmarkNetwork, MODELS.build(network)).to(memory_format=torch.channels_last)
        self.truth = LandmarkTruth(FACE_MODELS.build(face_model))
        self.frames = dict(shift=shift, zoom=tuple(zoom), turn=math.radians(turn_deg))
        self.without_face, self.shares = without_face, Shares(**(shares or {}))
        self._population = population
        self._kept: Tensor | None = None
        if population is not None:
            self.network.mean_points.copy_(self._mean_points())
        if start is not None:
            known = load_network(locate(start), LandmarkNetwork)
            if known.settings() != self.network.settings():
                raise InputError(f"start {start} is a network of {known.settings()}, not of {self.network.settings()}")
            mean = self.network.mean_points.clone()
            self.network.load_state_dict(known.state_dict())
            if population is not None:
                self.network.mean_points.copy_(mean)

    def _mean_points(self) -> Tensor:
        data = DATASETS.build(self._population)
        facts = data.facts(range(_POPULATION))
        if "coefficients" not in facts:
            size = data.faces[0].studio.size
            return facts["landmarks"].cpu().mean(0) * (2 / size) - 1
        points, _ = self.truth(Coefficients(facts["coefficients"].cpu(), self.truth.layout), 2)
        return points.mean(0) - 1  # a picture of two pixels: [0, 2] from edge to edge

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the one optimiser."""
        return self.update(optim_wrapper, lambda: self.terms(data))

    def terms(self, data: Any) -> dict[str, Tensor]:
        """The loss terms of a batch."""
        image, points, _ = self.pictures(self.data_preprocessor(data, True))
        flip = torch.rand(len(image), device=image.device) < 0.5
        width = image.shape[3]
        mirrored = (mirror_points(points * (2 / width) - 1) + 1) * (width / 2)
        image = torch.where(flip[:, None, None, None], image.flip(3), image)
        points = torch.where(flip[:, None, None], mirrored, points)
        shown, points = self.framed(image, points, random_frames(image, **self.frames))  # type: ignore[arg-type]
        faceless = int(self.without_face * len(shown) + torch.rand(()).item())  # the share, on average
        if faceless:
            shown = torch.cat([no_face(shown[:faceless], points[:faceless]), shown[faceless:]])
        places = (points + 1) * (self.network.size / 2)
        shown = perturb(shown, torch.default_generator, places, shares=self.shares)
        found, logit = self.network(shown)
        found, logit = found.float(), logit.float()
        pred: dict[str, Tensor] = {"points": 50 * found[faceless:], "scores": logit[:faceless]}
        target = {"points": 50 * points[faceless:], "scores": logit[faceless:]}
        known = [name for name in self.losses.terms if name == "points" or faceless]
        return {name: self.losses.term(name, pred, target) for name in known}

    def pictures(self, data: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Images ``(B, 3, S, S)`` in [0, 1], landmarks ``(B, 68, 2)`` in their pixels, interocular distances."""
        image = data["image"]
        sizes = check_shape("pictures", image, ("B", 3, "S", "S"))
        image = image.float() / 255 if image.dtype == torch.uint8 else image
        if "landmarks" in data:  # of pictures of several head models, in pixels
            points = data["landmarks"].float()
            return image, points, interocular_distance(points)
        points, interocular = self.truth(Coefficients(data["coefficients"].float(), self.truth.layout), sizes["S"])
        return image, points, interocular

    def framed(self, image: Tensor, points: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Cut-outs of the network's size, and the points in them, [−1, 1] from edge to edge."""
        return cut(image, frames, self.network.size), points_in(frames, points)

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For :class:`~faceuv.evaluation.LandmarkErrors`: each image in a frame of its own, the same at each call,
        and beside it an image without a face."""
        image, points, interocular = self.pictures(data)
        seeds = torch.Generator().manual_seed(int(data["index"][0]))
        frames = random_frames(image.cpu(), generator=seeds, **self.frames).to(image)  # type: ignore[arg-type]
        shown, places = self.framed(image, points, frames)
        others = no_face(shown.cpu(), places.cpu(), seeds).to(shown)
        network = self.averaged("network")
        found, logit = network(shown)
        _, other = network(others)
        rows = zip(points_from(frames, found), points, interocular, logit.sigmoid(), other.sigmoid())
        names = ("points", "truth", "interocular", "score", "other_score")
        return [dict(zip(names, row)) for row in rows]

    @torch.no_grad()
    def sample_images(self, count: int) -> dict[str, Tensor]:
        """``landmarks``: detections drawn on held-out images."""
        shown = self._shown(count)
        image = cut(shown, whole_frames(shown), self.network.size)
        points, logit = self.averaged("network")(image)
        return {"landmarks": draw_points(shown, (points.cpu() + 1) * (shown.shape[3] / 2), logit.cpu() > 0)}

    def _shown(self, count: int) -> Tensor:
        if self._population is None:
            raise InputError("LandmarkRegression shows pictures of its population; it has none")
        if self._kept is None or len(self._kept) < count:  # drawing them takes longer than finding their landmarks
            faces: Tensor = DATASETS.build(self._population).batch(range(_HELD_OUT, _HELD_OUT + count))["image"]
            self._kept = faces
        return self._kept[:count].to(self.network.mean_points.device)
