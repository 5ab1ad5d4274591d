"""The steps of a fit. Each improves the coefficients of a batch of pictures independently."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.fitting.priors import amounts_of, prior_terms
from faceuv.fitting.solver import Solution, Term, minimise
from faceuv.fitting.surface import SurfaceSamples, SurfaceTerm
from faceuv.fitting.terms import LandmarkTerm, group_columns
from faceuv.fitting.together import Sharing, minimise_together
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.sliding import Contour
from faceuv.registry import FIT_STEPS
from faceuv.renderers.base import Renderer

RIGID = ("rotation", "translation")
SHAPE = (*RIGID, "identity", "expression")
ALL = (*SHAPE, "albedo", "lighting")
SHARED = ("identity", "albedo")
"""The groups that are the same in all pictures of one person."""
# 1e-3 over the variance: coefficients count standard deviations, light strays by about 0.08 from an average portrait's,
# the regressor's angles by 0.02 radians and its distance by 0.15 dm.
PRIOR: Mapping[str, float] = {
    "identity": 1e-3,
    "expression": 2e-3,
    "albedo": 1.5e-3,
    "lighting": 0.15,
    "rotation": 2.0,
    "translation": 0.05,
}
TINT = 3.0
# 1e-3 over the variance of the distance (0.4 dm) of heads in squares that were laid around them. Without it noise of
# the landmarks brings the head nearer and makes it smaller, for from near the same coefficients move more pixels.
DISTANCE = 6e-3
_HELD = 6  # iterations with the same candidates of the jaw's points
CLOSING = 2.0  # 1e-3 over the variance of a lid's distance from the other, 1 % of the image, for seven pairs
LANDMARKS = 30.0  # 1e-3 over the variance, and errors of a detector's 68 points go together: about seven count


@dataclass(frozen=True, eq=False)
class Problem:
    """The input of a fit.

    images (B, 3, H, W)  in [0, 1];  landmarks (B, 68, 2)  pixels
    mask (B, 1, H, W)    which pixels count, or None for all
    centre (B or 1, N)   the most likely coefficients, before the picture is seen
    guessed              whether the centre's pose is a guess from the picture; else pose has no prior
    contour              whether the landmarks of the jaw lie on the contour that is seen or are points of the head
    sharing              of pictures of one person, the columns that all rows share; None: rows are independent
    framed               whether the pictures are squares that were laid around faces by their landmarks
    most                 of movements by name, the highest amounts, 1 is full, if lower than the model's
    """

    face_model: FaceModel
    renderer: Renderer
    images: Tensor
    landmarks: Tensor
    mask: Tensor | None
    centre: Tensor
    guessed: bool = False
    contour: Contour = "visible"
    sharing: Sharing | None = None
    framed: bool = False
    most: Mapping[str, float] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures."""
        return self.images.shape[2], self.images.shape[3]

    @property
    def bounds(self) -> tuple[Tensor, Tensor] | None:
        """Lowest and highest coefficients ``(N,)``, of a face model with ``expression_limits``."""
        model = self.face_model
        if model.expression_limits is None:
            if self.most:
                raise InputError(f"this {model.kind} has no limits of expressions: fit it without most={self.most}")
            return None
        low, high = (torch.full_like(self.centre[0], edge) for edge in (-torch.inf, torch.inf))
        columns = model.layout.slice("expression")
        low[columns], high[columns] = model.expression_limits.to(self.centre).unbind(1)
        for name, amount in self.most.items():
            for column, full in model.movement(name).items():
                high[columns.start + column].clamp_(max=amount * full)
        return low, high

    def priors(self, weights: Mapping[str, float], groups: Sequence[str], tint: float) -> list[Term]:
        """The priors of the groups that move, see :func:`~faceuv.fitting.priors.prior_terms`."""
        known = groups if self.guessed else [group for group in groups if group not in RIGID]
        chosen = {group: weight for group, weight in weights.items() if group in known}
        if self.sharing is not None:  # the prior of what is shared counts once, not once a picture
            total = float(self.sharing.trust.sum())
            chosen = {name: weight / (total if name in SHARED else 1) for name, weight in chosen.items()}
        amounts = None if self.guessed else amounts_of(self.face_model)
        near = DISTANCE if self.framed and "translation" in groups else 0.0
        return [*prior_terms(self.face_model.layout, chosen, self.centre, tint=tint, amounts=amounts, distance=near)]

    def minimise(
        self, data: Sequence[Term], priors: Sequence[Term], x: Tensor, columns: Tensor, *,
        iterations: int, tolerance: float, rows: Tensor | None = None,
    ) -> Solution:  # fmt: skip
        """Improve some columns of ``x (B, N)``: of each row by itself, or of all together where columns are shared."""
        if self.sharing is None:
            return minimise([*data, *priors], x, columns, rows=rows, bounds=self.bounds,
                            iterations=iterations, tolerance=tolerance)  # fmt: skip
        return minimise_together(data, priors, x, columns, self.sharing, bounds=self.bounds,
                                 iterations=iterations, tolerance=tolerance)  # fmt: skip


class FitStep(ABC):
    """One step of a schedule. A subclass is registered in ``FIT_STEPS`` and implements :meth:`run`."""

    @abstractmethod
    def run(self, problem: Problem, x: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients ``x (B, N)`` → better ones, and the iterations ``(B,)`` per row. A row that cannot be improved
        is returned unchanged; one that diverged is NaN and does not affect the others."""


@FIT_STEPS.register_module()
class LandmarkStep(FitStep):
    """Levenberg–Marquardt on the landmarks and the priors: 136 residuals, so it costs little.

    Args:
        groups: the groups of coefficients that move.
        weight: of the landmarks' mean squared distance, in squared image sides.
        emphasis: how many times nose and mouth count.
        robust: distance, in image sides, from which on a landmark is distrusted; None: never.
        closing: how much the distances across lids and lips count, in those of the landmarks; of face models whose
            expressions are amounts (blend shapes), where a blink moves few landmarks and a prior holds it back.
        prior: group → weight of its squared distance from the most likely value; pose has one only after a regressor.
        iterations, tolerance: largest number of iterations; an image is done when a step gains less than this share.
    """

    def __init__(
        self,
        groups: Sequence[str] = SHAPE,
        *,
        weight: float = LANDMARKS,
        emphasis: float = 1.0,
        robust: float | None = 0.02,
        closing: float = CLOSING,
        prior: Mapping[str, float] = PRIOR,
        iterations: int = 30,
        tolerance: float = 1e-3,
    ) -> None:
        check_settings(weight=weight, emphasis=emphasis, iterations=iterations, tolerance=tolerance)
        self.groups, self.weight, self.emphasis, self.robust = tuple(groups), weight, emphasis, robust
        if not closing >= 0:
            raise InputError(f"closing must not be negative, got {closing}")
        self.closing = closing
        self.prior, self.iterations, self.tolerance = dict(prior), iterations, tolerance

    def term(self, problem: Problem) -> LandmarkTerm:
        """The landmarks' part of the objective."""
        closing = 0.0 if amounts_of(problem.face_model) is None else self.closing * self.weight
        return LandmarkTerm(
            problem.face_model, problem.renderer.camera, problem.landmarks, *problem.size,
            weight=self.weight, emphasis=self.emphasis, robust=self.robust,
            closing=closing, contour=problem.contour,
        )  # fmt: skip

    def run(self, problem: Problem, x: Tensor) -> tuple[Tensor, Tensor]:
        layout = problem.face_model.layout
        landmarks = self.term(problem)
        priors = problem.priors(self.prior, self.groups, tint=0)
        columns = group_columns(layout, self.groups).to(x.device)
        held = self.iterations if not landmarks.landmarks.slides else min(self.iterations, _HELD)
        taken = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        rows = torch.isfinite(x).all(1).nonzero()[:, 0]
        for left in range(self.iterations, 0, -held):
            # jaw points slide while the head turns: they are chosen again, then held fixed for a few iterations
            moved = landmarks.look(x[rows], rows) | (taken[rows] % held == 0)
            if problem.sharing is None:  # rows that share columns move together or not at all
                rows = rows[moved]
            if not bool(moved.any()):
                break
            found = problem.minimise([landmarks], priors, x, columns, rows=rows,
                                     iterations=min(held, left), tolerance=self.tolerance)  # fmt: skip
            x, taken = _lost_rows_as_nan(found), taken + found.iterations
            rows = rows[found.finite[rows]]
        return x, taken


@FIT_STEPS.register_module()
class SurfaceStep(FitStep):
    """Levenberg–Marquardt on everything: landmarks, priors and the colours of points of the skin.

    A round finds out which points are visible and takes a few steps with them. The tolerated colour difference falls
    from round to round: points that stay far off are hair, glasses or beard, and are ignored.

    Args:
        groups: the groups of coefficients that move.
        weight: of the mean squared colour difference.
        outliers: colour differences from which on a point is distrusted, one per round.
        samples: how many points of the skin.
        blur: σ of the Gaussian that the pictures are read through, in samples' distances; 0 for none.
        landmarks: settings of the landmarks' part, see :class:`LandmarkStep`.
        prior, tint: weights of the priors, see :func:`~faceuv.fitting.priors.prior_terms`.
        iterations: at most so many in each round.
    """

    def __init__(
        self,
        groups: Sequence[str] = ALL,
        *,
        weight: float = 30.0,
        outliers: Sequence[float] = (0.2, 0.08),
        samples: int = 400,
        blur: float = 0.0,
        landmarks: Mapping[str, float | None] | None = None,
        prior: Mapping[str, float] = PRIOR,
        tint: float = TINT,
        iterations: int = 4,
        tolerance: float = 1e-3,
    ) -> None:
        check_settings(weight=weight, samples=samples, iterations=iterations, tolerance=tolerance)
        if not outliers or min(outliers) <= 0:
            raise InputError(f"outliers are colour differences > 0, one per round, got {outliers}")
        self.groups, self.weight, self.outliers, self.samples = tuple(groups), weight, tuple(outliers), samples
        self.blur, self.landmarks = blur, LandmarkStep(**(landmarks or {}))  # type: ignore[arg-type]
        self.prior, self.tint, self.iterations, self.tolerance = dict(prior), tint, iterations, tolerance
        self._chosen: tuple[FaceModel, SurfaceSamples] | None = None

    def run(self, problem: Problem, x: Tensor) -> tuple[Tensor, Tensor]:
        layout = problem.face_model.layout
        surface = SurfaceTerm(
            self._samples(problem.face_model), problem.renderer, self._seen_through(problem.images), problem.mask,
            weight=self.weight, outlier=self.outliers[0],
        )  # fmt: skip
        priors = problem.priors(self.prior, self.groups, self.tint)
        landmarks = self.landmarks.term(problem)
        columns = group_columns(layout, self.groups).to(x.device)
        iterations = torch.zeros(len(x), dtype=torch.int64, device=x.device)
        for outlier in self.outliers:
            surface.outlier = outlier
            good = torch.isfinite(x).all(1).nonzero()[:, 0]
            if len(good):
                surface.look(x[good], good)
                landmarks.look(x[good], good)
            found = problem.minimise([landmarks, surface], priors, x, columns,
                                     iterations=self.iterations, tolerance=self.tolerance)  # fmt: skip
            x, iterations = _lost_rows_as_nan(found), iterations + found.iterations
        return x, iterations

    def _samples(self, model: FaceModel) -> SurfaceSamples:
        """Chosen once per face model."""
        known = self._chosen
        if known is None or known[0] is not model or known[1].colour.device != model.mean.device:
            known = self._chosen = (model, SurfaceSamples.choose(model, self.samples))
        return known[1]

    def _seen_through(self, images: Tensor) -> Tensor:
        """The pictures, blurred; about half of their width is skin, so the samples are that far apart."""
        sigma = self.blur * min(images.shape[2:]) * 0.5 / self.samples**0.5
        return images if sigma < 0.2 else blurred(images, sigma)


def blurred(images: Tensor, sigma: float) -> Tensor:
    """``images (B, C, H, W)`` through a Gaussian of ``sigma`` pixels, cut off at 2.5 σ; beyond its border a picture
    goes on as it ends."""
    from kornia.filters import gaussian_blur2d  # takes a while to import

    width = 2 * max(1, round(2.5 * sigma)) + 1
    smooth: Tensor = gaussian_blur2d(images, width, (sigma, sigma), border_type="replicate")
    return smooth


def check_settings(**settings: float) -> None:
    """Refuse settings that must be positive and are not."""
    wrong = {name: value for name, value in settings.items() if not value > 0}
    if wrong:
        raise InputError(f"settings of a fitting step must be positive, got {wrong}")


def _lost_rows_as_nan(found: Solution) -> Tensor:
    return found.x.masked_fill(~found.finite[:, None], torch.nan)
