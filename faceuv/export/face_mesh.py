"""A face as a mesh file: the displaced surface at rest, its textures, and on request expression blend shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from faceuv.export.mesh_file import MeshFile
from faceuv.export.tangent import tangent_frame, tangent_normal_map
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.structures import Coefficients, UVMaps


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
    vertices = renderer.surface(coefficients, maps).vertices[:1]
    frame = tangent_frame(vertices, model.faces, model.uv)
    normal_map = None
    if maps is not None and maps.displacement is not None:
        # In the frame of the displaced vertices: what they already show is not applied twice.
        rest, displacement = model.mesh(coefficients).vertices, maps.displacement
        chart = model.chart(*displacement.shape[-2:])
        normal_map = tangent_normal_map(rest, model.faces, model.uv, displacement, chart=chart, frame=frame)[0]
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


def expression_shapes(model: FaceModel) -> dict[str, Tensor]:
    """Named movements → offsets ``(V, 3)`` of the full movement: a weight of 1 is what engines expect it to be. Modes
    without a meaning would only make a file large."""
    found = {}
    for shape in model.metadata.get("full_expression", model.mode_names["expression"]):
        ((column, full),) = model.movement(shape).items()
        found[shape] = full * model.expression_basis[:, :, column]
    return found
