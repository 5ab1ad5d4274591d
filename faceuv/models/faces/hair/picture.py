"""Hair in pictures: cards over what is opaque, sorted by depth in every pixel."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.projection import pose, project
from faceuv.geometry.rotations import euler_to_matrix, rotate
from faceuv.models.faces.hair.cards import HairMesh
from faceuv.models.faces.hair.lights import light_on, main_light, strand_gleam, unit
from faceuv.models.faces.hair.strands import COLUMNS, LIGHTER, strand_picture
from faceuv.renderers.base import Renderer
from faceuv.renderers.interpolation import interpolate, spread
from faceuv.renderers.surface import world_mesh
from faceuv.structures import Camera, Mesh, Render, Surface

_SHEETS = (5, 5)  # of cards this side of the head and beyond: of those of one sheet that overlap, the nearest is seen
_NEARER = 0.02  # dm: hair this close behind a surface still shows, so that roots do not flicker
_EDGE_ON = 0.3  # cosine between a card and the view below which it grows clear: edge-on, it would be a splinter
_BEYOND = 0.5  # cosine beyond the outline of the head at which hair is seen wholly from within


@torch.no_grad()
def over_surface(
    drawn: Render, surface: Surface, hair: HairMesh, colour: tuple[float, float, float], renderer: Renderer
) -> Render:
    """A picture of ``surface`` (batch 1) with its hair: ``image`` and ``mask`` show it, depth, normals and uv are
    those of the skin."""
    device, dtype = drawn.image.device, drawn.image.dtype
    s = renderer.samples
    height, width = (side * s for side in drawn.image.shape[-2:])
    camera = surface.camera or renderer.camera
    opaque = renderer._look(world_mesh(surface), height, width, camera)
    depth = torch.full((height * width,), torch.inf, device=device, dtype=dtype)
    depth = depth.index_copy(0, opaque.at.flat, opaque.at.depth)
    layers = _layers(surface, hair, colour, renderer, camera, depth, height, width)
    seen = torch.zeros(1, 4, height, width, device=device, dtype=dtype)  # premultiplied
    for layer in layers:
        seen = layer + seen * (1 - layer[:, 3:])
    if s > 1:
        seen = F.avg_pool2d(seen, s)
    rgb, alpha = seen.split([3, 1], 1)
    return replace(drawn, image=rgb + drawn.image * (1 - alpha), mask=torch.maximum(drawn.mask, alpha))


def _facing(vertices: Tensor, faces: Tensor, camera: Camera) -> Tensor:
    """``(1, N, 1)`` in [−1, 1]: how squarely the camera looks at the cards, below 0 at their other side."""
    toward = vertices.new_tensor([0.0, 0.0, camera.distance]) - vertices
    return (vertex_normals(vertices, faces) * unit(toward, 2)).sum(2, keepdim=True)


def _prefiltered(strands: Tensor, pixels: float) -> Tensor:
    """The texture for cards that are so many pixels wide: finer strands would flicker."""
    factor = 1
    while factor < 16 and pixels * factor < strands.shape[-1] / COLUMNS:
        factor *= 2
    return F.avg_pool2d(strands, factor) if factor > 1 else strands


def _layers(
    surface: Surface,
    hair: HairMesh,
    colour: tuple[float, float, float],
    renderer: Renderer,
    camera: Camera,
    depth: Tensor,
    height: int,
    width: int,
) -> list[Tensor]:
    """Premultiplied RGBA ``(1, 4, H, W)`` from the farthest to the nearest hair of each pixel."""
    like = surface.mesh.vertices

    def tensor(array: object) -> Tensor:
        return torch.as_tensor(array).to(like.device)

    turn = euler_to_matrix(surface.rotation)
    vertices = pose(tensor(hair.vertices)[None].to(like), surface.rotation, surface.translation)
    looks = torch.cat(
        [
            rotate(tensor(hair.normals)[None].to(like), turn),
            rotate(tensor(hair.tangents)[None].to(like), turn),
            tensor(hair.uv)[None].to(like),
            tensor(hair.shade)[None].to(like),
            _facing(vertices, tensor(hair.faces), camera),
        ],
        2,
    )
    strands = tensor(strand_picture())[None].to(like)[:, [0, 3]]
    card_width = project(vertices, camera, height, width)[0, :, :2].unflatten(0, (-1, 2)).diff(dim=1)
    strands = _prefiltered(strands, float(card_width.norm(dim=-1).median()))
    faces, card = tensor(hair.faces), tensor(hair.card)
    beyond = looks[0, :, 2][faces].sum(1) < 0  # clear tips of near cards do not cover what hangs behind the neck
    behind, found = [], []
    for far, sheet in [(k, sheet) for k in (0, 1) for sheet in range(_SHEETS[k])]:
        own = faces[(beyond == bool(far)) & (card % _SHEETS[far] == sheet)]
        if not len(own):
            continue
        view = renderer._look(Mesh(vertices, own), height, width, camera)
        values = interpolate(looks, view.at)
        grid = spread(values[:, 6:8] * 2 - 1, view.at)
        texture = F.grid_sample(strands, grid, mode="bilinear", padding_mode="border", align_corners=False)
        tone, cover = texture[0].flatten(1).index_select(1, view.at.flat).unsqueeze(-1)
        cover = ((cover - 0.15) / 0.6).clamp(0, 1)
        cover = cover * (view.at.depth < depth.index_select(0, view.at.flat) + _NEARER)[:, None]
        normal, tangent = unit(values[:, :3], 1), unit(values[:, 3:6], 1)
        inside = (-normal[:, 2:] / _BEYOND).clamp(0, 1)
        normal = torch.cat([normal[:, :2], normal[:, 2:].abs()], 1)  # turned over, the outline would be lit from behind
        cover = cover * (values[:, 11:].abs() / _EDGE_ON).clamp(0, 1)
        image = torch.zeros(len(normal), dtype=torch.int64, device=like.device)
        lighting = surface.lighting
        lit = torch.ones_like(normal)
        gleam = torch.zeros_like(tone)
        if lighting is not None:
            lit = light_on(normal, image, lighting)
            toward = unit(main_light(lighting) + normal.new_tensor([[0.0, 0.0, 1.0]]), 1)
            gleam = strand_gleam(normal, tangent, toward.expand(len(normal), 3), tone**2) * (1 - inside)
        own_colour = normal.new_tensor(colour)[None]
        shaded = (
            LIGHTER * own_colour * tone * values[:, 8:11] * (1 - 0.35 * inside) + 0.34 * (0.22 + own_colour) * gleam
        )
        rgba = torch.cat([(shaded * lit).clamp(0, 1) * cover, cover], 1)
        found.append(spread(rgba, view.at).permute(0, 3, 1, 2)[0])
        nowhere = torch.full((height * width,), torch.inf, device=like.device, dtype=like.dtype)
        behind.append(nowhere.index_copy(0, view.at.flat, view.at.depth).view(height, width))
    stack = torch.stack(found)  # (L, 4, H, W)
    order = torch.stack(behind).argsort(0, descending=True)
    sorted_stack = stack.gather(0, order[:, None].expand(-1, 4, -1, -1))
    return [layer[None] for layer in sorted_stack]
