"""ICT-FaceKit's numbers for tests, and OBJ folders of the published form."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

import numpy as np
import pytest

from faceuv.models.faces.ict import ICTFaceKit, Layout, Published

DATA = "FACEUV_TEST_DATA"
FILE = "ict_facekit_light.npz"


def published() -> Published:
    """The real numbers; the test is skipped where they are not."""
    folder = os.environ.get(DATA)
    if not folder or not (Path(folder) / FILE).is_file():
        pytest.skip(f"{DATA} names no folder with {FILE}")
    return _published(str(Path(folder) / FILE))


def ict_model() -> ICTFaceKit:
    """A model of the real numbers, one per process: do not write into it."""
    published()
    return _model()


@functools.cache
def _model() -> ICTFaceKit:
    return ICTFaceKit.from_published(published())


@functools.cache
def _published(path: str) -> Published:
    data = np.load(path)
    counts = data["corners_per_polygon"].astype(int)
    corners = np.full((len(counts), 4, 2), -1, np.int64)
    corners[np.arange(4) < counts[:, None]] = data["corners"] - 1
    return Published(
        data["vertices"],
        data["texture_coordinates"],
        corners,
        tuple(data["materials"].tolist()),
        data["identity"].astype(np.float32),
        data["expression"].astype(np.float32),
        tuple(data["expression_names"].tolist()),
        np.array(json.loads(str(data["vertex_indices"]))["idx_to_landmark_verts"]),
    )


def tiny() -> tuple[Published, Layout]:
    """A bent sheet of quads and one triangle, with two identities and two expressions: enough for the reader."""
    random = np.random.default_rng(0)
    side = 10
    y, x = np.mgrid[0:side, 0:side] / (side - 1)
    vertices = np.stack([x, y, np.sin(3 * x)], 2).reshape(-1, 3).astype(np.float32)
    texture = np.stack([x, y], 2).reshape(-1, 2).astype(np.float32)
    start = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).reshape(-1)
    polygons = np.stack([start, start + 1, start + side + 1, start + side], 1)
    polygons[-1, 3] = -1
    corners = np.stack([polygons, polygons], 2)
    materials = ("M_Face",) * 40 + ("M_BackHead",) * (len(polygons) - 40)
    shapes = random.normal(size=(4, len(vertices), 3)).astype(np.float32)
    names = ("eyeBlink_L", "jawOpen")
    model = Published(vertices, texture, corners, materials, shapes[:2], shapes[2:], names, np.arange(68))
    return model, Layout(len(vertices), len(texture), len(polygons), 2, names)


def write_obj(path: Path, model: Published, vertices: np.ndarray, newline: str = "\n") -> Path:
    """One OBJ file as ICT-FaceKit publishes them."""
    lines = ["#" * 90, "# ICT FaceKit", "#" * 90, "", "mtllib ICTFaceModelMaterial.mtl"]
    lines += ["v {:f} {:f} {:f}".format(*vertex) for vertex in vertices]
    lines += ["vt {:f} {:f}".format(*place) for place in model.texture]
    material = None
    for polygon, name in zip(model.corners, model.materials):
        if name != material:
            lines.append(f"usemtl {name}")
            material = name
        lines.append("f " + " ".join(f"{v + 1}/{t + 1}" for v, t in polygon if v >= 0))
    path.write_bytes((newline.join(lines) + newline).encode())
    return path


def write_folder(folder: Path, model: Published) -> Path:
    """FaceXModel."""
    folder.mkdir(parents=True)
    write_obj(folder / "generic_neutral_mesh.obj", model, model.vertices)
    for k, offset in enumerate(model.identity):
        write_obj(folder / f"identity{k:03d}.obj", model, model.vertices + offset)
    for name, offset in zip(model.expression_names, model.expression):
        write_obj(folder / f"{name}.obj", model, model.vertices + offset)
    (folder / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": model.landmarks.tolist()}))
    return folder
