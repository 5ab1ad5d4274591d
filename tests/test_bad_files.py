"""A table of bad files: each gives one line, an error of ours, and nothing half-written.

Rows are added here when something is found that ends in a traceback, a hang or a wrong picture.
"""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refusal import check_refused
from safetensors.torch import save_file

import faceuv
from faceuv.errors import FaceUVError
from faceuv.files import zoo


def deep(levels: int = 100_000) -> str:
    return "[" * levels + "]" * levels


# ------------------------------------------------------------------------------------------ files of faces


def face_file(folder: Path, metadata: Any, tensors: dict[str, torch.Tensor] | None = None) -> Path:
    path = folder / "face.safetensors"
    header = metadata if isinstance(metadata, str) else json.dumps(metadata)
    save_file(tensors or {"coefficients": torch.zeros(1, 257)}, path, metadata={"faceuv": header})
    return path


NORMAL = {"kind": "face", "face_model": "ProceduralFace"}
FACES: dict[str, tuple[Any, dict[str, torch.Tensor] | None]] = {
    "not JSON": ("{", None),
    "null": ("null", None),
    "a number": ("3", None),
    "a list": ("[]", None),
    "deep nesting": (deep(), None),
    "deep nesting inside": ('{"kind": "face", "face_model": ' + deep() + "}", None),
    "no kind": ({}, None),
    "another kind": ({"kind": "stylegan2_generator"}, None),
    "a kind that is a list": ({"kind": [1]}, None),
    "a face model of a number": ({**NORMAL, "face_model": 3}, None),
    "a face model of a list": ({**NORMAL, "face_model": ["ProceduralFace"]}, None),
    "a face model without a type": ({**NORMAL, "face_model": {"rows": 41}}, None),
    "an unknown face model": ({**NORMAL, "face_model": "Nobody"}, None),
    "a face model of a function": ({**NORMAL, "face_model": "os.system"}, None),
    "a face model of a dotted type": ({**NORMAL, "face_model": {"type": "os.system", "command": "true"}}, None),
    "a type of a number": ({**NORMAL, "face_model": {"type": 5}}, None),
    "a type of null": ({**NORMAL, "face_model": {"type": None}}, None),
    "a strange setting": ({**NORMAL, "face_model": {"type": "ProceduralFace", "rwos": 41}}, None),
    "a huge mesh": ({**NORMAL, "face_model": {"type": "ProceduralFace", "rows": 601, "columns": 601}}, None),
    "a huge number": ({**NORMAL, "face_model": {"type": "ProceduralFace", "rows": 10**400, "columns": 3}}, None),
    "rows of text": ({**NORMAL, "face_model": {"type": "ProceduralFace", "rows": "many"}}, None),
    "rows of null": ({**NORMAL, "face_model": {"type": "ProceduralFace", "rows": None}}, None),
    "rows of a fraction": ({**NORMAL, "face_model": {"type": "ProceduralFace", "rows": 41.5, "columns": 33}}, None),
    "negative rows": ({**NORMAL, "face_model": {"type": "ProceduralFace", "rows": -41, "columns": -33}}, None),
    "no coefficients": (NORMAL, {"diffuse": torch.zeros(1, 3, 4, 4)}),
    "too few coefficients": (NORMAL, {"coefficients": torch.zeros(1, 3)}),
    "two persons": (NORMAL, {"coefficients": torch.zeros(2, 257)}),
    "nobody": (NORMAL, {"coefficients": torch.zeros(0, 257)}),
    "flat coefficients": (NORMAL, {"coefficients": torch.zeros(257)}),
    "whole coefficients": (NORMAL, {"coefficients": torch.zeros(1, 257, dtype=torch.int64)}),
    "coefficients of NaN": (NORMAL, {"coefficients": torch.full((1, 257), torch.nan)}),
    "coefficients beyond float32": (NORMAL, {"coefficients": torch.full((1, 257), 1e300, dtype=torch.float64)}),
    "a map of another shape": (NORMAL, {"coefficients": torch.zeros(1, 257), "diffuse": torch.zeros(3, 4)}),
    "a map of NaN": (NORMAL, {"coefficients": torch.zeros(1, 257), "diffuse": torch.full((1, 3, 4, 4), torch.nan)}),
    "a map without texels": (NORMAL, {"coefficients": torch.zeros(1, 257), "diffuse": torch.zeros(1, 3, 0, 4)}),
    "a map of whole numbers": (
        NORMAL,
        {"coefficients": torch.zeros(1, 257), "displacement": torch.zeros(1, 3, 4, 4, dtype=torch.uint8)},
    ),
    "a strange tensor": (NORMAL, {"coefficients": torch.zeros(1, 257), "weights": torch.zeros(3)}),
}


@pytest.mark.parametrize(("metadata", "tensors"), FACES.values(), ids=FACES)
def test_face_files(tmp_path, metadata, tensors):
    from faceuv import Face

    path = face_file(tmp_path, metadata, tensors)
    assert str(path) in check_refused(lambda: Face.load(path), tmp_path)


def test_a_face_in_double_precision_is_read(tmp_path):
    from faceuv import Face

    path = face_file(tmp_path, NORMAL, {"coefficients": torch.zeros(1, 257, dtype=torch.float64)})
    assert Face.load(path).coefficients.data.dtype == torch.float32


RAW_SAFETENSORS = {
    "empty": b"",
    "short": b"\x10",
    "a length beyond the file": struct.pack("<Q", 1 << 40) + b"{}",
    "no JSON": struct.pack("<Q", 4) + b"nope",
    "a list": struct.pack("<Q", 2) + b"[]",
    "deep nesting": struct.pack("<Q", 20_000) + deep(10_000).encode(),
    "offsets beyond the file": struct.pack("<Q", 64)
    + b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}'.ljust(64),
    "an unknown dtype": struct.pack("<Q", 64) + b'{"a":{"dtype":"X9","shape":[0],"data_offsets":[0,0]}}'.ljust(64),
    "a page of HTML": b"<!DOCTYPE html><html>not found</html>",
}


@pytest.mark.parametrize("content", RAW_SAFETENSORS.values(), ids=RAW_SAFETENSORS)
def test_files_that_are_no_safetensors(tmp_path, content):
    from faceuv import Face
    from faceuv.models.directions import load_directions
    from faceuv.models.stylegan2 import load_generator

    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    for read in (Face.load, load_directions, load_generator):
        check_refused(lambda read=read: read(path), tmp_path)


# ------------------------------------------------------------------------------------------ files of networks

NETWORK_SETTINGS: dict[str, Any] = {
    "null": None,
    "a list": [],
    "a number": 3,
    "empty": {},
    "strange": {"sizes": 64},
    "a size of text": {"size": "64", "code_dim": 8, "channels": {"4": 8}},
    "a huge size": {"size": 1 << 30, "code_dim": 8, "channels": {str(4 << k): 1 for k in range(29)}},
    "huge channels": {"size": 8, "code_dim": 8, "channels": {"4": 1 << 40, "8": 1 << 40}},
    "a billion layers": {"size": 8, "code_dim": 1, "mapping_depth": 10**9, "channels": {"4": 1, "8": 1}},
    "channels of null": {"size": 8, "code_dim": 8, "channels": None},
    "channels of text": {"size": 8, "code_dim": 8, "channels": {"four": 8}},
    "code_dim of null": {"size": 8, "code_dim": None, "channels": {"4": 8, "8": 8}},
    "negative code_dim": {"size": 8, "code_dim": -5, "channels": {"4": 8, "8": 8}},
}


@pytest.mark.parametrize("settings", NETWORK_SETTINGS.values(), ids=NETWORK_SETTINGS)
@pytest.mark.parametrize("kind", ["stylegan2_generator", "stylegan2_discriminator"])
def test_settings_of_stored_networks(tmp_path, settings, kind):
    from faceuv.models.stylegan2 import load_discriminator, load_generator

    path = tmp_path / "network.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={"faceuv": json.dumps({"kind": kind, "settings": settings})})
    load = load_generator if kind == "stylegan2_generator" else load_discriminator
    check_refused(lambda: load(path), tmp_path)


@pytest.mark.parametrize("settings", [None, [], {}, {"layers": 3}, {"num_layers": 10**9, "code_dim": 10**9}])
def test_settings_of_mappers_and_regressors(tmp_path, settings):
    from faceuv.models.readers.regressor import load_regressor
    from faceuv.models.stylefaceuv.mappers import load_mapper, load_stepper

    kinds = {"coefficient_mapper": load_mapper, "yaw_stepper": load_stepper, "coefficient_regressor": load_regressor}
    for kind, load in kinds.items():
        path = tmp_path / f"{kind}.safetensors"
        save_file({"a": torch.zeros(1)}, path, metadata={"faceuv": json.dumps({"kind": kind, "settings": settings})})
        check_refused(lambda load=load, path=path: load(path), tmp_path)


# ------------------------------------------------------------------------------------------ directions

GOOD_DIRECTION = {"name": "yaw", "meaning": "turns", "method": "svm", "scale": 1.0}
DIRECTIONS: dict[str, Any] = {
    "null": None,
    "a number": 4,
    "an object": {"a": 1},
    "a list of numbers": [3],
    "none for one vector": [],
    "no name": [{key: value for key, value in GOOD_DIRECTION.items() if key != "name"}],
    "a strange key": [{**GOOD_DIRECTION, "nmae": "x"}],
    "a name of a number": [{**GOOD_DIRECTION, "name": 3}],
    "a name of null": [{**GOOD_DIRECTION, "name": None}],
    "a scale of text": [{**GOOD_DIRECTION, "scale": "1"}],
    "a scale of null": [{**GOOD_DIRECTION, "scale": None}],
    "a scale of NaN": [{**GOOD_DIRECTION, "scale": float("nan")}],
    "a negative scale": [{**GOOD_DIRECTION, "scale": -1.0}],
    "a meaning of a list": [{**GOOD_DIRECTION, "meaning": []}],
    "an accuracy of text": [{**GOOD_DIRECTION, "accuracy": "high"}],
}


@pytest.mark.parametrize("records", DIRECTIONS.values(), ids=DIRECTIONS)
def test_direction_files(tmp_path, records):
    from faceuv.models.directions import load_directions

    path = tmp_path / "directions.safetensors"
    vectors = torch.zeros(1, 2, 3)
    vectors[0, 0, 0] = 1
    save_file(
        {"vectors": vectors}, path, metadata={"faceuv": json.dumps({"kind": "directions", "directions": records})}
    )
    check_refused(lambda: load_directions(path), tmp_path)


@pytest.mark.parametrize(
    "vectors", [torch.zeros(1, 2, 3), torch.full((1, 2, 3), torch.nan), torch.ones(1, 6), torch.ones(1, 2, 3).long()]
)
def test_vectors_of_directions(tmp_path, vectors):
    from faceuv.models.directions import load_directions

    path = tmp_path / "directions.safetensors"
    metadata = json.dumps({"kind": "directions", "directions": [GOOD_DIRECTION]})
    save_file({"vectors": vectors}, path, metadata={"faceuv": metadata})
    check_refused(lambda: load_directions(path), tmp_path)


# ------------------------------------------------------------------------------------------ generators and stages

MANIFESTS: dict[str, Any] = {
    "not JSON": "{",
    "null": "null",
    "a list": "[]",
    "deep nesting": deep(),
    "NaN": '{"kind": "face_generator", "format": NaN}',
    "no kind": {},
    "another format": {"format": 99},
    "a format of a list": {"format": [1]},
    "no files": {"files": None},
    "files of a list": {"files": []},
    "a file of a number": {"files": {"teacher": 3, "mapper": "m", "uv_generator": "u"}},
    "a part that is missing": {"files": {"teacher": "t"}},
    "an unknown part": {"files": {"teacher": "t", "mapper": "m", "uv_generator": "u", "engine": "e"}},
    "a file outside": {"files": {"teacher": "../t", "mapper": "m", "uv_generator": "u"}},
    "an absolute file": {"files": {"teacher": "/etc/passwd", "mapper": "m", "uv_generator": "u"}},
    "an empty name of a file": {"files": {"teacher": "", "mapper": "m", "uv_generator": "u"}},
    "a file of the zoo outside": {"files": {"teacher": "zoo:teacher_64/../x", "mapper": "m", "uv_generator": "u"}},
    "an unknown entry of the zoo": {"files": {"teacher": "zoo:nobody/x", "mapper": "m", "uv_generator": "u"}},
    "files that are not there": {"files": {"teacher": "t", "mapper": "m", "uv_generator": "u"}},
    "L of text": {"num_layers": "10"},
    "L of null": {"num_layers": None},
    "another L": {"num_layers": 4},
    "checksums of a list": {"checksums": [1]},
    "a checksum of a number": {"checksums": {"teacher": 5}},
    "settings of null": {"settings": None},
    "a type of a number": {"type": 4},
    "an unknown type": {"type": "Nobody"},
    "a face model of null": {"settings": {"face_model": None}},
    "a face model of a number": {"settings": {"face_model": 7}},
    "an unknown face model": {"settings": {"face_model": {"type": "Nobody"}}},
    "a face model without a type": {"settings": {"face_model": {}}},
    "a huge mesh": {"settings": {"face_model": {"type": "ProceduralFace", "rows": 4001, "columns": 4001}}},
    "a name of a number": {"name": 3},
    "metadata of a list": {"metadata": []},
    "a strange key": {"nmae": "x"},
}


@pytest.mark.parametrize("changed", MANIFESTS.values(), ids=MANIFESTS)
def test_generator_folders(tmp_path, changed):

    manifest = json.loads((zoo.FOLDER / "quickstart" / "generator.json").read_text(encoding="utf-8"))
    text = changed if isinstance(changed, str) else json.dumps({} if changed == {} else {**manifest, **changed})
    (tmp_path / "generator.json").write_text(text, encoding="utf-8")
    for file in (zoo.FOLDER / "quickstart").glob("*.safetensors"):
        shutil.copy(file, tmp_path)
    check_refused(lambda: faceuv.load(tmp_path), tmp_path)


RECORD = {"stage": "fits", "fingerprint": "0", "description": {}, "complete": True, "outputs": {}}
RECORDS: dict[str, Any] = {
    "not JSON": "{",
    "null": "null",
    "a number": "3",
    "a list": "[]",
    "deep nesting": deep(),
    "a strange key": {**RECORD, "uotputs": {}},
    "a stage of null": {**RECORD, "stage": None},
    "a description of a list": {**RECORD, "description": []},
    "outputs of a list": {**RECORD, "outputs": ["a"]},
    "a size of null": {**RECORD, "outputs": {"a": None}},
    "a negative size": {**RECORD, "outputs": {"a": -1}},
    "a size of text": {**RECORD, "outputs": {"a": "1"}},
    "an output outside": {**RECORD, "outputs": {"../../thesis.pdf": 1}},
    "an absolute output": {**RECORD, "outputs": {"/etc/passwd": 1}},
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_records_of_stages(tmp_path, record):
    from faceuv.engine.stages.record import Record

    (tmp_path / "stage.json").write_text(record if isinstance(record, str) else json.dumps(record), encoding="utf-8")
    check_refused(lambda: Record.read(tmp_path), tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "1" * 5000, deep(), "\xff"], ids=lambda text: text[:9])
def test_a_damaged_record_of_a_failure_stops_no_report(tmp_path, content):
    from faceuv.cli.fit_folder import failure_of
    from faceuv.data.images import PictureFile

    (tmp_path / "a.json").write_text(content, encoding="latin-1")
    found = failure_of(tmp_path / "a.json", PictureFile("a", Path("a.png")))
    assert found["source"] == "a.png" and "its record is damaged" in found["reason"] and "\n" not in found["reason"]
    (tmp_path / "a.json").write_text('{"source": "a.png", "reason": "no face"}')
    assert failure_of(tmp_path / "a.json", PictureFile("a", Path("a.png")))["reason"] == "no face"


def test_a_stage_deletes_nothing_outside_its_folder(tmp_path):
    """An output of another size is damaged and is made again; one that lies elsewhere is nobody's to delete."""
    from faceuv.engine.stages.record import begin, inspect_folder

    thesis, folder = tmp_path / "thesis.pdf", tmp_path / "work" / "fits"
    thesis.write_bytes(b"years of work")
    folder.mkdir(parents=True)
    record = {**RECORD, "outputs": {"../../thesis.pdf": 1}}
    (folder / "stage.json").write_text(json.dumps(record), encoding="utf-8")
    finding = inspect_folder(folder, {}, "0")
    assert finding.state == "stale" and "leads out of its folder" in finding.why[0]
    with pytest.raises(FaceUVError, match=r"leads out of its folder"):
        begin(folder, "fits", {}, "0", keep=True)
    assert thesis.read_bytes() == b"years of work"


# ------------------------------------------------------------------------------------------ landmarks

POINTS = [[float(k), float(k % 17)] for k in range(68)]
LANDMARK_TABLES: dict[str, Any] = {
    "not JSON": "{",
    "null": "null",
    "a list": "[]",
    "a number": "3",
    "deep nesting": deep(),
    "null for a picture": {"a": None},
    "a number for a picture": {"a": 3},
    "text for a picture": {"a": "points"},
    "too few points": {"a": POINTS[:5]},
    "three numbers a point": {"a": [[0.0, 0.0, 0.0]] * 68},
    "points of text": {"a": [["x", "y"]] * 68},
    "ragged points": {"a": [*POINTS[:67], [1.0]]},
    "points of objects": {"a": [{}] * 68},
    "points beyond float64": {"a": [[10**400, 0]] * 68},
    "points of null": {"a": {"points": None, "size": [64, 64]}},
    "a size of text": {"a": {"points": POINTS, "size": "64x64"}},
    "a size of one": {"a": {"points": POINTS, "size": [64]}},
    "a size of a number": {"a": {"points": POINTS, "size": 64}},
    "a negative size": {"a": {"points": POINTS, "size": [-64, 64]}},
    "a size of NaN": {"a": {"points": POINTS, "size": [float("nan"), 64]}},
    "a size of null": {"a": {"points": POINTS, "size": [None, 64]}},
}


@pytest.mark.parametrize("table", LANDMARK_TABLES.values(), ids=LANDMARK_TABLES)
def test_landmarks_in_json(tmp_path, table):
    from faceuv.fitting.landmarks import PrecomputedLandmarks

    path = tmp_path / "landmarks.json"
    path.write_text(table if isinstance(table, str) else json.dumps(table), encoding="utf-8")
    check_refused(lambda: PrecomputedLandmarks(path=str(path)), tmp_path)


LANDMARK_ARRAYS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "names alone": {"names": np.array(["a"])},
    "a name without an axis": {"names": np.array("a"), "points": np.array(3.0)},
    "points without an axis": {"names": np.array(["a"]), "points": np.array(3.0)},
    "points of text": {"names": np.array(["a"]), "points": np.full((1, 68, 2), "x")},
    "complex points": {"names": np.array(["a"]), "points": np.zeros((1, 68, 2), complex)},
    "sizes without an axis": {"names": np.array(["a"]), "points": np.array([POINTS]), "sizes": np.array(3.0)},
    "fewer sizes": {"names": np.array(["a"]), "points": np.array([POINTS]), "sizes": np.zeros((0, 2))},
}


@pytest.mark.parametrize("arrays", LANDMARK_ARRAYS.values(), ids=LANDMARK_ARRAYS)
def test_landmarks_in_arrays(tmp_path, arrays):
    from faceuv.fitting.landmarks import PrecomputedLandmarks

    path = tmp_path / "landmarks.npz"
    np.savez(path, **arrays)
    check_refused(lambda: PrecomputedLandmarks(path=str(path)), tmp_path)


LANDMARK_TENSORS: dict[str, tuple[dict[str, torch.Tensor], Any]] = {
    "names of null": ({"points": torch.zeros(1, 68, 2)}, None),
    "names of a number": ({"points": torch.zeros(1, 68, 2)}, 3),
    "tensors without an axis": ({name: torch.tensor(1.0) for name in ("points", "sizes", "found", "score")}, ["a"]),
    "missing tensors": ({"points": torch.zeros(1, 68, 2)}, ["a"]),
    "names of lists": (
        {
            "points": torch.tensor([POINTS]), "sizes": torch.ones(1, 2), "found": torch.ones(1).bool(),
            "score": torch.ones(1),
        },
        [["a"]],
    ),
    "points of another shape": (
        {
            "points": torch.zeros(1, 5, 2), "sizes": torch.ones(1, 2), "found": torch.ones(1).bool(),
            "score": torch.ones(1),
        },
        ["a"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("tensors", "names"), LANDMARK_TENSORS.values(), ids=LANDMARK_TENSORS)
def test_landmarks_in_safetensors(tmp_path, tensors, names):
    from faceuv.fitting.landmarks import PrecomputedLandmarks

    path = tmp_path / "landmarks.safetensors"
    save_file(tensors, path, metadata={"faceuv": json.dumps({"kind": "landmarks", "names": names})})
    check_refused(lambda: PrecomputedLandmarks(path=str(path)), tmp_path)


@pytest.mark.parametrize("point", [[30.0, 30.0], [0.0, 0.0]])
def test_landmarks_that_lie_in_one_point_are_no_face(tmp_path, point):
    from faceuv.fitting.landmarks.precomputed import _read

    path = tmp_path / "landmarks.json"
    path.write_text(json.dumps({"a": {"points": [point] * 68, "size": [64, 64]}}), encoding="utf-8")
    (known,) = _read(path).values()
    assert known.points is None and "no face" in known.reason
