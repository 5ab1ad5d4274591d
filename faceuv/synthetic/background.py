"""Out-of-focus backgrounds: studio gradients, walls, landscapes, rooms, lights."""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.synthetic.draw import Draw, blend, smoothstep
from faceuv.synthetic.seeds import smooth_noise, uniforms

BACKGROUNDS = ("studio", "outdoors", "indoors")
_SHARES = (0.38, 0.30, 0.32)
_COARSE = 40
_PANELS, _LIGHTS = 5, 7
# muted pairs of display-referred colours, upper and lower
_STUDIO = (
    ((0.78, 0.79, 0.80), (0.62, 0.63, 0.65)),
    ((0.30, 0.31, 0.34), (0.18, 0.18, 0.20)),
    ((0.62, 0.66, 0.70), (0.45, 0.49, 0.54)),
    ((0.72, 0.67, 0.60), (0.55, 0.49, 0.43)),
    ((0.36, 0.42, 0.40), (0.24, 0.28, 0.27)),
    ((0.92, 0.92, 0.91), (0.80, 0.80, 0.79)),
    ((0.52, 0.42, 0.38), (0.34, 0.27, 0.25)),
    ((0.42, 0.50, 0.62), (0.28, 0.34, 0.44)),
)
_OUTDOORS = (
    ((0.72, 0.82, 0.92), (0.38, 0.46, 0.28)),
    ((0.80, 0.84, 0.86), (0.46, 0.46, 0.42)),
    ((0.46, 0.56, 0.36), (0.30, 0.38, 0.22)),
    ((0.88, 0.80, 0.68), (0.50, 0.42, 0.34)),
    ((0.62, 0.74, 0.88), (0.58, 0.54, 0.46)),
    ((0.34, 0.42, 0.28), (0.44, 0.48, 0.30)),
)
_INDOORS = (
    ((0.74, 0.70, 0.63), (0.42, 0.34, 0.27)),
    ((0.60, 0.58, 0.56), (0.36, 0.33, 0.31)),
    ((0.44, 0.36, 0.30), (0.26, 0.20, 0.17)),
    ((0.80, 0.78, 0.74), (0.56, 0.50, 0.44)),
    ((0.34, 0.36, 0.40), (0.20, 0.20, 0.22)),
)


def paint_background(numbers: Tensor, seed: Tensor, size: int, kinds: Collection[str] = BACKGROUNDS) -> Tensor:
    """``(B, 3, size, size)`` in [0, 1]; ``numbers`` is the factor ``background``. Painted small, enlarged smoothly.

    ``kinds`` are those that occur.
    """
    draw = Draw(numbers)
    kind = draw.choice([share if name in kinds else 0.0 for name, share in zip(BACKGROUNDS, _SHARES)])
    tables = [numbers.new_tensor(table) for table in (_STUDIO, _OUTDOORS, _INDOORS)]
    pick = draw.uniform()
    pairs = torch.stack([table[(pick * len(table)).long().clamp(max=len(table) - 1)] for table in tables], 1)
    pair = pairs[torch.arange(len(kind), device=kind.device), kind] * draw.uniform(0.8, 1.12)[:, None, None]
    upper, lower = pair[:, 0, :, None, None], pair[:, 1, :, None, None]

    def one(value: Tensor) -> Tensor:
        return value[:, None, None, None]

    axis = torch.linspace(-1, 1, _COARSE, device=numbers.device)
    x, y = axis[None, None, None, :], axis[None, None, :, None]
    coarse = (_COARSE, _COARSE)
    clouds = smooth_noise(seed, coarse, (4, 4), 1, 3)
    detail = smooth_noise(seed, coarse, (11, 11), 2)
    outdoors, indoors = one((kind == 1).to(numbers)), one((kind == 2).to(numbers))
    studio = 1 - outdoors - indoors

    tilt, horizon = one(draw.normal(0, 0.25)), one(draw.uniform(-0.5, 0.7))
    ramp = blend(smoothstep(-1.0, 1.0, y + tilt * x), smoothstep(-0.28, 0.28, y - horizon + 0.1 * tilt * x), 1 - studio)
    picture = blend(upper, lower, ramp.expand(-1, 1, _COARSE, _COARSE))
    halo_x, halo_y = one(draw.normal(0, 0.5)), one(draw.normal(0, 0.4))
    halo = torch.exp(-((x - halo_x) ** 2 + (y - halo_y) ** 2) / 0.9)
    picture = picture * (1 + studio * (0.30 * one(draw.uniform()) * halo - 0.12))
    leaves = (0.05 + 0.11 * one(draw.uniform())) * (0.6 * clouds[:, :1] + 0.4 * detail) + 0.03 * clouds
    picture = picture * (1 + outdoors * leaves + (1 - outdoors) * 0.05 * clouds[:, :1])

    # panels: door frames, shelves, windows, trunks
    centre, width, top, change, _ = uniforms(seed, (5, _PANELS), 3)[..., None, None].unbind(1)
    half, low = 0.05 + 0.28 * width, 2.2 * top - 0.9
    panels = smoothstep(half + 0.10, half - 0.06, (x - 2.4 * centre + 1.2).abs()) * smoothstep(low + 0.15, low - 0.1, y)
    changes = 1 + panels * (0.9 * change - 0.5) * (0.75 * indoors + 0.30 * outdoors)
    picture = picture * changes.prod(1, keepdim=True)
    # lights out of focus
    lit = one(draw.chance(0.25)) * (1 - studio)
    right, down, large, warm = uniforms(seed, (4, _LIGHTS), 4)[..., None, None].unbind(1)
    distance = torch.sqrt((x - 2.2 * right + 1.1) ** 2 + (y - 1.6 * down + 1.0) ** 2 + 1e-6)
    radius = 0.06 + 0.10 * large
    discs = smoothstep(radius + 0.05, radius - 0.04, distance)
    glow = torch.stack([discs.sum(1), (discs * (0.75 + 0.2 * warm)).sum(1), 0.5 * discs.sum(1)], 1)
    picture = picture + lit * glow * 0.28
    enlarged = F.interpolate(picture, size=(size, size), mode="bicubic", align_corners=False)
    return enlarged.clamp(0.01, 1)
