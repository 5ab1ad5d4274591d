"""Pure functions on tensors: rotations, lighting, normals, projection, UV maps and scan conversion.

Everything here is batched, differentiable where mathematics allows, and agnostic of device and dtype.
"""

from faceuv.geometry.lighting import ambient_light, directional_light, light_form, named_light, sh_basis, sh_irradiance
from faceuv.geometry.normals import apply_tangents, face_normals, tangent_operator, vertex_normals, vertex_tangents
from faceuv.geometry.projection import pose, project, view_depth
from faceuv.geometry.rotations import euler_to_matrix, matrix_to_euler, rotate
from faceuv.geometry.scan import scan_triangles
from faceuv.geometry.uv import UVCorrespondence, bake, displaced_normals, map_gradients, sample_map, surface_normals
from faceuv.geometry.weld import welded_faces, welded_mean

__all__ = [
    "UVCorrespondence",
    "ambient_light",
    "apply_tangents",
    "bake",
    "directional_light",
    "displaced_normals",
    "euler_to_matrix",
    "face_normals",
    "light_form",
    "map_gradients",
    "matrix_to_euler",
    "named_light",
    "pose",
    "project",
    "rotate",
    "sample_map",
    "scan_triangles",
    "sh_basis",
    "sh_irradiance",
    "surface_normals",
    "tangent_operator",
    "vertex_normals",
    "vertex_tangents",
    "view_depth",
    "welded_faces",
    "welded_mean",
]
