"""How loud or rough UV maps are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.losses.base import entry
from faceuv.registry import LOSSES


@LOSSES.register_module()
class MapPenalty(nn.Module):
    """Mean square of a map ``pred[of] (B, C, H, W)``, or of the differences of neighbouring texels, in ``unit``²: what
    pictures do not ask for, a map should not have.

    Config: ``small=dict(type="MapPenalty", of="displacement", weight=0.1)``.

    Args:
        of: the name of the map.
        measure: ``"size"``, the values themselves, or ``"slope"``, the differences to the texels right and below.
        unit: what counts as 1; the default is a millimetre, for displacements in decimetres.
    """

    def __init__(
        self, of: str = "displacement", measure: Literal["size", "slope"] = "size", *, unit: float = 0.01
    ) -> None:
        super().__init__()
        if measure not in ("size", "slope") or not unit > 0:
            raise InputError(f"expected measure 'size' or 'slope' and unit > 0, got {measure!r} and {unit}")
        self.of, self.measure, self.unit = of, measure, unit

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``: the squares summed over channels, averaged over texels."""
        maps = entry(pred, self.of, self, "pred") / self.unit
        check_shape(f"pred[{self.of!r}]", maps, ("B", "C", "H", "W"))
        if self.measure == "size":
            return maps.square().sum(1).mean((1, 2))
        down, right = (maps.diff(dim=axis).square().sum(1).mean((1, 2)) for axis in (2, 3))
        return down + right

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return self.per_image(pred, target).mean()
