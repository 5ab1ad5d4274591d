"""The content of a mesh file of any format: one checked surface with its parts, textures, movements and joints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from faceuv.errors import InputError, did_you_mean
from faceuv.export.hair_part import HAIR, WornHair, hair_weights
from faceuv.export.mesh_checks import (
    Array,
    as_numpy,
    floats,
    in_unit_range,
    json_values,
    one_line,
    picture,
    triangles,
    unit_tangents,
)
from faceuv.export.parts import Part, shell_material
from faceuv.export.rig import Animation, Quaternion, Skeleton, no_eyes
from faceuv.export.tangent import tangent_frame, unit_normals, usable_normals
from faceuv.models.faces.hair import LIGHTER

METRES_PER_DECIMETRE = 0.1  # files are in metres, everything in memory in decimetres


@dataclass(frozen=True, eq=False)
class MeshFile:
    """One surface, ready to be written; make it with :meth:`build`, which takes tensors or arrays and checks them.

    vertices (V, 3)       float32, decimetres, object frame (+x viewer's right, +y up, +z out of the face)
    faces (F, 3)          int64, 0-based, counter-clockwise from outside: all opaque parts
    uv (V, 2)             float32, (0, 0) upper left, v down
    normals (V, 3)        float32, unit length
    tangents (V, 4)       float32, unit xyz and handedness ±1, see :func:`~faceuv.export.tangent.tangent_frame`
    diffuse (3, H, W)     float32 in [0, 1], display-referred (sRGB values), row 0 on top
    normal_map (3, H, W)  float32 in [0, 1], tangent space, green up, in the frame of ``normals`` and ``tangents``
    roughness_map (H, W)  float32 in [0, 1], of parts whose material shows detail
    colours (V, 3)        float32 in [0, 1], display-referred; instead of a diffuse map
    morph_targets         name → (V, 3) offsets in decimetres, for a weight of 1
    morph_weights         name → weight that the file shows until something moves; absent ones are 0
    parts                 pieces with their own materials; one of all faces, seen from both sides, if none are given
    weld (V,)             int64, the lowest index of the same surface point: one normal on both sides of a uv seam
    skeleton              joints and skin weights; ``pose``: joint → quaternion that the file shows
    animation             movements over time
    eye_look              movement → (joint, quaternion at a weight of 1), where joints turn the eyes for it
    template (V, 3)       the mean person of the face model, by whom coarser levels are chosen
    hair                  cards of hair, whose part and vertices come last: see :meth:`with_hair`
    licences              what the face was made from, with licences: see :mod:`faceuv.files.licences`
    name, metadata        the object's name and JSON values that are kept with it (seed, model, …)
    """

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    uv: np.ndarray | None = None
    tangents: np.ndarray | None = None
    diffuse: np.ndarray | None = None
    normal_map: np.ndarray | None = None
    roughness_map: np.ndarray | None = None
    colours: np.ndarray | None = None
    morph_targets: Mapping[str, np.ndarray] = field(default_factory=dict)
    morph_weights: Mapping[str, float] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    weld: np.ndarray | None = None
    skeleton: Skeleton | None = None
    pose: Mapping[str, Quaternion] = field(default_factory=dict)
    animation: Animation | None = None
    eye_look: Mapping[str, tuple[str, Quaternion]] = field(default_factory=dict)
    template: np.ndarray | None = None
    hair: WornHair | None = None
    licences: Sequence[Mapping[str, str]] = ()
    name: str = "face"
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        vertices: Array,
        faces: Array,
        *,
        uv: Array | None = None,
        normals: Array | None = None,
        tangents: Array | None = None,
        diffuse: Array | None = None,
        normal_map: Array | None = None,
        roughness_map: Array | None = None,
        colours: Array | None = None,
        morph_targets: Mapping[str, Array] | None = None,
        morph_weights: Mapping[str, float] | None = None,
        parts: Sequence[Part] = (),
        weld: Array | None = None,
        skeleton: Skeleton | None = None,
        pose: Mapping[str, Quaternion] | None = None,
        animation: Animation | None = None,
        eye_look: Mapping[str, tuple[str, Quaternion]] | None = None,
        template: Array | None = None,
        licences: Sequence[Mapping[str, str]] = (),
        name: str = "face",
        metadata: Mapping[str, Any] | None = None,
    ) -> MeshFile:
        """Check and convert. Absent ``normals`` become area-weighted ones; absent ``tangents`` are made if a normal
        map needs them. A normal map needs ``uv``, so does a diffuse map, and a diffuse map excludes ``colours``."""
        points = floats("vertices", vertices, ("V", 3), {})
        count = len(points)
        if count == 0:
            raise InputError("vertices is empty: there is no surface to write")
        sizes = {"V": count}
        opaque = triangles(faces, count)
        coordinates = None if uv is None else floats("uv", uv, ("V", 2), sizes)
        for map_name, value in (("diffuse", diffuse), ("normal_map", normal_map), ("roughness_map", roughness_map)):
            if value is not None and coordinates is None:
                raise InputError(
                    f"{map_name} was given without uv (V, 2), which says where its texels lie: pass uv too"
                )
        if diffuse is not None and colours is not None:
            raise InputError("give a diffuse map or vertex colours, not both: viewers would multiply one by the other")
        name = one_line(name)
        pieces = tuple(_checked_part(part, count) for part in parts) or (Part("skin", opaque, shell_material(name)),)
        joined = None if weld is None else _checked_weld(weld, count)
        directions = None if normals is None else floats("normals", normals, ("V", 3), sizes)
        paint = None if colours is None else in_unit_range("colours", floats("colours", colours, ("V", 3), sizes))
        sides = None if tangents is None else unit_tangents(floats("tangents", tangents, ("V", 4), sizes))
        chart = coordinates if sides is None and normal_map is not None else None
        directions, made = _frame(points, shading_faces(opaque, pieces), chart, directions, joined)
        sides = made if sides is None else sides
        targets = {
            str(key): floats(f"the morph target {key!r}", offsets, ("V", 3), sizes)
            for key, offsets in (morph_targets or {}).items()
        }
        mesh = cls(
            vertices=points,
            faces=opaque,
            normals=directions,
            uv=coordinates,
            tangents=sides,
            diffuse=None if diffuse is None else picture("diffuse", diffuse),
            normal_map=None if normal_map is None else picture("normal_map", normal_map),
            roughness_map=None
            if roughness_map is None
            else in_unit_range("roughness_map", floats("roughness_map", roughness_map, ("H", "W"), {})),
            colours=paint,
            morph_targets=targets,
            morph_weights={str(key): float(value) for key, value in (morph_weights or {}).items()},
            parts=pieces,
            weld=joined,
            skeleton=skeleton,
            pose=dict(pose or {}),
            animation=animation,
            eye_look=dict(eye_look or {}),
            template=None if template is None else floats("template", template, ("V", 3), sizes),
            licences=tuple(dict(licence) for licence in licences),
            name=name,
            metadata=json_values(metadata or {}),
        )
        return mesh._check_movements()

    def replace(self, **fields: Any) -> MeshFile:
        """The mesh file with some fields replaced, checked again."""
        return replace(self, **fields)._check_movements()

    def with_hair(self, hair: WornHair) -> MeshFile:
        """The file with hair as its last part; no movement moves it, the head joint carries it."""
        if self.hair is not None:
            raise InputError("this mesh file has hair already: take without_hair() first")
        count, more = len(self.vertices), len(hair.mesh.vertices)

        def longer(array: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
            return None if array is None else np.concatenate([array, rows.astype(array.dtype)])

        def still(array: np.ndarray | None, value: float) -> np.ndarray | None:
            return None if array is None else longer(array, np.full((more, array.shape[1]), value))

        parts = [part.replace(uv=still(part.uv, 0.0), colours=still(part.colours, 1.0)) for part in self.parts]
        linear = linear_from_srgb((LIGHTER * np.array(hair.colour)).clip(0, 1))
        skeleton = self.skeleton
        if skeleton is not None:
            weights = np.concatenate([skeleton.weights, hair_weights(skeleton, more)])
            skeleton = replace(skeleton, weights=weights)
        return self.replace(
            vertices=longer(self.vertices, hair.mesh.vertices),
            normals=longer(self.normals, hair.mesh.normals),
            uv=still(self.uv, 0.0),
            tangents=longer(self.tangents, np.concatenate([hair.mesh.tangents, np.ones((more, 1), np.float32)], 1)),
            colours=still(self.colours, 1.0),
            morph_targets={name: still(offsets, 0.0) for name, offsets in self.morph_targets.items()},
            weld=longer(self.weld, np.arange(count, count + more)),
            template=longer(self.template, hair.mesh.vertices),
            skeleton=skeleton,
            parts=(*parts, hair.part(count, self.name, linear, linear_from_srgb(hair.mesh.shade.clip(0, 1)))),
            hair=hair,
        )

    def without_hair(self) -> MeshFile:
        """The file before :meth:`with_hair`."""
        if self.hair is None:
            return self
        count = len(self.vertices) - len(self.hair.mesh.vertices)

        def shorter(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[:count]

        skeleton = self.skeleton
        if skeleton is not None:
            skeleton = replace(skeleton, weights=skeleton.weights[:count])
        parts = [part for part in self.parts if part.name != HAIR]
        return self.replace(
            **{
                name: shorter(getattr(self, name))
                for name in ("vertices", "normals", "uv", "tangents", "colours", "weld", "template")
            },
            morph_targets={name: offsets[:count] for name, offsets in self.morph_targets.items()},
            skeleton=skeleton,
            parts=tuple(part.replace(uv=shorter(part.uv), colours=shorter(part.colours)) for part in parts),
            hair=None,
        )

    def looking_at(self, point: Sequence[float]) -> MeshFile:
        """The file with both eyes turned to ``point (3,)``, decimetres in the object frame; the face lies near the
        origin and looks along +z. A face without eye joints is an error."""
        if self.skeleton is None:
            raise no_eyes(())
        return self.replace(pose={**self.pose, **self.skeleton.looking_at(point)})

    @property
    def metres(self) -> np.ndarray:
        """The vertices in metres ``(V, 3)`` float32: the unit of every file."""
        return in_metres(self.vertices)

    @property
    def shading_faces(self) -> np.ndarray:
        """The triangles that normals come from ``(F', 3)``."""
        return shading_faces(self.faces, self.parts)

    def _check_movements(self) -> MeshFile:
        """What names morph targets, joints and vertices names those that there are."""
        known = list(self.morph_targets)
        named = {"morph_weights": list(self.morph_weights)}
        if self.animation is not None:
            named["the animation"] = list(self.animation.targets)
        for what, names in named.items():
            unknown = [name for name in names if name not in self.morph_targets]
            if unknown:
                raise InputError(
                    f"{what} moves {', '.join(map(repr, unknown[:5]))}, but this mesh file has"
                    f" {f'the morph targets {known[:8]} …' if known else 'no morph targets'}"
                    f"{did_you_mean(unknown[0], known)}"
                )
        joints = {*self.pose, *(self.animation.rotations if self.animation is not None else ())}
        if joints and self.skeleton is None:
            raise InputError(f"{', '.join(sorted(joints))} cannot turn: this mesh file has no skeleton")
        if self.skeleton is not None:
            if len(self.skeleton.weights) != len(self.vertices):
                raise InputError(
                    f"the skeleton has weights of {len(self.skeleton.weights)} vertices, the mesh {len(self.vertices)}"
                )
            for joint in joints:
                self.skeleton.index(joint)
        return self


def shading_faces(faces: np.ndarray, parts: Sequence[Part]) -> np.ndarray:
    """The opaque faces, and of the layers those that share no vertex with them."""
    layers = [part.faces for part in parts if part.layer]
    if not layers:
        return faces
    taken = np.zeros(1 + max(int(array.max()) for array in (faces, *layers)), bool)
    taken[faces] = True
    return np.concatenate([faces, *(layer[~taken[layer].any(1)] for layer in layers)])


def in_metres(decimetres: np.ndarray) -> np.ndarray:
    """Positions or offsets from decimetres to metres, float32, rounded once."""
    return (decimetres.astype(np.float64) * METRES_PER_DECIMETRE).astype(np.float32)


def linear_from_srgb(colours: np.ndarray) -> np.ndarray:
    """Display-referred → linear light, float32: glTF's vertex colours are linear, its colour textures are not."""
    low = colours <= 0.04045
    return np.where(low, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4).astype(np.float32)


def area_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Area-weighted unit normals ``(V, 3)`` of ``vertices (V, 3)``."""
    return unit_normals(torch.from_numpy(vertices)[None].double(), torch.from_numpy(faces))[0].numpy()


def _frame(
    points: np.ndarray,
    faces: np.ndarray,
    uv: np.ndarray | None,
    normals: np.ndarray | None,
    weld: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Unit normals, and tangents if there is a chart; in float64, where the squares of any float32 are finite."""
    vertices, corners = torch.from_numpy(points)[None].double(), torch.from_numpy(faces)
    joined = None if weld is None else torch.from_numpy(weld)
    if normals is None:
        directions = unit_normals(vertices, corners, joined)
    else:
        directions = usable_normals(torch.from_numpy(normals)[None].double())
    if uv is None:
        return directions[0].float().numpy(), None
    frame = tangent_frame(vertices, corners, torch.from_numpy(uv).double(), normals=directions)
    return directions[0].float().numpy(), frame.tangent[0].float().numpy()


def _checked_weld(weld: Array, count: int) -> np.ndarray:
    array = as_numpy("weld", weld)
    if array.shape != (count,) or not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"weld must be integers of shape (V,), V = {count}, got {array.dtype} {array.shape}")
    if int(array.min()) < 0 or (array > np.arange(count)).any():
        raise InputError("weld must give each vertex the lowest index of the same surface point")
    return array.astype(np.int64)


def _checked_part(part: Part, count: int) -> Part:
    where = f"the faces of the part {part.name!r}"
    fields: dict[str, object] = {"faces": triangles(part.faces, count, where)}
    for name, width in (("uv", 2), ("colours", 4)):
        value = getattr(part, name)
        if value is not None:
            fields[name] = floats(f"{name} of the part {part.name!r}", value, ("V", width), {"V": count})
    if part.polygons is not None and (part.polygons.ndim != 2 or part.polygons.shape[1] != 4):
        raise InputError(f"the polygons of the part {part.name!r} must be (P, 4), got {part.polygons.shape}")
    return part.replace(**fields)
