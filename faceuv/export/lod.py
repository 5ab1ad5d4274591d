"""Coarser levels of a mesh file, for heads that are far away: fewer triangles, smaller textures, all movements.

What stays of the vertices is a subset of them, so morph targets, joints, parts and seams stay as they are.
"""

from __future__ import annotations

import numpy as np
import torch

from faceuv.errors import InputError
from faceuv.export.mesh_file import MeshFile, shading_faces
from faceuv.export.morphs import SurfaceNormals
from faceuv.export.rig import Skeleton
from faceuv.export.textures import resized, resized_normals
from faceuv.geometry.simplify import simplify

LARGEST_LEVEL = 4
_KEPT = 0.5  # of the triangles, from each level to the next
_SMALLEST_TEXTURE = 64
_SHAPES = 3  # movements that a coarse mesh should still make well, besides the shape at rest


def check_levels(levels: object) -> int:
    """``levels`` if a mesh can have so many: 1 … 4."""
    if isinstance(levels, bool) or not isinstance(levels, int) or not 1 <= levels <= LARGEST_LEVEL:
        raise InputError(
            f"lod is the number of coarser levels, 1 … {LARGEST_LEVEL} (each has half the triangles of the one before),"
            f" got {levels!r}"
        )
    return levels


def coarser(mesh: MeshFile, levels: int) -> list[MeshFile]:
    """``levels`` mesh files with 1/2, 1/4, … of the triangles and of the sides of the textures."""
    check_levels(levels)
    faces = np.concatenate([part.faces for part in mesh.parts])
    labels = np.repeat(np.arange(len(mesh.parts)), [len(part.faces) for part in mesh.parts])
    weld = np.arange(len(mesh.vertices)) if mesh.weld is None else mesh.weld
    targets = [max(round(len(faces) * _KEPT**level), 4) for level in range(1, levels + 1)]
    found = simplify(_shapes(mesh), faces, targets, weld=weld, labels=labels)
    return [_level(mesh, *left, number) for number, left in enumerate(found, 1)]


def _shapes(mesh: MeshFile) -> np.ndarray:
    """The vertices at rest, and in the movements that move them farthest, ``(S, V, 3)``."""
    rest = mesh.vertices.astype(np.float64)
    reach = {name: float(np.linalg.norm(offsets, axis=1).sum()) for name, offsets in mesh.morph_targets.items()}
    widest = sorted(reach, key=lambda name: -reach[name])[: _SHAPES - 1]
    lids = [name for name in reach if "blink" in name.lower()]
    chosen = [mesh.morph_targets[name] for name in widest]
    if lids:
        chosen.append(np.sum([mesh.morph_targets[name] for name in lids], 0))
    return np.stack([rest, *(rest + offsets for offsets in chosen)])


def _level(mesh: MeshFile, faces: np.ndarray, labels: np.ndarray, number: int) -> MeshFile:
    rows = np.unique(faces)
    local = np.full(len(mesh.vertices), -1)
    local[rows] = np.arange(len(rows))
    parts = []
    for k, part in enumerate(mesh.parts):
        own = faces[labels == k]
        if len(own):
            parts.append(
                part.replace(
                    faces=local[own],
                    polygons=None,
                    uv=None if part.uv is None else part.uv[rows],
                    colours=None if part.colours is None else part.colours[rows],
                )
            )
    opaque = np.concatenate([part.faces for part in parts if not part.layer])
    weld = None if mesh.weld is None else _first_copies(mesh.weld[rows])
    skeleton = mesh.skeleton
    if skeleton is not None:
        skeleton = Skeleton(skeleton.joints, skeleton.parents, skeleton.positions, skeleton.weights[rows])
    return mesh.replace(
        vertices=mesh.vertices[rows],
        faces=opaque,
        normals=SurfaceNormals.of(mesh.vertices[rows], shading_faces(opaque, parts), weld).unit.astype(np.float32),
        weld=weld,
        parts=tuple(parts),
        skeleton=skeleton,
        morph_targets={name: offsets[rows] for name, offsets in mesh.morph_targets.items()},
        **{
            name: None if getattr(mesh, name) is None else getattr(mesh, name)[rows]
            for name in ("uv", "tangents", "colours")
        },
        **_smaller(mesh, number),
        name=f"{mesh.name}_lod{number}",
    )


def _first_copies(points: np.ndarray) -> np.ndarray:
    """Points of the rows that are left → the first row of each point."""
    _, first, which = np.unique(points, return_index=True, return_inverse=True)
    return first[which]


def _smaller(mesh: MeshFile, number: int) -> dict[str, np.ndarray]:
    """The textures with their sides halved ``number`` times."""
    found: dict[str, np.ndarray] = {}
    for name in ("diffuse", "normal_map", "roughness_map"):
        picture = getattr(mesh, name)
        if picture is None:
            continue
        side = max(picture.shape[-1] >> number, min(_SMALLEST_TEXTURE, picture.shape[-1]))
        tensor = torch.from_numpy(np.ascontiguousarray(picture))
        if name == "normal_map":
            found[name] = resized_normals(tensor, side).numpy()
        elif name == "diffuse":
            found[name] = resized(tensor, side).numpy()
        else:
            found[name] = resized(tensor[None].expand(3, -1, -1), side)[0].numpy()
    return found
