"""GLB files of whole heads: parts, joints, movements, quantised vertices, levels, licences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from glb_reader import Parsed
from scipy.spatial import cKDTree
from toy_head import EYE_RADIUS, EYES, LOOK_IN_LEFT, toy_head

from faceuv import Face
from faceuv.errors import InputError
from faceuv.export import Animation
from faceuv.export.glb import glb_bytes
from faceuv.export.layers import strands
from faceuv.export.lod import coarser
from faceuv.export.movements import Movements
from faceuv.export.rig import axis_turn
from faceuv.export.textures import roughness_of
from faceuv.files.cache import CacheWarning
from faceuv.structures import UVMaps


@pytest.fixture(scope="module")
def model():
    return toy_head()


@pytest.fixture(scope="module")
def face(model):
    return Face.random(2, face_model=model).with_expression(torch.zeros(8))


@pytest.fixture(scope="module")
def mesh(face):
    return face.mesh_file(texture_size=32)


def matrix(turn) -> np.ndarray:
    x, y, z, w = turn
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def shown(file: Parsed, part: str, turns=None, weights=None) -> np.ndarray:
    """Positions in metres as a viewer computes them: targets, then skin."""
    primitive = file.of(part)
    points = file.accessor(primitive["attributes"]["POSITION"]).astype(np.float64)
    for k, weight in enumerate(weights if weights is not None else file.json["meshes"][0]["weights"]):
        points = points + weight * file.accessor(primitive["targets"][k]["POSITION"])
    skin = file.json["skins"][0]
    inverse = file.accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    world = {}

    def place(number: int, above: np.ndarray) -> None:
        node = file.json["nodes"][number]
        own = np.eye(4)
        own[:3, 3] = node["translation"]
        own[:3, :3] = matrix((turns or {}).get(node["name"], node.get("rotation", (0, 0, 0, 1))))
        world[number] = above @ own
        for child in node.get("children", ()):
            place(child, world[number])

    place(skin["skeleton"], np.eye(4))
    joints = file.accessor(primitive["attributes"]["JOINTS_0"]).astype(int)
    amounts = file.accessor(primitive["attributes"]["WEIGHTS_0"])
    np.testing.assert_allclose(amounts.sum(1), 1, atol=1e-6)
    moves = np.stack([world[joint] @ inverse[k] for k, joint in enumerate(skin["joints"])])
    blended = (moves[joints] * amounts[..., None, None]).sum(1)
    return (blended[:, :3, :3] @ points[..., None])[..., 0] + blended[:, :3, 3]


def rows_of(mesh, part: str) -> np.ndarray:
    (found,) = (p for p in mesh.parts if p.name == part)
    return np.unique(found.faces)


@pytest.mark.parametrize("quantised", [False, True])
def test_parts_at_rest_lie_where_the_face_is(mesh, quantised):
    file = Parsed(glb_bytes(mesh, quantised=quantised))
    assert ("KHR_mesh_quantization" in file.json.get("extensionsRequired", [])) == quantised
    for part in mesh.parts:
        expected = 0.1 * mesh.vertices[rows_of(mesh, part.name)]
        np.testing.assert_allclose(shown(file, part.name), expected, atol=5e-6)


def test_quantised_files_are_smaller(mesh):
    def geometry(quantised):
        file = Parsed(glb_bytes(mesh, quantised=quantised)).json
        pictures = {image["bufferView"] for image in file.get("images", [])}
        return sum(view["byteLength"] for k, view in enumerate(file["bufferViews"]) if k not in pictures)

    assert geometry(True) < 0.7 * geometry(False)


def test_materials_of_parts(mesh):
    file = Parsed(glb_bytes(mesh))
    found = {material["name"].removeprefix("face_"): material for material in file.json["materials"]}
    eyes = {"sclera_left", "sclera_right", "iris_left", "iris_right", "cornea_left"}
    assert set(found) == {"skin", "teeth", "neck_cap", "lashes", *eyes}
    assert "KHR_materials_clearcoat" in found["sclera_left"]["extensions"]
    assert "KHR_materials_clearcoat" in file.json["extensionsUsed"]
    assert found["teeth"]["pbrMetallicRoughness"]["roughnessFactor"] <= 0.3
    assert found["lashes"]["alphaMode"] == "BLEND" and found["lashes"]["doubleSided"]
    assert found["cornea_left"]["alphaMode"] == "BLEND"
    assert not any(found[name].get("doubleSided") for name in found if name != "lashes")  # closed parts


def test_the_two_sides_of_a_seam_have_one_normal_at_rest_and_moved(model, mesh):
    file = Parsed(glb_bytes(mesh))
    skin = file.of("skin")
    normals = file.accessor(skin["attributes"]["NORMAL"])
    weld = mesh.weld[rows_of(mesh, "skin")]
    first = np.unique(weld, return_index=True)[1][np.unique(weld, return_inverse=True)[1]]
    assert (first != np.arange(len(weld))).any()
    np.testing.assert_array_equal(normals, normals[first])
    for target in skin["targets"]:
        turned = file.accessor(target["NORMAL"])
        np.testing.assert_array_equal(turned, turned[first])


def test_normals_of_targets_are_those_of_the_moved_surface(mesh):
    offsets = mesh.morph_targets["jawOpen"]
    moved = mesh.replace(vertices=mesh.vertices + offsets)
    from faceuv.export.morphs import SurfaceNormals

    expected = SurfaceNormals.of(moved.vertices, moved.shading_faces, moved.weld).unit
    file = Parsed(glb_bytes(mesh))
    k = file.json["meshes"][0]["extras"]["targetNames"].index("jawOpen")
    skin = file.of("skin")
    found = file.accessor(skin["attributes"]["NORMAL"]) + file.accessor(skin["targets"][k]["NORMAL"])
    np.testing.assert_allclose(found, expected[rows_of(mesh, "skin")], atol=1e-3)
    assert np.abs(file.accessor(skin["targets"][k]["NORMAL"])).max() > 0.1


class TestEyes:
    @pytest.mark.parametrize("side", ["left", "right"])
    def test_an_eye_turns_about_its_centre(self, mesh, side):
        file = Parsed(glb_bytes(mesh))
        turn = axis_turn((0, 1, 0), math.radians(30))
        rest, turned = shown(file, f"sclera_{side}"), shown(file, f"sclera_{side}", {f"eye_{side}": turn})
        centre = 0.1 * mesh.skeleton.positions[mesh.skeleton.index(f"eye_{side}")]
        np.testing.assert_allclose(
            np.linalg.norm(turned - centre, axis=1), np.linalg.norm(rest - centre, axis=1), atol=1e-6
        )
        assert np.abs(turned - rest).max() > 0.4 * 0.1 * EYE_RADIUS
        np.testing.assert_allclose(shown(file, "skin", {f"eye_{side}": turn}), shown(file, "skin"), atol=1e-7)

    def test_looks_are_left_to_the_joint_and_are_not_applied_twice(self, model, face):
        movements = Movements.of(model)
        joint, turn = movements.eye_look["eyeLookInLeft"]
        assert joint == "eye_left"
        np.testing.assert_allclose(turn, axis_turn((0, 1, 0), LOOK_IN_LEFT), atol=1e-4)
        assert set(movements.eye_look) == {"eyeLookInLeft", "eyeLookUpRight"}
        own = model.skin_weights[:, 2].numpy() > 0.5
        assert np.abs(movements.offsets["eyeLookInLeft"][own]).max() == 0
        assert np.abs(movements.offsets["eyeLookInLeft"][~own]).max() > 0.01  # the lid
        assert np.abs(Movements.of(model, "morphs").offsets["eyeLookInLeft"][own]).max() > 0.05

    def test_a_look_in_the_coefficients_is_a_turn_in_the_file(self, face):
        looking = face.with_arkit(eyeLookInLeft=1.0)
        mesh = looking.mesh_file(texture_size=8)
        file = Parsed(glb_bytes(mesh))
        expected = 0.1 * looking.vertices().numpy()[rows_of(mesh, "iris_left")]
        np.testing.assert_allclose(shown(file, "iris_left"), expected, atol=2e-4)
        assert np.abs(0.1 * face.vertices().numpy()[rows_of(mesh, "iris_left")] - expected).max() > 5e-3

    def test_eyes_look_at_a_point(self, mesh):
        target = np.array([1.0, 0.5, 4.0])
        looking = mesh.looking_at(target)
        file = Parsed(glb_bytes(looking))
        for side in ("left", "right"):
            centre = mesh.skeleton.positions[mesh.skeleton.index(f"eye_{side}")]
            gaze = matrix(file.node(f"eye_{side}")["rotation"]) @ [0, 0, 1]
            wanted = (target - centre) / np.linalg.norm(target - centre)
            np.testing.assert_allclose(gaze, wanted, atol=1e-6)

    def test_eyes_turn_no_farther_than_eyes_do(self, mesh):
        gaze = matrix(mesh.looking_at([10, 0, 0]).pose["eye_left"]) @ [0, 0, 1]
        assert math.degrees(math.acos(gaze[2])) == pytest.approx(35, abs=3)

    def test_a_model_without_eyes_cannot_look(self, tmp_path):
        shell = Face.mean(face_model={"type": "ProceduralFace", "rows": 97, "columns": 81})
        with pytest.raises(InputError, match="no eyes that turn .*ICTFaceKit"):
            shell.save(tmp_path / "a.glb", look_at=(0, 0, 5))
        assert not list(tmp_path.iterdir())

    def test_a_look_at_nothing(self, mesh):
        with pytest.raises(InputError, match="a point of three finite numbers"):
            mesh.looking_at([0, float("nan"), 1])


class TestAnimation:
    def test_channels_and_eyes_that_follow_the_weights(self, mesh):
        times = np.array([0, 0.5, 1.0])
        weights = np.array([[0, 0], [1, 0.5], [0, 1]])
        moving = mesh.replace(animation=Animation(times, weights, ("jawOpen", "eyeLookInLeft"), name="talk"))
        file = Parsed(glb_bytes(moving))
        (found,) = file.json["animations"]
        paths = {
            (file.json["nodes"][c["target"]["node"]]["name"], c["target"]["path"]): found["samplers"][c["sampler"]]
            for c in found["channels"]
        }
        assert set(paths) == {("face", "weights"), ("eye_left", "rotation")}
        np.testing.assert_allclose(file.accessor(paths["face", "weights"]["input"])[:, 0], times)
        names = list(mesh.morph_targets)
        values = file.accessor(paths["face", "weights"]["output"]).reshape(3, len(names))
        np.testing.assert_allclose(values[:, names.index("jawOpen")], weights[:, 0])
        turns = file.accessor(paths["eye_left", "rotation"]["output"])
        np.testing.assert_allclose(turns[1], axis_turn((0, 1, 0), LOOK_IN_LEFT / 2), atol=1e-4)
        np.testing.assert_allclose(turns[2], axis_turn((0, 1, 0), LOOK_IN_LEFT), atol=1e-4)

    def test_given_turns_rule(self, mesh):
        turns = np.tile(axis_turn((0, 1, 0), 0.2), (2, 1))
        clip = Animation(np.arange(2.0), np.ones((2, 1)), ("eyeLookInLeft",), {"eye_left": turns})
        file = Parsed(glb_bytes(mesh.replace(animation=clip)))
        (channel,) = (c for c in file.json["animations"][0]["channels"] if c["target"]["path"] == "rotation")
        sampler = file.json["animations"][0]["samplers"][channel["sampler"]]
        np.testing.assert_allclose(file.accessor(sampler["output"]), turns, atol=1e-6)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([0, 0], np.zeros((2, 1)), ("jawOpen",)), "grow from frame to frame"),
            (([0, 1], np.zeros((2, 2)), ("jawOpen",)), r"shape \(T, M\) = \(2, 1\)"),
            (([0, 1], np.zeros((2, 1)), ("jawOpen",), {"head": np.ones((2, 4))}), "unit quaternions"),
            (([0, float("nan")], np.zeros((2, 1)), ("jawOpen",)), "finite seconds"),
        ],
    )
    def test_bad_animations(self, arguments, message):
        with pytest.raises(InputError, match=message):
            Animation(*arguments)

    def test_unknown_target_or_joint(self, mesh):
        with pytest.raises(InputError, match="moves 'jawOpne'.*did you mean|Did you mean 'jawOpen'"):
            mesh.replace(animation=Animation([0], np.zeros((1, 1)), ("jawOpne",)))
        with pytest.raises(InputError, match="no joint is called 'tail'"):
            mesh.replace(animation=Animation([0], np.zeros((1, 0)), (), {"tail": [[0, 0, 0, 1]]}))


def test_the_neck_is_closed_below(mesh):
    (cap,) = (part for part in mesh.parts if part.name == "neck_cap")
    normals = mesh.normals[np.unique(cap.faces)]
    assert (normals[:, 1] < -0.9).all()
    from faceuv.export.caps import neck_border

    closed = np.concatenate([mesh.faces])
    (skin,) = (part.faces for part in mesh.parts if part.name == "skin")
    assert neck_border(mesh.vertices, skin, mesh.weld) is not None
    place = np.unique(np.rint(mesh.vertices * 1e5).astype(int), axis=0, return_inverse=True)[1].reshape(-1)
    assert neck_border(mesh.vertices, place[closed], None) is None  # the cap takes its border's places


def test_detail_becomes_a_normal_map_and_roughness(face):
    relief = torch.zeros(1, 3, 64, 64)
    relief[:, 2] = 0.02 * torch.rand(64, 64, generator=torch.Generator().manual_seed(0))
    mesh = face.with_maps(UVMaps(displacement=relief)).mesh_file(texture_size=128)
    file = Parsed(glb_bytes(mesh))
    skin = file.json["materials"][file.of("skin")["material"]]
    assert file.image(skin["normalTexture"]["index"]).size == (128, 128)
    rough = np.asarray(file.image(skin["pbrMetallicRoughness"]["metallicRoughnessTexture"]["index"]))
    assert rough[..., 1].std() > 2 and (rough[..., 2] == 0).all()
    assert "TANGENT" in file.of("skin")["attributes"]
    assert "TANGENT" not in file.of("teeth")["attributes"]


def test_licences_are_in_the_file(mesh, face):
    file = Parsed(glb_bytes(mesh))
    (head,) = file.json["asset"]["extras"]["licences"]
    assert head == {"part": "head model", "name": "FaceModel", "licence": "CC0-1.0", "commercial": "yes",
                    "source": "a formula"}  # fmt: skip


@pytest.mark.parametrize("size", [0, 20_000, -1, 2.5, True])
def test_bad_texture_sizes(face, size):
    with pytest.raises(InputError, match=r"a texture size is a whole number 1 … 8,192, got"):
        face.mesh_file(texture_size=size)


@pytest.mark.parametrize("lod", [0, 99, True])
def test_bad_levels(face, lod, tmp_path):
    with pytest.raises(InputError, match="lod is the number of coarser levels, 1 … 4"):
        face.save(tmp_path / "a.glb", lod=lod, texture_size=8)
    assert not list(tmp_path.iterdir())


def test_only_glb_is_quantised(face, tmp_path):
    with pytest.raises(InputError, match=r"\.obj files have no quantised form"):
        face.save(tmp_path / "a.obj", quantised=True, texture_size=8)


def test_eyes_are_where_the_fixture_says(model, mesh):
    for side, centre in EYES.items():
        place = mesh.skeleton.positions[mesh.skeleton.index(f"eye_{side}")]
        np.testing.assert_allclose(place, centre, atol=0.05)


@pytest.fixture(scope="module")
def fine():
    return Face.random(2, face_model=toy_head(2)).mesh_file(texture_size=64)


class TestLevels:
    def test_levels_keep_parts_movements_joints_and_eyes(self, fine, monkeypatch, tmp_path):
        monkeypatch.setenv("FACEUV_CACHE", str(tmp_path))
        levels = coarser(fine, 3)
        total = sum(len(part.faces) for part in fine.parts)
        for level, share in zip(levels, (2, 4, 8)):
            assert sum(len(part.faces) for part in level.parts) < 1.15 * total / share
            assert {part.name for part in level.parts} == {part.name for part in fine.parts}
            assert list(level.morph_targets) == list(fine.morph_targets)
            assert level.diffuse.shape[1] == max(64 // share, 64)  # never below 64
            np.testing.assert_allclose(level.skeleton.weights.sum(1), 1, atol=1e-6)
            file = Parsed(glb_bytes(level))
            place = cKDTree(0.1 * fine.vertices).query(shown(file, "skin", weights=np.zeros(len(fine.morph_targets))))
            assert place[0].max() < 1e-7
            moved = 0.1 * (fine.vertices + fine.morph_targets["jawOpen"])[place[1]]
            names = list(fine.morph_targets)
            opened = shown(file, "skin", weights=[float(name == "jawOpen") for name in names])
            np.testing.assert_allclose(opened, moved, atol=2e-6)

    def test_levels_do_not_depend_on_the_person_and_are_cached(self, fine, monkeypatch, tmp_path):
        monkeypatch.setenv("FACEUV_CACHE", str(tmp_path))
        first = coarser(fine, 2)
        (file,) = (tmp_path / "lod").iterdir()
        other = Face.random(9, face_model=toy_head(2)).mesh_file(texture_size=64)
        second = coarser(other, 2)
        assert [f.name for f in (tmp_path / "lod").iterdir()] == [file.name]
        np.testing.assert_array_equal(first[1].faces, second[1].faces)
        assert np.abs(first[1].vertices - second[1].vertices).max() > 0.01
        file.write_bytes(b"damaged")
        with pytest.warns(CacheWarning, match="damaged"):
            again = coarser(fine, 2)
        np.testing.assert_array_equal(again[1].faces, first[1].faces)

    def test_files(self, face, tmp_path):
        face.save(tmp_path / "a.glb", lod=2, texture_size=16)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["a.glb", "a_lod1.glb", "a_lod2.glb"]


def test_the_roughness_of_the_skin_is_in_the_file_where_the_face_has_a_map(face):
    """The maps' roughness and what the relief adds to it; half as large from 512 texels on."""
    rough = torch.full((1, 1, 512, 512), 0.4)
    rough[..., 256:] = 0.7
    maps = UVMaps(torch.full((1, 3, 512, 512), 0.5), torch.zeros(1, 3, 512, 512), rough)
    mesh = face.with_maps(maps).mesh_file()
    assert mesh.roughness_map is not None and mesh.roughness_map.shape == (256, 256)
    assert np.allclose(mesh.roughness_map[:, 10:118], 0.4, atol=0.02)
    assert np.allclose(mesh.roughness_map[:, 138:246], 0.7, atol=0.02)
    file = Parsed(glb_bytes(mesh))
    surface = file.json["materials"][file.of("skin")["material"]]["pbrMetallicRoughness"]
    assert surface["roughnessFactor"] == 1 and "metallicRoughnessTexture" in surface
    assert face.with_maps(UVMaps(maps.diffuse, roughness=rough)).mesh_file().roughness_map.shape == (512, 512)


def test_relief_makes_skin_rougher():
    waves = 0.5 + 0.4 * torch.sin(torch.arange(64) * 2.1)
    flat = torch.tensor([0.5, 0.5, 1.0])[:, None, None].expand(3, 64, 64)
    bumpy = torch.stack([waves.expand(64, 64), torch.full((64, 64), 0.5), torch.full((64, 64), 0.9)])
    own = torch.full((1, 64, 64), 0.5)
    assert float(roughness_of(flat, own).mean()) == pytest.approx(0.5, abs=1e-3)
    assert float(roughness_of(bumpy, own).min()) > 0.6
    assert roughness_of(None, own) is not None and roughness_of(None) is None


def test_lashes_are_fine_hairs_that_fade_towards_their_tips():
    opacity = strands()[3]
    rows = opacity.mean(1)[::-1]  # from the root
    size = len(rows)
    assert 0.15 < rows[size // 10 : size // 3].mean() < 0.5
    assert rows[int(0.9 * size) :].max() < 0.02
    assert opacity[: size // 2].max() < 0.85  # tips are clear, not cut off
    runs = np.diff((opacity[int(0.8 * size)] > 0.5).astype(int))
    assert 10 <= (runs > 0).sum() <= 22  # hairs on 5 mm of a lid
