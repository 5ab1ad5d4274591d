"""An ARKit table for models whose modes have no names: the coefficients that move a face as another head's shapes do.

The reference head is brought onto the model by the 68 landmarks and a smooth warp between them; then the motion of its
skin is looked for in the span of the model's expression modes, by bounded least squares. No file is needed: the
reference is the procedural face unless another head with a table is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from scipy.interpolate import RBFInterpolator
from scipy.optimize import lsq_linear
from scipy.spatial import cKDTree
from torch import Tensor

from faceuv.geometry.normals import vertex_normals
from faceuv.models.faces.arkit.names import NAMES
from faceuv.models.faces.arkit.table import ARKitTable, arkit_table
from faceuv.registry import FACE_MODELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from faceuv.models.faces.base import FaceModel

_REFERENCE = {"type": "ProceduralFace", "rows": 97, "columns": 81}
_POINTS = 1500  # of the skin, besides the landmarks
_REACH = 0.12  # dm: skin of the model farther than this from the reference's has no partner
_NORMAL = 0.15  # dm that opposite normals count as half of: keeps the upper lip's partners off the lower lip
_LANDMARK_SHARE = 0.4  # of the whole weight
_PRIOR = 1e-6  # dm², of one standard deviation: a tenth of a millimetre
_LARGEST = 4.0  # standard deviations, where the model names no limits
_SETTLED = 0.01  # standard deviations
_STEPS = 4  # of Gauss–Newton, for models that do not move linearly
EXPRESSED = 0.3
"""A shape counts as expressible if so much of the reference's squared motion is reproduced."""


def solved_table(model: FaceModel, reference: FaceModel | None = None) -> ARKitTable:
    """The table of ``model`` (see the module) with the share of each shape's motion that it explains."""
    if reference is None:
        reference = FACE_MODELS.build(_REFERENCE)
    source = arkit_table(reference)
    index, partner, weight = _partners(model, reference)
    lows, highs = _limits(model)
    matrix = model.mean.new_zeros(len(NAMES), model.layout.expression)
    explained: dict[str, float] = {}
    for name in source.expressible:
        row = source.matrix[NAMES.index(name)][None].to(reference.mean)
        target = _moved(reference, row, partner)
        found, share = _solved(model, index, target, weight, lows, highs)
        explained[name] = share
        if share >= EXPRESSED:
            matrix[NAMES.index(name)] = torch.from_numpy(found).to(matrix)
    return ARKitTable(matrix, "solved", explained)


def _solved(
    model: FaceModel,
    index: Tensor,
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    lows: NDArray[np.float64],
    highs: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Coefficients ``(E,)`` that move the vertices ``index (P,)`` by ``target (P, 3)``, and the share explained."""
    root = np.sqrt(weight)[:, None]
    energy = float((root**2 * target**2).sum())
    found = np.zeros(len(lows))
    prior = np.sqrt(_PRIOR) * np.eye(len(lows))
    for _ in range(1 if model.linear else _STEPS):
        present = torch.from_numpy(found)[None].to(model.mean)
        nobody = model.mean.new_zeros(1, model.layout.identity)
        slope = model.slopes(nobody, present, index)[0, :, :, model.layout.identity :]
        basis = slope.detach().cpu().double().numpy()  # (P, 3, E)
        missing = target - _moved(model, present, index) + basis @ found
        system = np.concatenate([(basis * root[:, :, None]).reshape(-1, len(lows)), prior])
        aim = np.concatenate([(missing * root).reshape(-1), np.zeros(len(lows))])
        before, square, pull = found, system.T @ system, system.T @ aim
        found = np.linalg.solve(square, pull)
        if (found < lows).any() or (found > highs).any():
            half = np.linalg.cholesky(square)  # the same least squares in as many rows as modes
            found = lsq_linear(half.T, np.linalg.solve(half, pull), bounds=(lows, highs)).x
        if np.abs(found - before).max() < _SETTLED:
            break
    rest = target - _moved(model, torch.from_numpy(found)[None].to(model.mean), index)
    share = 1 - float((root**2 * rest**2).sum()) / max(energy, 1e-18)
    return found, share


def _moved(model: FaceModel, expression: Tensor, index: Tensor) -> NDArray[np.float64]:
    """``(P, 3)`` dm: how an expression ``(1, E)`` moves vertices of the mean face."""
    identity = model.mean.new_zeros(1, model.layout.identity)
    both = torch.cat([torch.zeros_like(expression), expression])
    with torch.no_grad():
        rest, moved = model.shape(identity.expand(2, -1), both)
    return (moved - rest)[index].detach().cpu().double().numpy()


def _limits(model: FaceModel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    limits = model.expression_limits
    if limits is None:
        edge = np.full(model.layout.expression, _LARGEST)
        return -edge, edge
    low, high = limits.detach().cpu().double().clamp(-_LARGEST, _LARGEST).numpy().T
    return low - 1e-9, high + 1e-9


def _partners(model: FaceModel, reference: FaceModel) -> tuple[Tensor, Tensor, NDArray[np.float64]]:
    """Vertices of the model, their partners on the reference, and weights (sum 1). The landmarks come first."""
    marks, theirs = (head.mean[head.landmarks].detach().cpu().double().numpy() for head in (model, reference))
    own = model.skin_mask.nonzero()[:, 0].cpu()
    own = own[:: max(1, len(own) // _POINTS)]
    skin = reference.skin_mask.nonzero()[:, 0].cpu()
    warp = RBFInterpolator(theirs, marks, kernel="thin_plate_spline", smoothing=1e-4)
    warped = warp(reference.mean[skin].detach().cpu().double().numpy())
    feature = np.concatenate([warped, _NORMAL * _normals(reference)[skin]], 1)
    wanted = np.concatenate([model.mean[own].detach().cpu().double().numpy(), _NORMAL * _normals(model)[own]], 1)
    distance, nearest = cKDTree(feature).query(wanted)
    near = distance < _REACH
    own, partner = own[near], skin[torch.from_numpy(nearest[near])]
    index = torch.cat([model.landmarks.cpu(), own])
    counts = len(marks), max(len(own), 1)
    weight = np.repeat([_LANDMARK_SHARE / counts[0], (1 - _LANDMARK_SHARE) / counts[1]], [counts[0], len(own)])
    return index, torch.cat([reference.landmarks.cpu(), partner]), weight


def _normals(model: FaceModel) -> NDArray[np.float64]:
    normals = F.normalize(vertex_normals(model.mean[None], model.faces)[0], dim=1)
    return normals.detach().cpu().double().numpy()
