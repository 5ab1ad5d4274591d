"""A cap under the neck of heads whose model has none: from below one sees a cut and not the inside of the face."""

from __future__ import annotations

import numpy as np
import torch

from faceuv.export.mesh_file import MeshFile, linear_from_srgb
from faceuv.export.morphs import SurfaceNormals
from faceuv.export.parts import Material, Part
from faceuv.export.rig import Skeleton
from faceuv.geometry.uv import sample_map
from faceuv.models.faces.cap import CAP, neck_border

_SHADE = 0.8  # of the cut against the skin around it


def capped(mesh: MeshFile) -> MeshFile:
    """The mesh file with the lower border of its skin closed, as a part of its own that a program can
    drop; as it is where the head has a cap already."""
    skin = next((part.faces for part in mesh.parts if part.name == "skin"), None)
    if skin is None or any(part.name == CAP for part in mesh.parts):
        return mesh
    loop = neck_border(mesh.vertices, skin, mesh.weld)
    if loop is None:
        return mesh
    count = len(mesh.vertices)
    source = np.concatenate([loop, loop[:1]])  # copies of the border, and one more that becomes the middle
    rim, middle = count + np.arange(len(loop)), count + len(loop)
    faces = np.stack([np.roll(rim, -1), rim, np.full(len(loop), middle)], 1)  # the border runs with the skin's faces
    place = mesh.vertices[source].copy()
    place[-1] = mesh.vertices[loop].mean(0)
    extra: dict[str, object] = {"vertices": np.concatenate([mesh.vertices, place])}
    whole = extra["vertices"]
    assert isinstance(whole, np.ndarray)
    normals = SurfaceNormals.of(whole, faces).unit[count:].astype(np.float32)
    extra["normals"] = np.concatenate([mesh.normals, normals])
    for name in ("uv", "tangents", "colours"):
        value = getattr(mesh, name)
        if value is not None:
            extra[name] = np.concatenate([value, value[source]])
    if mesh.template is not None:
        border = mesh.template[source].copy()
        border[-1] = mesh.template[loop].mean(0)
        extra["template"] = np.concatenate([mesh.template, border])
    if mesh.weld is not None:
        extra["weld"] = np.concatenate([mesh.weld, np.arange(count, len(whole))])
    if mesh.skeleton is not None:
        skeleton = mesh.skeleton
        weights = np.concatenate([skeleton.weights, skeleton.weights[source]])
        extra["skeleton"] = Skeleton(skeleton.joints, skeleton.parents, skeleton.positions, weights)
    extra["morph_targets"] = {
        name: np.concatenate([offsets, offsets[source]]) for name, offsets in mesh.morph_targets.items()
    }
    parts = [
        part.replace(
            uv=None if part.uv is None else np.concatenate([part.uv, part.uv[source]]),
            colours=None if part.colours is None else np.concatenate([part.colours, part.colours[source]]),
        )
        for part in mesh.parts
    ]
    material = Material(f"{mesh.name}_{CAP}", roughness=0.8, colour=_skin_colour(mesh, loop), textured=False)
    solid = sum(not part.layer for part in parts)  # layers stay last
    parts.insert(solid, Part(CAP, faces, material))
    return mesh.replace(**extra, faces=np.concatenate([mesh.faces, faces]), parts=tuple(parts))


def _skin_colour(mesh: MeshFile, loop: np.ndarray) -> tuple[float, float, float, float]:
    """The mean colour along the border, a little darker; linear light."""
    if mesh.diffuse is not None and mesh.uv is not None:
        colours = sample_map(torch.from_numpy(mesh.diffuse)[None], torch.from_numpy(mesh.uv[loop]))[0].numpy()
    elif mesh.colours is not None:
        colours = mesh.colours[loop]
    else:
        return (_SHADE, _SHADE, _SHADE, 1.0)
    red, green, blue = (_SHADE * linear_from_srgb(colours).mean(0)).tolist()
    return (red, green, blue, 1.0)
