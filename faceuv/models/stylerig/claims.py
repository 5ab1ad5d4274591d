"""What the paper claims of StyleRig, as far as the stage ``rig_study`` can measure it.

Rows are named ``editor/edit/metric``; editors as ``configs/stylerig_study_64.py`` names them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

RIG, NO_CONSISTENCY, NO_RECONSTRUCTION, LAYERS = "rig", "no consistency", "no reconstruction", "layers"


@dataclass(frozen=True)
class RigComparison:
    """The row ``better`` beats the row ``worse`` over the same pairs: it is lower, or higher for ``identity``."""

    metric: str
    better: str
    worse: str


@dataclass(frozen=True)
class RigClaim:
    """Something that should hold."""

    title: str
    comparisons: Sequence[RigComparison]


def _same(better: str, worse: str, edits: Sequence[str], metrics: Sequence[str]) -> list[RigComparison]:
    return [RigComparison(m, f"{better}/{e}/{m}", f"{worse}/{e}/{m}") for e in edits for m in metrics]


def _centre(lower: str, higher: str) -> RigComparison:
    return RigComparison("energy_centre", f"{RIG}/{lower}/energy_centre", f"{RIG}/{higher}/energy_centre")


CLAIMS = (
    RigClaim(
        "Coarse rows carry the pose, middle ones the expression, fine ones the light",
        (_centre("pose", "expression"), _centre("expression", "light"), _centre("pose", "light")),
    ),
    RigClaim(
        "The rig follows what is wanted",
        [
            RigComparison(m, f"{RIG}/{e}/{m}", f"{RIG}/{e}/{m}_unedited")
            for e, m in (("pose", "pose_deg"), ("expression", "expression_percent"), ("light", "light_percent"))
        ],
    ),
    RigClaim(
        "Without the consistency term other attributes drift",
        _same(RIG, NO_CONSISTENCY, ("pose", "light"), ("identity", "shape_mm_leaked", "colour_percent_leaked")),
    ),
    RigClaim(
        "Without the reconstruction term faces change more than they should",
        _same(RIG, NO_RECONSTRUCTION, ("pose", "light"), ("identity", "shape_mm_leaked")),
    ),
    RigClaim(
        "Semantic transfer beats plain mixing of rows",
        [
            *_same(RIG, LAYERS, ("pose",), ("pose_deg", "identity", "shape_mm_leaked", "light_percent_leaked")),
            *_same(RIG, LAYERS, ("light",), ("light_percent", "identity", "colour_percent_leaked")),
            *_same(RIG, LAYERS, ("expression",), ("expression_percent", "identity")),
        ],
    ),
    RigClaim("The rig replaces F_yaw", _same(RIG, "F_yaw", ("yaw",), ("yaw_deg", "identity", "shape_mm_leaked"))),
)
