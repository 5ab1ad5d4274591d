"""Textures of a mesh file: their size, the rim around the charts, and roughness from fine relief."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.errors import InputError
from faceuv.export.parts import ROUGHNESS
from faceuv.models.faces.base import FaceModel

LARGEST_TEXTURE = 8192
_RIM = 16  # texels around a chart that take its colour: what mip-maps of a viewer mix in
_NEIGHBOURHOOD = 9  # texels over which relief makes a surface rough
_HALVED = 512  # texels: roughness of maps from this size on is half as large


def check_texture_size(size: object) -> int:
    """``size`` if a texture can have it: 1 … 8,192."""
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= LARGEST_TEXTURE:
        raise InputError(f"a texture size is a whole number 1 … {LARGEST_TEXTURE:,}, got {size!r}; 2048 is common")
    return size


def resized(picture: Tensor, size: int) -> Tensor:
    """``picture (3, H, W)`` in [0, 1] at ``size``²."""
    size = check_texture_size(size)
    if picture.shape[-2:] == (size, size):
        return picture
    smaller = size < min(picture.shape[-2:])
    made = F.interpolate(picture[None], (size, size), mode="bilinear", antialias=smaller)
    return made[0].clamp(0, 1)


def resized_normals(normal_map: Tensor, size: int) -> Tensor:
    """A normal map ``(3, H, W)`` in [0, 1] at ``size``²; its normals keep unit length."""
    size = check_texture_size(size)
    if normal_map.shape[-2:] == (size, size):
        return normal_map
    return 0.5 + 0.5 * F.normalize(2 * resized(normal_map, size) - 1, dim=0)


def roughness_of(normal_map: Tensor | None, own: Tensor | None = None) -> Tensor | None:
    """Roughness ``(h, w)`` of a surface with a normal map ``(3, H, W)``: where normals scatter, light does too. ``own
    (1, H', W')`` is that of the surface between the relief, :data:`ROUGHNESS` everywhere if absent. Large maps give
    half their size: roughness has no edges. None without both."""
    if normal_map is None:
        return None if own is None else own[0]
    normals = 2 * normal_map[None] - 1
    halved = _HALVED <= min(normal_map.shape[-2:])
    if halved:
        normals = F.avg_pool2d(normals, 2)
    side = min(_NEIGHBOURHOOD // (1 + halved) | 1, *(2 * (extent // 2) + 1 for extent in normals.shape[-2:]))
    half = side // 2
    wide = F.pad(normals, (half, half, half, half), mode="replicate")
    x, y, z = F.avg_pool2d(F.avg_pool2d(wide, (side, 1), 1), (1, side), 1)[0]
    length = (x * x + y * y + z * z).sqrt().clamp(0.3, 1)
    spread = (1 - length) / length
    base: Tensor | float = ROUGHNESS
    if own is not None:
        base = F.interpolate(own[None], spread.shape, mode="area")[0, 0]
    return (base**4 + spread).sqrt_().sqrt_().clamp_(0, 1)


def padded(picture: Tensor, model: FaceModel) -> Tensor:
    """``picture (3, H, W)`` over the model's chart, with a rim of the nearest colours around the charts."""
    from scipy.ndimage import distance_transform_edt

    height, width = picture.shape[-2:]
    known = _RIMS.setdefault(model, {})
    if (height, width) not in known:
        off = model.chart(height, width).face_id.view(height, width) < 0
        away, (rows, columns) = distance_transform_edt(off.cpu().numpy(), return_indices=True)
        rim = torch.from_numpy((away > 0) & (away <= _RIM))
        nearest = torch.from_numpy(rows * width + columns)
        known[height, width] = (torch.nonzero(rim.flatten())[:, 0], nearest[rim])
    target, source = (index.to(picture.device) for index in known[height, width])
    flat = picture.reshape(3, -1).clone()
    flat[:, target] = flat[:, source]
    return flat.view_as(picture)


_RIMS: WeakKeyDictionary[FaceModel, dict[tuple[int, int], tuple[Tensor, Tensor]]] = WeakKeyDictionary()
