"""The scan conversion of :mod:`faceuv.geometry.scan` as a numba kernel for CPUs: the same rules, the same ids."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
from torch import Tensor

from faceuv.geometry.scan import Cull, check_scan_input

_SIDES = {"none": (True, True), "back": (True, False), "front": (False, True)}  # cull → (draw front, draw back)


@torch.no_grad()
def scan_triangles_numba(
    pixels: Tensor, faces: Tensor, height: int, width: int, *, near: float = 1e-4, cull: Cull = "none"
) -> Tensor:
    """Face ids ``(B, H, W)`` int64, −1 where nothing is seen: see :func:`~faceuv.geometry.scan.scan_triangles`.

    The meshes of a batch are drawn side by side, by as many threads as torch uses. They are Python's own and end with
    the call: numba's parallel loops start GNU OpenMP, which kills every process that is forked later (the workers of a
    DataLoader, say) as soon as it draws.
    """
    check_scan_input(pixels, faces, height, width, cull)
    face_id = torch.empty(pixels.shape[0], height, width, dtype=torch.int64, device="cpu")
    front, back = _SIDES[cull]
    points, corners, ids = pixels.detach().float().contiguous().numpy(), faces.contiguous().numpy(), face_id.numpy()

    def draw(row: int) -> None:
        _scan(points[row], corners, np.float32(near), front, back, ids[row])

    threads = min(torch.get_num_threads(), len(points))
    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(draw, range(len(points))))
    else:
        for row in range(len(points)):
            draw(row)
    return face_id


@numba.njit(cache=True, error_model="numpy", nogil=True)
def _scan(vertices, faces, near, front, back, ids):  # type: ignore[no-untyped-def]
    # No fastmath: contracted multiply-adds would break the exact negation that makes shared edges watertight.
    height, width = ids.shape
    half, one, zero, infinity = np.float32(0.5), np.float32(1), np.float32(0), np.float32(np.inf)
    nearest = np.full((height, width), infinity, np.float32)
    ids[:] = -1
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
        left = int(max(np.ceil(min(x0, x1, x2) - half), zero))
        right = int(min(np.floor(max(x0, x1, x2) - half), np.float32(width - 1)))
        top = int(max(np.ceil(min(y0, y1, y2) - half), zero))
        bottom = int(min(np.floor(max(y0, y1, y2) - half), np.float32(height - 1)))
        if right < left or bottom < top:
            continue
        r0, r1, r2 = one / z0, one / z1, one / z2
        for row in range(top, bottom + 1):
            y = np.float32(row) + half
            b0, b1, b2 = y0 - y, y1 - y, y2 - y
            for column in range(left, right + 1):
                x = np.float32(column) + half
                a0, a1, a2 = x0 - x, x1 - x, x2 - x
                e0, e1, e2 = a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0
                inside = (back and e0 >= zero and e1 >= zero and e2 >= zero) or (
                    front and e0 <= zero and e1 <= zero and e2 <= zero
                )
                if inside:
                    area = e0 + e1 + e2
                    if area != zero:
                        depth = area / (e0 * r0 + e1 * r1 + e2 * r2)
                        # Faces come in increasing order, so a strict comparison keeps the lower id of equal depths.
                        if zero < depth < nearest[row, column]:
                            nearest[row, column] = depth
                            ids[row, column] = f
