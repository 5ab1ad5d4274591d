"""One face from several sides: its coefficients at another yaw, its maps for every view.

Views of B faces lie one view after the other: ``V·B`` rows.
"""

from __future__ import annotations

from torch import Tensor

from faceuv.structures import Coefficients, UVMaps


def for_views(maps: UVMaps, count: int) -> UVMaps:
    """Maps of B faces for ``count`` = V·B views, one view after the other."""
    wide = {
        name: None if value is None else value.repeat(count // value.shape[0], 1, 1, 1)
        for name, value in (("diffuse", maps.diffuse), ("displacement", maps.displacement))
    }
    return UVMaps(**wide)


def turned(coefficients: Coefficients, yaw: Tensor | float) -> Coefficients:
    """The same faces at ``yaw``, radians, one or ``(B,)``."""
    rotation = coefficients.rotation.clone()
    rotation[:, 1] = yaw
    return coefficients.replace(rotation=rotation)
