"""Shading per fragment, a plane per channel: opaque surfaces first, then sheets of hair over them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.models.faces.hair.lights import light_on, main_light, strand_gleam, unit
from faceuv.renderers.base import Rasterized
from faceuv.renderers.interpolation import Fragments, interpolate_planes, spread
from faceuv.synthetic.draw import smoothstep
from faceuv.synthetic.seeds import normals, smooth_noise

NEARER = 0.02  # dm: hair this close behind a surface still shows, so that roots do not flicker
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
    values = interpolate_planes(attributes, at)
    # the maps are coarser than the supersampled picture: nothing to prefilter
    found = _looked_up(texture, values[:2] * 2 - 1, at)
    face = view.face_id.flatten().index_select(0, at.flat)
    albedo = torch.where(face < textured, found[:3], values[5:])
    normal = unit(torch.where(face < mapped, found[3:], values[2:5]), 0)
    colour = _image(albedo * light_on(normal, _scene_of(view), lighting, 0), at)
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
    values = interpolate_planes(attributes, at)
    scene = _scene_of(view)
    fine, clump = _looked_up(strands, values[6:8], at).unbind(0)
    cover, light = values[8], values[9]
    alpha = smoothstep(0.25, 0.75, cover + 0.13 * fine + 0.10 * clump)
    alpha = alpha * (at.depth < depth.index_select(0, at.flat) + NEARER)

    normal = unit(values[:3], 0)
    tangent = unit(values[3:6], 0)
    inside = (normal[2] < 0).to(alpha.dtype)  # the far side of a curtain, seen from within: turned and darker
    normal = normal * (1 - 2 * inside)
    # strands gleam where they run across the half-way vector between the light and the camera
    toward = unit(main_light(lighting) + normal.new_tensor([[0.0, 0.0, 1.0]]), 1).index_select(0, scene).t()
    gleam = strand_gleam(normal, tangent, toward, (0.75 + 0.35 * fine + 0.2 * clump).clamp(0, 1.6), 0) * (1 - inside)
    own = colour.index_select(0, scene).t()
    tone = light * (1 + 0.10 * fine + 0.08 * clump) * (1 - 0.42 * inside)
    shaded = (own * tone + 0.16 * (0.35 + own) * gleam) * light_on(normal, scene, lighting, 0)

    planes = picture.transpose(0, 1).flatten(1)
    below = torch.stack([plane.index_select(0, at.flat) for plane in planes])
    laid = _replaced(planes, below + (shaded - below) * alpha, at)
    return laid, _image(alpha[None], at)


def _looked_up(texture: Tensor, place: Tensor, at: Fragments) -> Tensor:
    """A texture ``(B, C, T, T)`` of each scene at the fragments ``(C, P)``, whose places ``(2, P)`` lie in [−1, 1]."""
    alone = len(texture) == 1  # then all fragments are of one scene, and nothing else need be looked up
    rows = place.t()
    grid = rows[None, None] if alone else spread(rows, at)
    found = F.grid_sample(texture, grid, mode="bilinear", padding_mode="border", align_corners=False)
    planes = found.transpose(0, 1).flatten(1)
    return planes if alone else planes.index_select(1, at.flat)


def _image(planes: Tensor, at: Fragments) -> Tensor:
    """``(C, P)`` as images ``(B, C, H, W)``, 0 where nothing is covered."""
    return _replaced(planes.new_zeros(len(planes), at.batch * at.height * at.width), planes, at)


def _replaced(all_pixels: Tensor, planes: Tensor, at: Fragments) -> Tensor:
    """``(C, B·H·W)`` with the covered pixels' values ``(C, P)``, as images ``(B, C, H, W)``."""
    laid = torch.stack([below.index_copy(0, at.flat, plane) for below, plane in zip(all_pixels, planes)])
    return laid.unflatten(1, (at.batch, at.height, at.width)).transpose(0, 1)


def _scene_of(view: Rasterized) -> Tensor:
    """The scene ``(P,)`` that each fragment belongs to."""
    if view.at.batch == 1:
        return torch.zeros_like(view.at.flat)
    return torch.div(view.at.flat, view.at.height * view.at.width, rounding_mode="floor")
