"""From the 52 ARKit amounts to a face model's expression coefficients, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from faceuv.checks import check_finite, check_floating, check_shape, finite_number, shown
from faceuv.errors import InputError
from faceuv.models.faces.arkit.names import NAMES, arkit_name, check_amounts, listed

if TYPE_CHECKING:
    from faceuv.models.faces.base import FaceModel

Movements = Mapping[str, Mapping[str, float]]
"""ARKit name → the model's movements that it drives and their amounts (1 = the full movement, may be negative)."""

_TOUCHED = 1e-9
_SPECK = 1e-10  # of the largest diagonal entry: keeps the normal equations solvable
_MM_PER_DM = 100.0


class ARKitWeights(NamedTuple):
    """Amounts that come closest to an expression.

    weights   (B, 52)  0 … 1, in the order of ``NAMES``
    residual  (B,)     what they miss: root mean square over the vertices, mm
    """

    weights: Tensor
    residual: Tensor


@dataclass(frozen=True, eq=False)
class ARKitTable:
    """What each of the 52 shapes drives in a face model.

    matrix      (52, E)  expression coefficients at amount 1; a row of zeros is a shape that cannot be expressed
    source      where the table is from: ``"metadata"``, ``"names"``, ``"procedural"`` or ``"solved"``
    explained   name → share of the reference's motion that the shape reproduces (solved tables only)
    """

    matrix: Tensor
    source: str
    explained: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of_movements(cls, model: FaceModel, movements: Movements, source: str) -> ARKitTable:
        """The table of a mapping onto the model's named movements."""
        matrix = model.mean.new_zeros(len(NAMES), model.layout.expression)
        for given, driven in movements.items():
            name = arkit_name(given)
            if not isinstance(driven, Mapping):
                raise InputError(
                    f"the ARKit table of a face model maps a name to movements and amounts, such as"
                    f" {{'jawOpen': {{'jaw_open': 1.0}}}}; got {shown(driven)} for {name}"
                )
            for movement, amount in driven.items():
                for column, full in model.movement(movement).items():
                    matrix[NAMES.index(name), column] += finite_number(f"the amount of {movement}", amount) * full
        return cls(matrix, source)

    def on(self, like: Tensor) -> ARKitTable:
        """The table with its matrix on the device and of the type of ``like``."""
        return replace(self, matrix=self.matrix.to(like))

    @property
    def expressible(self) -> tuple[str, ...]:
        """The names that move something."""
        moves = self.matrix.abs().sum(1) > _TOUCHED
        return tuple(name for name, yes in zip(NAMES, moves.tolist()) if yes)

    @property
    def missing(self) -> tuple[str, ...]:
        """The names that the model cannot express."""
        known = set(self.expressible)
        return tuple(name for name in NAMES if name not in known)

    def check_expressible(self, weights: Tensor, kind: str) -> None:
        """Raise if ``weights (B, 52)`` ask for a shape that is missing."""
        asked = (weights.abs().amax(0) > 0).tolist()
        wrong = [name for name in self.missing if asked[NAMES.index(name)]]
        if wrong:
            eyes = " (it has no eyes that move)" if all(name.startswith("eyeLook") for name in wrong) else ""
            raise InputError(
                f"this {kind} cannot express {listed(wrong)}{eyes}; it expresses {len(self.expressible)} of the"
                f" {len(NAMES)} ARKit shapes: arkit_table().expressible lists them"
            )

    def coefficients(self, weights: Tensor) -> Tensor:
        """``weights (B, 52)`` → expression coefficients ``(B, E)``."""
        return weights.to(self.matrix) @ self.matrix

    def driven(self, named: Tensor) -> Tensor:
        """``(E,)`` bool: the columns that the shapes ``named (52,)`` bool drive."""
        return (self.matrix[named.to(self.matrix.device)].abs() > _TOUCHED).any(0)


def arkit_table(model: FaceModel) -> ARKitTable:
    """The table of a face model: the one in ``metadata["arkit"]``; else its movements that have ARKit's names; else
    the one written for the procedural face's movements; else one solved from the motion of the procedural face.

    >>> model.metadata["arkit"] = {"jawOpen": {"jaw_open": 1.0}, "mouthRight": {"mouth_left": -1.0}}  # doctest: +SKIP
    """
    from faceuv.models.faces.arkit.procedural import MOVEMENTS

    given: Any = model.metadata.get("arkit")
    if given is not None:
        if not isinstance(given, Mapping):
            raise InputError(f'metadata["arkit"] of a face model must map names to movements, got {shown(given)}')
        return ARKitTable.of_movements(model, given, "metadata")
    own = movements_by_name(model)
    if own:
        return ARKitTable.of_movements(model, own, "names")
    driven = {movement for row in MOVEMENTS.values() for movement in row}
    if driven <= set(model.movements()):
        return ARKitTable.of_movements(model, MOVEMENTS, "procedural")
    from faceuv.models.faces.arkit.solving import solved_table  # takes a while to import

    return solved_table(model)


def movements_by_name(model: FaceModel) -> dict[str, dict[str, float]]:
    """The model's movements that are spelled as ARKit's. One that is split into sides is joined:
    ``browInnerUpLeft`` and ``browInnerUpRight`` make ``browInnerUp``."""
    known = set(model.movements())
    found = {}
    for name in NAMES:
        sides = (f"{name}Left", f"{name}Right")
        if name in known:
            found[name] = {name: 1.0}
        elif known.issuperset(sides):
            found[name] = dict.fromkeys(sides, 1.0)
    return found


def weights_of(model: FaceModel, table: ARKitTable, expression: Tensor, *, most: float = 1.0) -> ARKitWeights:
    """The amounts in 0 … ``most`` whose motion comes closest to ``expression (B, E)`` or ``(E,)``, by non-negative
    least squares over the vertices, and what they miss in mm."""
    from scipy.optimize import lsq_linear, nnls  # takes a while to import

    rows = expression[None] if isinstance(expression, Tensor) and expression.ndim == 1 else expression
    check_shape("expression coefficients", rows, ("B", model.layout.expression))
    check_floating("expression coefficients", rows)
    check_finite("expression coefficients", rows)
    root, vertices = _motion_root(model)
    matrix = table.matrix.detach().cpu().double().numpy()
    usable = np.flatnonzero(np.abs(matrix).sum(1) > _TOUCHED)
    system = root @ matrix[usable].T
    found = np.zeros((len(rows), len(NAMES)))
    missed = np.zeros(len(rows))
    for k, row in enumerate(rows.detach().cpu().double().numpy()):
        target = root @ row
        if len(usable):
            amounts = nnls(system, target)[0]
            if amounts.max() > most:
                amounts = lsq_linear(system, target, bounds=(0, most)).x
            found[k, usable] = amounts
        missed[k] = np.linalg.norm(system @ found[k, usable] - target) / np.sqrt(vertices) * _MM_PER_DM
    weights = check_amounts(torch.from_numpy(found).to(rows), most=most)
    return ARKitWeights(weights, torch.from_numpy(missed).to(rows))


def _motion_root(model: FaceModel) -> tuple[np.ndarray, int]:
    """R ``(E, E)`` with ‖R·c‖² = Σ_v ‖motion of vertex v‖² in dm² for coefficients c, and the number of vertices."""
    basis = model.expression_basis.detach().cpu().double().flatten(0, 1)
    gram = basis.T @ basis
    gram = gram + _SPECK * gram.diagonal().mean().clamp_min(1e-12) * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.cholesky(gram, upper=True).numpy(), model.mean.shape[0]
