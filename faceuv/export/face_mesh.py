"""A face as a mesh file: the displaced surface at rest, its textures, and on request expression blend shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from faceuv.export.mesh_file import MeshFile
from faceuv.export.tangent import in_tangent_frame, tangent_frame, tangent_normal_map
from faceuv.geometry.uv import UVCorrespondence
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.structures import Coefficients, Surface, UVMaps


def face_mesh(
    renderer: FaceRenderer,
    coefficients: Coefficients,
    maps: UVMaps | None,
    diffuse: Tensor,
    *,
    blend_shapes: bool = False,
    name: str = "face",
    metadata: Mapping[str, Any] | None = None,
) -> MeshFile:
    """The first face of ``coefficients`` and ``maps`` with the texture ``diffuse (3, H, W)``; pose and light are left
    to the program that shows it."""
    model = renderer.face_model
    vertices = renderer.mesh(coefficients, maps).vertices[:1]
    frame = tangent_frame(vertices, model.faces, model.uv, weld=model.weld)
    normal_map = None
    if maps is not None and maps.displacement is not None:
        # In the frame of the displaced vertices: what they already show is not applied twice.
        rest, displacement = model.mesh(coefficients).vertices, maps.displacement
        chart = model.chart(*displacement.shape[-2:])
        normal_map = tangent_normal_map(
            rest, model.faces, model.uv, displacement, chart=chart, frame=frame, weld=model.weld
        )[0]
    return MeshFile.build(
        vertices[0],
        model.faces,
        uv=model.uv,
        normals=frame.normal[0],
        tangents=None if normal_map is None else frame.tangent[0],
        diffuse=diffuse,
        normal_map=normal_map,
        morph_targets=expression_shapes(model) if blend_shapes else {},
        name=name,
        metadata=dict(metadata or {}),
    )


def surface_mesh(surface: Surface, *, name: str = "face", metadata: Mapping[str, Any] | None = None) -> MeshFile:
    """The first of some surfaces without a face model: mesh, texture, and normals finer than the mesh in its tangent
    frame; pose and light are left to the program that shows it."""
    mesh = surface.mesh
    vertices = mesh.vertices[:1]
    frame = None if mesh.uv is None else tangent_frame(vertices, mesh.faces, mesh.uv, weld=mesh.weld)
    normal_map = None
    if surface.normal_map is not None and frame is not None and mesh.uv is not None:
        chart = UVCorrespondence.build(mesh.uv, mesh.faces, *surface.normal_map.shape[-2:])
        normal_map = in_tangent_frame(surface.normal_map[:1], frame, chart)[0]
    return MeshFile.build(
        vertices[0],
        mesh.faces,
        uv=mesh.uv,
        normals=None if frame is None else frame.normal[0],
        tangents=None if frame is None or normal_map is None else frame.tangent[0],
        diffuse=None if surface.diffuse is None else surface.diffuse[0].clamp(0, 1),
        colours=None if surface.vertex_colours is None else surface.vertex_colours[0].clamp(0, 1),
        normal_map=normal_map,
        name=name,
        metadata=dict(metadata or {}),
    )


def expression_shapes(model: FaceModel) -> dict[str, Tensor]:
    """Named movements → offsets ``(V, 3)`` of the full movement: a weight of 1 is what engines expect it to be. Modes
    without a meaning would only make a file large."""
    found = {}
    for shape in model.metadata.get("full_expression", model.mode_names["expression"]):
        ((column, full),) = model.movement(shape).items()
        found[shape] = full * model.expression_basis[:, :, column]
    return found
