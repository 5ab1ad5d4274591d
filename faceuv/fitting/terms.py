"""Terms of the fitting objective that need no picture: landmarks, and priors on coefficients."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from faceuv.errors import InputError, did_you_mean
from faceuv.losses import landmark_weights
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.kinematics import Posed
from faceuv.models.faces.sliding import Contour, SlidingLandmarks
from faceuv.structures import Camera, CoefficientLayout

LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
LIPS = ((61, 67), (62, 66), (63, 65))


class LandmarkTerm:
    """``weight · Σ_l ŵ_l ρ(‖p_l − q_l‖²)`` of projected landmarks p and the picture's q, in units of the image's side.

    ``closing`` adds the same of the differences between upper and lower lids and lips, :data:`LIDS` and :data:`LIPS`: a
    detector that is off is off at both alike, so how far eyes and mouth are open is better known than where they are.

    ρ(s) = 2c(√(s + c²) − c) is s for distances well below c and grows like the distance beyond: a misplaced landmark
    does not pull the rest along.

    Args:
        points: ``(B, 68, 2)`` pixels.
        emphasis: see :class:`~faceuv.losses.LandmarkLoss`.
        robust: c, in units of the image's side; None for squares.
        closing: weight of the mean over the lids and lips; 0 for none.
        contour: whether the jaw's points are on the silhouette that is seen, ``"visible"``, or points of the head; see
            :class:`~faceuv.models.faces.sliding.SlidingLandmarks`.
    """

    def __init__(
        self,
        model: FaceModel,
        camera: Camera,
        points: Tensor,
        height: int,
        width: int,
        *,
        weight: float,
        emphasis: float,
        robust: float | None,
        closing: float = 0.0,
        contour: Contour = "visible",
    ) -> None:
        self.landmarks = SlidingLandmarks(model, contour)
        slides, count = self.landmarks.slides, len(points)
        self.chosen = torch.arange(68, device=points.device).repeat(count, 1) if slides else None
        self.camera, self.layout = camera, model.layout
        self.side, self.height, self.width = min(height, width), height, width
        self.target = points / self.side
        self.weights = weight * landmark_weights(emphasis).to(points)
        self.robust = robust
        gaps_between = LIDS + LIPS if closing else ()
        self.upper, self.lower = ([pair[end] for pair in gaps_between] for end in (0, 1))
        gaps = points.new_full((len(self.upper),), closing / len(LIDS + LIPS))
        self.weights = torch.cat([self.weights, gaps])

    def look(self, x: Tensor, rows: Tensor) -> Tensor:
        """Choose what each landmark is at ``x (b, N)``, until the next call; which rows changed ``(b,)``."""
        changed = torch.zeros(len(x), dtype=torch.bool, device=x.device)
        if self.chosen is not None:
            posed = Posed.of(self.landmarks.points, x, self.layout)
            chosen = self.landmarks.chosen(posed.world, posed.rotation, self.camera)
            assert chosen is not None
            changed = (chosen != self.chosen[rows]).any(1)
            self.chosen[rows] = chosen
        return changed

    def _posed(self, x: Tensor, rows: Tensor, *, slopes: bool = False) -> Posed:
        chosen = None if self.chosen is None else self.chosen[rows]
        return Posed.of(self.landmarks.points, x, self.layout, slopes=slopes, chosen=chosen)

    def cost(self, x: Tensor, rows: Tensor) -> Tensor:
        posed = self._posed(x, rows)
        squared = self._with_gaps(self._difference(posed, rows)).square().sum(2)
        if self.robust is not None:
            squared = squared * 2 * self.robust / ((squared + self.robust**2).sqrt() + self.robust)
        return squared @ self.weights

    def system(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        posed = self._posed(x, rows, slopes=True)
        difference = self._with_gaps(self._difference(posed, rows))
        weight = self.weights.expand(len(x), -1)
        if self.robust is not None:
            weight = weight * self.robust / (difference.square().sum(2) + self.robust**2).sqrt()
        root = weight.sqrt()[:, :, None]
        jacobian = self._with_gaps(posed.jacobian(posed.projection(self.camera))) * root[..., None]  # (b, 68 …, 2, N)
        jacobian, residual = jacobian.flatten(1, 2), (difference * root).flatten(1)
        return jacobian.transpose(1, 2) @ jacobian, (residual[:, None] @ jacobian)[:, 0]

    def _with_gaps(self, values: Tensor) -> Tensor:
        """``(b, 68, …)`` → with the differences across lids and lips behind them."""
        if not self.upper:
            return values
        return torch.cat([values, values[:, self.upper] - values[:, self.lower]], 1)

    def _difference(self, posed: Posed, rows: Tensor) -> Tensor:
        return posed.pixels(self.camera, self.height, self.width) / self.side - self.target[rows]


class PriorTerm:
    """``Σ_g weight_g · ‖x_g − centre_g‖²`` over groups of coefficients.

    Args:
        weights: group → weight; a group that is not named is free.
        centre: ``(B, N)`` or ``(1, N)``, what is most likely.
    """

    def __init__(self, layout: CoefficientLayout, weights: Mapping[str, float], centre: Tensor) -> None:
        self.centre = centre
        self.weights = torch.zeros(layout.size, device=centre.device, dtype=centre.dtype)
        for group, weight in weights.items():
            check_group(layout, group)
            if not weight >= 0:
                raise InputError(f"the weight of {group} must not be negative, got {weight}")
            self.weights[layout.slice(group)] = weight

    def _away(self, x: Tensor, rows: Tensor) -> Tensor:
        return x - (self.centre if len(self.centre) == 1 else self.centre[rows])

    def cost(self, x: Tensor, rows: Tensor) -> Tensor:
        return self._away(x, rows).square() @ self.weights

    def system(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        return torch.diag(self.weights).expand(len(x), -1, -1), self._away(x, rows) * self.weights


class SparseTerm:
    """``Σ_k weight_k · x_k`` of amounts that are never negative: most stay exactly 0. ``weights (N,)``."""

    def __init__(self, weights: Tensor) -> None:
        self.weights = weights
        self.square = torch.zeros(len(weights), len(weights)).to(weights)

    def cost(self, x: Tensor, rows: Tensor) -> Tensor:
        return x.clamp_min(0) @ self.weights

    def system(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        return self.square.expand(len(x), -1, -1), (0.5 * self.weights).expand(len(x), -1)


class QuadraticTerm:
    """``weight · (‖A·x + b‖²)``, the same for every image: ``A (M, N)``, ``b (M,)``."""

    def __init__(self, matrix: Tensor, offset: Tensor, weight: float) -> None:
        self.weight = weight
        self.square, self.slope, self.constant = matrix.T @ matrix, matrix.T @ offset, offset.square().sum()

    def cost(self, x: Tensor, rows: Tensor) -> Tensor:
        value = ((x @ self.square) * x).sum(1) + 2 * x @ self.slope + self.constant
        return self.weight * value

    def system(self, x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        matrix = self.weight * self.square
        return matrix.expand(len(x), -1, -1), x @ matrix + self.weight * self.slope


def albedo_variance_term(model: FaceModel, weight: float) -> QuadraticTerm:
    """:class:`~faceuv.losses.AlbedoVariance` as a function of the coefficients."""
    mask = model.skin_mask
    mean, basis = model.mean_albedo[mask], model.albedo_basis[mask]
    scale = mask.sum().to(mean).sqrt()
    mean, basis = (mean - mean.mean(0)).flatten() / scale, (basis - basis.mean(0)).flatten(0, 1) / scale
    square, slope = basis.T @ basis, basis.T @ mean
    # only products are needed: a square root of A rows stands for the many rows of the skin
    root = torch.linalg.cholesky(square + 1e-9 * square.diagonal().mean() * torch.eye(len(square)).to(square))
    offset = torch.linalg.solve_triangular(root, slope[:, None], upper=False)[:, 0]
    matrix = torch.zeros(len(square), model.layout.size).to(mean)
    matrix[:, model.layout.slice("albedo")] = root.T
    term = QuadraticTerm(matrix, offset, weight)
    term.constant = mean.square().sum()
    return term


def check_group(layout: CoefficientLayout, group: str) -> None:
    """Refuse a group that the layout does not have."""
    if group not in layout.groups:
        known = ", ".join(layout.groups)
        raise InputError(f"no coefficient group {group!r}; the groups are {known}{did_you_mean(group, layout.groups)}")


def group_columns(layout: CoefficientLayout, groups: tuple[str, ...]) -> Tensor:
    """The columns of some groups, ``(n,)`` int64."""
    for group in groups:
        check_group(layout, group)
    return torch.cat([torch.arange(layout.size)[layout.slice(group)] for group in groups])
