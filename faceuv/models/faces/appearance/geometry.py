"""What the painting of a head needs to know of it: positions, landmarks, parts and eyeballs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.geometry.normals import vertex_normals
from faceuv.models.faces.appearance.frame import canonical
from faceuv.models.faces.arrays import PARTS

SIDES = ("left", "right")
_IRIS_OF_OPENING = 0.196  # radius of the iris over the distance of the eye's corners
_RIM_POINTS = 6
_RIM = 1.06  # of the hole in the white: the ring around the iris lies on both
_BEHIND = 1.3
_EYE_CORNERS = {"right": (36, 39), "left": (42, 45)}


@dataclass(frozen=True)
class Eyeball:
    """Decimetres, object frame: the centre, its radius, that of the iris, and the direction of gaze."""

    centre: Tensor
    radius: float
    iris: float
    gaze: Tensor


@dataclass(frozen=True)
class Head:
    """A head at rest.

    mean       (V, 3) decimetres, object frame
    faces      (F, 3) int64
    landmarks  (68,) int64
    part       (F,) int64 index into ``parts``
    weld       (V,) int64 or None: the first copy of each vertex that seams split
    layer_faces, layer_part  (G, 3), (G,) int64 or None: layers, as in a face model
    canonical  (V, 3) mm: see :mod:`~faceuv.models.faces.appearance.frame`
    """

    mean: Tensor
    faces: Tensor
    landmarks: Tensor
    part: Tensor
    parts: tuple[str, ...]
    canonical: Tensor
    weld: Tensor | None = None
    layer_faces: Tensor | None = None
    layer_part: Tensor | None = None

    @classmethod
    def of(cls, model: Any) -> Head:
        """From a face model, or from the arrays of one to be: a mapping with ``mean``, ``faces``, ``landmarks`` and,
        where the head has them, ``part`` with ``parts`` (the names) and ``weld``."""

        def array(name: str) -> Tensor | None:
            value = model.get(name) if isinstance(model, Mapping) else getattr(model, name)
            return None if value is None else value.detach().cpu()

        mean, faces, landmarks, part = (array(name) for name in ("mean", "faces", "landmarks", "part"))
        assert mean is not None and faces is not None and landmarks is not None
        parts = tuple(model.get("parts", ()) if isinstance(model, Mapping) else model.part_names)
        if part is None:
            part, parts = torch.zeros(len(faces), dtype=torch.int64), ("skin",)
        mean = mean.float()
        where = canonical(mean, landmarks)
        layers = array("layer_faces"), array("layer_part")
        return cls(mean, faces, landmarks, part, parts, where, array("weld"), *layers)

    def part_of_vertices(self) -> Tensor:
        """``(V,)`` index into :data:`~faceuv.models.faces.arrays.PARTS`; skin wins where parts share a vertex."""
        table = torch.tensor([PARTS.index(name) for name in self.parts])
        wanted = table[self.part]
        found = torch.full((len(self.mean),), len(PARTS), dtype=torch.int64)
        found.scatter_reduce_(0, self.faces.flatten(), wanted.repeat_interleave(3), "amin")
        if self.layer_faces is not None and self.layer_part is not None:
            layers = torch.full_like(found, len(PARTS))
            layer = table[self.layer_part].repeat_interleave(3)
            layers.scatter_reduce_(0, self.layer_faces.flatten(), layer, "amin")
            found = torch.where(found == len(PARTS), layers, found)
        return torch.where(found == len(PARTS), torch.zeros_like(found), found)

    def part_of_faces(self) -> Tensor:
        """``(F,)`` index into :data:`~faceuv.models.faces.arrays.PARTS`."""
        return torch.tensor([PARTS.index(name) for name in self.parts])[self.part]

    def normals(self) -> Tensor:
        """``(V, 3)`` unit normals."""
        return vertex_normals(self.mean[None], self.faces, self.weld)[0]

    def _rim(self, chosen: Tensor) -> Tensor:
        """Positions ``(K, 3)`` of the border of some faces: where the white leaves room for the iris."""
        faces = self.faces if self.weld is None else self.weld[self.faces]
        faces = faces[chosen]
        edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
        pairs, count = edges.unique(dim=0, return_counts=True)
        return self.mean[pairs[count == 1].flatten().unique()]

    def eyeballs(self) -> dict[str, Eyeball]:
        """The eyes that are parts of their own, by the subject's side."""
        found = {}
        kinds = self.part_of_faces()
        for side in SIDES:
            chosen = (kinds == PARTS.index(f"sclera_{side}")) | (kinds == PARTS.index(f"iris_{side}"))
            if not bool(chosen.any()):
                continue
            points = self.mean[self.faces[chosen].flatten().unique()].double()
            centre, radius = _sphere(points)
            outer, inner = (self.mean[self.landmarks[k]] for k in _EYE_CORNERS[side])
            iris = _IRIS_OF_OPENING * float((outer - inner).norm())
            gaze = torch.tensor([0.0, 0.0, 1.0])
            rim = self._rim(kinds == PARTS.index(f"sclera_{side}")) - centre.float()
            rim = rim[rim[:, 2] > 0.5 * radius]
            if len(rim) >= _RIM_POINTS:
                gaze = F.normalize(rim.mean(0), dim=0)
                hole = float((rim - (rim @ gaze)[:, None] * gaze).norm(dim=1).mean())
                iris = _RIM * hole if 0.2 * radius < hole < 0.62 * radius else iris
            found[side] = Eyeball(centre.float(), radius, min(iris, 0.62 * radius), gaze)
        return found


def _sphere(points: Tensor) -> tuple[Tensor, float]:
    """Centre and radius of the sphere nearest to ``points (N, 3)``, by least squares."""
    middle = points.mean(0)
    near = points - middle
    system = torch.cat([2 * near, torch.ones_like(near[:, :1])], 1)
    solution = torch.linalg.lstsq(system, near.square().sum(1, keepdim=True)).solution[:, 0]
    radius = float((solution[3] + solution[:3].square().sum()).clamp_min(1e-12).sqrt())
    return middle + solution[:3], radius


def eye_rows(part: Tensor, positions: Tensor, side: str, eye: Eyeball) -> tuple[Tensor, Tensor, Tensor]:
    """The rows of an eye among points with ``part (N,)`` (index into PARTS) and ``positions (N, 3)`` dm, and their
    :func:`iris_coordinates`. What lies behind an iris that is a surface of its own is seen through the pupil alone,
    so it counts as pupil: distance 0."""
    iris, white = (PARTS.index(f"{what}_{side}") for what in ("iris", "sclera"))
    rows = ((part == iris) | (part == white)).nonzero()[:, 0]
    distance, angle = iris_coordinates(positions[rows], eye)
    behind = (part[rows] == iris) & (distance > _BEHIND)
    return rows, distance.masked_fill(behind, 0.0), angle


def iris_coordinates(points: Tensor, eye: Eyeball) -> tuple[Tensor, Tensor]:
    """Distance from the middle of the iris in radii of the iris, and the angle around it (0 to the viewer's right, up
    positive), each ``(N,)``, of points ``(N, 3)`` in decimetres on an eyeball."""
    away = F.normalize(points - eye.centre.to(points), dim=1)
    # right and up, as seen by who looks into the eye
    right = F.normalize(torch.linalg.cross(points.new_tensor([0.0, 1.0, 0.0]), eye.gaze.to(points)), dim=0)
    up = torch.linalg.cross(eye.gaze.to(points), right)
    x, y, ahead = away @ right, away @ up, away @ eye.gaze.to(points)
    across = torch.hypot(x, y)
    # along the ball's surface, so that the white behind the equator goes on growing
    sine = torch.where(ahead > 0, across, 2 - across)
    return sine * (eye.radius / eye.iris), torch.atan2(y, x)


def interpolate(attribute: Tensor, corners: Tensor, weights: Tensor) -> Tensor:
    """A vertex attribute ``(V, C)`` at points within triangles: ``corners (N, 3)``, ``weights (N, 3)`` → ``(N, C)``."""
    parts = [attribute.index_select(0, corners[:, k]) for k in range(3)]
    found = parts[0] * weights[:, :1]
    return found.addcmul_(parts[1], weights[:, 1:2]).addcmul_(parts[2], weights[:, 2:])
