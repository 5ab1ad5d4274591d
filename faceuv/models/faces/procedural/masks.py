"""Which vertices are plain skin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceuv.models.faces.procedural.grid import CURVES
from faceuv.models.faces.procedural.paint import brow_coverage, lip_coverage, nostril_coverage
from faceuv.models.faces.procedural.template import Template


def skin_mask(template: Template) -> NDArray[np.bool_]:
    """``(V,)``: the face's skin from hairline to jaw, without eyes and lid margins, lips, mouth, brows and nostrils."""
    x, y, z = template.positions.T
    face = (z > 8) & (template.v > 0.13) & (y > -108 + 0.12 * np.abs(x)) & (y < 74)
    lids = (np.abs(template.lid_along) < 1.2) & (template.v > 0.345) & (template.v < 0.455)
    between_borders = (template.v >= CURVES["upper_lip_top"]) & (template.v <= CURVES["lower_lip_bottom"])
    mouth = (lip_coverage(template) > 0.2) | (between_borders & (template.mouth_along < 1.05))
    hair = brow_coverage(template.positions) > 0.1
    return face & ~lids & ~mouth & ~hair & (nostril_coverage(template) < 0.1)
