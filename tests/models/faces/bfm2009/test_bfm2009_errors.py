"""A wrong, truncated or missing file of BFM 2009 is answered by name, with what was expected and where to get it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from faceuv.errors import AssetError, InputError
from faceuv.files.assets import find_asset
from faceuv.models.faces.bfm2009 import BFM2009

REGISTER = r"https://faces\.dmi\.unibas\.ch/bfm/"


@pytest.fixture
def read_front(tmp_path, files, head):
    """Write the converted file with some keys changed, and read it."""

    def read(uv="cylindrical", **changes):
        front = files.write_front(tmp_path, head, **changes)
        return BFM2009.from_files(front=front, uv=uv, sizes=files.small)

    return read


@pytest.fixture
def raw(tmp_path_factory, files, head, _raw_folder):
    """A fresh copy of the raw files."""
    return shutil.copytree(_raw_folder, tmp_path_factory.mktemp("copy") / "raw")


@pytest.fixture(scope="module")
def _raw_folder(tmp_path_factory, files, head):
    return files.write_raw(tmp_path_factory.mktemp("raw"), head)


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("idBase", lambda a: None, r"the key\(s\) idBase are missing, found meanshape \(1, 5043\), meantex"),
        ("idBase", lambda a: a[:, :4], r"'idBase' must have shape \(5043, 5\), got \(5043, 4\)\."),
        ("idBase", lambda a: a.T, r"'idBase' must have shape \(5043, 5\), got \(5, 5043\) \(it is transposed\)"),
        ("meanshape", lambda a: a[:, 3:], r"'meanshape' must have shape \(5043,\), got \(5040,\)"),
        ("exBase", lambda a: a.astype(complex), r"'exBase' must be an array of real numbers, got complex numbers"),
        ("exBase", lambda a: np.array([a, "x"], dtype=object), r"'exBase' must be an .*, got a cell array"),
        ("texBase", lambda a: changed(a, (7, 2), np.nan), r"'texBase' holds NaN or infinity"),
        ("meantex", lambda a: a / 255, r"'meantex' must hold RGB in 0 … 255, got 0\.2\d* … 0\.\d+"),
        ("tri", lambda a: a - 1, r"'tri' must hold 1-based indices 1 … 1681, got 0 … 1680"),
        ("tri", lambda a: a + 0.5, r"'tri' must hold whole numbers"),
        ("keypoints", lambda a: changed(a, (0, 3), 9999), r"'keypoints' must hold 1-based indices .* … 9999"),
        ("keypoints", lambda a: a[:, :51], r"'keypoints' must have shape \(68,\), got \(51,\)"),
        ("skinmask", lambda a: 255 * a, r"'skinmask' must hold 0 or 1 per vertex, got up to 255"),
        ("meanshape", lambda a: a * 1e5, r"the mean face is 2e\+05 decimetres tall, expected 1 … 4"),
        ("meanshape", lambda a: -a, r"right eye is not on the viewer.*; the chin is not below the.*; the nose"),
    ],
)  # fmt: skip
def test_wrong_key(read_front, files, head, key, change, message):
    with pytest.raises(AssetError, match=message) as caught:
        read_front(**{key: change(files.front_arrays(head)[key])})
    assert "BFM_model_front.mat" in str(caught.value)
    caught.match(REGISTER)


def test_default_sizes_are_bfms(tmp_path, files, head):
    with pytest.raises(AssetError, match=r"'meanshape' must have shape \(107127,\), got \(5043,\)"):
        BFM2009.from_files(front=files.write_front(tmp_path, head), uv="cylindrical")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0, 0.999), compress=st.booleans())
def test_truncated_mat(tmp_path, files, head, part, compress):
    front = files.write_front(tmp_path, head, compress=compress)
    content = front.read_bytes()
    front.write_bytes(content[: int(part * len(content))])
    with pytest.raises(AssetError, match=r"BFM_model_front\.mat: (not a readable MATLAB v5 file|the key)"):
        BFM2009.from_files(front=front, uv="cylindrical", sizes=files.small)


@pytest.mark.parametrize(
    "content",
    [
        b"\x89HDF\r\n\x1a\n" + bytes(600),
        b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(384) + b"\x89HDF\r\n\x1a\n",
    ],
)
def test_hdf5(tmp_path, files, content):
    path = tmp_path / "01_MorphableModel.mat"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=r"HDF5 \(MATLAB v7\.3.*expected MATLAB v5.*'-v7'"):
        BFM2009.from_files(front=path, uv="cylindrical", sizes=files.small)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>Please register</html>" * 9, b"\x80\x04pickle" * 50])
def test_not_a_mat_file(tmp_path, files, content):
    path = tmp_path / "model.mat"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=r"model\.mat: not a readable MATLAB v5 file"):
        BFM2009.from_files(front=path, uv="cylindrical", sizes=files.small)


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("01_MorphableModel.mat", REGISTER),
        ("Exp_Pca.bin", "https://github.com/Juyong/3DFace"),
        ("std_exp.txt", "https://github.com/microsoft/Deep3DFaceReconstruction"),
        ("facemodel_info.mat", "https://github.com/microsoft/Deep3DFaceReconstruction"),
        ("BFM_front_idx.mat", "https://github.com/microsoft/Deep3DFaceReconstruction"),
        ("BFM_exp_idx.mat", "https://github.com/microsoft/Deep3DFaceReconstruction"),
    ],
)
def test_missing_raw_file(raw, files, name, where):
    (raw / name).unlink()
    with pytest.raises(AssetError, match=rf"raw lacks: {name} \(.*{where}"):
        BFM2009.from_files(raw=raw, uv="cylindrical", sizes=files.small)


def test_every_missing_raw_file_is_named(tmp_path):
    message = r"there is no folder .*nowhere; it should hold: 01_MorphableModel\.mat .*; Exp_Pca.*; BFM_exp_idx\.mat"
    with pytest.raises(AssetError, match=message):
        BFM2009.from_files(raw=tmp_path / "nowhere", uv="cylindrical")


def test_select_vertex_id_is_optional_but_must_agree(raw, files):
    path = raw / "select_vertex_id.mat"
    other = np.arange(1, files.small.vertices + 1, dtype=np.uint16)[:, None]
    files.write_mat(path, {"select_id": other})
    with pytest.raises(AssetError, match=r"select_vertex_id\.mat: .*do not belong together"):
        BFM2009.from_files(raw=raw, uv="cylindrical", sizes=files.small)
    path.unlink()
    BFM2009.from_files(raw=raw, uv="cylindrical", sizes=files.small)


def test_index_file_with_a_repeated_vertex(raw, files):
    twice = np.arange(1, files.small.vertices + 1, dtype=np.float32)
    files.write_mat(raw / "BFM_front_idx.mat", {"idx": changed(twice, 5, 1)})
    with pytest.raises(AssetError, match=r"BFM_front_idx\.mat: the key 'idx' names a vertex twice"):
        BFM2009.from_files(raw=raw, uv="cylindrical", sizes=files.small)


def test_index_files_of_another_model(raw, files):
    (raw / "select_vertex_id.mat").unlink()
    sorted_index = np.arange(1, files.small.vertices + 1, dtype=np.float32)
    files.write_mat(raw / "BFM_front_idx.mat", {"idx": sorted_index})
    with pytest.raises(AssetError, match=r"01_MorphableModel\.mat: .*(tall|index files that belong to it)"):
        BFM2009.from_files(raw=raw, uv="cylindrical", sizes=files.small)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-4], r"it must have 226,804 bytes \(8 modes .*\), got 226,800: it was cut"),
        (lambda content: content + bytes(4), r"it must have 226,804 bytes .*, got 226,808\."),
        (lambda content: content[:2], r"it must start with the number of modes 8 \(int32\), got \[\]"),
        (lambda content: np.array([47], "<i4").tobytes() + content[4:], r".*number of modes 8 \(int32\), got \[47\]"),
        (lambda content: content[:4] + b"\xff" * (len(content) - 4), r"it holds NaN or infinity"),
    ],
)  # fmt: skip
def test_wrong_expression_basis(raw, files, change, message):
    path = raw / "Exp_Pca.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(AssetError, match=rf"Exp_Pca\.bin: {message}"):
        BFM2009.from_files(raw=raw, uv="cylindrical", sizes=files.small)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3", r"expected 8 positive numbers .*, got 3"),
        ("1 2 3 4 5 6 7 -8", r"expected 8 positive numbers"),
        ("one two", r"expected 8 numbers separated by blanks \(could not convert"),
    ],
)
def test_wrong_deviations(raw, files, text, message):
    (raw / "std_exp.txt").write_text(text)
    with pytest.raises(AssetError, match=rf"std_exp\.txt: {message}"):
        BFM2009.from_files(raw=raw, uv="cylindrical", sizes=files.small)


@pytest.mark.parametrize(
    ("key", "change", "message"),
    [
        ("uv", lambda uv: uv, r"it holds neither of the keys UV_refine and UV"),
        ("UV", lambda uv: uv[:-1], r"'UV' must have a row \(u, v\) for each of the 1681 .*got shape \(1680, 2\)"),
        ("UV", lambda uv: np.pad(uv, ((0, 0), (0, 1))), r"'UV' must have shape \(1681, 2\), got \(1681, 3\)"),
        ("UV", lambda uv: uv * 255, r"'UV' must lie in 0 … 1, got 12\.75 … 242\.2; divide pixels by the map's size"),
        ("UV", lambda uv: abs(uv - [0, 1]), r"its chin does not lie below its brows: expected v up"),
    ],
)
def test_wrong_uv(tmp_path, read_front, files, head, key, change, message):
    chart = files.write_uv(tmp_path / "BFM_UV.mat", change(head.uv), key)
    with pytest.raises(AssetError, match=rf"BFM_UV\.mat: .*{message}.*https://github\.com/anilbas/3DMMasSTN"):
        read_front(uv=chart)


def test_uv_of_the_full_head_needs_the_index_files(tmp_path, read_front, files):
    chart = files.write_uv(tmp_path / "BFM_UV.mat", np.zeros((files.small.full_vertices, 2)), "UV")
    with pytest.raises(AssetError, match=r"BFM_front_idx\.mat: there is no such file"):
        read_front(uv=chart)


def test_no_uv(tmp_path, files, head):
    message = r"a UV file is needed: .*v up.*https://github\.com/anilbas/3DMMasSTN.*uv='cylindrical'"
    with pytest.raises(InputError, match=message):
        BFM2009.from_files(front=files.write_front(tmp_path, head), sizes=files.small)


@pytest.mark.parametrize("sources", [{}, {"front": "a.mat", "raw": "b"}])
def test_one_layout_at_a_time(sources):
    with pytest.raises(InputError, match=r"give either front=.* or raw="):
        BFM2009.from_files(**sources, uv="cylindrical")


def test_nothing_converted_yet(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEUV_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with pytest.raises(AssetError) as caught:
        BFM2009()
    folders = (str(tmp_path / "assets"), str(tmp_path / "data" / "faceuv"))
    for part in ("bfm2009.safetensors", *folders, "faceuv convert bfm"):
        assert part in str(caught.value)
    caught.match(REGISTER)


def test_data_folder_is_searched_after_the_chosen_one(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEUV_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for folder in (tmp_path / "data" / "faceuv", tmp_path / "assets"):
        folder.mkdir(parents=True)
        (folder / "bfm2009.safetensors").touch()
        assert find_asset("bfm2009") == folder / "bfm2009.safetensors"
    with pytest.raises(InputError, match=r"no asset is called 'bfm2008'; known: bfm2009"):
        find_asset("bfm2008")


def test_a_file_of_another_face_model(tmp_path, read_front):
    from faceuv.files.artefacts import load_tensors, save_tensors

    path = read_front().save(tmp_path / "model.safetensors")
    tensors, metadata = load_tensors(path)
    save_tensors(path, tensors, {**metadata, "type": "ProceduralFace"})
    with pytest.raises(AssetError, match=r"holds the face model 'ProceduralFace', expected 'BFM2009'"):
        BFM2009(path)
    save_tensors(path, {**tensors, "faces": tensors["faces"] + 1}, metadata)
    with pytest.raises(AssetError, match=r"faces must lie in 0 … 1680 \(0-based\), got 1 … 1681"):
        BFM2009(path)
    save_tensors(path, {"mean": torch.zeros(3, 3)}, metadata)
    with pytest.raises(AssetError, match=r"missing identity_basis"):
        BFM2009(path)


def test_a_truncated_converted_file(tmp_path, read_front):
    path = read_front().save(tmp_path / "model.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(AssetError, match=r"model\.safetensors is not a readable safetensors file"):
        BFM2009(path)
