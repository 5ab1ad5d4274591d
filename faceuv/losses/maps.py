"""Penalties on the size and the slope of UV maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.geometry.uv import bake
from faceuv.losses.base import entry
from faceuv.models.base.fixed import Fixed
from faceuv.registry import FACE_MODELS, LOSSES

if TYPE_CHECKING:
    from faceuv.models.faces.base import FaceModel

_MOST = 16.0  # a texel may count so many times more, or less, across a stretched chart


@LOSSES.register_module()
class MapPenalty(nn.Module):
    """Mean square of a map ``pred[of] (B, C, H, W)``, or of the differences of neighbouring texels, in ``unit``²: keeps
    maps small or smooth where images do not determine them.

    Config: ``small=dict(type="MapPenalty", of="displacement", weight=0.1)``.

    Args:
        of: the name of the map.
        measure: ``"size"``, the values themselves, or ``"slope"``, the differences to the texels right and below.
        unit: what counts as 1; the default is a millimetre, for displacements in decimetres.
        face_model: slopes are those on this model's mean face instead of those of the chart (its Dirichlet energy):
            where the chart is wider than the face, differences across count more, and differences along less. Thin
            strips of a face, hardly seen in any image, then take the colour of what is beside them.
    """

    def __init__(
        self,
        of: str = "displacement",
        measure: Literal["size", "slope"] = "size",
        *,
        unit: float = 0.01,
        face_model: Mapping[str, Any] | str | FaceModel | None = None,
    ) -> None:
        super().__init__()
        if measure not in ("size", "slope") or not unit > 0:
            raise InputError(f"expected measure 'size' or 'slope' and unit > 0, got {measure!r} and {unit}")
        if face_model is not None and measure != "slope":
            raise InputError("MapPenalty: a face_model only matters to the measure 'slope'")
        self.of, self.measure, self.unit = of, measure, unit
        self.face_model: Fixed[FaceModel] | None = None if face_model is None else Fixed(FACE_MODELS.build(face_model))
        self._stretches: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``: the squares summed over channels, averaged over texels."""
        maps = entry(pred, self.of, self, "pred") / self.unit
        check_shape(f"pred[{self.of!r}]", maps, ("B", "C", "H", "W"))
        if self.measure == "size":
            return maps.square().sum(1).mean((1, 2))
        down, right = (maps.diff(dim=axis).square().sum(1) for axis in (2, 3))
        if self.face_model is not None:
            across_rows, across_columns = self._stretch(*maps.shape[2:], like=maps)
            down, right = down * across_rows, right * across_columns
        return down.mean((1, 2)) + right.mean((1, 2))

    def _stretch(self, height: int, width: int, *, like: Tensor) -> tuple[Tensor, Tensor]:
        """How much a squared difference counts between a texel and the one below ``(H − 1, W)``, and the one to the
        right ``(H, W − 1)``: width over length of the piece of surface between them."""
        known = self._stretches.get((height, width))
        if known is None or known[0].device != like.device or known[0].dtype != like.dtype:
            assert self.face_model is not None
            model = self.face_model.network
            with torch.no_grad():
                chart = model.chart(height, width)
                wide, tall = (
                    bake(along, chart)[0].norm(dim=0).clamp_min(1e-6).log()
                    for along in model.tangents(model.mean[None])
                )
                ratio = wide - tall + torch.log(torch.tensor(height / width))  # of a texel's sides on the face
                most = torch.log(torch.tensor(_MOST)).item()
                rows, columns = (ratio[1:] + ratio[:-1]) / 2, -(ratio[:, 1:] + ratio[:, :-1]) / 2
                known = tuple(part.clamp(-most, most).exp().to(like) for part in (rows, columns))
            assert known is not None
            self._stretches[height, width] = known
        return known

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return self.per_image(pred, target).mean()
