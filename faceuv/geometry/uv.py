"""Maps over the UV chart: sampling, baking, and the surface point of each texel.

UV follows glTF: (0, 0) is the upper left corner of the upper left texel, u right, v down; texel centres lie at (i+½)/W.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.geometry.scan import scan_triangles


def sample_map(maps: Tensor, uv: Tensor) -> Tensor:
    """Bilinear samples of ``maps (B, C, H, W)`` at ``uv (N, 2)`` or ``(B, N, 2)`` → ``(B, N, C)``.

    Beyond the outermost texel centres the border texel is repeated.
    """
    check_shape("maps", maps, ("B", "C", "H", "W"))
    if uv.ndim == 2:
        uv = uv[None].expand(maps.shape[0], -1, -1)
    check_shape("uv", uv, (maps.shape[0], "N", 2))
    grid = (uv.to(maps.dtype) * 2 - 1)[:, :, None]
    samples = F.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return samples[..., 0].transpose(1, 2)


# Keeps the normal of a texel without area at zero instead of NaN; decimetres⁴ per unit of UV⁴, far below a real one's.
_NO_AREA = 1e-20


@dataclass(frozen=True, eq=False)
class UVCorrespondence:
    """For each texel of an H × W map, the surface point at its centre.

    face_id (H, W)    int64, −1 off the chart
    vertices (H·W, 3) int64, the corners of the face; off the chart those of the nearest texel on it
    weights (H·W, 3)  barycentric weights to go with them

    Off the chart the nearest surface value is repeated, so that filtering across the border finds sensible colours.
    """

    face_id: Tensor
    vertices: Tensor
    weights: Tensor

    @classmethod
    def build(cls, uv: Tensor, faces: Tensor, height: int, width: int) -> UVCorrespondence:
        """From ``uv (V, 2)`` and ``faces (F, 3)``; in float64, so that a large map is as exact as a small one."""
        check_shape("uv", uv, ("V", 2))
        check_shape("faces", faces, ("F", 3))
        if height < 1 or width < 1:
            raise InputError(f"a map needs a positive size, got {height} × {width}")
        texels = uv.double() * uv.new_tensor([width, height], dtype=torch.float64)
        flat = torch.cat([texels, torch.ones_like(texels[:, :1])], 1)[None]
        face_id = scan_triangles(flat.float(), faces, height, width)[0]
        if not bool((face_id >= 0).any()):
            raise InputError(
                "no texel centre lies on the UV chart: expected uv in [0, 1] with triangles of some area, "
                f"got u {uv[:, 0].min():.3g} … {uv[:, 0].max():.3g}, v {uv[:, 1].min():.3g} … {uv[:, 1].max():.3g}"
            )
        source = _nearest_covered(face_id >= 0)
        owner = face_id.flatten()[source]
        corner_ids = faces[owner]
        a, b, c = texels[corner_ids].unbind(1)
        row = torch.div(source, width, rounding_mode="floor")
        centre = torch.stack([source - row * width, row], 1).double() + 0.5
        weights = _barycentric(centre, a, b, c)
        return cls(face_id, corner_ids, weights.to(uv.dtype))

    @property
    def height(self) -> int:
        return self.face_id.shape[0]

    @property
    def width(self) -> int:
        return self.face_id.shape[1]


def bake(attribute: Tensor, chart: UVCorrespondence) -> Tensor:
    """A vertex attribute ``(B, V, C)`` as a map ``(B, C, H, W)``; differentiable in the attribute.

    :func:`sample_map` at the vertices' own uv is the way back; the round trip smooths by about one texel.
    """
    sizes = check_shape("attribute", attribute, ("B", "V", "C"))
    # One row per vertex, which holds it for all images: long rows are gathered several times as fast as short ones.
    rows = attribute.permute(1, 2, 0).reshape(sizes["V"], -1)
    weights = chart.weights.to(attribute.dtype).unsqueeze(2).unbind(1)
    corners = [rows.index_select(0, column) for column in chart.vertices.unbind(1)]
    total = torch.addcmul(torch.addcmul(corners[0] * weights[0], corners[1], weights[1]), corners[2], weights[2])
    planes = total.t().contiguous().view(sizes["C"], sizes["B"], chart.height, chart.width)
    return planes.transpose(0, 1)


def bake_texels(attribute: Tensor, chart: UVCorrespondence, texels: slice) -> Tensor:
    """A vertex attribute ``(V, C)`` at some of the chart's flat ``texels`` → ``(C, N)``: what :func:`bake` gives.
    Some thousand texels at a time stay in the processor's cache, whole maps do not."""
    weights = chart.weights[texels].to(attribute.dtype).unsqueeze(2).unbind(1)
    corners = [attribute.index_select(0, column) for column in chart.vertices[texels].unbind(1)]
    total = torch.addcmul(torch.addcmul(corners[0] * weights[0], corners[1], weights[1]), corners[2], weights[2])
    return total.t().contiguous()


def map_gradients(maps: Tensor, rows: slice | None = None) -> tuple[Tensor, Tensor]:
    """∂/∂u and ∂/∂v of ``maps (B, C, H, W)`` per unit of UV: central differences, one-sided at the border. ``rows``
    ``slice(start, stop)`` gives those of some rows of the map alone."""
    check_shape("maps", maps, ("B", "C", "H", "W"))
    height, width = maps.shape[-2:]
    if height < 2 or width < 2:
        raise InputError(f"the gradient of a map needs at least 2 × 2 texels, got {height} × {width}")
    if rows is None:
        return _slope(maps, 3, 1.0 / width), _slope(maps, 2, 1.0 / height)
    first, last = max(rows.start - 1, 0), min(rows.stop + 1, height)
    down = _slope(maps[:, :, first:last], 2, 1.0 / height)
    return _slope(maps[:, :, rows], 3, 1.0 / width), down[:, :, rows.start - first : rows.stop - first]


def _slope(maps: Tensor, dim: int, step: float) -> Tensor:
    """What ``torch.gradient`` gives along one axis, to the last bit, in half the time."""
    ahead, behind = maps.narrow(dim, 1, maps.shape[dim] - 1), maps.narrow(dim, 0, maps.shape[dim] - 1)
    edges = [(ahead.narrow(dim, k, 1) - behind.narrow(dim, k, 1)) / step for k in (0, maps.shape[dim] - 2)]
    inner = (maps.narrow(dim, 2, maps.shape[dim] - 2) - maps.narrow(dim, 0, maps.shape[dim] - 2)) / (2 * step)
    return torch.cat([edges[0], inner, edges[1]], dim)


def displaced_normals(normals: Tensor, tangent_u: Tensor, tangent_v: Tensor, displacement: Tensor) -> Tensor:
    """Unit normals ``(B, 3, H, W)`` of a surface moved by a displacement map, per texel.

    Args, all ``(B, 3, H, W)``: the smooth surface's unit ``normals`` and derivatives ∂p/∂u, ∂p/∂v (bake
    :func:`~faceuv.geometry.normals.vertex_normals` and ``vertex_tangents``), and ``displacement`` in decimetres.

    n ∝ ±(∂v p + ∂v d) × (∂u p + ∂u d). The baked tangents are first made orthogonal to the baked normal, so that zero
    displacement gives the smooth normal back exactly.
    """
    return sloped_normals(normals, tangent_u, tangent_v, *map_gradients(displacement))


def sloped_normals(normals: Tensor, tangent_u: Tensor, tangent_v: Tensor, du: Tensor, dv: Tensor) -> Tensor:
    """:func:`displaced_normals` from the derivatives ``du`` and ``dv`` of the displacement; all ``(B, 3, …)``."""

    def on_plane(tangent: Tensor) -> Tensor:
        return tangent - (tangent * normals).sum(1, keepdim=True) * normals

    plane_u, plane_v = on_plane(tangent_u), on_plane(tangent_v)
    raw = cross_planes(plane_v + dv, plane_u + du)
    # A chart may be mirrored: take the side that the undisplaced surface is on.
    side = (cross_planes(plane_v, plane_u) * normals).sum(1, keepdim=True)
    return unit_planes(torch.where(side < 0, -raw, raw))


def cross_planes(a: Tensor, b: Tensor) -> Tensor:
    """a × b of maps ``(B, 3, H, W)``, plane by plane: ``torch.linalg.cross`` takes several times as long there."""
    (ax, ay, az), (bx, by, bz) = a.unbind(1), b.unbind(1)
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)


def unit_planes(maps: Tensor) -> Tensor:
    """Vectors ``(B, 3, H, W)`` at unit length, zero where they vanish; ``F.normalize`` takes ten times as long here."""
    x, y, z = maps.unbind(1)
    return maps * (x * x + y * y + z * z + _NO_AREA).rsqrt().unsqueeze(1)


def surface_normals(along_u: Tensor, along_v: Tensor, side: Tensor) -> Tensor:
    """Unit normals ``(B, 3, H, W)`` of a surface whose derivatives along u and v are ``along_u``, ``along_v
    (B, 3, H, W)``: ∂p/∂v × ∂p/∂u, on the side ``side (1, 1, H, W)``: 1, or −1 where the chart is mirrored."""
    raw = cross_planes(along_v, along_u)
    length = (raw.square().sum(1, keepdim=True) + _NO_AREA).sqrt()
    return raw * (side / length)


def _nearest_covered(covered: Tensor) -> Tensor:
    """For each texel (flat) the flat index of the nearest covered one, itself if covered."""
    from scipy import ndimage  # half a second of import, for those who bake only

    _, (rows, columns) = ndimage.distance_transform_edt(~covered.cpu().numpy(), return_indices=True)
    flat = torch.from_numpy(rows * covered.shape[1] + columns).flatten().to(torch.int64)
    return flat.to(covered.device)


def _barycentric(point: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """Weights ``(N, 3)`` of 2-D points in their triangles."""

    def cross(p: Tensor, q: Tensor) -> Tensor:
        return p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]

    area = cross(b - a, c - a)
    wb, wc = cross(point - a, c - a) / area, cross(b - a, point - a) / area
    return torch.stack([1 - wb - wc, wb, wc], 1)
