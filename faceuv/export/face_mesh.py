"""A face as a mesh file: the displaced surface at rest with its textures, parts, joints and movements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from faceuv.export.caps import capped
from faceuv.export.head_parts import head_parts, head_skeleton
from faceuv.export.mesh_file import MeshFile
from faceuv.export.movements import EyesBy, Movements
from faceuv.export.tangent import in_tangent_frame, tangent_frame, tangent_normal_map
from faceuv.export.textures import padded, resized, resized_normals, roughness_of
from faceuv.geometry.uv import UVCorrespondence
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.structures import Coefficients, Surface, UVMaps


@torch.no_grad()
def face_mesh(
    renderer: FaceRenderer,
    coefficients: Coefficients,
    maps: UVMaps | None,
    diffuse: Tensor,
    *,
    blend_shapes: bool = False,
    eyes_by: EyesBy = "joints",
    texture_size: int | None = None,
    licences: Sequence[Mapping[str, str]] = (),
    name: str = "face",
    metadata: Mapping[str, Any] | None = None,
) -> MeshFile:
    """The first face of ``coefficients`` and ``maps`` with the texture ``diffuse (3, H, W)``; pose and light are left
    to the program that shows it.

    Args:
        blend_shapes: the named movements as morph targets. The surface is then the resting face, and the weights of
            the file give it the expression of ``coefficients``.
        eyes_by: what turns the eyes of a head with eye joints: the joints (movements such as eyeLookInLeft then move
            the lids alone, and the file says which turn they mean), or the morph targets.
        texture_size: side of all textures; None keeps that of the maps.
    """
    model = renderer.face_model
    coefficients = coefficients[:1]
    movements = Movements.of(model, eyes_by).of_person(model, coefficients.identity) if blend_shapes else None
    weights: dict[str, float] = {}
    if movements is not None:
        weights, rest = movements.weights_of(coefficients.expression[0])
        coefficients = coefficients.replace(expression=rest[None])
    vertices = renderer.mesh(coefficients, maps).vertices[:1]
    frame = normal_map = None
    if maps is not None and maps.displacement is not None:
        # In the frame of the displaced vertices: what they already show is not applied twice.
        frame = tangent_frame(vertices, model.faces, model.uv, weld=model.weld, tangents=model.tangents(vertices))
        rest_vertices, displacement = model.mesh(coefficients).vertices, maps.displacement[:1]
        chart = model.chart(*displacement.shape[-2:])
        along = model.tangents(rest_vertices)
        normal_map = tangent_normal_map(
            rest_vertices,
            model.faces,
            model.uv,
            displacement,
            chart=chart,
            frame=frame,
            weld=model.weld,
            tangents=along,
        )[0]
    rough = None if maps is None or maps.roughness is None else maps.roughness[0]
    if texture_size is not None:
        diffuse = resized(diffuse, texture_size)
        normal_map = None if normal_map is None else resized_normals(normal_map, texture_size)
    parts = head_parts(model, name)
    skeleton = head_skeleton(model, vertices)
    mesh = MeshFile.build(
        vertices[0],
        model.faces,
        uv=model.uv,
        tangents=None if frame is None else frame.tangent[0],
        diffuse=padded(diffuse, model),
        normal_map=normal_map,
        roughness_map=roughness_of(normal_map, rough),
        morph_targets={} if movements is None else movements.offsets,
        morph_weights=weights,
        parts=parts,
        weld=model.weld,
        skeleton=skeleton,
        pose={} if movements is None else movements.pose(weights),
        eye_look={} if movements is None else movements.eye_look,
        template=model.mean,
        licences=licences,
        name=name,
        metadata=dict(metadata or {}),
    )
    return capped(mesh) if parts else mesh


def surface_mesh(
    surface: Surface,
    *,
    texture_size: int | None = None,
    licences: Sequence[Mapping[str, str]] = (),
    name: str = "face",
    metadata: Mapping[str, Any] | None = None,
) -> MeshFile:
    """The first of some surfaces without a face model: mesh, texture, and normals finer than the mesh in its tangent
    frame; pose and light are left to the program that shows it."""
    mesh = surface.mesh
    vertices = mesh.vertices[:1]
    frame = None if mesh.uv is None else tangent_frame(vertices, mesh.faces, mesh.uv, weld=mesh.weld)
    normal_map = None
    if surface.normal_map is not None and frame is not None and mesh.uv is not None:
        chart = UVCorrespondence.build(mesh.uv, mesh.faces, *surface.normal_map.shape[-2:])
        normal_map = in_tangent_frame(surface.normal_map[:1], frame, chart)[0]
    diffuse = None if surface.diffuse is None else surface.diffuse[0].clamp(0, 1)
    if texture_size is not None:
        diffuse = None if diffuse is None else resized(diffuse, texture_size)
        normal_map = None if normal_map is None else resized_normals(normal_map, texture_size)
    return MeshFile.build(
        vertices[0],
        mesh.faces,
        uv=mesh.uv,
        normals=None if frame is None else frame.normal[0],
        tangents=None if frame is None or normal_map is None else frame.tangent[0],
        diffuse=diffuse,
        colours=None if surface.vertex_colours is None else surface.vertex_colours[0].clamp(0, 1),
        normal_map=normal_map,
        weld=mesh.weld,
        licences=licences,
        name=name,
        metadata=dict(metadata or {}),
    )


def expression_shapes(model: FaceModel) -> dict[str, Tensor]:
    """Named movements → offsets ``(V, 3)`` of the full movement: a weight of 1 is what engines expect it to be."""
    return {name: torch.from_numpy(offsets) for name, offsets in Movements.of(model, "morphs").offsets.items()}
