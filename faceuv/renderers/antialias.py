"""Edge-driven antialiasing: smooth silhouettes, differentiable in the vertices.

Every silhouette edge of the mesh is projected and intersected with the lines between neighbouring pixel centres. Where
it separates a covered pixel from what lies behind, the pair is blended by where exactly the edge passes. Only ids,
depths and projected vertices are needed, so it is the same on every backend.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Topology:
    """Edges of a triangle mesh: ``vertices (E, 2)``, ``faces (E, 2)`` (−1: none), ``opposite (E,)``: the vertex across
    the edge in the first face. Edges with more than two faces keep the first two."""

    vertices: Tensor
    faces: Tensor
    opposite: Tensor

    @classmethod
    def build(cls, faces: Tensor, vertex_count: int) -> Topology:
        """From ``faces (F, 3)``."""
        pairs = torch.cat([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]])
        across = torch.cat([faces[:, 0], faces[:, 1], faces[:, 2]])
        owner = torch.arange(faces.shape[0], device=faces.device).repeat(3)
        key = pairs.amin(1) * vertex_count + pairs.amax(1)
        unique, inverse, count = torch.unique(key, return_inverse=True, return_counts=True)
        order = torch.argsort(inverse, stable=True)
        start = count.cumsum(0) - count
        shared = count >= 2
        first = order[start]
        second = order[torch.where(shared, start + 1, start)]
        return cls(
            torch.stack([torch.div(unique, vertex_count, rounding_mode="floor"), unique % vertex_count], 1),
            torch.stack([owner[first], torch.where(shared, owner[second], -1)], 1),
            across[first],
        )


@dataclass(frozen=True, eq=False)
class Crossings:
    """K places where a silhouette passes between two neighbouring pixels of the flattened ``(B, H, W)``.

    inner, outer (K,)  the pixel that the surface covers and the one beyond
    blend (K,)         in [−½, ½], differentiable: > 0 gives that share of the outer pixel to the surface,
                       < 0 takes it from the inner one; of one pixel, all shares together make 1 at most
    """

    inner: Tensor
    outer: Tensor
    blend: Tensor


def find_crossings(pixels: Tensor, faces: Tensor, topology: Topology, face_id: Tensor, depth: Tensor) -> Crossings:
    """All crossings of a batch.

    Args:
        pixels: ``(B, V, 3)``; the blends are differentiable in them. Vertices with z ≤ 0 count as not drawn.
        face_id, depth: ``(B, H, W)``.
    """
    with torch.no_grad():
        image, edge = silhouette_edges(pixels, faces, topology).nonzero(as_tuple=True)
        offset = image * pixels.shape[1]
        ends = [topology.vertices[:, k].index_select(0, edge) + offset for k in (0, 1)]
        across = topology.opposite.index_select(0, edge) + offset
        points = pixels.detach().reshape(-1, 3)
        found = [_cross_lines(points, ends, across, image, face_id, depth, axis) for axis in (0, 1)]
    inner, outer, blend = [], [], []
    points = pixels.reshape(-1, 3)
    for axis, (start, end, line, centre, left_is_inside, i, o) in enumerate(found):
        a, b = points.index_select(0, start), points.index_select(0, end)
        _, position = _where_crossed(a, b, line, axis)
        distance = torch.where(left_is_inside, position - centre, centre - position)
        inner.append(i)
        outer.append(o)
        blend.append(distance - 0.5)
    inside, outside, shares = torch.cat(inner), torch.cat(outer), torch.cat(blend)
    # The outline of a speck or of a hole crosses up to four sides of one pixel, and each crossing wants its share.
    target = torch.where(shares > 0, outside, inside)
    wanted = shares.new_zeros(face_id.numel()).index_add(0, target, shares.abs())
    return Crossings(inside, outside, shares / wanted.clamp(min=1).index_select(0, target))


def silhouette_edges(pixels: Tensor, faces: Tensor, topology: Topology) -> Tensor:
    """``(B, E)`` bool: border edges, and edges between a face turned to the viewer and one turned away."""
    planes = pixels.detach().permute(2, 0, 1).contiguous()
    corners = [corner.contiguous() for corner in faces.unbind(1)]
    ends = [end.contiguous() for end in topology.vertices.unbind(1)]
    first, second = (owner.contiguous() for owner in topology.faces.unbind(1))
    border = second < 0
    second = torch.where(border, first, second)
    result = torch.empty(pixels.shape[0], ends[0].shape[0], dtype=torch.bool, device=pixels.device)
    for b in range(pixels.shape[0]):  # one image at a time: its arrays stay in a CPU's cache
        x, y, z = planes[:, b]
        (x0, x1, x2), (y0, y1, y2) = ([plane.index_select(0, c) for c in corners] for plane in (x, y))
        turned = (x1.sub_(x0) * y2.sub_(y0)) > (x2.sub_(x0) * y1.sub_(y0))
        drawn = z > 0
        crease = border | (turned.index_select(0, first) ^ turned.index_select(0, second))
        result[b] = crease & drawn.index_select(0, ends[0]) & drawn.index_select(0, ends[1])
    return result


def _where_crossed(a: Tensor, b: Tensor, line: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Where the edges a–b ``(K, 3)`` cross pixel lines: the share of b, and the coordinate along ``axis``."""
    across = 1 - axis
    share = (line + 0.5 - a[:, across]) / (b[:, across] - a[:, across])
    return share, a[:, axis] + share * (b[:, axis] - a[:, axis])


def _cross_lines(
    points: Tensor, ends: list[Tensor], across: Tensor, image: Tensor, face_id: Tensor, depth: Tensor, axis: int
) -> tuple[Tensor, ...]:
    """Crossings of edges with the lines of pixel centres along ``axis`` (0: rows, 1: columns); no gradient.

    Each edge is tested along one axis only, the one that it crosses steeply.
    """
    _, height, width = face_id.shape
    along_count, line_count = (width, height) if axis == 0 else (height, width)
    a, b, c = (points.index_select(0, i) for i in (*ends, across))
    along, over = axis, 1 - axis
    run, rise = (b[:, along] - a[:, along]).abs(), (b[:, over] - a[:, over]).abs()
    steep = rise >= run if axis == 0 else rise > run
    # Half-open: a vertex exactly on a line belongs to one of its two edges.
    first = torch.minimum(a[:, over], b[:, over]).sub(0.5).ceil().clamp(0, line_count)
    last = torch.maximum(a[:, over], b[:, over]).sub(0.5).ceil().clamp(0, line_count)
    count = ((last - first).clamp(min=0) * steep).to(torch.int64)
    edge = torch.repeat_interleave(count)
    line = first.index_select(0, edge) + (
        torch.arange(edge.shape[0], device=edge.device) - (count.cumsum(0) - count).index_select(0, edge)
    )
    a, b, c, image = (t.index_select(0, edge) for t in (a, b, c, image))
    share, position = _where_crossed(a, b, line, axis)
    edge_depth = ((1 - share) / a[:, 2] + share / b[:, 2]).reciprocal()
    left = (position - 0.5).floor()
    keep = (left >= 0) & (left < along_count - 1)
    # The surface lies where the opposite vertex lies: compare it with the edge's line at its own height.
    at_opposite = a[:, along] + (c[:, over] - a[:, over]) / (b[:, over] - a[:, over]) * (b[:, along] - a[:, along])
    left_is_inside = c[:, along] < at_opposite
    left = left.clamp(0, max(along_count - 2, 0)).to(torch.int64)
    line_id = line.to(torch.int64)
    inside, outside = torch.where(left_is_inside, left, left + 1), torch.where(left_is_inside, left + 1, left)
    stride, line_stride = (1, width) if axis == 0 else (width, 1)
    base = image * (height * width) + line_id * line_stride
    inner, outer = base + inside * stride, base + outside * stride
    last_pixel = face_id.numel() - 1
    (inner_id, inner_depth), (outer_id, outer_depth) = (
        (face_id.flatten().index_select(0, i), depth.flatten().index_select(0, i))
        for i in (inner.clamp(max=last_pixel), outer.clamp(max=last_pixel))
    )
    beyond = (outer_id < 0) | ((outer_depth > edge_depth) & (outer_depth > inner_depth))
    chosen = (keep & (inner_id >= 0) & beyond).nonzero().squeeze(1)
    inner, outer, edge = (t.index_select(0, chosen) for t in (inner, outer, edge))
    position, inside, line, left_is_inside = (
        t.index_select(0, chosen) for t in (position, inside, line, left_is_inside)
    )
    # Several edges may pass between two pixels: the outermost is the outline, and only one of them counts.
    centre = inside.to(position.dtype) + 0.5
    distance = (position - centre).abs().to(torch.float32)
    pair = torch.minimum(inner, outer)
    key = (distance.view(torch.int32).to(torch.int64) << 32) | torch.arange(pair.shape[0], device=pair.device)
    best = torch.full((face_id.numel(),), -1, dtype=torch.int64, device=pair.device).scatter_reduce(
        0, pair, key, "amax"
    )
    outermost = (key == best.index_select(0, pair)).nonzero().squeeze(1)
    edge = edge.index_select(0, outermost)
    picked = (t.index_select(0, outermost) for t in (line, centre, left_is_inside, inner, outer))
    return (ends[0].index_select(0, edge), ends[1].index_select(0, edge), *picked)


def blend_edges(image: Tensor, crossings: Crossings) -> Tensor:
    """Antialias ``image (B, C, H, W)``; differentiable in the image and, through the blends, in the vertices."""
    _, channels, height, width = image.shape
    plane = height * width
    channel = torch.arange(channels, device=image.device)[:, None] * plane

    def positions(flat: Tensor) -> Tensor:
        """Flattened ``(B, H, W)`` positions (K,) → flattened ``(B, C, H, W)`` positions (C·K,)."""
        number = torch.div(flat, plane, rounding_mode="floor")
        return (flat + number * ((channels - 1) * plane) + channel).view(-1)

    values = image.reshape(-1)
    inner, outer = positions(crossings.inner), positions(crossings.outer)
    blend = crossings.blend.to(image.dtype).repeat(channels)
    step = blend * (values.index_select(0, inner) - values.index_select(0, outer))
    target = torch.where(blend > 0, outer, inner)
    return values.index_add(0, target, step).view_as(image)
