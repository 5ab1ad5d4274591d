"""Pictures → coefficients: landmarks, a first guess, the steps of a schedule. Pictures are fitted independently."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import check_floating, check_shape
from faceuv.errors import InputError, did_you_mean
from faceuv.fitting.confidence import DOUBTFUL, PARTS, confidence_of, doubt_of, measure
from faceuv.fitting.fit import Fit
from faceuv.fitting.gradient import Prediction, PredictionContext
from faceuv.fitting.landmarks.base import LandmarkDetector, Landmarks
from faceuv.fitting.priors import likely
from faceuv.fitting.schedules import SCHEDULES
from faceuv.fitting.steps import SHARED, FitStep, LandmarkStep, Problem, SurfaceStep
from faceuv.fitting.terms import group_columns
from faceuv.fitting.together import Sharing
from faceuv.losses import PhotometricLoss
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.sliding import CONTOURS, Contour
from faceuv.registry import FACE_MODELS, FIT_STEPS, LANDMARK_DETECTORS, RENDERERS
from faceuv.renderers.base import Renderer
from faceuv.structures import Coefficients

Config = Mapping[str, Any] | str
_ONE_POINT = 1e-3  # pixels: landmarks that lie closer together are one point, and no face
_TURNED = 12  # power of the cosine by which pictures of turned heads count less: there detectors err to one side
_LEAST_TRUST = 0.05  # of a picture of a person, by the confidence of its own fit
_CHUNK_ON_CPU, _CHUNK = 8, 128  # pictures fitted at once: what fits a CPU's cache, and what fills an accelerator


class Fitter(nn.Module):
    """Fits a face model to pictures.

    Args:
        face_model: a face model, its config or name.
        renderer: a renderer, its config or name; its camera is that of the pictures.
        detector: a landmark detector, its config or name; used where no landmarks are given.
        regressor: a module ``images → Coefficients`` that gives the first guess and, for the priors, the most likely
            face; None starts cold, from the mean face under an ordinary light.
        schedule: a name of :data:`~faceuv.fitting.schedules.SCHEDULES`, or a list of configs of fitting steps.
        fit_model: the same face model on a coarser mesh, used while fitting, for speed; landmarks are vertices of this
            mesh.
        centre: centre of the priors: ``"start"``, the first guess, or ``"mean"``, the mean face.
        worst_landmarks: largest landmark error of a fit that is ok, as a share of the image's side.
        contour: whether the jaw's landmarks lie on the contour that is seen, ``"visible"``, or are points of the head
            though they be hidden, ``"head"``; None asks the detector, and takes landmarks that are given for visible
            ones. It matters for face models with ``contour`` lines.
        min_confidence: smallest confidence of a fit that is ok; 0.5 makes doubtful fits failures.
        framed: whether the pictures are squares laid around faces by their landmarks, as
            :meth:`~faceuv.data.window.Window.aligned` does: then the distance of a head is about known.
        judged: whether the colours' error and the evidence of the confidence are measured, which takes a drawing of
            each face; without, both are NaN and the confidence is 0.
        chunk: number of pictures that are fitted at once; None chooses. The result does not depend on it.
    """

    def __init__(
        self,
        face_model: FaceModel | Config = "ProceduralFace",
        renderer: Renderer | Config = "torch",
        detector: LandmarkDetector | Config | None = None,
        regressor: nn.Module | None = None,
        *,
        schedule: str | Sequence[FitStep | Config] = "fast",
        fit_model: FaceModel | Config | None = None,
        centre: str = "start",
        worst_landmarks: float = 0.05,
        chunk: int | None = None,
        min_confidence: float = 0.0,
        contour: Contour | None = None,
        framed: bool = False,
        judged: bool = True,
    ) -> None:
        super().__init__()
        if centre not in ("start", "mean"):
            raise InputError(f"centre must be 'start' or 'mean', got {centre!r}")
        if not worst_landmarks > 0 or (chunk is not None and chunk < 1):
            raise InputError(f"expected worst_landmarks > 0 and chunk ≥ 1, got {worst_landmarks} and {chunk}")
        if not 0 <= min_confidence <= 1:
            raise InputError(f"expected min_confidence in [0, 1], got {min_confidence}")
        if min_confidence > 0 and not judged:
            raise InputError(f"min_confidence {min_confidence} needs judged=True: without it no confidence is measured")
        if contour is not None and contour not in CONTOURS:
            raise InputError(f"contour must be one of {', '.join(CONTOURS)} or None, got {contour!r}")
        self.face_model: FaceModel = FACE_MODELS.build(face_model)
        self.fit_model: FaceModel = self.face_model if fit_model is None else FACE_MODELS.build(fit_model)
        if self.fit_model.layout != self.face_model.layout:
            raise InputError(
                f"fit_model has the coefficients {self.fit_model.layout.groups}, the face model"
                f" {self.face_model.layout.groups}: only a coarser version of the same model can stand in for it"
            )
        self.renderer: Renderer = RENDERERS.build(renderer)
        self.detector: LandmarkDetector | None = None if detector is None else LANDMARK_DETECTORS.build(detector)
        self.regressor = regressor
        self.steps: list[FitStep] = [FIT_STEPS.build(step) for step in steps_of(schedule)]
        self.centre, self.worst_landmarks, self.chunk = centre, worst_landmarks, chunk
        self.min_confidence, self.contour, self.framed, self.judged = min_confidence, contour, framed, judged
        self.fits_colours = any({"albedo", "lighting"} & set(getattr(step, "groups", ())) for step in self.steps)
        self.photometric = PhotometricLoss()

    @torch.no_grad()
    def fit(
        self,
        images: Tensor,
        landmarks: Landmarks | None = None,
        *,
        mask: Tensor | None = None,
        names: Sequence[str] | None = None,
        most: Mapping[str, float] | None = None,
    ) -> Fit:
        """Coefficients of ``images (B, 3, H, W)`` in [0, 1], in the whole frame of the pictures.

        Args:
            landmarks: pixel space of the images; by default the detector's.
            mask: ``(B, 1, H, W)`` in [0, 1], the pixels that count; by default all.
            names: of the pictures, for a detector that reads a file.
            most: the highest amounts of movements by name, 1 is full, of a face model with limits.
        """
        images, landmarks, mask, contour = self._read(images, landmarks, mask, names)
        chunk = self.chunk or (_CHUNK_ON_CPU if images.device.type == "cpu" else _CHUNK)
        parts = []
        for start in range(0, len(images), chunk):
            rows = slice(start, start + chunk)
            part = None if mask is None else mask[rows]
            parts.append(self._fit_chunk(images[rows], landmarks[rows], part, contour, most=most))
        return Fit.cat(parts)

    @torch.no_grad()
    def fit_person(
        self,
        images: Tensor,
        landmarks: Landmarks | None = None,
        *,
        mask: Tensor | None = None,
        names: Sequence[str] | None = None,
        most: Mapping[str, float] | None = None,
    ) -> Fit:
        """Coefficients of several pictures of one person: identity and albedo are the same in all rows that are ok.

        Each picture is fitted by itself first; then all that are ok together, as far as the confidence of their own
        fits goes. A picture that could not be fitted by itself keeps its row and its reason. Arguments as in
        :meth:`fit`; the schedule consists of ``LandmarkStep`` and ``SurfaceStep``.
        """
        for step in self.steps:
            if not isinstance(step, (LandmarkStep, SurfaceStep)):
                raise InputError(
                    "pictures of one person are fitted together by LandmarkStep and SurfaceStep, got"
                    f" {type(step).__name__}: choose the schedule 'fast', 'precise' or 'landmarks'"
                )
        images, landmarks, mask, contour = self._read(images, landmarks, mask, names)
        own = self.fit(images, landmarks, mask=mask, names=names, most=most)
        rows = own.ok.nonzero()[:, 0]
        if len(rows) < 2:
            return own
        layout = self.fit_model.layout
        shared = torch.zeros(layout.size, dtype=torch.bool, device=rows.device)
        shared[group_columns(layout, SHARED)] = True
        away = own.coefficients.rotation[rows, :2].norm(dim=1).clamp(max=math.pi / 2)
        trust = (own.confidence[rows] * away.cos() ** _TURNED).clamp_min(_LEAST_TRUST)
        sharing = Sharing.of(len(rows), shared, trust / trust.max())
        part = None if mask is None else mask[rows]
        joint = self._fit_chunk(
            images[rows], landmarks[rows], part, contour, start=own.coefficients.data[rows], sharing=sharing, most=most
        )
        place = torch.arange(len(images), device=rows.device)
        place[rows] = len(images) + torch.arange(len(rows), device=rows.device)
        return Fit.cat([own, joint])[place]

    def _read(
        self, images: Tensor, landmarks: Landmarks | None, mask: Tensor | None, names: Sequence[str] | None
    ) -> tuple[Tensor, Landmarks, Tensor | None, Contour]:
        """The input of a fit, checked, on the model's device; landmarks of the detector where none are given."""
        device = self.face_model.mean.device
        sizes = check_shape("images", images, ("B", 3, "H", "W"))
        check_floating("images", images)
        images = images.to(device=device, dtype=self.face_model.mean.dtype)
        if mask is not None:
            check_shape("mask", mask, (sizes["B"], 1, sizes["H"], sizes["W"]))
            mask = mask.to(images)
        contour: Contour = self.contour or "visible"
        if landmarks is None:
            if self.detector is None:
                raise InputError("give landmarks, or the fitter a detector: Fitter(detector='SyntheticLandmarks')")
            contour = self.contour or self.detector.contour
            landmarks = self.detector.detect(images, names)
            if len(landmarks) == sizes["B"]:
                landmarks = self.detector.look_again(images, landmarks, names)
        if len(landmarks) != sizes["B"]:
            raise InputError(f"expected landmarks of {sizes['B']} images, got {len(landmarks)}")
        if sizes["B"] == 0:
            raise InputError("images is an empty batch (0, 3, H, W); there is nothing to fit")
        landmarks = landmarks.to(device=device, dtype=images.dtype)
        return images, landmarks, mask, contour

    def forward(self, images: Tensor, landmarks: Landmarks | None = None) -> Fit:
        """The same as :meth:`fit`."""
        return self.fit(images, landmarks)

    def start(self, images: Tensor) -> Tensor:
        """The first guess ``(B, N)``."""
        if self.regressor is None:
            return likely(self.face_model.layout, images).expand(len(images), -1).clone()
        guess: Coefficients = self.regressor(images)
        self.face_model.check_layout(guess)
        return guess.data.to(images)

    def _fit_chunk(
        self,
        images: Tensor,
        landmarks: Landmarks,
        mask: Tensor | None,
        contour: Contour,
        *,
        start: Tensor | None = None,
        sharing: Sharing | None = None,
        most: Mapping[str, float] | None = None,
    ) -> Fit:
        """Fit some pictures; from ``start (B, N)`` and with shared columns if those are given, which all are ok."""
        model = self.fit_model
        readable = torch.isfinite(images).flatten(1).all(1)
        placed = torch.isfinite(landmarks.points).flatten(1).all(1)
        spread_out = (landmarks.points - landmarks.points[:, :1]).abs().flatten(1).amax(1) > _ONE_POINT
        reasons = [
            "the picture holds NaN or infinity"
            if not good
            else why
            if not found
            else "landmarks are NaN"
            if not at
            else ""
            if apart
            else "all landmarks are one point"
            for good, found, why, at, apart in zip(
                readable.tolist(), landmarks.found.tolist(), landmarks.reasons, placed.tolist(), spread_out.tolist()
            )
        ]
        rows = (readable & landmarks.found & placed & spread_out).nonzero()[:, 0]
        x = images.new_full((len(images), model.layout.size), torch.nan)
        iterations = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        errors = torch.full_like(x[:, :2], torch.nan)
        evidence = torch.full_like(x[:, : len(PARTS)], torch.nan)
        if len(rows):
            guess = self.start(images[rows])
            first = guess if start is None else start[rows]
            guessed = self.regressor is not None and self.centre == "start"
            problem = Problem(
                model,
                self.renderer,
                images[rows],
                landmarks.points[rows],
                None if mask is None else mask[rows],
                centre=guess if guessed else likely(model.layout, images),
                guessed=guessed,
                contour=contour,
                sharing=sharing,
                framed=self.framed,
                most=most or {},
            )
            found = first if problem.bounds is None else first.clamp(*problem.bounds)
            for step in self.steps:
                found, taken = step.run(problem, found)
                iterations[rows] += taken
            x[rows] = found
            good = torch.isfinite(found).all(1)
            if bool(good.any()):
                errors[rows[good]], evidence[rows[good]] = self._judge(
                    problem, found, good.nonzero()[:, 0], landmarks[rows]
                )
        limit = self.worst_landmarks * min(images.shape[2:])
        for row, reason in enumerate(reasons):
            if not reason and not bool(torch.isfinite(x[row]).all()):
                reasons[row] = "the optimiser met NaN"
            elif not reason and not float(errors[row, 0]) <= limit:
                share = 100 * float(errors[row, 0]) / min(images.shape[2:])
                reasons[row] = f"its landmarks stay {share:.1f} % of the image away: not a face, or not in this frame"
        confidence, doubts = confidence_of(evidence), [""] * len(images)
        for row, (reason, value) in enumerate(zip(reasons, confidence.tolist())):
            doubt = "" if reason or value >= max(DOUBTFUL, self.min_confidence) else doubt_of(evidence[row].tolist())
            if not reason and value < self.min_confidence:
                reasons[row] = f"its confidence {value:.2f} is below {self.min_confidence:g}: {doubt}"
            elif value < DOUBTFUL:
                doubts[row] = doubt
        ok = torch.tensor([not reason for reason in reasons], device=images.device)
        return Fit(
            Coefficients(x, model.layout),
            ok,
            tuple(reasons),
            errors[:, 0],
            errors[:, 1],
            iterations,
            evidence,
            confidence,
            tuple(doubts),
        )

    def _judge(self, problem: Problem, x: Tensor, rows: Tensor, landmarks: Landmarks) -> tuple[Tensor, Tensor]:
        """``(b, 2)``: landmarks in pixels, photometric; and the evidence ``(b, 7)``. ``rows`` are those of the problem,
        of which ``landmarks`` are all."""
        height, width = problem.size
        context = PredictionContext.of(problem.face_model, self.renderer, problem.contour)
        pred = Prediction(context, x[rows], height, width)
        apart = pred["landmarks"] * min(height, width) - problem.landmarks[rows]
        distance = torch.linalg.vector_norm(apart, dim=2).mean(1)
        if not self.judged:
            unknown = distance.new_full((len(rows), len(PARTS)), torch.nan)
            return torch.stack([distance, unknown[:, 0]], 1), unknown
        target = {"image": problem.images[rows]}
        if problem.mask is not None:
            target["mask"] = problem.mask[rows]
        photometric = self.photometric.per_image(pred, target)
        evidence = measure(
            problem.face_model,
            pred,
            x[rows],
            self.renderer.camera,
            images=target["image"],
            mask=target.get("mask"),
            score=landmarks.score[rows],
            disagreement=landmarks.looks_apart[rows],
            landmark_error=distance,
            photometric=photometric if self.fits_colours else torch.full_like(photometric, torch.nan),
        )
        return torch.stack([distance, photometric], 1), evidence


def steps_of(schedule: str | Sequence[FitStep | Config]) -> Sequence[FitStep | Config]:
    """The configs of a schedule that is named, or the list itself."""
    if not isinstance(schedule, str):
        if not schedule:
            raise InputError("a schedule needs at least one step")
        return schedule
    if schedule not in SCHEDULES:
        known = ", ".join(SCHEDULES)
        raise InputError(f"no schedule is called {schedule!r}; known: {known}{did_you_mean(schedule, SCHEDULES)}")
    return SCHEDULES[schedule]
