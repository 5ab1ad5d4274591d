"""Bad input to a mesh file gets one clear message, before anything is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from faceuv.errors import InputError
from faceuv.export import MeshFile, save_mesh
from faceuv.export.mesh_file import area_normals, in_metres


def test_arrays_and_tensors_make_the_same_file(small) -> None:
    from_tensors = MeshFile.build(**small)
    from_arrays = MeshFile.build(**{name: value.numpy() for name, value in small.items()})
    for name in ("vertices", "faces", "uv", "normals", "diffuse"):
        np.testing.assert_array_equal(getattr(from_tensors, name), getattr(from_arrays, name))


def test_gradients_and_double_precision_are_dropped(small) -> None:
    mesh = MeshFile.build(small["vertices"].double().requires_grad_(), small["faces"].int())
    assert mesh.vertices.dtype == np.float32
    assert mesh.faces.dtype == np.int64


def test_half_precision_is_taken(small) -> None:
    mesh = MeshFile.build(small["vertices"].bfloat16(), small["faces"])
    np.testing.assert_allclose(mesh.vertices, small["vertices"], atol=0.005)


def test_given_normals_and_tangents_are_kept_and_made_unit(small) -> None:
    normals = torch.tensor([0.0, 0.0, 2.0]).expand(30, 3)
    tangents = torch.tensor([3.0, 0.0, 0.0, -0.5]).expand(30, 4)
    mesh = MeshFile.build(**small, normals=normals, tangents=tangents)
    np.testing.assert_array_equal(mesh.normals, np.tile([0, 0, 1], (30, 1)))
    assert mesh.tangents is not None
    np.testing.assert_array_equal(mesh.tangents, np.tile([1, 0, 0, -1], (30, 1)))


def test_rounding_beyond_the_range_is_clamped(small) -> None:
    mesh = MeshFile.build(**{**small, "diffuse": small["diffuse"] * 1.0005})
    assert mesh.diffuse is not None
    assert mesh.diffuse.max() == 1


def test_metres_are_rounded_once() -> None:
    assert in_metres(np.float32([1.7])).tolist() == np.float32([0.1 * np.float64(np.float32(1.7))]).tolist()


def test_area_normals_of_large_and_tiny_surfaces_are_unit() -> None:
    corner = np.float32([[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    for scale in (np.float32(1e-6), np.float32(1e18)):
        np.testing.assert_allclose(area_normals(scale * corner, np.array([[0, 1, 2]])), np.tile([0, 0, 1], (3, 1)))


def poisoned(vertices: torch.Tensor) -> torch.Tensor:
    vertices = vertices.clone()
    vertices[[2, 7], 1] = torch.tensor([float("nan"), float("inf")])
    return vertices


BAD: list[tuple[str, Any, str]] = [
    ("vertices", poisoned, r"vertices holds NaN, infinity .* in 2 row\(s\) \(2, 7\)"),
    ("vertices", lambda v: v.double() * 1e300, "vertices holds NaN, infinity or values beyond float32"),
    ("vertices", lambda v: v[None], r"vertices must have shape \(V, 3\), got \(1, 30, 3\); files hold one surface"),
    ("vertices", lambda v: v[:0], "vertices is empty"),
    ("vertices", lambda v: v.tolist(), "vertices must be a torch.Tensor or a numpy array, got list"),
    ("vertices", lambda v: v.long(), "vertices must be floating point, got int64"),
    ("faces", lambda f: f + 1, r"faces must name vertices 0 … 29 \(0-based\), got 1 … 30"),
    ("faces", lambda f: f - 1, r"got -1 … 28"),
    ("faces", lambda f: f.float(), r"faces must be integers of shape \(F, 3\), got float32"),
    ("faces", lambda f: f[:, :2], r"faces must be integers of shape \(F, 3\), got int64 \(40, 2\)"),
    ("faces", lambda f: f[:0], "faces is empty"),
    ("uv", lambda uv: uv[:5], r"uv must have shape \(V, 2\), V = 30, got \(5, 2\)"),
    ("uv", lambda uv: None, "diffuse was given without uv"),
    ("diffuse", lambda d: d.permute(1, 2, 0), r"diffuse must have shape \(3, H, W\), got \(8, 12, 3\)"),
    ("diffuse", lambda d: d * 255, r"diffuse must lie in \[0, 1\], got 0 … 255"),
    ("diffuse", lambda d: d * 2 - 1, r"diffuse must lie in \[0, 1\], got -1 … 1"),
    ("diffuse", lambda d: d[:, :0], "diffuse is empty"),
    ("diffuse", lambda d: d * float("nan"), "diffuse holds NaN"),
]


@pytest.mark.parametrize(("name", "spoil", "message"), BAD, ids=[f"{name}-{k}" for k, (name, _, _) in enumerate(BAD)])
def test_bad_input_is_named(small, name: str, spoil: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        MeshFile.build(**{**small, name: spoil(small[name])})


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"colours": torch.zeros(30, 3)}, "give a diffuse map or vertex colours, not both"),
        ({"normals": torch.zeros(29, 3)}, r"normals must have shape \(V, 3\), V = 30"),
        ({"tangents": torch.zeros(30, 4)}, "tangents must have xyz of non-zero length"),
        ({"normal_map": torch.full((3, 4, 4), -0.5)}, r"normal_map must lie in \[0, 1\]"),
        ({"metadata": {"seed": torch.zeros(1)}}, "metadata must be JSON values"),
        ({"metadata": {"error": float("nan")}}, "metadata must be JSON values"),
        ({"metadata": {"text": "\ud800"}}, "metadata must be JSON values"),
        ({"name": "two\nlines"}, "the name must be a non-empty printable line"),
    ],
)
def test_bad_extras_are_named(small, extra: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        MeshFile.build(**small, **extra)


@pytest.mark.parametrize("name", ["face.fbx", "face", "face.glb.zip"])
def test_unknown_suffix_lists_the_known_ones(small, name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"known: \.glb, \.obj, \.ply"):
        save_mesh(tmp_path / name, MeshFile.build(**small))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["face.glb", "face.OBJ", "face.ply"])
def test_suffix_picks_the_format(small, name: str, tmp_path: Path) -> None:
    assert save_mesh(tmp_path / "new" / name, MeshFile.build(**small)) == tmp_path / "new" / name
    start = (tmp_path / "new" / name).read_bytes()[:4]
    assert start == {"glb": b"glTF", "obj": b"# fa", "ply": b"ply\n"}[name[-3:].lower()]
