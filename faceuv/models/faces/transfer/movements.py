"""Movements that one model has and another lacks: ICT-FaceKit's ``tongueOut`` comes from MakeHuman this way."""

from __future__ import annotations

from typing import Any

import torch
from scipy.spatial import cKDTree
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.faces.base import FaceModel

INNER_PARTS = ("tongue", "teeth", "gums")  # that move part to part: the skin's correspondence does not reach them
_NEAREST = 4  # vertices of the source's part that a vertex of the target's follows
_LEAST = 1e-6

Pieces = tuple[dict[str, Tensor], dict[str, list[str]], dict[str, Any]]


def part_offsets(source: FaceModel, target: FaceModel, offsets: Tensor, turn: Tensor) -> Tensor:
    """Offsets of the source's vertices ``(B, V, 3)`` → of the target's ``(B, V', 3)`` on the inner parts that both
    have, 0 elsewhere. The parts' boxes are laid on each other; ``turn (3, 3)`` takes vectors to the target's frame."""
    made = offsets.new_zeros(len(offsets), len(target.mean), 3)
    if source.part is None or target.part is None:
        return made
    for part in INNER_PARTS:
        theirs, mine = source.vertices_of(part).nonzero()[:, 0], target.vertices_of(part).nonzero()[:, 0]
        if not len(theirs) or not len(mine):
            continue
        there = _in_box(source.mean[theirs] @ turn.T.to(source.mean)).cpu().numpy()
        here = _in_box(target.mean[mine]).cpu().numpy()
        distance, index = cKDTree(there).query(here, k=min(_NEAREST, len(there)))
        near = torch.from_numpy(1 / (distance.reshape(len(mine), -1) + _LEAST)).to(offsets)
        weights = near / near.sum(1, keepdim=True)
        found = offsets[:, theirs][:, torch.from_numpy(index.reshape(len(mine), -1)).to(offsets.device)]
        made[:, mine] = (found * weights[..., None]).sum(2) @ turn.T.to(offsets)
    return made


def _in_box(points: Tensor) -> Tensor:
    low, high = points.amin(0), points.amax(0)
    return (points - low) / (high - low).clamp_min(_LEAST)


def borrowed(target: FaceModel, source: FaceModel, *names: str, verbose: bool = True) -> Pieces:
    """Arrays, names and metadata of the target with movements of the source as further expression modes: a coefficient
    of 1 is the full movement, and lies in 0 … 1 where the target has limits.

    >>> arrays, names, metadata = borrowed(ict, makehuman, "tongueOut")                  # doctest: +SKIP
    >>> model = FaceModel(arrays, names=names, metadata=metadata)                        # doctest: +SKIP
    """
    from faceuv.models.faces.transfer.transfer import between

    known = [name for name in names if name in target.movements()]
    if known or not names:
        raise InputError(f"movements to borrow are names that the model lacks, got {', '.join(known) or 'none'}")
    rows = torch.cat([source.expression_coefficients(**{name: 1.0}) for name in names])
    rest = source.mean.new_zeros(len(rows), source.layout.identity)
    moved = source.shape(rest, rows) - source.shape(rest, torch.zeros_like(rows))
    fields = between(source, target, verbose=verbose).offsets(moved)
    arrays = {name: value for name, value in target.arrays().items() if value is not None}
    arrays["expression_basis"] = torch.cat([target.expression_basis, fields.permute(1, 2, 0).to(target.mean)], 2)
    if target.expression_limits is not None:
        more = target.expression_limits.new_tensor([[0.0, 1.0]]).repeat(len(names), 1)
        arrays["expression_limits"] = torch.cat([target.expression_limits, more])
    mode_names = {**target.mode_names, "expression": [*target.mode_names["expression"], *names]}
    full = {**target.metadata.get("full_expression", {}), **dict.fromkeys(names, 1.0)}
    from_ = {**target.metadata.get("borrowed_expression", {}), **dict.fromkeys(names, type(source).__name__)}
    return arrays, mode_names, {**target.metadata, "full_expression": full, "borrowed_expression": from_}
