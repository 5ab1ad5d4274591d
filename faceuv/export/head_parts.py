"""Parts and joints of a face model, as a mesh file takes them."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from faceuv.export.layers import layer_look
from faceuv.export.parts import Part, part_material
from faceuv.export.rig import Skeleton
from faceuv.models.faces.base import FaceModel


def head_parts(model: FaceModel, name: str) -> list[Part]:
    """The parts of a whole head, opaque ones first; none for a face that is one open shell."""
    if model.part is None:
        return []
    names = model.metadata["parts"]
    faces, part = model.faces.cpu().numpy(), model.part.cpu().numpy()
    polygons, polygon_part = _array(model.polygons), _array(model.polygon_part)
    found = []
    for k in np.unique(part):
        quads = None if polygons is None or polygon_part is None else polygons[polygon_part == k]
        found.append(Part(names[k], faces[part == k], part_material(names[k], name=name), quads))
    layers, layer_part = _array(model.layer_faces), _array(model.layer_part)
    if layers is None or layer_part is None:
        return found
    for k in np.unique(layer_part):
        found.append(layer_look(model, names[k], layers[layer_part == k], name))
    return found


def head_skeleton(model: FaceModel, vertices: Tensor) -> Skeleton | None:
    """The joints of the first of ``vertices (B, V, 3)``; None for a face model without them."""
    if model.joint_weights is None or model.skin_weights is None:
        return None
    return Skeleton(
        tuple(model.metadata["joints"]),
        tuple(int(parent) for parent in model.metadata["joint_parents"]),
        (model.joint_weights @ vertices[0]).float().cpu().numpy(),
        model.skin_weights.float().cpu().numpy(),
    )


def _array(tensor: Tensor | None) -> np.ndarray | None:
    return None if tensor is None else tensor.cpu().numpy()
