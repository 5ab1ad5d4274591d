"""The linear SVM of two classes, solved in seconds.

Newton's method on the hinge loss with its corner rounded over a width h, and h quartered until the plane no longer
turns. Few codes lie on the rounded part, and codes are narrow, so a step costs little whether the classes overlap or
not; coordinate descent and SMO need minutes or do not converge when they do (figures on the page on directions).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from faceuv.errors import FaceUVError, InputError

_TURN = math.radians(0.1)  # of the normal between two widths, below which it has settled
_DECREMENT = 1e-6  # relative to |w|²: by strong convexity w is within a thousandth of the rounded loss's optimum
_STEPS_PER_WIDTH = 500
_SMALLEST_WIDTH = 1e-6


def separate(low: Tensor, high: Tensor, *, rows: int = 1, regularisation: float = 1.0) -> tuple[Tensor, float]:
    """The plane between codes w ``(n, D)`` that minimises ``½|w|² + C·Σ hinge``: its unit normal ``(D,)`` toward
    ``high``, and its offset along it, in float64.

    With ``rows`` = L it is the SVM of the flattened codes ``(n, L·D)`` with w repeated: their inner products are L
    times those of w, so w is scaled by √L.
    """
    codes = torch.cat([low, high]).double()
    centre, scale = codes.mean(0), math.sqrt(rows)
    if not bool((codes != codes[0]).any()):
        raise InputError("there is no plane between the ends: their codes are the same")
    sign = torch.cat([codes.new_full((len(low),), -1.0), codes.new_full((len(high),), 1.0)])
    # rows of y·(x, 1): the margins are their products with (normal, intercept)
    signed = torch.cat([(codes - centre) * scale, torch.ones_like(sign)[:, None]], 1) * sign[:, None]
    plane = _solve(signed, regularisation)
    normal, intercept = plane[:-1], float(plane[-1])
    length = float(normal.norm())
    return normal / length, float(centre @ normal) / length - intercept / (length * scale)


def _solve(signed: Tensor, strength: float) -> Tensor:
    size = signed.shape[1]
    penalty = signed.new_ones(size)
    penalty[-1] = 0  # the intercept is free
    plane = signed.new_zeros(size)
    before, width = plane[:-1], 4.0
    while width > _SMALLEST_WIDTH:
        plane = _minimise(signed, strength, plane, penalty, width)
        normal = plane[:-1] / plane[:-1].norm()
        if float((normal - before).norm()) <= _TURN:
            return plane
        before, width = normal, width / 4
    raise _not_converged()


def _minimise(signed: Tensor, strength: float, plane: Tensor, penalty: Tensor, width: float) -> Tensor:
    """Newton's method with exact line search from ``plane``; the loss is quadratic in pieces, so it ends."""
    for _ in range(_STEPS_PER_WIDTH):
        short = 1 - signed @ plane
        gradient = penalty * plane - strength * (signed.T @ (short / width).clamp(0, 1))
        curved = signed[(short > 0) & (short < width)]
        hessian = torch.diag(penalty) + strength / width * (curved.T @ curved)
        hessian[-1, -1] += 1e-6 * strength / width * len(signed)  # so that no code on the curve is no failure
        step = torch.linalg.solve(hessian, -gradient)
        # twice what a quadratic would still lose
        if -float(gradient @ step) <= _DECREMENT * float((penalty * plane).square().sum()):
            return plane
        plane = plane + _line_search(signed @ step, short, plane, step, penalty, strength, width) * step
    raise _not_converged()


def _line_search(
    change: Tensor, short: Tensor, plane: Tensor, step: Tensor, penalty: Tensor, strength: float, width: float
) -> float:
    """Where along ``step`` the convex loss is least, by bisection on its slope."""
    first, second = float((penalty * plane) @ step), float((penalty * step) @ step)

    def slope(t: float) -> float:
        return first + t * second - strength * float(change @ ((short - t * change) / width).clamp(0, 1))

    below, above = 0.0, 1.0
    while slope(above) < 0 and above < 1e6:
        below, above = above, 2 * above
    for _ in range(25):
        middle = (below + above) / 2
        below, above = (middle, above) if slope(middle) < 0 else (below, middle)
    return (below + above) / 2


def _not_converged() -> FaceUVError:
    return FaceUVError("the linear SVM did not converge; a smaller regularisation makes it easier")
