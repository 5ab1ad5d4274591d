"""Meshes in the layout that two benchmarks of face shapes ask for: NoW and REALY. Both are evaluated by programs and on
data of others, which need an agreement; nothing of them is here.

NoW (Sanyal et al., CVPR 2019)
    ``SUBJECT/CHALLENGE/PICTURE.obj``, the mesh of the neutral face, and beside it ``PICTURE.npy``, seven landmarks
    ``(7, 3)``: the corners of the eyes from the viewer's left to the right, the point below the nose, the corners of
    the mouth. Names are those of the list of pictures.
REALY (Chai et al., ECCV 2022)
    ``NUMBER.obj`` or ``NUMBER_VIEW.obj``, meshes of one topology; ``TOPOLOGY.obj`` and ``TOPOLOGY.txt``, a template of
    it and its 85 keypoints: a list of ``[face, weight of its first corner, weight of its second corner]``. The first
    68 are the usual landmarks, the other 17 lie on the cheeks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.files.artefacts import atomic_path
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.models.faces.part_texels import INSIDE
from faceuv.structures import Coefficients, UVMaps

NOW_LANDMARKS = (36, 39, 42, 45, 33, 48, 54)
"""Of the 68 landmarks, in NoW's order."""
REALY_KEYPOINTS = 85
_MM = 100.0


@torch.no_grad()
def save_now(
    folder: str | Path, name: str, model: FaceModel, coefficients: Coefficients, maps: UVMaps | None = None
) -> Path:
    """Write the mesh of one picture for NoW in millimetres, with its neutral expression; the path of the OBJ.

    Args:
        name: of the picture in NoW's list, ``"FaMoS_180424_03335_TA/multiview_neutral/IMG_0038.jpg"``.
        coefficients, maps: of one face; with maps, the surface has their displacement.
    """
    path = Path(folder) / _now_path(name)
    neutral = coefficients.replace(expression=torch.zeros_like(coefficients.expression))
    vertices = _surface(model, neutral, maps)
    landmarks = BytesIO()
    np.save(landmarks, vertices[list(_landmarks(model, NOW_LANDMARKS))].astype(np.float32))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as mesh, atomic_path(path.with_suffix(".npy")) as points:  # the mesh is renamed last
        points.write_bytes(landmarks.getvalue())
        mesh.write_text(_obj(vertices, _outer_faces(model)), encoding="ascii")
    return path


def missing_now(folder: str | Path, listed: Iterable[str]) -> list[str]:
    """Names of NoW's list, one in each line of its file, whose mesh or landmarks are not in ``folder``."""
    names = [line.strip() for line in listed if line.strip()]
    paths = [Path(folder) / _now_path(name) for name in names]
    return [name for name, path in zip(names, paths) if not (path.is_file() and path.with_suffix(".npy").is_file())]


@torch.no_grad()
def save_realy(
    folder: str | Path, name: str, model: FaceModel, coefficients: Coefficients, maps: UVMaps | None = None
) -> Path:
    """Write the mesh of one picture for REALY in millimetres, with its expression; the path of the OBJ.

    Args:
        name: of the picture, ``"12.jpg"`` or ``"12_3.jpg"``.
    """
    stem = PurePosixPath(name).stem
    if not re.fullmatch(r"[1-9]\d*(_\d+)?", stem):
        raise InputError(f"REALY's pictures are called NUMBER or NUMBER_VIEW, 12.jpg or 12_3.jpg, got {name!r}")
    path = Path(folder) / f"{stem}.obj"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as mesh:
        mesh.write_text(_obj(_surface(model, coefficients, maps), _outer_faces(model)), encoding="ascii")
    return path


@torch.no_grad()
def save_realy_template(
    folder: str | Path, topology: str, model: FaceModel, cheeks: Sequence[int] | None = None
) -> list[Path]:
    """Write ``TOPOLOGY.obj``, the mean face, and with ``cheeks``, the 17 vertices of REALY's further keypoints,
    ``TOPOLOGY.txt``. Without them the authors of REALY make the keypoints from the template that is sent to them."""
    folder, faces = Path(folder), _outer_faces(model)
    if not re.fullmatch(r"[\w+-]+", topology):
        raise InputError(f"the name of a topology has letters, digits, +, - and _ only, got {topology!r}")
    contents = {f"{topology}.obj": _obj(model.mean.cpu().numpy() * _MM, faces)}
    if cheeks is not None:
        vertices = [*_landmarks(model, range(68)), *map(int, cheeks)]
        if len(vertices) != REALY_KEYPOINTS:
            raise InputError(
                f"cheeks are the {REALY_KEYPOINTS - 68} vertices of REALY's further keypoints, got {len(cheeks)}"
            )
        contents[f"{topology}.txt"] = json.dumps([_corner(vertex, faces) for vertex in vertices])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="ascii")
    return [folder / name for name in contents]


# ---------------------------------------------------------------- parts


def _now_path(name: str) -> PurePosixPath:
    path = PurePosixPath(name.strip())
    if path.is_absolute() or len(path.parts) != 3 or ".." in path.parts:
        raise InputError(f"NoW's pictures are called SUBJECT/CHALLENGE/PICTURE.jpg in its list, got {name!r}")
    return path.with_suffix(".obj")


def _surface(model: FaceModel, coefficients: Coefficients, maps: UVMaps | None) -> np.ndarray:
    """``(V, 3)`` mm of one face, object frame."""
    if len(coefficients) != 1:
        raise InputError(f"a submission has one face for each picture, got coefficients of {len(coefficients)}")
    vertices: Tensor = FaceRenderer(model).mesh(coefficients, maps).vertices[0]
    return vertices.double().cpu().numpy() * _MM


def _landmarks(model: FaceModel, wanted: Iterable[int]) -> list[int]:
    return [int(model.landmarks[k]) for k in wanted]


def _outer_faces(model: FaceModel) -> np.ndarray:
    """``(F, 3)``: the triangles that a scan can show."""
    return model.faces[~model.faces_of(*INSIDE)].cpu().numpy()


def _corner(vertex: int, faces: np.ndarray) -> list[float]:
    """A vertex as ``[face, weight, weight]`` of the first face that has it."""
    at = np.argwhere(faces == vertex)
    if not len(at):
        raise InputError(f"vertex {vertex} belongs to no face that a scan shows: choose another keypoint")
    face, corner = (int(number) for number in at[0])
    return [face, float(corner == 0), float(corner == 1)]


def _obj(vertices: np.ndarray, faces: np.ndarray) -> str:
    """Vertices and triangles alone, in their order: both programs count on it."""
    lines = ["v " + " ".join(f"{value:.5f}" for value in vertex) for vertex in vertices]
    lines += ["f " + " ".join(str(corner + 1) for corner in face) for face in faces]
    return "\n".join(lines) + "\n"
