"""A head with eyeballs made by formula, in the files in which FLAME would hold it: same keys, types and layouts."""

from __future__ import annotations

import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import scipy.sparse

from faceuv.models.faces import ProceduralFace

IDENTITY, EXPRESSION = 7, 5


@dataclass(frozen=True)
class Truth:
    """The arrays of the files, in FLAME's frame (metres) and types."""

    data: dict
    landmarks: np.ndarray  # (68,) vertices
    jaws: np.ndarray  # (79, 17) vertices
    modes: int


def _ball(centre, radius, rings, around):
    """A sphere with its poles on the z axis."""
    polar = np.linspace(0, np.pi, rings + 2)[1:-1]
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)
    ring = np.stack(
        [np.outer(np.sin(polar), np.cos(turn)), np.outer(np.sin(polar), np.sin(turn)),
         np.outer(np.cos(polar), np.ones(around))], -1).reshape(-1, 3)  # fmt: skip
    points = np.concatenate([[[0, 0, 1]], ring, [[0, 0, -1]]])
    last, faces = len(points) - 1, []
    for k in range(around):
        after = (k + 1) % around
        faces.append((0, 1 + k, 1 + after))
        faces.append((last, last - around + after, last - around + k))
        for r in range(rings - 1):
            a, b, c, d = (1 + (r + i) * around + j for i in (0, 1) for j in (k, after))
            faces += [(a, c, b), (b, c, d)]
    return centre + radius * points, np.array(faces)


def made(rows, columns, rings, around, identity=IDENTITY, expression=EXPRESSION) -> Truth:
    head = ProceduralFace(rows, columns, verbose=False)
    skin = head.mean.double().numpy() / 10 + np.array([0.002, -0.03, 0.01])
    eyes = [skin[head.landmarks[part].numpy()].mean(0) - [0, 0, 0.012] for part in (slice(42, 48), slice(36, 42))]
    points, faces = [skin], [head.faces.numpy()]
    for eye in eyes:
        ball, triangles = _ball(eye, 0.011, rings, around)
        faces.append(triangles + sum(map(len, points)))
        points.append(ball)
    template = np.concatenate(points)
    count, balls = len(template), [len(points[1]), len(points[2])]
    rng = np.random.default_rng(0)
    shapes = np.zeros((count, 3, identity + expression))
    shapes[: len(skin), :, :identity] = head.identity_basis[:, :, np.arange(identity) % 80] / 10
    shapes[: len(skin), :, identity:] = head.expression_basis[:, :, 3 : 3 + expression] / 10
    weights = np.zeros((count, 5))
    opened = np.linalg.norm(head.expression_basis[:, :, head.mode_index("expression", "jaw_open")].numpy(), axis=1)
    neck = 1 / (1 + np.exp((skin[:, 1] - skin[:, 1].min() - 0.03) / 0.005))
    weights[: len(skin), 2] = opened / opened.max() * (1 - neck)
    weights[: len(skin), 0] = neck
    weights[: len(skin), 1] = 1 - weights[: len(skin)].sum(1)
    weights[len(skin) : len(skin) + balls[0], 3] = 1
    weights[len(skin) + balls[0] :, 4] = 1
    regressor = np.zeros((5, count))
    for joint, place in enumerate([(0.05, -0.12, -0.07), (0.05, -0.09, -0.07), (0.07, -0.013, -0.05)]):
        for side in (1, -1):
            near = np.argsort(np.linalg.norm(template - np.multiply(place, [side, 1, 1]), axis=1))[:4]
            regressor[joint, near] += 1 / 8
    regressor[3, len(skin) : len(skin) + balls[0]] = 1 / balls[0]
    regressor[4, len(skin) + balls[0] :] = 1 / balls[1]
    data = {
        "v_template": template,
        "f": np.concatenate(faces).astype(np.uint32),
        "shapedirs": shapes,
        "posedirs": rng.normal(0, 1e-4, (count, 3, 36)),
        "J_regressor": scipy.sparse.csc_matrix(regressor),
        "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64),
        "weights": weights,
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    marks = head.landmarks.numpy()
    shift = np.concatenate([np.arange(40), -np.arange(1, 40)]) // 20
    jaws = np.clip(marks[None, :17] + shift[:, None], 0, len(skin) - 1)
    return Truth(data, marks, jaws, identity)


def embedded(faces, vertices):
    """Triangles and weights whose largest corner is the vertex."""
    faces = faces.astype(np.int64)
    index, weights = [], []
    for vertex in vertices.ravel():
        face, corner = np.argwhere(faces == vertex)[0]
        index.append(face)
        weights.append(np.where(np.arange(3) == corner, 0.9, 0.05))
    return np.array(index).reshape(vertices.shape), np.array(weights).reshape(*vertices.shape, 3)


def write_files(folder: Path, truth: Truth, name="generic_model.pkl", **changes) -> dict[str, Path]:
    """The model, its static and its dynamic embedding, as published; shapedirs is chumpy's, with a way back to
    itself."""
    data = {**truth.data, **changes}
    data = {key: value for key, value in data.items() if value is not None}
    chumpy, ch = ModuleType("chumpy"), ModuleType("chumpy.ch")

    class Ch:
        pass

    Ch.__module__, Ch.__qualname__, ch.Ch = "chumpy.ch", "Ch", Ch
    before = {key: sys.modules.get(key) for key in ("chumpy", "chumpy.ch")}
    sys.modules.update({"chumpy": chumpy, "chumpy.ch": ch})
    try:
        if isinstance(data.get("shapedirs"), np.ndarray):
            array = Ch()
            array.x, array._parents, array._dirty_vars = data["shapedirs"], [], {"x"}
            array._parents.append(array)
            data["shapedirs"] = array
        (folder / name).write_bytes(pickle.dumps(data, protocol=2))
    finally:
        for key, module in before.items():
            if module is None:
                del sys.modules[key]
            else:
                sys.modules[key] = module
    faces, weights = embedded(truth.data["f"], truth.landmarks[17:])
    static = folder / "flame_static_embedding.pkl"
    static.write_bytes(pickle.dumps({"lmk_face_idx": faces, "lmk_b_coords": weights}, protocol=2))
    faces, weights = embedded(truth.data["f"], truth.jaws)
    dynamic = folder / "flame_dynamic_embedding.npy"
    np.save(dynamic, {"lmk_face_idx": faces, "lmk_b_coords": weights}, allow_pickle=True)
    return {"model": folder / name, "static": static, "dynamic": dynamic}
