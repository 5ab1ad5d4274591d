"""A whole head by formula, with all that a face model may have: seam, parts, quads, layers, joints, movements."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from faceuv.models.faces.base import FaceModel

PARTS = ["skin", "sclera_left", "sclera_right", "iris_left", "iris_right", "teeth", "lashes", "cornea_left"]
JOINTS, PARENTS = ["neck", "head", "eye_left", "eye_right"], [-1, 0, 1, 1]
EYES = {"left": np.array([0.32, 0.2, 0.72]), "right": np.array([-0.32, 0.2, 0.72])}
EYE_RADIUS = 0.15
EXPRESSIONS = [
    "jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "eyeLookInLeft", "eyeLookUpRight",
    "browInnerUpLeft", "browInnerUpRight",
]  # fmt: skip
LOOK_IN_LEFT = math.radians(-30)  # about +y: the subject's left eye, at x > 0, turns towards the nose


def _ball(rows: int, columns: int, low: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A unit sphere from the pole (+y) down to the latitude ``low`` degrees: vertices with a seam at the back (−z),
    uv, and quads counter-clockwise from outside."""
    v, u = np.meshgrid(np.linspace(0, 1, rows), np.linspace(0, 1, columns), indexing="ij")
    latitude = np.radians(89 + (low - 89) * v)
    longitude = (u - 0.5) * 2 * np.pi
    points = np.stack(
        [np.cos(latitude) * np.sin(longitude), np.sin(latitude), np.cos(latitude) * np.cos(longitude)], -1
    ).reshape(-1, 3)
    index = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]], -1).reshape(-1, 4)
    return points, np.stack([u, v], -1).reshape(-1, 2), quads


def _turned(points: np.ndarray, axis: int, angle: float) -> np.ndarray:
    """Points turned about a coordinate axis."""
    a, b = (axis + 1) % 3, (axis + 2) % 3
    turned = points.copy()
    turned[:, a] = points[:, a] * math.cos(angle) - points[:, b] * math.sin(angle)
    turned[:, b] = points[:, a] * math.sin(angle) + points[:, b] * math.cos(angle)
    return turned


def toy_head(fine: int = 1) -> FaceModel:
    """The model; ``fine`` multiplies the resolution."""
    points, uvs, quads, part, owners = [], [], [], [], []

    def add(ball: tuple[np.ndarray, np.ndarray, np.ndarray], parts: np.ndarray, owner: int, tile: int) -> np.ndarray:
        start = sum(map(len, points))
        points.append(ball[0])
        uvs.append((ball[1] * 0.46 + 0.02 + 0.5 * np.array([tile % 2, tile // 2])).clip(0, 1))
        quads.append(ball[2] + start)
        part.append(parts)
        owners.append(np.full(len(ball[0]), owner))
        return np.arange(start, start + len(ball[0]))

    skin = _ball(12 * fine, 16 * fine + 1, -65)
    head = add((skin[0] * [0.8, 1.05, 0.85], skin[1], skin[2]), np.zeros(len(skin[2]), int), 1, 0)
    eyes = {}
    for k, (side, centre) in enumerate(EYES.items()):
        ball = _ball(8 * fine, 12 * fine + 1, -89)
        names = np.full(len(ball[2]), 1 + k)
        middle = ball[0][ball[2]].mean(1)
        names[middle[:, 2] > 0.85] = 3 + k
        eyes[side] = add((ball[0] * EYE_RADIUS + centre, ball[1], ball[2]), names, 2 + k, 1 + k)
    plane = _ball(3, 5, 60)
    flat = np.stack([plane[1][:, 0] * 0.4 - 0.2, -0.35 - plane[1][:, 1] * 0.1, np.full(len(plane[1]), 0.6)], 1)
    add((flat, plane[1], plane[2]), np.full(len(plane[2]), 5), 1, 3)
    card = _ball(3, 7, 60)
    lashes = []
    for centre in EYES.values():
        across = centre[0] + (card[1][:, 0] - 0.5) * 0.24
        outward = np.stack([across, centre[1] + 0.12 + 0.05 * (1 - card[1][:, 1]), 0.86 - 0.06 * card[1][:, 1]], 1)
        lashes.append(sum(map(len, points)))
        points.append(outward)
        uvs.append(card[1] * 0.1 + 0.8)
        owners.append(np.full(len(outward), 1))
    mean, uv = np.concatenate(points), np.concatenate(uvs)
    owner = np.concatenate(owners)
    opaque, labels = np.concatenate(quads), np.concatenate(part)
    layer = np.concatenate([card[2] + start for start in lashes])
    front = quads[1][np.asarray(part[1]) == 3]
    layers = np.concatenate([layer, front])
    layer_part = np.array([6] * len(layer) + [7] * len(front))

    weld = np.arange(len(mean))
    first: dict[tuple[int, ...], int] = {}
    for k, key in enumerate(map(tuple, np.rint(mean * 1e6).astype(int).tolist())):
        weld[k] = first.setdefault((int(owner[k]), *key), k)
    mean = mean[weld]
    return FaceModel(
        {
            "mean": _float(mean),
            "identity_basis": _float(0.03 * mean[:, :, None] * np.array([1.0, 0.5])),
            "expression_basis": _float(_expressions(mean, head, eyes)),
            "mean_albedo": _float(np.full((len(mean), 3), 0.6)),
            "albedo_basis": _float(np.full((len(mean), 3, 1), 0.05)),
            "faces": torch.from_numpy(_triangles(opaque)),
            "uv": _float(uv),
            "landmarks": torch.arange(68),
            "skin_mask": torch.from_numpy(owner == 1),
            "mirror": torch.arange(len(mean)),
            "weld": torch.from_numpy(weld),
            "part": torch.from_numpy(np.tile(labels, 2)),
            "layer_faces": torch.from_numpy(_triangles(layers)),
            "layer_part": torch.from_numpy(np.tile(layer_part, 2)),
            "polygons": torch.from_numpy(opaque),
            "polygon_part": torch.from_numpy(labels),
            "joint_weights": _float(_joint_weights(mean, head, eyes)),
            "skin_weights": _float(_skin_weights(mean, owner)),
            "expression_limits": torch.tensor([[0.0, 1.0]]).repeat(len(EXPRESSIONS), 1),
        },
        names={"expression": EXPRESSIONS},
        metadata={
            "parts": PARTS,
            "joints": JOINTS,
            "joint_parents": PARENTS,
            "full_expression": dict.fromkeys(EXPRESSIONS, 1.0),
            "combined_expression": {"browInnerUp": ["browInnerUpLeft", "browInnerUpRight"]},
            "licence": {"name": "CC0-1.0", "source": "a formula", "commercial": "yes"},
        },
    )


def _triangles(quads: np.ndarray) -> np.ndarray:
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _float(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))


def _expressions(mean: np.ndarray, head: np.ndarray, eyes: dict[str, np.ndarray]) -> np.ndarray:
    basis = np.zeros((*mean.shape, len(EXPRESSIONS)))
    skin = mean[head]

    def bump(place: tuple[float, float, float], width: float, move: tuple[float, float, float]) -> np.ndarray:
        near = np.exp(-np.square(skin - np.array(place)).sum(1) / width**2)
        near[near < 0.02] = 0
        return near[:, None] * np.array(move)

    basis[head, :, 0] = bump((0, -0.6, 0.7), 0.4, (0, -0.3, 0))
    basis[head, :, 1] = bump((0.32, 0.35, 0.8), 0.2, (0, -0.1, 0.05))
    basis[head, :, 2] = bump((-0.32, 0.35, 0.8), 0.2, (0, -0.1, 0.05))
    basis[head, :, 3] = bump((0.3, -0.4, 0.7), 0.3, (0.08, 0.08, -0.02))
    for column, side, axis, angle in ((4, "left", 1, LOOK_IN_LEFT), (5, "right", 0, math.radians(-20))):
        own = eyes[side]
        arms = mean[own] - EYES[side]
        basis[own, :, column] = _turned(arms, axis, angle) - arms
        basis[head, :, column] = bump((EYES[side][0], 0.35, 0.8), 0.15, (0, 0.02, 0))
    basis[head, :, 6] = bump((0.2, 0.6, 0.7), 0.2, (0, 0.1, 0))
    basis[head, :, 7] = bump((-0.2, 0.6, 0.7), 0.2, (0, 0.1, 0))
    return basis


def _joint_weights(mean: np.ndarray, head: np.ndarray, eyes: dict[str, np.ndarray]) -> np.ndarray:
    weights = np.zeros((4, len(mean)))
    low = head[mean[head, 1] < -0.8]
    weights[0, low] = 1 / len(low)
    weights[1, head] = 1 / len(head)
    for k, own in enumerate(eyes.values()):
        once = np.unique(mean[own], axis=0, return_index=True)[1]  # the mean of points that stand once is the centre
        weights[2 + k, own[once]] = 1 / len(once)
    return weights


def _skin_weights(mean: np.ndarray, owner: np.ndarray) -> np.ndarray:
    weights = np.zeros((len(mean), 4))
    neck = np.clip((-0.6 - mean[:, 1]) / 0.3, 0, 1) * (owner == 1)
    weights[:, 0], weights[:, 1] = neck, 1 - neck
    for joint in (2, 3):
        weights[owner == joint] = np.eye(4)[joint]
    return weights
