"""Every layout of BFM 2009 reads back to the surface that was written into it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceuv.models.faces import ProceduralFace
from faceuv.models.faces.bfm2009 import BFM2009, BFM_SIZES
from faceuv.models.faces.bfm2009.surface import mirror_map
from faceuv.registry import FACE_MODELS


def assert_same_surface(model, head, *, atol=2e-6):
    """Coefficients at random must give the surface and the colours of the truth, recentred on its mean."""
    rng = np.random.default_rng(1)
    groups = {name: rng.standard_normal(getattr(head.sizes, name)) for name in ("identity", "expression", "albedo")}
    shape = head.mean - head.mean.mean(0)
    shape = shape + head.identity_basis @ groups["identity"] + head.expression_basis @ groups["expression"]
    colour = head.mean_albedo + head.albedo_basis @ groups["albedo"]
    identity, expression, albedo = (torch.tensor(groups[g])[None].float() for g in ("identity", "expression", "albedo"))
    np.testing.assert_allclose(model.shape(identity, expression)[0], shape, atol=atol)
    np.testing.assert_allclose(model.albedo(albedo)[0], colour, atol=atol)
    assert np.array_equal(model.faces, head.faces)
    assert np.array_equal(model.landmarks, head.landmarks)
    assert np.array_equal(model.skin_mask, head.skin_mask)


def assert_same_uv(model, head):
    np.testing.assert_allclose(model.uv, np.stack([head.uv[:, 0], 1 - head.uv[:, 1]], 1), atol=1e-6)


@pytest.mark.parametrize("compress", [False, True])
def test_front_reads_back(tmp_path, files, head, compress):
    front = files.write_front(tmp_path, head, compress=compress)
    model = BFM2009.from_files(front=front, uv=files.write_uv(tmp_path / "uv.mat", head.uv), sizes=files.small)
    assert_same_surface(model, head)
    assert_same_uv(model, head)
    assert model.mean.mean(0).abs().max() < 1e-6
    assert model.metadata["layout"] == "front"
    assert set(model.metadata["parents"]) == {"BFM_model_front.mat", "uv.mat"}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_raw_reads_back_through_shuffled_indices(tmp_path_factory, files, seed):
    head = files.make_head(files.small, seed)
    folder = files.write_raw(tmp_path_factory.mktemp("raw"), head, seed=seed)
    model = BFM2009.from_files(raw=folder, uv=files.write_uv(folder / "uv.mat", head.uv), sizes=files.small)
    assert_same_surface(model, head)
    assert_same_uv(model, head)


@pytest.fixture(scope="module")
def procedural():
    return ProceduralFace(rows=61, columns=49, cache=False, verbose=False)


@pytest.mark.parametrize("layout", ["front", "raw"])
def test_the_procedural_face_reads_back(tmp_path, files, procedural, layout):
    head = files.head_of(procedural)
    uv = files.write_uv(tmp_path / "uv.mat", head.uv)
    source = {"front": files.write_front, "raw": files.write_raw}[layout](tmp_path, head)
    model = BFM2009.from_files(**{layout: source}, uv=uv, sizes=head.sizes)
    assert_same_surface(model, head, atol=1e-5)
    assert_same_uv(model, head)
    assert model.layout == procedural.layout
    assert (model.mirror == procedural.mirror).float().mean() > 0.99


def test_both_layouts_agree(tmp_path, files, head):
    uv = files.write_uv(tmp_path / "uv.mat", head.uv)
    front = BFM2009.from_files(front=files.write_front(tmp_path, head), uv=uv, sizes=files.small)
    raw = BFM2009.from_files(raw=files.write_raw(tmp_path, head), uv=uv, sizes=files.small)
    for name, array in front.arrays().items():
        torch.testing.assert_close(raw.arrays()[name], array, atol=2e-6, rtol=0)


def test_real_sizes_read_back(tmp_path, files):
    """BFM 2009's own shapes: 53,490 → 53,215 → 35,709 vertices, 199 / 79 / 199 modes of which 80 / 64 / 80 are kept."""
    head = files.make_head(BFM_SIZES)
    files.write_raw(tmp_path, head)
    assert (tmp_path / "Exp_Pca.bin").stat().st_size == 51_086_404
    model = BFM2009.from_files(raw=tmp_path, uv=files.write_uv(tmp_path / "uv.mat", head.uv))
    shutil.rmtree(tmp_path)  # 310 MB, which pytest would keep for three runs
    assert model.layout.size == 257
    assert model.identity_basis.shape == (35_709, 3, 80)
    assert_same_surface(model, head, atol=1e-5)


def test_faces_that_wind_the_other_way_are_turned(tmp_path, files, head):
    inward = files.replace(head, faces=head.faces[:, ::-1])
    model = BFM2009.from_files(front=files.write_front(tmp_path, inward), uv="cylindrical", sizes=files.small)
    assert_same_surface(model, head)
    assert model.metadata["faces_flipped"]
    a, b, c = model.mean[model.faces].unbind(1)
    assert torch.linalg.cross(b - a, c - a).sum(0)[2] > 0


def test_mirror_is_the_reflection_and_its_own_inverse(tmp_path, files, head):
    model = BFM2009.from_files(front=files.write_front(tmp_path, head), uv="cylindrical", sizes=files.small)
    assert np.array_equal(model.mirror, head.mirror)
    assert torch.equal(model.mirror[model.mirror], torch.arange(len(model.mirror)))


@pytest.mark.parametrize("shift", [-0.3, 0.0, 0.07])
def test_mirror_finds_the_mid_plane(head, shift):
    """Wherever it lies, also when one side reaches further out and moves both the mean and the extent of x."""
    ear = np.array([[1.0, 0.5, 0.4]])
    points = np.concatenate([head.mean, ear]) + np.array([shift, 0, 0])
    points[head.landmarks, 0] += 0.015  # a landmark is the vertex nearest to the point it means
    assert np.array_equal(mirror_map(points, head.landmarks)[:-1], head.mirror)


def test_mirror_of_an_uneven_sampling_stays_close(tmp_path, files, head):
    """Vertices that moved by a third of their spacing, unevenly left and right."""
    spacing = 2 / 40
    jitter = np.random.default_rng(3).uniform(-1, 1, head.mean.shape) * spacing / 3
    uneven = files.replace(head, mean=head.mean + jitter)
    model = BFM2009.from_files(front=files.write_front(tmp_path, uneven), uv="cylindrical", sizes=files.small)
    gap = (model.mean[model.mirror] * torch.tensor([-1.0, 1, 1]) - model.mean).norm(dim=1)
    own_inverse = model.mirror[model.mirror] == torch.arange(len(gap))
    assert gap.median() < spacing
    assert own_inverse.float().mean() > 0.9


def test_save_and_look_up(tmp_path, files, head, monkeypatch):
    front = files.write_front(tmp_path, head)
    built = BFM2009.from_files(front=front, uv="cylindrical", sizes=files.small)
    monkeypatch.setenv("FACEUV_ASSETS", str(tmp_path / "assets"))
    path = built.save(tmp_path / "assets" / "bfm2009.safetensors")
    for model in (BFM2009(path), BFM2009(), FACE_MODELS.build({"type": "BFM2009", "path": str(path)})):
        for name, array in built.arrays().items():
            assert torch.equal(model.arrays()[name], array)
        assert model.metadata["parents"] == built.metadata["parents"]


@pytest.mark.parametrize("key", ["UV", "UV_refine"])
@pytest.mark.parametrize("rows", ["crop", "expression", "full"])
def test_uv_of_any_vertex_set(tmp_path, files, head, key, rows):
    """A chart of the full head is cropped with the index files; v is turned once."""
    from scipy.io import loadmat

    files.write_raw(tmp_path, head)
    front = loadmat(tmp_path / "BFM_front_idx.mat")["idx"].ravel().astype(int) - 1
    trim = loadmat(tmp_path / "BFM_exp_idx.mat")["trimIndex"].ravel().astype(int) - 1
    uv = head.uv
    if rows == "expression":
        uv = np.zeros((files.small.expression_vertices, 2))
        uv[front] = head.uv
    elif rows == "full":
        uv = np.zeros((files.small.full_vertices, 2))
        uv[trim[front]] = head.uv
    chart = files.write_uv(tmp_path / "uv.mat", uv, key)
    assert_same_uv(BFM2009.from_files(raw=tmp_path, uv=chart, sizes=files.small), head)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = files.write_front(elsewhere, head)
    assert_same_uv(BFM2009.from_files(front=moved, uv=chart, indices=tmp_path, sizes=files.small), head)


def test_cylindrical_chart_is_upright_and_unfolded(tmp_path, files, head):
    model = BFM2009.from_files(front=files.write_front(tmp_path, head), uv="cylindrical", sizes=files.small)
    assert 0 <= float(model.uv.min()) <= float(model.uv.max()) <= 1
    marks = model.uv[model.landmarks]
    assert marks[8, 1] > marks[27, 1]  # v down: the chin is below the bridge of the nose
    assert marks[36, 0] < marks[45, 0]  # u right: the subject's right eye is on the viewer's left
    assert abs(float(marks[27, 0]) - 0.5) < 1e-6
    assert model.metadata["uv_folded_faces"] < 0.02 * head.sizes.faces
    assert model.uv_mask(64, 64).mean() > 0.7
