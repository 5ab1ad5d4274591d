"""Fine detail on the maps of a generator, whose texels are too wide for pores, hairs and irises."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.geometry.uv import bake
from faceuv.models.faces.appearance.hair_modes import with_hair_colour
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.charts import near_landmarks, on_parts
from faceuv.models.faces.ears import with_bare_ears
from faceuv.models.faces.hair.worn import pictured_colour
from faceuv.models.faces.spreading import spread_over
from faceuv.structures import UVMaps

_DRAWN = (*range(17, 27), *range(31, 48))  # landmarks of brows, nostrils and eyes
_REACH = (0.10, 0.25)  # decimetres from them: inner part, its end
_DARK = 0.02  # added before logarithms
_LIMIT = 3.0  # of the logarithm of a ratio


def with_pictured_hair(model: FaceModel, albedo: Tensor, maps: UVMaps) -> Tensor:
    """``albedo (1, A)`` with brows and hair in the colour that the maps of a generator have on the scalp."""
    diffuse = _diffuse(maps)
    return with_hair_colour(albedo, diffuse.new_tensor(pictured_colour(model, diffuse)))


@torch.no_grad()
def refined_maps(model: FaceModel, albedo: Tensor, maps: UVMaps, drawn: UVMaps) -> UVMaps:
    """The maps of a generator with the detail, and at the size, of ``drawn`` ones.

    The tones of skin, lips, scalp and clothes are the generator's: the ratio of its map to the linear albedo of the
    same person, continued smoothly over brows, eyes, nostrils and ears, where a small map has smears and the colour of
    hair. Brows, eyes, teeth, pores and lines are drawn. The displacement is that of both.

    Args:
        albedo: ``(1, A)``, see :func:`with_pictured_hair`.
        maps: of one face, ``(1, 3, H, W)``, with a diffuse map.
        drawn: what :func:`~faceuv.models.faces.appearance.appearance_maps` makes of ``albedo``.
    """
    tones = _tones(model, albedo, with_bare_ears(model, _diffuse(maps)))
    base = _diffuse(drawn)
    size = base.shape[-1]
    # baked, because beside the chart texels have what is next to them: seams would show as lines
    factor = bake(torch.exp(tones)[None], model.chart(size, size)).to(base)
    made = ((base + _DARK) * factor - _DARK).clamp(0, 1)
    moved = [m for m in (maps.displacement, drawn.displacement) if m is not None]
    moved = [F.interpolate(m, size=(size, size), mode="bicubic", align_corners=False) for m in moved]
    return UVMaps(made, torch.stack(moved).sum(0) if moved else None, drawn.roughness)


def _tones(model: FaceModel, albedo: Tensor, diffuse: Tensor) -> Tensor:
    """``(V, 3)``: the logarithm of a map over the linear albedo, as smooth as the mesh; 0 off the skin."""
    size = diffuse.shape[-1]
    smooth = model.albedo_map(albedo, size, size)
    ratio = torch.log(diffuse.clamp_min(0) + _DARK) - torch.log(smooth.clamp_min(0) + _DARK)
    plain = (1 - near_landmarks(model, size, _DRAWN, _REACH)) * on_parts(model, size, "skin")
    spread = spread_over(model, ratio[0].clamp(-_LIMIT, _LIMIT), plain.to(ratio))
    return spread * model.vertices_of("skin")[:, None].to(spread)


def _diffuse(maps: UVMaps) -> Tensor:
    assert maps.diffuse is not None
    return maps.diffuse
