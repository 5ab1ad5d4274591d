"""Where the eyes of a photograph look."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from faceuv.geometry.projection import pose
from faceuv.geometry.rotations import euler_to_matrix
from faceuv.models.faces.arkit.control import with_gaze
from faceuv.models.faces.arkit.gaze import FULL_GAZE_DEG
from faceuv.models.faces.arkit.names import GAZE
from faceuv.models.faces.base import FaceModel
from faceuv.photo.eyes import iris_middle
from faceuv.photo.reading import IRIS, View, eye_openings
from faceuv.renderers.base import Renderer
from faceuv.structures import Coefficients

_LEAST = 40  # samples of an opening: fewer say nothing
_MOST = 30.0  # degrees to a side: more is an error, and so is more up or down than eyes turn
_APART = 14.0  # degrees between the eyes: more is an error in one of them
_STILL = 3.0  # degrees: less is no gaze


@torch.no_grad()
def with_seen_gaze(model: FaceModel, view: View, renderer: Renderer) -> Coefficients:
    """``view.coefficients``, of eyes that look straight ahead, with the eyes turned to where the irises are seen.

    The iris is the dark disc between the lids; where the ray through its middle meets the sphere on which irises move
    is where the eye looks. Both eyes together count; they stay where they are if they disagree or hardly turn.
    """
    own = view.coefficients
    if model.joint_weights is None or not set(GAZE) <= set(model.arkit_table().expressible):
        return own
    names = list(model.metadata.get("joints", ()))
    vertices = model.mesh(own).vertices
    centres = pose(model.joints(vertices), own.rotation, own.translation)[0]
    world = pose(vertices, own.rotation, own.translation)[0]
    turn = euler_to_matrix(own.rotation)[0]
    found = []
    for eye in eye_openings(model, view, renderer):
        part, joint = f"iris_{eye.side}", f"eye_{eye.side}"
        if len(eye.colour) < _LEAST or part not in model.part_names or joint not in names:
            continue
        row, column = iris_middle(eye.colour, eye.place, IRIS * eye.width).tolist()
        centre = centres[names.index(joint)]
        iris = world[model.vertices_of(part)].mean(0)
        looked = _met(column + 0.5, row + 0.5, eye.square, renderer, centre, float((iris - centre).norm()))
        if looked is not None:
            straight, seen = (_angles(turn.T @ (point - centre)) for point in (iris, looked))
            found.append((seen[0] - straight[0], seen[1] - straight[1]))
    if not found:
        return own
    yaw, pitch = (sum(angles) / len(angles) for angles in zip(*found))
    apart = max(math.dist(one, (yaw, pitch)) for one in found) * 2
    far = abs(yaw) > _MOST or not -FULL_GAZE_DEG["Up"] <= pitch <= FULL_GAZE_DEG["Down"]
    if far or apart > _APART or math.hypot(yaw, pitch) < _STILL:
        return own
    return with_gaze(own, model, yaw, pitch)


def _met(x: float, y: float, square: int, renderer: Renderer, centre: Tensor, radius: float) -> Tensor | None:
    """Where the ray through a pixel first meets a sphere, or comes nearest to it; None far from it."""
    camera = renderer.camera
    scale = square * camera.focal  # pixels per unit of slope
    ray = centre.new_tensor([(x - square / 2) / scale, (square / 2 - y) / scale, -1.0])
    ray = ray / ray.norm()
    start = centre.new_tensor([0.0, 0.0, camera.distance])
    along = float((centre - start) @ ray)
    away = float((start + along * ray - centre).norm())
    if away > 1.3 * radius:
        return None
    return start + (along - math.sqrt(max(0.0, radius**2 - away**2))) * ray


def _angles(direction: Tensor) -> tuple[float, float]:
    """Degrees to the viewer's right and down of a direction in the object frame."""
    x, y, z = direction.tolist()
    return math.degrees(math.atan2(x, z)), -math.degrees(math.atan2(y, math.hypot(x, z)))
