"""Shading per fragment: opaque surfaces first, then sheets of hair over them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.models.faces.hair.lights import light_on, main_light, strand_gleam, unit
from faceuv.renderers.base import Rasterized
from faceuv.renderers.interpolation import Fragments, interpolate, spread
from faceuv.synthetic.draw import smoothstep
from faceuv.synthetic.seeds import normals, smooth_noise

_NEARER = 0.02  # dm: hair this close behind a surface still shows, so that roots do not flicker
_STRANDS = (36, 300)  # texels along and across the locks


def shade_opaque(
    view: Rasterized, attributes: Tensor, texture: Tensor, lighting: Tensor, *, textured: int, mapped: int
) -> tuple[Tensor, Tensor]:
    """Lit colours ``(B, 3, H, W)`` and view depth ``(B·H·W,)`` of everything opaque; infinite where there is nothing.

    Args:
        attributes: ``(B, V, 8)``: uv, world normal, RGB.
        texture: ``(B, 6, T, T)``: RGB and world normals.
        textured, mapped: how many of the first faces take their colour, and their normals, from the texture.
    """
    at = view.at
    values = interpolate(attributes, at)
    # the maps are coarser than the supersampled picture: nothing to prefilter
    rows = _looked_up(texture, values[:, :2] * 2 - 1, at)
    face = view.face_id.flatten().index_select(0, at.flat)[:, None]
    albedo = torch.where(face < textured, rows[:, :3], values[:, 5:])
    normal = unit(torch.where(face < mapped, rows[:, 3:], values[:, 2:5]), 1)
    colour = spread(albedo * light_on(normal, _image_of(view), lighting), at).permute(0, 3, 1, 2)
    nothing = torch.full((view.face_id.numel(),), torch.inf, dtype=colour.dtype, device=colour.device)
    return colour, nothing.index_copy(0, at.flat, at.depth.detach())


def strand_texture(seed: Tensor) -> Tensor:
    """``(B, 2, 36, 300)``: single strands and clumps; rows run along the locks."""
    fine = F.interpolate(normals(seed, (1, 9, 150), 31), _STRANDS, mode="bicubic", align_corners=False)
    clumps = smooth_noise(seed, (12, 60), (6, 30), 32)
    return torch.cat([fine, F.interpolate(clumps, _STRANDS, mode="bilinear", align_corners=False)], 1)


def lay_hair(
    picture: Tensor,
    view: Rasterized,
    attributes: Tensor,
    strands: Tensor,
    colour: Tensor,
    lighting: Tensor,
    depth: Tensor,
) -> tuple[Tensor, Tensor]:
    """Composite one sheet of hair over ``picture (B, 3, H, W)``; returns it with the coverage ``(B, 1, H, W)``.

    Args:
        attributes: ``(B, V, 10)``: world normal, world tangent, place in the strand texture, coverage, light.
        colour: ``(B, 3)`` of the hair.
        depth: ``(B·H·W,)`` of what is opaque.
    """
    at = view.at
    values = interpolate(attributes, at)
    image = _image_of(view)
    fine, clump = _looked_up(strands, values[:, 6:8], at).split(1, 1)
    cover, light = values[:, 8:9], values[:, 9:10]
    alpha = smoothstep(0.25, 0.75, cover + 0.13 * fine + 0.10 * clump)
    alpha = alpha * (at.depth < depth.index_select(0, at.flat) + _NEARER)[:, None]

    normal = unit(values[:, :3], 1)
    tangent = unit(values[:, 3:6], 1)
    inside = (normal[:, 2:] < 0).to(alpha.dtype)  # the far side of a curtain, seen from within: turned and darker
    normal = normal * (1 - 2 * inside)
    # strands gleam where they run across the half-way vector between the light and the camera
    toward = unit(main_light(lighting) + normal.new_tensor([[0.0, 0.0, 1.0]]), 1).index_select(0, image)
    gleam = strand_gleam(normal, tangent, toward, (0.75 + 0.35 * fine + 0.2 * clump).clamp(0, 1.6)) * (1 - inside)
    own = colour.index_select(0, image)
    tone = light * (1 + 0.10 * fine + 0.08 * clump) * (1 - 0.42 * inside)
    shaded = (own * tone + 0.16 * (0.35 + own) * gleam) * light_on(normal, image, lighting)

    rows = picture.permute(0, 2, 3, 1).reshape(-1, 3)
    below = rows.index_select(0, at.flat)
    rows = rows.index_copy(0, at.flat, below + (shaded - below) * alpha)
    covered = spread(alpha, at).permute(0, 3, 1, 2)
    return rows.view(picture.shape[0], *picture.shape[2:], 3).permute(0, 3, 1, 2), covered


def _looked_up(texture: Tensor, place: Tensor, at: Fragments) -> Tensor:
    """A texture ``(B, C, T, T)`` of each scene at the fragments ``(P, C)``, whose places ``(P, 2)`` lie in [−1, 1]."""
    alone = len(texture) == 1  # then all fragments are of one scene, and nothing else need be looked up
    grid = place[None, None] if alone else spread(place, at)
    found = F.grid_sample(texture, grid, mode="bilinear", padding_mode="border", align_corners=False)
    rows = found.permute(0, 2, 3, 1).reshape(-1, texture.shape[1])
    return rows if alone else rows.index_select(0, at.flat)


def _image_of(view: Rasterized) -> Tensor:
    """The scene ``(P,)`` that each fragment belongs to."""
    return torch.div(view.at.flat, view.face_id.shape[1] * view.face_id.shape[2], rounding_mode="floor")
