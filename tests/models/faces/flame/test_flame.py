"""FLAME read from files of its layout; joints, pose correctives, landmarks and derivatives."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from flame_files import EXPRESSION, IDENTITY, embedded, made, write_files
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from faceuv.cli.main import main
from faceuv.errors import AssetError, FaceUVError, InputError
from faceuv.face import Face
from faceuv.fitting.surface import SurfaceSamples
from faceuv.fitting.terms import LandmarkTerm
from faceuv.models.faces import FLAME, FaceModel, ProceduralFace
from faceuv.models.faces.flame.articulation import POSE, UNIT
from faceuv.models.faces.kinematics import Posed
from faceuv.structures import Camera


def expression(model, **pose):
    """``(1, E)`` with some pose coefficients in radians."""
    value = torch.zeros(1, model.layout.expression)
    for name, radians in pose.items():
        value[0, model.mode_index("expression", name)] = radians / UNIT
    return value


def at_rest(model):
    return torch.zeros(1, model.layout.identity)


def flame_reference(truth, betas, neck, jaw, eyes):
    """FLAME in numpy, written from its paper: vertices in metres."""
    data = truth.data
    shaped = data["v_template"] + data["shapedirs"] @ betas
    joints = data["J_regressor"] @ shaped
    turns = [np.eye(3), *(Rotation.from_rotvec(v).as_matrix() for v in (neck, jaw, eyes[:3], eyes[3:]))]
    feature = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
    shaped = shaped + data["posedirs"] @ feature
    chain = []
    for k, parent in enumerate((-1, 0, 1, 1, 1)):
        local = np.eye(4)
        local[:3, :3] = turns[k]
        local[:3, 3] = joints[k] - (joints[parent] if parent >= 0 else 0)
        chain.append(local if parent < 0 else chain[parent] @ local)
    moved = 0
    for k, transform in enumerate(chain):
        transform = transform.copy()
        transform[:3, 3] -= transform[:3, :3] @ joints[k]
        moved = moved + data["weights"][:, k, None] * (shaped @ transform[:3, :3].T + transform[:3, 3])
    return moved


def test_it_moves_as_flame_does(flame, truth):
    rng = np.random.default_rng(1)
    betas = rng.normal(0, 1, IDENTITY + EXPRESSION)
    neck, jaw = np.array([0.1, -0.3, 0.05]), np.array([0.35, 0.04, -0.02])
    eyes = np.array([0.1, 0.3, 0.0, -0.2, 0.25, 0.0])
    expected = flame_reference(truth, betas, neck, jaw, eyes)
    rows = [torch.tensor(value, dtype=torch.float32)[None] for value in (betas[:IDENTITY], betas[IDENTITY:])]
    turns = {name: torch.tensor(value)[None] for name, value in (("neck", neck), ("jaw", jaw), ("eyes", eyes))}
    found = flame.shape(*flame.coefficients_of(*rows, **turns))[0].double().numpy()
    source, shift = source_of(flame, truth)
    assert np.abs(found - (expected * 10 + shift)[source]).max() < 2e-5  # dm


def source_of(flame, truth):
    """The vertex of the file that each vertex is a copy of, by place, and the way between the frames, dm."""
    template = truth.data["v_template"] * 10
    shift = flame.mean[flame.landmarks[36:48]].mean(0).double().numpy() - template[truth.landmarks[36:48]].mean(0)
    return cKDTree(template + shift).query(flame.mean.double().numpy())[1], shift


def test_the_contract(flame, truth):
    assert isinstance(flame, FaceModel) and not flame.linear
    assert flame.mode_names["expression"][-10:] == list(POSE)
    assert flame.layout.expression == EXPRESSION + 10 and flame.layout.identity == IDENTITY
    eyes = flame.mean[flame.landmarks[36:48]].mean(0)
    there = ProceduralFace(97, 81, verbose=False)
    assert torch.allclose(eyes, there.mean[there.landmarks[36:48]].mean(0), atol=2e-3)
    assert flame.part_names == ["skin", "sclera_left", "iris_left", "sclera_right", "iris_right"]
    left = flame.mean[flame.vertices_of("iris_left")]
    assert (left[:, 0] > 0).all() and left[:, 2].mean() > flame.mean[flame.vertices_of("sclera_left"), 2].mean()
    assert flame.metadata["joints"] == ["neck", "head", "jaw", "eye_left", "eye_right"]
    joints = flame.joints(flame.mean[None])[0]
    assert joints[3, 0] > 0 > joints[4, 0]
    assert torch.equal(flame.contour[:, 0], flame.landmarks[:17]) and flame.contour.shape[1] > 1
    assert not flame.skin_mask[flame.vertices_of("sclera_left", "iris_right")].any() and flame.skin_mask.sum() > 50
    assert (flame.uv >= 0).all() and (flame.uv <= 1).all()


def test_what_the_joints_do(flame):
    def moved(**pose):
        change = flame.shape(at_rest(flame), expression(flame, **pose)) - flame.mean
        return change[0]

    chin, tip = flame.landmarks[8], flame.landmarks[30]
    assert moved(jaw_open=0.3)[chin, 1] < -0.1 and moved(jaw_open=0.3)[tip].norm() < 0.02
    assert moved(jaw_left=0.1)[chin, 0] > 0.01
    assert moved(neck_yaw=0.3)[tip, 0] > 0.1 and moved(neck_pitch=0.3)[tip, 1] < -0.05
    iris = flame.vertices_of("iris_left")
    assert moved(eye_left_yaw=0.3)[iris, 0].mean() > 0.01
    assert moved(eye_left_yaw=0.3)[flame.vertices_of("iris_right")].abs().max() < 0.01
    assert moved(eye_left_pitch=0.3)[iris, 1].mean() < -0.01
    full = moved(jaw_open=0.3)
    line = 3 * moved(jaw_open=0.1)
    assert (full - line).norm(dim=1).max() > 0.005  # it turns, it does not slide


def test_derivatives_are_those_of_the_shape(flame):
    generator = torch.Generator().manual_seed(0)
    model = flame.double()
    try:
        identity = torch.randn(2, IDENTITY, generator=generator, dtype=torch.float64)
        pose = torch.randn(2, EXPRESSION + 10, generator=generator, dtype=torch.float64)
        vertices = torch.tensor([3, 500, 900, int(model.landmarks[8]), len(model.mean) - 3])
        found = model.slopes(identity, pose, vertices)

        def points(both):
            return model.shape(*both.split([IDENTITY, EXPRESSION + 10], 1))[:, vertices]

        both = torch.cat([identity, pose], 1)
        wanted = torch.autograd.functional.jacobian(points, both)
        wanted = torch.stack([wanted[k, :, :, k] for k in range(2)])
        assert torch.allclose(found, wanted, atol=1e-9)
        zero = torch.zeros(1, IDENTITY + EXPRESSION + 10, dtype=torch.float64)
        basis = torch.cat([model.identity_basis, model.expression_basis], 2)[vertices]
        rest = model.slopes(*zero.split([IDENTITY, EXPRESSION + 10], 1), vertices)
        assert torch.allclose(rest[0], basis, atol=1e-6)
    finally:
        flame.float()


def test_the_fitters_derivatives_are_right(flame):
    """Of landmarks and of tangents, against autograd at a wide open jaw."""
    model = flame.double()
    try:
        x = torch.zeros(1, model.layout.size, dtype=torch.float64)
        x[:, model.layout.slice("expression")] = expression(model, jaw_open=0.4, neck_yaw=0.3).double()
        x[:, model.layout.slice("rotation")] = 0.2
        target = torch.rand(1, 68, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 64
        term = LandmarkTerm(model, Camera(), target, 64, 64, weight=1.0, emphasis=1.0, robust=None)
        row = torch.tensor([0])
        _, gradient = term.system(x, row)
        x.requires_grad_()
        (wanted,) = torch.autograd.grad(term.cost(x, row).sum(), x)
        assert torch.allclose(2 * gradient, wanted, atol=1e-9)
        samples = SurfaceSamples.choose(model, 20)
        shape = x[:, : model.layout.identity + model.layout.expression].detach()
        found = samples.first.slopes(shape)
        wanted = torch.autograd.functional.jacobian(samples.first.place, shape)[:, :, :, 0]
        assert torch.allclose(found, wanted, atol=1e-9)
    finally:
        flame.float()


def test_a_fit_opens_the_jaw(flame):
    """Landmarks of a FLAME face with an open jaw → its pose, by the fitter's own landmark step."""
    from faceuv.fitting.steps import LandmarkStep, Problem
    from faceuv.registry import RENDERERS

    truth = torch.zeros(1, flame.layout.size)
    truth[:, flame.layout.slice("expression")] = expression(flame, jaw_open=0.35)
    camera = Camera()
    marks = Posed.of(flame.points(flame.landmarks), truth, flame.layout).pixels(camera, 128, 128)
    start = torch.zeros_like(truth)
    problem = Problem(flame, RENDERERS.build("torch"), torch.zeros(1, 3, 128, 128), marks, None, start)
    found, _ = LandmarkStep(prior={"identity": 1e-4, "expression": 1e-5}, iterations=40).run(problem, start)
    jaw = found[:, flame.layout.slice("expression")][0, flame.mode_index("expression", "jaw_open")] * UNIT
    assert float(jaw) == pytest.approx(0.35, abs=0.08)
    again = Posed.of(flame.points(flame.landmarks), found, flame.layout).pixels(camera, 128, 128)
    assert (again - marks).norm(dim=2).mean() < 0.3


def test_the_files_round_trip_and_are_cut(flame, tmp_path):
    path = flame.save(tmp_path / "flame.safetensors")
    whole = FLAME(path, identity=None, expression=None)
    assert torch.equal(whole.mean, flame.mean) and torch.equal(whole.pose_correctives, flame.pose_correctives)
    small = FLAME(path, identity=3, expression=2)
    assert (small.layout.identity, small.layout.expression) == (3, 12)
    assert small.mode_names["expression"] == ["expression_00", "expression_01", *POSE]
    value = torch.cat([torch.tensor([[0.5, -1.0]]), torch.randn(1, 10, generator=torch.Generator().manual_seed(0))], 1)
    same = torch.cat([value[:, :2], torch.zeros(1, 3), value[:, 2:]], 1)
    shape = small.shape(torch.ones(1, 3), value)
    assert torch.allclose(shape, flame.shape(torch.tensor([[1.0] * 3 + [0.0] * 4]), same), atol=1e-6)
    face = Face.random(1, face_model=small).with_expression(jaw_open=1.0)
    face.save(tmp_path / "face.safetensors")
    assert Face.load(tmp_path / "face.safetensors").face_model.layout == small.layout
    assert face.render(32).isfinite().all()
    for wrong in (dict(identity=8), dict(expression=0), dict(identity=True)):
        with pytest.raises(InputError, match="modes of FLAME"):
            FLAME(path, **wrong)
    with pytest.raises(AssetError, match="faceuv convert flame"):
        FLAME(ProceduralFace(49, 41, verbose=False).save(tmp_path / "other.safetensors"))


def test_uv_of_the_template(files, truth, tmp_path):
    """An OBJ whose corners have UV points of their own: vertices are split and welded."""
    faces = truth.data["f"].astype(int)
    lines = [f"v {x} {y} {z}" for x, y, z in truth.data["v_template"]]
    corners = faces.copy()
    rng = np.random.default_rng(0)
    texture = rng.uniform(0, 1, (len(lines) + 2, 2))
    corners[0] = [len(lines), len(lines) + 1, corners[0, 2]]  # the first triangle has two UV points of its own
    lines += [f"vt {u} {v}" for u, v in texture]
    lines += ["f " + " ".join(f"{a + 1}/{b + 1}" for a, b in zip(*pair)) for pair in zip(faces, corners)]
    path = tmp_path / "head_template.obj"
    path.write_text("\n".join(lines))
    options = dict(landmarks=[files["static"], files["dynamic"]], identity_modes=IDENTITY)
    model = FLAME.from_files(files["model"], uv=path, **options)
    assert len(model.mean) == len(truth.data["v_template"]) + 2
    first = model.faces[0]
    assert torch.allclose(model.uv[first[0]], torch.tensor([texture[-2, 0], 1 - texture[-2, 1]]).float())
    assert model.weld[first[0]] != first[0]
    moved = model.shape(torch.ones(1, IDENTITY), expression(model, jaw_open=0.4))
    assert torch.equal(moved[0], moved[0, model.weld])
    np.savez(tmp_path / "FLAME_texture.npz", vt=texture, ft=corners)
    same = FLAME.from_files(files["model"], uv=tmp_path / "FLAME_texture.npz", **options)
    assert torch.equal(same.uv, model.uv)
    path.write_text("\n".join(lines[:-1]))
    with pytest.raises(AssetError, match="its triangles are not those of"):
        FLAME.from_files(files["model"], uv=path, **options)


def test_npz_and_decas_embedding(truth, files, flame, tmp_path):
    data = {key: value for key, value in truth.data.items() if key != "J_regressor"}
    np.savez(tmp_path / "flame.npz", J_regressor=truth.data["J_regressor"].toarray(), **data)
    static, static_weights = embedded(truth.data["f"], truth.landmarks[17:])
    dynamic, dynamic_weights = embedded(truth.data["f"], truth.jaws)
    both = {
        "static_lmk_faces_idx": static,
        "static_lmk_bary_coords": static_weights,
        "dynamic_lmk_faces_idx": torch.from_numpy(dynamic),  # DECA's are tensors
        "dynamic_lmk_bary_coords": torch.from_numpy(dynamic_weights),
    }
    np.save(tmp_path / "landmark_embedding.npy", both, allow_pickle=True)
    model = FLAME.from_files(
        tmp_path / "flame.npz", landmarks=[tmp_path / "landmark_embedding.npy"], uv="cylindrical",
        identity_modes=IDENTITY,
    )  # fmt: skip
    for name in ("mean", "landmarks", "contour", "joint_weights", "expression_basis"):
        assert torch.equal(getattr(model, name), getattr(flame, name)), name


BROKEN = {
    "shapedirs": (dict(shapedirs=None), "lacks shapedirs"),
    "weights": (dict(weights=np.ones((10, 5))), "weights must have shape"),
    "nan": (dict(v_template=np.full((10, 3), np.nan)), "v_template holds NaN"),
    "faces": (dict(f=np.full((4, 3), 10**6)), "f must name vertices"),
    "tree": (dict(kintree_table=np.zeros((2, 24), np.int64)), "kintree_table must be that of FLAME"),
    "text": (dict(posedirs="none"), "posedirs must be an array of numbers"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_models_are_one_line(write, case):
    changes, said = BROKEN[case]
    files = write(**changes)
    with pytest.raises(FaceUVError, match=said) as caught:
        FLAME.from_files(
            files["model"], landmarks=[files["static"], files["dynamic"]], uv="cylindrical", identity_modes=IDENTITY
        )
    assert "\n" not in str(caught.value)


def test_millimetres_and_missing_landmarks(write, files, truth):
    options = dict(uv="cylindrical", identity_modes=IDENTITY)
    with pytest.raises(InputError, match="lack the 17 points of the jaw"):
        FLAME.from_files(files["model"], landmarks=[files["static"]], **options)
    with pytest.raises(InputError, match="landmarks lie in files of their own"):
        FLAME.from_files(files["model"], landmarks=[], **options)
    large = write(v_template=truth.data["v_template"] * 1000)
    with pytest.raises(AssetError, match="expected a FLAME model in metres"):
        FLAME.from_files(large["model"], landmarks=[large["static"], large["dynamic"]], **options)
    with pytest.raises(AssetError, match="none expression|would be identity"):
        FLAME.from_files(files["model"], landmarks=[files["static"], files["dynamic"]], uv="cylindrical")


class _Evil:
    def __reduce__(self):
        import os

        return os.system, ("echo run > evil",)


def test_foreign_globals_are_refused(write, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = write(weights=_Evil())
    words = ["convert", "flame", str(files["model"]), "--landmarks", str(files["static"]), str(files["dynamic"]),
             "--uv", "cylindrical", "--out", "x.safetensors"]  # fmt: skip
    assert main(words) == 2
    error = capsys.readouterr().err.strip()
    assert "system" in error and "refused, nothing was run" in error and "\n" not in error
    assert not (tmp_path / "evil").exists() and not (tmp_path / "x.safetensors").exists()
    evil = tmp_path / "evil.npy"
    np.save(evil, {"lmk_face_idx": _Evil()}, allow_pickle=True)
    with pytest.raises(AssetError, match="refused, nothing was run"):
        FLAME.from_files(write()["model"], landmarks=[evil], uv="cylindrical", identity_modes=IDENTITY)
    assert not (tmp_path / "evil").exists()


def test_expressions_of_chumpy_are_refused(write, truth, tmp_path):
    data = pickle.dumps({**truth.data, "shapedirs": None}, protocol=2)
    assert b"chumpy" not in data
    files = write()
    other = files["model"].read_bytes().replace(b"x\x01\x00\x00\x00x", b"x\x01\x00\x00\x00y")
    files["model"].write_bytes(other.replace(b"X\x01\x00\x00\x00x", b"X\x01\x00\x00\x00y"))
    with pytest.raises(AssetError, match="shapedirs is an expression of chumpy"):
        FLAME.from_files(
            files["model"], landmarks=[files["static"], files["dynamic"]], uv="cylindrical", identity_modes=IDENTITY
        )


def test_true_size_and_the_command(tmp_path, capsys):
    truth = made(71, 69, 6, 10, identity=300, expression=20)
    assert truth.data["v_template"].shape == (5023, 3)
    files = write_files(tmp_path, truth)
    out = tmp_path / "flame.safetensors"
    words = ["convert", "flame", str(files["model"]), "--landmarks", str(files["static"]), str(files["dynamic"]),
             "--uv", "cylindrical", "--out", str(out)]  # fmt: skip
    assert main(words) == 0
    assert "300 + 20 modes and 10 of pose" in capsys.readouterr().out
    model = FLAME(out, identity=50, expression=20)
    assert model.layout.identity == 50 and model.layout.expression == 30


def test_arkit_on_flame(flame):
    """jawOpen is the jaw's joint; what only the fine modes could do is as good as they are."""
    table = flame.arkit_table()
    assert table.source == "solved" and table.explained["jawOpen"] > 0.6
    row = table.coefficients(torch.eye(52)[[17]])[0]
    assert row[flame.mode_index("expression", "jaw_open")] > 1.0
    moved = flame.shape(at_rest(flame), row[None])[0] - flame.mean
    assert moved[flame.landmarks[8], 1] < -0.08
