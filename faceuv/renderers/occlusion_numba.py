"""The test of :mod:`faceuv.renderers.occlusion` as a numba kernel for CPUs: the same rules, the same answers."""

from __future__ import annotations

import numba
import numpy as np
import torch
from torch import Tensor


def occluded_numba(
    pixels: Tensor, faces: Tensor, points: Tensor, height: int, width: int, near: float, tolerance: float
) -> Tensor:
    """``(N,)`` bool for one image, whose points all lie inside it."""
    order, first = _sorted(points.contiguous().numpy(), height, width)
    hidden = np.zeros(len(points), np.bool_)
    _test(
        pixels.contiguous().numpy(), faces.contiguous().numpy(), points[torch.from_numpy(order)].T.contiguous().numpy(),
        first, height, width, np.float32(near), np.float32(1 - tolerance), hidden,
    )  # fmt: skip
    found = torch.zeros(len(points), dtype=torch.bool)
    found[torch.from_numpy(order)] = torch.from_numpy(hidden)
    return found


@numba.njit(cache=True, nogil=True)
def _sorted(points, height, width):  # type: ignore[no-untyped-def]
    """The order in which the points of a cell lie side by side, and the first of each cell, one more at the end."""
    first = np.zeros(height * width + 1, np.int64)
    cell = np.empty(len(points), np.int64)
    for p in range(len(points)):
        cell[p] = int(np.floor(points[p, 1])) * width + int(np.floor(points[p, 0]))
        first[cell[p] + 1] += 1
    for c in range(height * width):
        first[c + 1] += first[c]
    place, order = first[:-1].copy(), np.empty(len(points), np.int64)
    for p in range(len(points)):
        order[place[cell[p]]] = p
        place[cell[p]] += 1
    return order, first


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _test(vertices, faces, points, first, height, width, near, share, hidden):  # type: ignore[no-untyped-def]
    # No fastmath: contracted multiply-adds would decide differently on shared edges.
    zero, infinity = np.float32(0), np.float32(np.inf)
    px, py, pz = points[0], points[1], points[2]
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        z0, z1, z2 = vertices[i, 2], vertices[j, 2], vertices[k, 2]
        if not (near < z0 < infinity and near < z1 < infinity and near < z2 < infinity):
            continue
        x0, x1, x2 = vertices[i, 0], vertices[j, 0], vertices[k, 0]
        y0, y1, y2 = vertices[i, 1], vertices[j, 1], vertices[k, 1]
        if not (abs(x0) < infinity and abs(x1) < infinity and abs(x2) < infinity):
            continue
        if not (abs(y0) < infinity and abs(y1) < infinity and abs(y2) < infinity):
            continue
        left = int(max(np.floor(min(x0, x1, x2)), zero))
        right = int(min(np.floor(max(x0, x1, x2)), np.float32(width - 1)))
        top = int(max(np.floor(min(y0, y1, y2)), zero))
        bottom = int(min(np.floor(max(y0, y1, y2)), np.float32(height - 1)))
        if right < left or bottom < top:
            continue
        nearest = min(z0, z1, z2) * np.float32(0.999)  # depths in between are rounded
        for row in range(top, bottom + 1):
            for p in range(first[row * width + left], first[row * width + right + 1]):
                if hidden[p] or nearest >= pz[p]:
                    continue
                x, y = px[p], py[p]
                a0, a1, a2 = x0 - x, x1 - x, x2 - x
                b0, b1, b2 = y0 - y, y1 - y, y2 - y
                e0, e1, e2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
                if (e0 >= zero and e1 >= zero and e2 >= zero) or (e0 <= zero and e1 <= zero and e2 <= zero):
                    area = e0 + e1 + e2
                    if area != zero:
                        depth = area / (e0 / z0 + e1 / z1 + e2 / z2)
                        if depth < pz[p] * share:
                            hidden[p] = True
