"""A fitting step by gradient descent through the renderer, as in the papers: any losses, no second derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.fitting.steps import ALL, FitStep, Problem, check_settings
from faceuv.fitting.terms import group_columns
from faceuv.geometry import project
from faceuv.models.faces import FaceRenderer
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.kinematics import Posed
from faceuv.models.faces.sliding import Contour, SlidingLandmarks
from faceuv.registry import FIT_STEPS, LOSSES
from faceuv.renderers.base import Renderer
from faceuv.structures import Coefficients, Render

_BETAS, _TINY = (0.9, 0.999), 1e-8


class ImageLoss(Protocol):
    """A loss with a value for each image; it moves its buffers to the device of its inputs."""

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``."""


@FIT_STEPS.register_module()
class AdamStep(FitStep):
    """Adam on losses of the landmarks, the rendered picture and the coefficients; each image has its own moments.

    Args:
        losses: name → ``dict(type=…, weight=…)`` of losses with ``per_image``; :class:`Prediction` lists
            their inputs. Nothing is rendered unless a loss reads the picture.
        groups: the groups of coefficients that move.
        rate: the learning rate, or one for each group.
        iterations: largest number of iterations.
        patience: an image is done when its loss has not fallen by a share of ``tolerance`` in so many iterations; None
            always runs all iterations.
    """

    def __init__(
        self,
        losses: Mapping[str, Mapping[str, Any] | None],
        groups: Sequence[str] = ALL,
        *,
        rate: float | Mapping[str, float] = 1e-2,
        iterations: int = 500,
        patience: int | None = None,
        tolerance: float = 1e-3,
    ) -> None:
        rates = dict(rate) if isinstance(rate, Mapping) else dict.fromkeys(groups, rate)
        check_settings(iterations=iterations, tolerance=tolerance, patience=patience or 1, **rates)
        if missing := sorted(set(groups) - set(rates)):
            raise InputError(f"no rate is given for {', '.join(missing)}")
        self.groups, self.rates, self.iterations = tuple(groups), rates, iterations
        self.patience, self.tolerance = patience, tolerance
        self.losses: dict[str, tuple[float, ImageLoss]] = {}
        for name, config in losses.items():
            if config is None:
                continue
            loss = LOSSES.build({key: value for key, value in config.items() if key != "weight"})
            if not hasattr(loss, "per_image"):
                raise InputError(f"losses.{name}: {type(loss).__name__} has no per_image, so it cannot fit images")
            self.losses[name] = (float(config.get("weight", 1.0)), loss)
        if not self.losses:
            raise InputError("AdamStep needs at least one loss")

    def run(self, problem: Problem, x: Tensor) -> tuple[Tensor, Tensor]:
        columns = group_columns(problem.face_model.layout, self.groups).to(x.device)
        sizes = problem.face_model.layout.groups
        rate = torch.cat([x.new_full((sizes[group],), self.rates[group]) for group in self.groups])
        x = x.detach().clone()
        first, second = (x.new_zeros(len(x), len(columns)) for _ in range(2))
        best = torch.full_like(x[:, 0], torch.inf)
        since, taken = (torch.zeros(len(x), dtype=torch.int64, device=x.device) for _ in range(2))
        rows = torch.isfinite(x).all(1).nonzero()[:, 0]
        context = PredictionContext.of(problem.face_model, problem.renderer, problem.contour)
        targets, bounds = target_of(problem), problem.bounds
        for iteration in range(1, self.iterations + 1):
            if not len(rows):
                break
            loss, gradient = self._slope(context, targets, x[rows], rows)
            lost = ~(torch.isfinite(loss) & torch.isfinite(gradient).all(1))
            x[rows[lost]] = torch.nan
            gradient, loss, rows = gradient[~lost], loss[~lost], rows[~lost]
            gradient = gradient.index_select(1, columns)
            taken[rows] += 1
            first[rows] = torch.lerp(gradient, first[rows], _BETAS[0])
            second[rows] = torch.lerp(gradient.square(), second[rows], _BETAS[1])
            mean, spread = first[rows] / (1 - _BETAS[0] ** iteration), second[rows] / (1 - _BETAS[1] ** iteration)
            x[rows] = x[rows].index_add(1, columns, -rate * mean / (spread.sqrt() + _TINY))
            if bounds is not None:
                x[rows] = x[rows].clamp(*bounds)
            if self.patience is not None:
                better = loss < best[rows] * (1 - self.tolerance)
                best[rows] = torch.where(better, loss, best[rows])
                since[rows] = torch.where(better, 0, since[rows] + 1)
                rows = rows[since[rows] < self.patience]
        return x, taken

    def _slope(
        self, context: PredictionContext, targets: Mapping[str, Tensor], x: Tensor, rows: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Loss ``(b,)`` and gradient ``(b, N)``; an image's gradient does not depend on the rest of the batch."""
        height, width = (int(side) for side in targets["image"].shape[2:])
        target = {name: value if name == "skin_mask" else value[rows] for name, value in targets.items()}
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            pred = Prediction(context, x, height, width)
            parts = [weight * loss.per_image(pred, target) for weight, loss in self.losses.values()]
            total = torch.stack(parts).sum(0)
            (gradient,) = torch.autograd.grad(total.sum(), x)
        return total.detach(), gradient


def target_of(problem: Problem) -> dict[str, Tensor]:
    """The targets of losses: ``image``, ``mask`` (if given), ``landmarks`` in units of the image's
    shorter side, ``skin_mask (V,)`` of the face model."""
    found = {
        "image": problem.images,
        "landmarks": problem.landmarks / min(problem.size),
        "skin_mask": problem.face_model.skin_mask,
    }
    return found if problem.mask is None else {**found, "mask": problem.mask}


@dataclass(frozen=True, eq=False)
class PredictionContext:
    """What all predictions of a face model share: its renderer and its landmarks."""

    drawing: FaceRenderer
    landmarks: SlidingLandmarks

    @classmethod
    def of(cls, model: FaceModel, renderer: Renderer, contour: Contour = "visible") -> PredictionContext:
        """For a face model and its renderer."""
        return cls(FaceRenderer(model, renderer), SlidingLandmarks(model, contour))


class Prediction(Mapping[str, Tensor]):
    """The predictions that losses may read, each computed at its first use: ``image``, ``mask`` (the rendered skin),
    ``landmarks`` in units of the image's shorter side, ``colours`` of the vertices, and each group of coefficients."""

    def __init__(self, context: PredictionContext, x: Tensor, height: int, width: int) -> None:
        self._context, self._height, self._width = context, height, width
        model = context.drawing.face_model
        self._coefficients = Coefficients(x, model.layout)
        self._known: dict[str, Tensor] = {}
        self._makers: dict[str, Callable[[], Tensor]] = {
            "image": lambda: self._render().image,
            "mask": lambda: skin_seen(model, self._render()),
            "landmarks": self._landmarks,
            "colours": lambda: model.albedo(self._coefficients.albedo),
            **{group: partial(self._coefficients.view, group) for group in model.layout.groups},
        }
        self._drawn: Render | None = None

    def __getitem__(self, key: str) -> Tensor:
        if key not in self._known:
            self._known[key] = self._makers[key]()
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def _render(self) -> Render:
        if self._drawn is None:
            self._drawn = self._context.drawing(self._coefficients, size=(self._height, self._width))
        return self._drawn

    def _landmarks(self) -> Tensor:
        landmarks, camera = self._context.landmarks, self._context.drawing.renderer.camera
        posed = Posed.of(landmarks.points, self._coefficients.data, self._coefficients.layout)
        points = landmarks.of(posed.world, posed.rotation, camera)
        place = project(points, camera, self._height, self._width)[..., :2]
        return place / min(self._height, self._width)


def skin_seen(model: FaceModel, render: Render) -> Tensor:
    """``(B, 1, H, W)`` in {0, 1}: the pixels that show skin of the face model."""
    skin = model.skin_mask[model.faces].all(1)
    seen = skin[render.face_id.clamp_min(0)] & (render.face_id >= 0)
    return seen[:, None].to(render.image.dtype)
