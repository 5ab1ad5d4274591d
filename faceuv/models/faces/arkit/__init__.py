"""The 52 ARKit blend shapes on any face model: names, tables to and from its expression coefficients, gaze."""

from __future__ import annotations

from faceuv.models.faces.arkit.gaze import FULL_GAZE_DEG, gaze_amounts
from faceuv.models.faces.arkit.names import GAZE, NAMES, amounts_row, arkit_name, check_amounts, mirrored_name
from faceuv.models.faces.arkit.table import ARKitTable, ARKitWeights, arkit_table, weights_of

__all__ = [
    "FULL_GAZE_DEG",
    "GAZE",
    "NAMES",
    "ARKitTable",
    "ARKitWeights",
    "amounts_row",
    "arkit_name",
    "arkit_table",
    "check_amounts",
    "gaze_amounts",
    "mirrored_name",
    "weights_of",
]
