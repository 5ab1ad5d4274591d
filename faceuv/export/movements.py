"""Morph targets of a face model: named movements, what they do to the eyes, and expressions as weights of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from faceuv.export.rig import EYES, Quaternion, rotation_quaternion, rotation_vector
from faceuv.models.faces.arkit import NAMES
from faceuv.models.faces.base import FaceModel

EyesBy = Literal["joints", "morphs"]
_LOOKS = np.radians(3.0)  # a movement that turns an eye by less does not make it look
_RIGID = 0.1  # of how far the eye moves: what a turn may leave unexplained
_SHOWN = 0.005  # a smaller weight stays in the resting face


@dataclass(frozen=True, eq=False)
class Movements:
    """The morph targets of a face model; they do not depend on the person.

    offsets       name → (V, 3) float32, decimetres, at a weight of 1
    coefficients  name → (E,) expression coefficients at a weight of 1
    eye_look      name → (joint, quaternion at a weight of 1), for movements whose turn of an eye is left to a joint
    """

    offsets: dict[str, np.ndarray]
    coefficients: dict[str, Tensor]
    eye_look: dict[str, tuple[str, Quaternion]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: FaceModel, eyes_by: EyesBy = "joints") -> Movements:
        """Of ``model``, computed once."""
        known = _KNOWN.setdefault(model, {})
        if eyes_by not in known:
            known[eyes_by] = _made(model, eyes_by)
        return known[eyes_by]

    @torch.no_grad()
    def of_person(self, model: FaceModel, identity: Tensor) -> Movements:
        """The movements of the person ``identity (1, I)``, where ``model`` moves people differently."""
        columns = list(model.personal_expressions)
        names = [name for name, row in self.coefficients.items() if columns and bool((row[columns] != 0).any())]
        if not names:
            return self
        rows = torch.stack([torch.zeros_like(self.coefficients[names[0]]), *(self.coefficients[n] for n in names)])
        own, mean = (model.shape(one.expand(len(rows), -1), rows) for one in (identity, torch.zeros_like(identity)))
        change = ((own - own[:1]) - (mean - mean[:1]))[1:].float().cpu().numpy()
        changed = {name: self.offsets[name] + change[k] for k, name in enumerate(names)}
        return replace(self, offsets={**self.offsets, **changed})

    def weights_of(self, expression: Tensor) -> tuple[dict[str, float], Tensor]:
        """``expression (E,)`` as weights of the movements, 0 … 1, and the expression that they leave ``(E,)``."""
        from scipy.optimize import nnls

        if not self.coefficients:
            return {}, expression
        columns = torch.stack(list(self.coefficients.values()), 1).double().cpu().numpy()
        found, _ = nnls(columns, expression.double().cpu().numpy())
        found = np.where(found < _SHOWN, 0.0, found.clip(0, 1))
        rest = expression - torch.from_numpy(columns @ found).to(expression)
        return {name: float(w) for name, w in zip(self.coefficients, found) if w > 0}, rest

    def pose(self, weights: dict[str, float]) -> dict[str, Quaternion]:
        """Turns of the eye joints that these weights mean."""
        vectors: dict[str, np.ndarray] = {}
        for name, weight in weights.items():
            if name in self.eye_look:
                joint, full = self.eye_look[name]
                vectors[joint] = vectors.get(joint, np.zeros(3)) + weight * rotation_vector(np.asarray(full))
        return {joint: _quaternion(vector) for joint, vector in vectors.items()}


_KNOWN: WeakKeyDictionary[FaceModel, dict[str, Movements]] = WeakKeyDictionary()


def movement_coefficients(model: FaceModel) -> dict[str, Tensor]:
    """The movements that become morph targets: name → expression coefficients ``(E,)`` at a weight of 1.

    They are the ARKit shapes that the model expresses, and its own named movements that no ARKit shape drives. Modes
    without a meaning would only make a file large.
    """
    table = model.arkit_table()
    found = {name: table.matrix[NAMES.index(name)] for name in table.expressible}
    driven = (table.matrix != 0).any(0).tolist()
    for name in model.metadata.get("full_expression", {}):
        movement = model.movement(name)
        if name not in found and not any(driven[column] for column in movement):
            row = model.mean.new_zeros(model.layout.expression)
            for column, full in movement.items():
                row[column] = full
            found[name] = row
    return found


@torch.no_grad()
def _made(model: FaceModel, eyes_by: EyesBy) -> Movements:
    coefficients = movement_coefficients(model)
    if not coefficients:
        return Movements({}, {})
    rows = torch.stack([torch.zeros_like(row := next(iter(coefficients.values()))), *coefficients.values()])
    shapes = model.shape(row.new_zeros(len(rows), model.layout.identity), rows)
    moved = (shapes[1:] - shapes[:1]).float().cpu().numpy()
    offsets = {name: moved[k] for k, name in enumerate(coefficients)}
    looks: dict[str, tuple[str, Quaternion]] = {}
    if eyes_by == "joints":
        for eye, (centre, points, own) in _eyes(model).items():
            for name, offset in offsets.items():
                turn = _turn(points - centre, offset[own])
                if turn is not None:
                    looks[name] = (eye, turn)
                    offset[own] = 0
    return Movements(offsets, coefficients, looks)


def _eyes(model: FaceModel) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Eye joint → its place (3,), and places (K, 3) and numbers (K,) of the vertices that turn with it."""
    if model.skin_weights is None or model.joint_weights is None:
        return {}
    mean = model.mean.double().cpu().numpy()
    joints = model.joint_weights.double().cpu().numpy() @ mean
    weights = model.skin_weights.cpu().numpy()
    found = {}
    for k, joint in enumerate(model.metadata["joints"]):
        own = np.flatnonzero(weights[:, k] > 0.5)
        if joint in EYES and len(own):
            found[joint] = (joints[k], mean[own], own)
    return found


def _turn(arms: np.ndarray, offsets: np.ndarray) -> Quaternion | None:
    """The turn that takes ``arms (K, 3)`` to ``arms + offsets``, if that is what they do."""
    arms = arms - arms.mean(0)  # the eye may turn about a point that is not quite the joint
    moved = arms + offsets - offsets.mean(0)
    u, _, v = np.linalg.svd(moved.T @ arms)
    matrix = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ v))]) @ v
    skew = np.array([matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]]) / 2
    sine = float(np.linalg.norm(skew))
    angle = float(np.arctan2(sine, (np.trace(matrix) - 1) / 2))
    if angle < _LOOKS:
        return None
    left = np.linalg.norm(moved - arms @ matrix.T, axis=1).mean()
    if left > _RIGID * np.linalg.norm(offsets, axis=1).mean():
        return None
    return _quaternion(skew / sine * angle)


def _quaternion(vector: np.ndarray) -> Quaternion:
    x, y, z, w = rotation_quaternion(np.asarray(vector, np.float64)).tolist()
    return (x, y, z, w)
