"""Published files → the arrays, names and metadata of a face model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from faceuv.geometry.normals import vertex_normals
from faceuv.models.faces.appearance import MARK, albedo_arrays
from faceuv.models.faces.arrays import PARTS
from faceuv.models.faces.blink import MODES as BLINKS
from faceuv.models.faces.blink import SIDES, blink_arrays
from faceuv.models.faces.cap import with_cap
from faceuv.models.faces.ict.atlas import CAP_PLACE, atlas
from faceuv.models.faces.ict.closing import LID_OVERLAP, LIP_OVERLAP, lids, lips
from faceuv.models.faces.ict.expressions import Modes, expression_modes
from faceuv.models.faces.ict.folder import REPOSITORY, Published
from faceuv.models.faces.ict.landmarks import contour, landmarks
from faceuv.models.faces.ict.mirror import mirror_map, mirrored_corners
from faceuv.models.faces.ict.plain_skin import Canvas, skin_mask
from faceuv.models.faces.ict.regions import EYEBALLS, Regions, looking_ahead, regions
from faceuv.models.faces.ict.rig import JOINTS, PARENTS, joint_weights, skin_weights
from faceuv.models.faces.ict.split import Split, triangles
from faceuv.models.faces.slits import sealed

Integers = NDArray[np.int64]
Floats = NDArray[np.floating]
LICENCE = {
    "name": "MIT",
    "source": REPOSITORY,
    "commercial": "yes",
    "copyright": "Copyright (c) 2020 USC Institute for Creative Technologies",
}
VERSION = "ICT-FaceKit Light"
_RETREAT = 0.10  # centimetres that a blink draws the eyeball back, so that no bulging cornea stands out of the shut lid
_EYES = (0.0, 0.2974, 0.1831)  # decimetres: where the procedural model has the middle of the 12 eye landmarks


def convert(published: Published) -> tuple[dict[str, Tensor], dict[str, list[str]], dict[str, Any]]:
    """Arrays, mode names and metadata of :class:`ICTFaceKit`."""
    published = looking_ahead(published)
    found = regions(published)
    placed, _ = atlas(published)
    split = Split.of(published, placed)
    mirrored = mirrored_corners(published.corners[..., 0], published.vertices)
    sides = mirror_map(mirrored, published.corners[..., 0], len(published.vertices))
    marks = landmarks(published, sides)
    origin = published.vertices[marks[36:48]].astype(np.float64).mean(0)
    rest, identity, modes, blink = _closed(published, split)
    mean = ((rest - origin) / 10 + _EYES).astype(np.float32)
    canvas = _canvas(published, split, found, mean, marks)
    names = [name for name in PARTS if name in found.names]
    order = np.array([names.index(name) for name in found.names])
    opaque, first = ~found.layer, split.first
    faces, face_of = triangles(split.corners[opaque], mean[split.source])
    layers, layer_of = triangles(split.corners[found.layer], mean[split.source])
    floats = {
        "mean": mean[split.source],
        "identity_basis": identity[:, split.source].transpose(1, 2, 0) / 10,
        "expression_basis": modes.basis[:, split.source].transpose(1, 2, 0) / 10,
        "uv": split.uv,
        "joint_weights": _spread(joint_weights(published), split),
        "skin_weights": skin_weights(published)[split.source],
        "expression_limits": np.tile([0.0, 1.0], (len(modes.names), 1)),
    }
    integers = {
        "faces": faces,
        "part": order[found.part[opaque]][face_of],
        "layer_faces": layers,
        "layer_part": order[found.part[found.layer]][layer_of],
        "polygons": split.corners[opaque],
        "polygon_part": order[found.part[opaque]],
        "landmarks": first[marks],
        "contour": first[contour(published, marks, sides)],
        "mirror": mirror_map(mirrored, split.corners, len(split.source)),
        "weld": first[split.source],
    }
    arrays = {
        **blink,
        **{name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in floats.items()},
        **{name: torch.from_numpy(np.array(value, dtype=np.int64)) for name, value in integers.items()},
        "skin_mask": torch.from_numpy(skin_mask(canvas)),
    }
    arrays, names = with_cap(arrays, names, CAP_PLACE)
    arrays["mean_albedo"], arrays["albedo_basis"], colours = albedo_arrays({**arrays, "parts": names})
    metadata = {
        "albedo": MARK,
        "source": "ICT-FaceKit Light, FaceXModel",
        "version": VERSION,
        "licence": LICENCE,
        "parts": names,
        "joints": list(JOINTS),
        "joint_parents": list(PARENTS),
        "combined_expression": modes.combined,
        "full_expression": dict.fromkeys(modes.names, 1.0),
    }
    return arrays, {"expression": list(modes.names), "albedo": colours}, metadata


def _closed(
    published: Published, split: Split
) -> tuple[NDArray[np.float64], NDArray[np.float64], Modes, dict[str, Tensor]]:
    """Vertices, identity modes and expressions whose lips touch at rest and whose lids shut; what shuts the lids of
    other people."""
    rest, identity = published.vertices.astype(np.float64), published.identity.astype(np.float64)
    mouth = lips(published)
    modes = expression_modes(published)
    slits = {side: lids(published, side) for side in SIDES}
    for side, name in zip(SIDES, BLINKS):
        row = modes.names.index(name)
        shut = sealed(slits[side], rest, rest + modes.basis[row], LID_OVERLAP)
        modes.basis[row] = shut - rest
        modes.basis[row, EYEBALLS[side], 2] -= _RETREAT
    blink = blink_arrays(slits, rest, identity, split.source, 10.0)
    return sealed(mouth, rest, rest, LIP_OVERLAP), sealed(mouth, rest, identity, 0), modes, blink


def _canvas(published: Published, split: Split, found: Regions, mean: Floats, marks: Integers) -> Canvas:
    """What the mask of plain skin depends on."""
    names = np.array(found.names)
    part = np.full(len(split.source), "skin", dtype=names.dtype)
    used = split.corners >= 0
    for polygons in (found.layer, ~found.layer):  # the opaque part wins where a layer shares a vertex with it
        corners = used & polygons[:, None]
        part[split.corners[corners]] = np.repeat(names[found.part], used.sum(1))[corners[used]]
    points = mean[split.source].astype(np.float64)
    return Canvas(points, part, split.first[marks], _facing(points, split, found))


def _facing(points: NDArray[np.float64], split: Split, found: Regions) -> NDArray[np.float64]:
    """``(S,)``: 1 where the mean surface looks at the camera, −1 where it looks away."""
    faces, _ = triangles(split.corners[~found.layer], points)
    weld = torch.from_numpy(split.first[split.source])
    normals = vertex_normals(torch.from_numpy(points)[None], torch.from_numpy(faces), weld)[0].numpy()
    view = np.array([0.0, 0.0, 10.0]) - points
    cosine: NDArray[np.float64] = (normals * view).sum(1) / np.linalg.norm(view, axis=1)
    return cosine


def _spread(weights: Floats, split: Split) -> Floats:
    """Weights of published vertices ``(J, V)`` → of their first copies ``(J, S)``."""
    spread = np.zeros((len(weights), len(split.source)))
    spread[:, split.first] = weights
    return spread
