"""The folder FaceXModel of ICT-FaceKit as published: one OBJ file per shape, and a JSON file of vertex indices."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from faceuv.errors import AssetError
from faceuv.models.faces.ict.obj import ObjLines, corners, numbers, read_lines

Floats = NDArray[np.float32]
REPOSITORY = "https://github.com/ICT-VGL/ICT-FaceKit"
NEUTRAL, INDICES = "generic_neutral_mesh.obj", "vertex_indices.json"
_SIDED = (
    *("browDown", "browInnerUp", "browOuterUp", "cheekPuff", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn"),
    *("eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown", "mouthPress"),
    *("mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer", "cheekRaiser", "PupilDilate"),
)
_WHOLE = (
    *("jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose", "mouthFunnel", "mouthLeft", "mouthPucker"),
    *("mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
)
EXPRESSIONS: tuple[str, ...] = (*(f"{name}_{side}" for name in _SIDED for side in "LR"), *_WHOLE)
"""The expression files, by their names without ``.obj``."""


@dataclass(frozen=True)
class Layout:
    """How many of each the files must have."""

    vertices: int = 26719
    texture: int = 28911
    polygons: int = 26384
    identities: int = 100
    expressions: tuple[str, ...] = EXPRESSIONS


LAYOUT = Layout()


@dataclass(frozen=True)
class Published:
    """What the files hold; V vertices, T texture coordinates, P polygons.

    vertices          ``(V, 3)`` the neutral mesh, centimetres, +y up, +z out of the face
    texture           ``(T, 2)`` v up; u counts tiles
    corners           ``(P, 4, 2)`` vertex and texture coordinate of each corner, 0-based, −1 where there is none
    materials         one name per polygon
    identity          ``(I, V, 3)`` offsets from the neutral mesh, one standard deviation each
    expression        ``(E, V, 3)`` offsets at full movement
    expression_names  as published, ``eyeBlink_L``
    landmarks         ``(68,)`` the published vertex indices
    """

    vertices: Floats
    texture: Floats
    corners: NDArray[np.int64]
    materials: tuple[str, ...]
    identity: Floats
    expression: Floats
    expression_names: tuple[str, ...]
    landmarks: NDArray[np.int64]


def read_folder(
    folder: str | Path, layout: Layout = LAYOUT, *, progress: Callable[[str], None] | None = None
) -> Published:
    """Read and check every file.

    Args:
        folder: FaceXModel, or the repository that contains it.
        progress: called with the name of each file before it is read.
    """
    folder = _found(Path(folder), layout)
    landmarks = _landmarks(folder / INDICES, layout)
    neutral = read_lines(folder / NEUTRAL)
    _check_counts(neutral, layout)
    vertices = numbers(neutral.path, neutral.vertices, 3, "vertex")
    texture = numbers(neutral.path, neutral.texture, 2, "texture coordinate")
    polygons = corners(neutral.path, neutral.faces, layout.vertices, layout.texture)

    def offsets(names: tuple[str, ...]) -> Floats:
        shapes = np.empty((len(names), layout.vertices, 3), np.float32)
        for row, name in enumerate(names):
            if progress:
                progress(f"{name}.obj")
            shapes[row] = _shape(folder / f"{name}.obj", neutral, polygons, layout) - vertices
        return shapes

    return Published(
        vertices.astype(np.float32),
        texture.astype(np.float32),
        polygons,
        tuple(neutral.materials),
        offsets(_identities(layout)),
        offsets(layout.expressions),
        layout.expressions,
        landmarks,
    )


def _identities(layout: Layout) -> tuple[str, ...]:
    return tuple(f"identity{k:03d}" for k in range(layout.identities))


def _found(folder: Path, layout: Layout) -> Path:
    """The folder with the OBJ files, none of them missing."""
    if not folder.is_dir():
        raise AssetError(f"{folder} is not a folder; expected FaceXModel of {REPOSITORY}")
    if not (folder / NEUTRAL).is_file() and (folder / "FaceXModel").is_dir():
        folder = folder / "FaceXModel"
    names = [NEUTRAL, INDICES, *(f"{name}.obj" for name in (*_identities(layout), *layout.expressions))]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise AssetError(
            f"{folder} lacks {', '.join(missing[:3])}{more}; expected the {len(names)} files of FaceXModel as published"
            f" in {REPOSITORY}: clone it again"
        )
    return folder


def _check_counts(lines: ObjLines, layout: Layout) -> None:
    counts = ((lines.vertices, layout.vertices, "vertices"), (lines.faces, layout.polygons, "faces"))
    for found, expected, what in (*counts, (lines.texture, layout.texture, "texture coordinates")):
        if len(found) != expected:
            raise AssetError(
                f"{lines.path} has {len(found):,} {what}, expected {expected:,}: it is not a file of ICT-FaceKit Light"
            )


def _shape(path: Path, neutral: ObjLines, polygons: NDArray[np.int64], layout: Layout) -> NDArray[np.float64]:
    """The vertices of a file that has the neutral mesh's faces."""
    lines = read_lines(path)
    _check_counts(lines, layout)
    if lines.faces != neutral.faces:  # the same text in every published file; other text may say the same
        found = corners(path, lines.faces, layout.vertices, layout.texture)
        differ = (found[..., 0] != polygons[..., 0]).any(1)
        if differ.any():
            raise AssetError(
                f"{path}: face {int(np.argmax(differ)) + 1} joins other vertices than in {NEUTRAL}"
                f" ({int(differ.sum()):,} of {len(differ):,} faces differ): the file is foreign or was written with"
                " another order of vertices"
            )
    return numbers(path, lines.vertices, 3, "vertex")


def _landmarks(path: Path, layout: Layout) -> NDArray[np.int64]:
    """``idx_to_landmark_verts`` of the JSON file."""
    key = "idx_to_landmark_verts"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content[key]
        marks = np.array([int(index) for index in found], np.int64)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise AssetError(f"{path} must be JSON with a list {key} of 68 vertices, got {type(error).__name__}") from error
    if len(marks) != 68 or marks.min() < 0 or marks.max() >= layout.vertices:
        raise AssetError(f"{path}: {key} must list 68 vertices 0 … {layout.vertices - 1}, got {len(marks)} numbers")
    return marks
