"""Images without a face, made from images with one: negative samples for a detector."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from faceuv.checks import check_shape
from faceuv.errors import InputError

KINDS = ("erased", "shuffled", "beside", "texture", "waves", "noise", "plain")
_TILES = (3, 4, 6)
_MARGIN = 1.3  # what is erased reaches so far beyond the landmarks


@torch.no_grad()
def no_face(
    images: Tensor, points: Tensor, generator: torch.Generator | None = None, kinds: tuple[str, ...] = KINDS
) -> Tensor:
    """As many pictures without a face as ``images (B, 3, S, S)`` in [0, 1] with one, whose landmarks are at ``points
    (B, K, 2)``, in [−1, 1] from edge to edge.

    ``erased``: the face is covered, hair, clothes and background stay; ``shuffled``: its tiles in another order and
    turned; ``beside``: a corner without the face's middle, enlarged; ``texture``, ``waves``, ``noise``, ``plain``: no
    picture at all.
    """
    sizes = check_shape("images", images, ("B", 3, "S", "S"))
    check_shape("points", points, (sizes["B"], "K", 2))
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise InputError(f"no kind of picture without a face is called {unknown}; known: {', '.join(KINDS)}")
    makers = {"erased": _erased, "shuffled": _shuffled, "beside": _beside, "texture": _texture, "waves": _waves,
              "noise": _noise, "plain": _plain}  # fmt: skip
    kind = torch.randint(len(kinds), (sizes["B"],), generator=generator, device=images.device)
    result = torch.empty_like(images)
    for number, name in enumerate(kinds):
        rows = (kind == number).nonzero()[:, 0]
        if len(rows):
            result[rows] = makers[name](images[rows], points[rows], generator).clamp(0, 1)
    return result


def _uniform(like: Tensor, *shape: int, generator: torch.Generator | None) -> Tensor:
    return torch.rand(*shape, generator=generator, device=like.device, dtype=like.dtype)


def _clouds(images: Tensor, generator: torch.Generator | None) -> Tensor:
    """Coloured noise of a few scales ``(B, 3, S, S)``, about [0, 1]."""
    batch, _, side, _ = images.shape
    total = torch.zeros_like(images)
    for cells in (2, 4, 9, 19):
        grid = torch.randn(batch, 3, cells, cells, generator=generator, device=images.device, dtype=images.dtype)
        grey = grid.mean(1, keepdim=True) * math.sqrt(3)
        weight = _uniform(images, batch, 1, 1, 1, generator=generator)
        layer = torch.lerp(grey.expand_as(grid), grid, weight)
        total = total + F.interpolate(layer, (side, side), mode="bilinear") * weight.flip(0) * (1.2 / math.sqrt(cells))
    return 0.5 + 0.35 * total


def _texture(images: Tensor, points: Tensor, generator: torch.Generator | None) -> Tensor:
    return _clouds(images, generator)


def _noise(images: Tensor, points: Tensor, generator: torch.Generator | None) -> Tensor:
    grain = torch.randn(images.shape, generator=generator, device=images.device, dtype=images.dtype)
    level = _uniform(images, len(images), 4, 1, 1, generator=generator)
    return level[:, :3] + grain * level[:, 3:] * 0.5


def _plain(images: Tensor, points: Tensor, generator: torch.Generator | None) -> Tensor:
    """Two colours, a ramp or an edge between them; one in four a single colour."""
    batch, _, side, _ = images.shape
    numbers = _uniform(images, batch, 10, 1, 1, generator=generator)
    axis = torch.linspace(-1, 1, side, device=images.device, dtype=images.dtype)
    angle = numbers[:, 6:7] * (2 * math.pi)
    along = axis[None, None, None, :] * torch.cos(angle) + axis[None, None, :, None] * torch.sin(angle)
    mix = torch.sigmoid((along - (numbers[:, 7:8] - 0.5)) * 1.5 / (0.02 + numbers[:, 8:9] ** 2))
    mix = mix * (numbers[:, 9:10] > 0.25)
    return torch.lerp(numbers[:, :3].expand_as(images), numbers[:, 3:6].expand_as(images), mix)


def _waves(images: Tensor, points: Tensor, generator: torch.Generator | None) -> Tensor:
    """Stripes, checks and rings over clouds."""
    batch, _, side, _ = images.shape
    numbers = _uniform(images, batch, 8, 1, 1, generator=generator)
    axis = torch.linspace(-1, 1, side, device=images.device, dtype=images.dtype)
    x, y = axis[None, None, None, :] - numbers[:, :1] + 0.5, axis[None, None, :, None] - numbers[:, 1:2] + 0.5
    angle, rate = numbers[:, 2:3] * math.pi, 4 + 26 * numbers[:, 3:4] ** 2
    u, v = x * torch.cos(angle) + y * torch.sin(angle), y * torch.cos(angle) - x * torch.sin(angle)
    stripes = torch.sin(rate * u)
    checks = stripes * torch.sin(rate * v * (0.5 + numbers[:, 4:5]))
    rings = torch.sin(rate * (u**2 + v**2 * (0.5 + numbers[:, 4:5])).sqrt())
    kind = numbers[:, 5:6]
    wave = torch.where(kind < 0.34, stripes, torch.where(kind < 0.67, checks, rings))
    return _clouds(images, generator) + wave * (numbers[:, 6:7] - 0.5)


def _erased(images: Tensor, points: Tensor, generator: torch.Generator | None) -> Tensor:
    """An ellipse over the landmarks, filled with clouds in the picture's colours or with one of them."""
    batch, _, side, _ = images.shape
    low, high = points.amin(1), points.amax(1)
    centre, half = (low + high) / 2, ((high - low) / 2 * _MARGIN).clamp_min(0.15)
    axis = (torch.arange(side, device=images.device, dtype=images.dtype) + 0.5) * (2 / side) - 1
    u = (axis[None, None, :] - centre[:, :1, None]) / half[:, :1, None]
    v = (axis[None, :, None] - centre[:, 1:, None]) / half[:, 1:, None]
    cover = torch.sigmoid((1 - (u**2 + v**2).sqrt()) * 12)[:, None]
    flat = _uniform(images, batch, 1, 1, 1, generator=generator) < 0.4
    colour = images.mean((2, 3), keepdim=True) * (0.7 + 0.6 * _uniform(images, batch, 1, 1, 1, generator=generator))
    clouds = colour + (_clouds(images, generator) - 0.5) * 0.6
    return torch.lerp(images, torch.where(flat, colour.expand_as(images), clouds), cover)


def _shuffled(images: Tensor, points: Tensor, generator: torch.Generator | None) -> Tensor:
    """Tiles in another order, each turned by its own quarter turns or mirrored."""
    side = images.shape[2]
    result = []
    for image in images:
        count = _TILES[int(torch.randint(len(_TILES), (1,), generator=generator, device=image.device))]
        tile = -(-side // count)
        wide = F.pad(image[None], (0, tile * count - side) * 2, mode="replicate")[0]
        tiles = wide.unflatten(2, (count, tile)).unflatten(1, (count, tile)).permute(1, 3, 0, 2, 4).flatten(0, 1)
        tiles = tiles[torch.randperm(count**2, generator=generator, device=image.device)]
        turns = torch.randint(4, (count**2,), generator=generator, device=image.device)
        for quarter in range(1, 4):
            rows = (turns == quarter).nonzero()[:, 0]
            tiles[rows] = tiles[rows].rot90(quarter, (2, 3))
        wide = tiles.unflatten(0, (count, count)).permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)
        result.append(wide[:, :side, :side])
    return torch.stack(result)


def _beside(images: Tensor, points: Tensor, generator: torch.Generator | None) -> Tensor:
    """The corner that is farthest from the face, a quarter or less of the picture, enlarged."""
    batch = len(images)
    corners = points.new_tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    away = torch.linalg.vector_norm(corners[None, :, None] - points[:, None], dim=3).amin(2)  # (B, 4)
    corner = corners[away.argmax(1)]
    half = (0.2 + 0.25 * _uniform(images, batch, generator=generator)) * away.amax(1).clamp(0.3, 1.0)
    centre = corner * (1 - half[:, None])
    affine = torch.cat([torch.diag_embed(half[:, None].expand(-1, 2)), centre[:, :, None]], 2)
    grid = F.affine_grid(affine, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="border", align_corners=False)
