"""USD files of whole heads, read back by usd-core; skipped where it is not installed."""

from __future__ import annotations

import builtins
import zipfile

import numpy as np
import pytest
from PIL import Image
from toy_head import toy_head

from faceuv import Face
from faceuv.errors import MissingDependency
from faceuv.export import Animation, save_usd
from faceuv.export.rig import axis_turn


@pytest.fixture(scope="module")
def mesh():
    clip = Animation([0, 1], [[0, 0], [0.5, 1]], ("jawOpen", "eyeLookInLeft"))
    return Face.mean(face_model=toy_head()).mesh_file(texture_size=8).replace(animation=clip, name="toy")


@pytest.fixture(scope="module")
def stage(mesh, tmp_path_factory):
    usd = pytest.importorskip("pxr.Usd", reason="usd-core is not installed (extra usd)")
    path = save_usd(tmp_path_factory.mktemp("usd") / "toy.usda", mesh)
    return usd.Stage.Open(str(path)), path


def test_units_parts_and_quads(stage, mesh):
    from pxr import UsdGeom

    scene, _ = stage
    assert UsdGeom.GetStageMetersPerUnit(scene) == 1.0 and UsdGeom.GetStageUpAxis(scene) == "Y"
    for part in mesh.parts:
        prim = UsdGeom.Mesh.Get(scene, f"/Head/{part.name}")
        points = np.array(prim.GetPointsAttr().Get())
        np.testing.assert_allclose(points, mesh.metres[np.unique(part.faces)], atol=1e-7)
        counts = set(prim.GetFaceVertexCountsAttr().Get())
        assert counts == ({3} if part.polygons is None else {4})
        assert prim.GetDoubleSidedAttr().Get() == part.material.double_sided


def test_skeleton_and_blend_shapes_move_the_points(stage, mesh):
    """The library that reads the file computes what a viewer would show."""
    from pxr import Usd, UsdGeom, UsdSkel

    scene, _ = stage
    root = UsdSkel.Root.Get(scene, "/Head")
    cache = UsdSkel.Cache()
    cache.Populate(root, Usd.PrimDefaultPredicate)
    skeleton = UsdSkel.Skeleton.Get(scene, "/Head/Skeleton")
    query = cache.GetSkelQuery(skeleton)
    assert list(query.GetJointOrder()) == ["neck", "neck/head", "neck/head/eye_left", "neck/head/eye_right"]
    time = Usd.TimeCode(60.0)
    skin = cache.GetSkinningQuery(scene.GetPrimAtPath("/Head/iris_left"))
    points = UsdGeom.Mesh.Get(scene, "/Head/iris_left").GetPointsAttr().Get()
    transforms = query.ComputeSkinningTransforms(time)
    assert skin.ComputeSkinnedPoints(transforms, points, time)
    rows = np.unique(next(p.faces for p in mesh.parts if p.name == "iris_left"))
    model = toy_head()
    expected = 0.1 * (model.mean + model.expression_basis[:, :, 4])[rows].numpy()
    np.testing.assert_allclose(np.array(points), expected, atol=1e-5)
    names = UsdSkel.BindingAPI(scene.GetPrimAtPath("/Head/skin")).GetBlendShapesAttr().Get()
    assert "jawOpen" in names and "eyeLookUpRight" in names
    shape = UsdSkel.BlendShape.Get(scene, "/Head/skin/jawOpen")
    moved = np.zeros_like(mesh.metres)
    skin_rows = np.unique(next(p.faces for p in mesh.parts if p.name == "skin"))
    moved[skin_rows[np.array(shape.GetPointIndicesAttr().Get())]] = np.array(shape.GetOffsetsAttr().Get())
    np.testing.assert_allclose(moved[skin_rows], 0.1 * mesh.morph_targets["jawOpen"][skin_rows], atol=2e-6)
    animation = UsdSkel.Animation.Get(scene, "/Head/Animation")
    weights = dict(zip(animation.GetBlendShapesAttr().Get(), animation.GetBlendShapeWeightsAttr().Get(time)))
    assert weights["jawOpen"] == pytest.approx(0.5)


def test_materials_name_files_that_are_there(stage):
    from pxr import UsdShade

    scene, path = stage
    surface = UsdShade.Shader.Get(scene, "/Head/Materials/skin/diffuse")
    file = surface.GetInput("file").Get().path
    assert Image.open(path.parent / file).size == (8, 8)
    bound = UsdShade.MaterialBindingAPI(scene.GetPrimAtPath("/Head/teeth")).ComputeBoundMaterial()[0]
    assert bound.GetPath() == "/Head/Materials/teeth"


def test_the_archive_for_phones_passes_its_checks(mesh, tmp_path):
    pytest.importorskip("pxr.Usd", reason="usd-core is not installed (extra usd)")
    from pxr import Usd

    path = save_usd(tmp_path / "toy.usdz", mesh)
    assert [p.name for p in tmp_path.iterdir()] == ["toy.usdz"]
    assert Usd.Stage.Open(str(path)).GetPrimAtPath("/Head/skin")
    names = zipfile.ZipFile(path).namelist()
    assert names[0] == "toy.usdc" and set(names[1:]) == {"toy_diffuse.png", "toy_lashes.png"}


def test_a_shell_has_one_joint_for_its_blend_shapes(tmp_path):
    usd = pytest.importorskip("pxr.Usd", reason="usd-core is not installed (extra usd)")
    from pxr import UsdSkel

    face = Face.mean(face_model={"type": "ProceduralFace", "rows": 97, "columns": 81})
    scene = usd.Stage.Open(str(face.save(tmp_path / "a.usdc", texture_size=8)))
    assert "jawOpen" in UsdSkel.BindingAPI(scene.GetPrimAtPath("/Head/skin")).GetBlendShapesAttr().Get()


def test_without_the_package_the_error_names_it(mesh, tmp_path, monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == "pxr":
            raise ImportError("No module named 'pxr'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingDependency, match=r'pip install "faceuv\[usd\]"'):
        save_usd(tmp_path / "a.usda", mesh)
    assert not list(tmp_path.iterdir())


def test_turns_are_those_of_the_pose(mesh, tmp_path):
    usd = pytest.importorskip("pxr.Usd", reason="usd-core is not installed (extra usd)")
    from pxr import UsdSkel

    looking = mesh.replace(animation=None, pose={"eye_left": axis_turn((0, 1, 0), 0.3)})
    scene = usd.Stage.Open(str(save_usd(tmp_path / "a.usda", looking)))
    turn = UsdSkel.Animation.Get(scene, "/Head/Animation").GetRotationsAttr().Get()[2]
    np.testing.assert_allclose([*turn.imaginary, turn.real], axis_turn((0, 1, 0), 0.3), atol=1e-6)
