"""Coarser levels of a mesh file, for heads that are far away: fewer triangles, smaller textures, all movements.

What stays of the vertices is a subset of them, so morph targets, joints, parts and seams stay as they are.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import torch

from faceuv.errors import AssetError, InputError
from faceuv.export.mesh_file import MeshFile, shading_faces
from faceuv.export.morphs import SurfaceNormals
from faceuv.export.rig import EYES, Skeleton
from faceuv.export.textures import resized, resized_normals
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.files.cache import cache_dir, warn
from faceuv.geometry import simplify as simplify_module
from faceuv.geometry.simplify import simplify

LARGEST_LEVEL = 4
_KEPT = 0.5  # of the triangles, from each level to the next
_SMALLEST_TEXTURE = 64
_EYES, _AROUND = 30.0, 0.25  # weight of errors at the eyes, and within how many decimetres
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
    """``levels`` mesh files with 1/2, 1/4, … of the triangles and of the sides of the textures; of
    hair, the outer 1/2, 1/4, … of the cards."""
    check_levels(levels)
    if mesh.hair is not None:
        worn = mesh.hair
        bare = coarser(mesh.without_hair(), levels)
        return [level.with_hair(worn.thinned(number)) for number, level in enumerate(bare, 1)]
    faces = np.concatenate([part.faces for part in mesh.parts])
    labels = np.repeat(np.arange(len(mesh.parts)), [len(part.faces) for part in mesh.parts])
    weld = np.arange(len(mesh.vertices)) if mesh.weld is None else mesh.weld
    targets = [max(round(len(faces) * _KEPT**level), 4) for level in range(1, levels + 1)]
    found = _chosen(_shapes(mesh), faces, labels, weld, _weights(mesh), targets)
    return [_level(mesh, *left, number) for number, left in enumerate(found, 1)]


def _chosen(
    shapes: np.ndarray,
    faces: np.ndarray,
    labels: np.ndarray,
    weld: np.ndarray,
    weights: np.ndarray,
    targets: list[int],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """:func:`simplify`, kept in the user's cache: all people of a face model share the result."""
    digest = hashlib.sha256(recipe().encode())
    for array in (shapes.astype(np.float32), faces, labels, weld, weights, np.array(targets)):
        digest.update(np.ascontiguousarray(array).tobytes())
    path = cache_dir() / "lod" / f"{digest.hexdigest()[:24]}.safetensors"
    if path.is_file():
        try:
            tensors, _ = load_tensors(path, kind="lod")
            return [(tensors[f"faces_{k}"].numpy(), tensors[f"labels_{k}"].numpy()) for k in range(len(targets))]
        except (AssetError, KeyError) as error:
            warn(f"the cached levels of this mesh are damaged and will be made again: {error}")
    found = simplify(shapes, faces, targets, weld=weld, labels=labels, weights=weights)
    kept = {f"{name}_{k}": torch.from_numpy(array) for k, left in enumerate(found)
            for name, array in zip(("faces", "labels"), left)}  # fmt: skip
    try:
        save_tensors(path, kept, {"kind": "lod"})
    except (AssetError, OSError) as error:
        warn(f"the levels are made but could not be cached, so the next time is slow again: {error}")
    return found


@cache
def recipe() -> str:
    """A hash of the code that chooses: a cached choice of another version is not taken."""
    return hashlib.sha256(Path(simplify_module.__file__).read_bytes()).hexdigest()


def _shapes(mesh: MeshFile) -> np.ndarray:
    """The vertices at rest, and in the movements that move them farthest, ``(S, V, 3)``; of the template if there is
    one, so that the levels do not depend on the person."""
    rest = (mesh.vertices if mesh.template is None else mesh.template).astype(np.float64)
    reach = {name: float(np.linalg.norm(offsets, axis=1).sum()) for name, offsets in mesh.morph_targets.items()}
    widest = sorted(reach, key=lambda name: -reach[name])[: _SHAPES - 1]
    lids = [name for name in reach if "blink" in name.lower()]
    chosen = [mesh.morph_targets[name] for name in widest]
    if lids:
        chosen.append(np.sum([mesh.morph_targets[name] for name in lids], 0))
    return np.stack([rest, *(rest + offsets for offsets in chosen)])


def _weights(mesh: MeshFile) -> np.ndarray:
    """``(V,)``: errors around the eyes are seen first."""
    weights = np.ones(len(mesh.vertices))
    if mesh.skeleton is not None:
        for eye in set(EYES) & set(mesh.skeleton.joints):
            turned = np.flatnonzero(mesh.skeleton.weights[:, mesh.skeleton.index(eye)] > 0.5)
            places = mesh.vertices if mesh.template is None else mesh.template
            if len(turned):
                away = np.square(places - places[turned].mean(0)).sum(1)
                weights += _EYES * np.exp(-away / _AROUND**2)
    return weights


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
            for name in ("uv", "tangents", "colours", "template")
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
