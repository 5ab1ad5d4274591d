"""A cap under the neck of a whole head: from below and from behind one sees a cut and not the inside of the face.

The cap is a part of the model, so all that draws, writes or moves heads has it. Its vertices are fixed mixtures of
those along the lower border of the skin; they follow every person, every movement and the joints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

CAP = "neck_cap"
_RINGS = (1.0, 0.75, 0.5, 0.25)  # of the way from the middle to the border
_LOW = 0.25  # of the height of the skin: a border below is the neck's


def with_cap(
    arrays: Mapping[str, Tensor], parts: Sequence[str], place: tuple[float, float, float]
) -> tuple[dict[str, Tensor], list[str]]:
    """A head's arrays, before it has colours, and the names of its parts, both with the cap as last part.

    Args:
        arrays: those of a face model with parts, weld, polygons and joints.
        place: u and v of the middle of the cap in the chart, and its radius.
    """
    skin = arrays["faces"][arrays["part"] == list(parts).index("skin")]
    mean, weld = arrays["mean"].double().numpy(), arrays["weld"].numpy()
    loop = neck_border(mean, skin.numpy(), weld)
    if loop is None:
        return dict(arrays), list(parts)
    angle = _angles(mean[loop])
    weights = _mixtures(angle)
    count, more = len(mean), len(weights)
    mix, border = torch.from_numpy(weights), torch.from_numpy(loop)
    made = dict(arrays)
    for name in ("mean", "identity_basis", "expression_basis", "skin_weights"):
        rows = arrays[name][border].double().flatten(1)
        added = (mix @ rows).unflatten(1, arrays[name].shape[1:])
        if name == "skin_weights":  # a mixture with negative parts may fall below 0
            added = added.clamp_min(0)
            added = added / added.sum(1, keepdim=True)
        added = added.to(arrays[name])
        made[name] = torch.cat([arrays[name], added])
    faces, polygons = _faces(count, np.cos(angle) + np.cos(np.roll(angle, -1)) < 0)
    radius = np.append(np.repeat(_RINGS, len(loop)), 0.0)
    around = np.append(np.tile(angle, len(_RINGS)), 0.0)
    u, v, size = place
    uv = np.stack([u + size * radius * np.cos(around), v - size * radius * np.sin(around)], 1)  # as seen from below
    own = torch.arange(count, count + more)
    number = len(parts)
    appended = {
        "uv": torch.from_numpy(uv),
        "mirror": torch.from_numpy(_mirrored(loop, weld, arrays["mirror"].numpy(), count)),
        "weld": own,
        "skin_mask": torch.zeros(more, dtype=torch.bool),
        "faces": torch.from_numpy(faces),
        "part": torch.full((len(faces),), number),
        "polygons": torch.from_numpy(polygons),
        "polygon_part": torch.full((len(polygons),), number),
    }
    for name, value in appended.items():
        made[name] = torch.cat([arrays[name], value.to(arrays[name])])
    joints = arrays["joint_weights"]
    made["joint_weights"] = torch.cat([joints, joints.new_zeros(len(joints), more)], 1)
    return made, [*parts, CAP]


def neck_border(vertices: NDArray[np.floating], faces: Integers, weld: Integers | None) -> Integers | None:
    """The longest open border of ``faces`` in the lowest quarter of their height: vertices in the order in which their
    triangles run along it, or None."""
    points = faces if weld is None else weld[faces]
    start, end = points.T.reshape(-1), points[:, [1, 2, 0]].T.reshape(-1)
    size = len(vertices)
    open_edge = ~np.isin(start * size + end, end * size + start)
    following = dict(zip(start[open_edge].tolist(), end[open_edge].tolist()))
    height = vertices[points.reshape(-1), 1]
    limit = height.min() + _LOW * (height.max() - height.min())
    best: list[int] = []
    while following:
        start, after = following.popitem()
        loop = [start]
        while after != start and after in following:
            loop.append(after)
            after = following.pop(after)
        low = vertices[loop, 1].mean() < limit
        if after == start and low and len(loop) > max(len(best), 2):
            best = loop
    return np.array(best) if best else None


def _angles(border: Floats) -> Floats:
    """Where around the middle each point of the border ``(L, 3)`` lies, seen from above."""
    away = border - (border.max(0) + border.min(0)) / 2
    angle: Floats = np.arctan2(away[:, 2], away[:, 0])
    return angle


def _mixtures(angle: Floats) -> Floats:
    """``(K, L)``: the vertices of the cap as mixtures of the border's: its rings from the outermost inwards, then the
    middle. A tilted border gives a tilted plane; what it has of a saddle fades with the square of the radius, as in a
    film of soap."""
    waves = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], 1)
    plane = np.linalg.pinv(waves)
    middle = np.tile(plane[0], (len(angle), 1))
    tilted = waves @ plane
    rings = [r * r * (np.eye(len(angle)) - tilted) + r * (tilted - middle) + middle for r in _RINGS]
    mixed: Floats = np.concatenate([*rings, middle[:1]])
    return mixed


def _faces(first: int, left: NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """Triangles ``(F, 3)`` and polygons ``(P, 4)`` of rings of vertices from number ``first`` on; ``left (L,)`` says
    whose quads are cut along the other diagonal, so that the two sides mirror each other."""
    count = len(left)
    ring = np.arange(count)
    after = np.roll(ring, -1)
    quads = [
        first + k * count + np.stack([after, ring, ring + count, after + count], 1) for k in range(len(_RINGS) - 1)
    ]
    inner = first + (len(_RINGS) - 1) * count
    middle = np.full(count, first + len(_RINGS) * count)
    fan = np.stack([inner + after, inner + ring, middle], 1)
    wide = np.concatenate(quads)
    turned = np.where(np.tile(left, len(quads))[:, None], np.roll(wide, -1, axis=1), wide)
    faces = np.concatenate([turned[:, [0, 1, 2]], turned[:, [0, 2, 3]], fan])
    return faces, np.concatenate([wide, np.pad(fan, ((0, 0), (0, 1)), constant_values=-1)])


def _mirrored(loop: Integers, weld: Integers, mirror: Integers, first: int) -> Integers:
    """The mirror map of the cap's vertices: a point of the border goes where the skin's does."""
    where = {vertex: k for k, vertex in enumerate(loop.tolist())}
    twin = np.array([where.get(vertex, k) for k, vertex in enumerate(weld[mirror[loop]].tolist())])
    rings = [first + k * len(loop) + twin for k in range(len(_RINGS))]
    return np.concatenate([*rings, [first + len(_RINGS) * len(loop)]])
