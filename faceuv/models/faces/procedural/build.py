"""All arrays of the procedural face model, from nothing but formulas."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from faceuv.files.cache import source_hash
from faceuv.models.faces.cached import Built
from faceuv.models.faces.procedural.albedo import albedo_basis
from faceuv.models.faces.procedural.expression import expression_basis
from faceuv.models.faces.procedural.grid import Grid
from faceuv.models.faces.procedural.identity import identity_basis
from faceuv.models.faces.procedural.landmarks import landmarks
from faceuv.models.faces.procedural.masks import skin_mask
from faceuv.models.faces.procedural.template import Template
from faceuv.models.faces.procedural.twin import Twin

# Head frame (mm, between the ears, at the height of the eyes) → object frame (dm): where BFM's camera expects a face.
ORIGIN = (0.0, 29.0, -68.0)
MM_PER_DM = 100.0
REFERENCE = Grid(97, 81)
"""The chart on which modes and landmarks are found, for all others: that of the synthetic faces, so of the zoo's
networks."""

# A movement of both sides, or of a whole brow: a user's word → the modes that it drives.
_BROW = ("brow_inner_up", "brow_middle_up", "brow_outer_up")


def build(rows: int, columns: int, progress: Callable[[str], None] = lambda step: None) -> Built:
    """Sculpt, differentiate, paint. ``progress`` hears what comes next."""
    grid = Grid(rows, columns)
    progress("sculpting the average head")
    reference = _reference()
    template = Twin(reference, reference if grid == REFERENCE else Template.build(grid))
    wanted = template.wanted
    progress("finding how people differ")
    identity = identity_basis(template)
    progress("finding how faces move")
    expression = expression_basis(template)
    progress("painting complexions")
    albedo = albedo_basis(template)
    arrays = {
        "mean": _float((wanted.positions + np.array(ORIGIN)) / MM_PER_DM),
        "identity_basis": _float(identity.basis / MM_PER_DM),
        "expression_basis": _float(expression.basis / MM_PER_DM),
        "mean_albedo": _float(albedo.mean),
        "albedo_basis": _float(albedo.basis),
        "faces": torch.from_numpy(grid.faces()),
        "uv": _float(grid.uv()),
        "landmarks": torch.from_numpy(landmarks(template)),
        "skin_mask": torch.from_numpy(skin_mask(wanted)),
        "mirror": torch.from_numpy(grid.mirror()),
    }
    names = {"identity": identity.names, "expression": expression.names, "albedo": albedo.names}
    metadata = {
        "rows": rows,
        "columns": columns,
        "recipe": recipe_fingerprint(),
        "full_expression": expression.full,
        "combined_expression": _combined(expression.names),
        "traits": identity.traits,
    }
    return Built(arrays, names, metadata)


@lru_cache(maxsize=1)
def _reference() -> Template:
    return Template.build(REFERENCE)


def _float(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))


def _combined(names: list[str]) -> dict[str, list[str]]:
    """``smile`` → both sides; ``brow_up`` → the whole of both brows, ``brow_up_left`` → of one."""
    stems = [name.removesuffix("_left") for name in names if name.endswith("_left") and f"{name[:-5]}_right" in names]
    combined = {stem: [f"{stem}_left", f"{stem}_right"] for stem in stems}
    for side in ("left", "right"):
        combined[f"brow_up_{side}"] = [f"{part}_{side}" for part in _BROW]
    combined["brow_up"] = [*combined["brow_up_left"], *combined["brow_up_right"]]
    return combined


def recipe_fingerprint() -> str:
    """A hash of this package's source: a cached model of another recipe is never taken for this one."""
    return source_hash("faceuv.models.faces.procedural")
