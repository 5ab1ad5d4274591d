"""One atlas for the eight texture tiles of ICT-FaceKit, which partly lie on top of each other.

The face's tile takes 9/16 of the atlas, the back of the head with neck and shoulders 1/8; what is smaller on a head
lines the right and the bottom. The eyes of both sides share a tile in the files; here each has its own place. Layers
of both sides (occlusion, blend) still share one.
"""

from __future__ import annotations

import numpy as np

from faceuv.errors import AssetError
from faceuv.models.faces.ict.folder import Floats, Published

_PADDING = 1 / 512  # of the atlas, inside every edge of a place: eight texels of a 2048² map between neighbours

# Material (and tile, where a material has two) → left, top, width, height; (0, 0) is the upper left corner.
_PLACES: dict[tuple[str, int | None], tuple[float, float, float, float]] = {
    ("M_Face", None): (0, 0, 0.75, 0.75),
    ("M_ScleraRight", None): (0.75, 0, 0.25, 0.25),
    ("M_ScleraLeft", None): (0.75, 0.25, 0.25, 0.25),
    ("M_IrisRight", None): (0.75, 0.5, 0.125, 0.125),
    ("M_IrisLeft", None): (0.875, 0.5, 0.125, 0.125),
    ("M_EyeLashes", None): (0.75, 0.625, 0.125, 0.125),
    ("M_LacrimalFluid", 4): (0.9375, 0.625, 0.0625, 0.0625),
    ("M_LacrimalFluid", 5): (0.875, 0.625, 0.0625, 0.0625),
    ("M_EyeOcclusion", None): (0.875, 0.6875, 0.0625, 0.0625),
    ("M_EyeBlend", None): (0.9375, 0.6875, 0.0625, 0.0625),
    ("M_BackHead", None): (0, 0.75, 0.5, 0.25),
    ("M_GumsTongue", None): (0.5, 0.75, 0.25, 0.25),
    ("M_Teeth", None): (0.75, 0.75, 0.25, 0.25),
}

CAP_PLACE = (0.96875, 0.65625, 0.028)
"""u, v and radius of the cap under the neck: where lacrimal fluid would lie, which is clear and has no texture."""


def atlas(published: Published) -> tuple[Floats, Floats]:
    """Corners' coordinates in the atlas, ``(P, 4, 2)`` with (0, 0) upper left; of absent corners, anything.

    The second array is ``(P,)``: the place of each polygon, as a number; corners of one place share coordinates.
    """
    materials = np.array(published.materials)
    inside = published.texture[published.corners[..., 1]].astype(np.float64)
    tile = np.floor(inside[:, 0, 0]).astype(np.int64)
    placed = np.full(inside.shape, np.nan)
    place = np.full(len(materials), -1)
    for number, ((material, only), (left, top, width, height)) in enumerate(_PLACES.items()):
        here = (materials == material) & ((tile == only) if only is not None else True)
        u = inside[here, :, 0] - tile[here, None]
        v = 1 - inside[here, :, 1]
        placed[here, :, 0] = left + _PADDING + (width - 2 * _PADDING) * u
        placed[here, :, 1] = top + _PADDING + (height - 2 * _PADDING) * v
        place[here] = number
    if (place < 0).any():
        first = int(np.argmax(place < 0))
        raise AssetError(
            f"polygon {first + 1} has the material {materials[first]!r} in tile {tile[first]}, which no place of the"
            f" atlas is for; expected {', '.join(dict.fromkeys(name for name, _ in _PLACES))}"
        )
    return placed.astype(np.float32), place
