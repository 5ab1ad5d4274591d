"""MATLAB files: what scipy writes is read alike; damaged and dishonest ones are refused without taking memory."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from faceuv.errors import AssetError
from faceuv.models.faces.bfm2009.matfile import Field, read_mat
from faceuv.models.faces.bfm2009.matv5 import MatError, entries, read_entry
from faceuv.models.faces.bfm2009.sources import FRONT

ARRAYS = {
    "doubles": np.linspace(-1, 1, 12).reshape(3, 4),
    "wholes": np.arange(6.0).reshape(2, 3),  # MATLAB stores whole doubles as small integers
    "singles": np.arange(5, dtype=np.float32)[None],
    "bytes": np.arange(250, 256, dtype=np.uint8)[:, None],
    "shorts": np.array([[-5, 7]], np.int16),
    "longs": np.array([[2**40]], np.int64),
    "cube": np.arange(24, dtype=np.uint16).reshape(2, 3, 4),
    "a_rather_long_name_of_an_array": np.ones((1, 1)),
    "empty": np.zeros((0, 3)),
}
OTHERS = {"word": "text", "tree": {"a": 1}, "cells": np.array([[1, "b"]], object), "waves": np.ones((2, 2)) * 1j}


@pytest.fixture(params=[False, True], ids=["plain", "compressed"])
def path(tmp_path, request):
    savemat(tmp_path / "m.mat", {**ARRAYS, **OTHERS}, do_compression=request.param)
    return tmp_path / "m.mat"


def test_reads_what_scipy_writes(path):
    found, theirs = entries(path), loadmat(path)
    assert found.keys() == {*ARRAYS, *OTHERS}
    for name, value in ARRAYS.items():
        mine = read_entry(path, found[name])
        assert mine.dtype == theirs[name].dtype == value.dtype and mine.shape == value.shape, name
        np.testing.assert_array_equal(mine, value)
    kinds = [found[name].kind for name in OTHERS]
    assert kinds == ["text", "a struct", "a cell array", "complex numbers"]


def test_whole_doubles_in_small_integers(tmp_path):
    """MATLAB keeps doubles that are whole numbers in the smallest type that holds them; scipy does not."""

    def element(kind: int, payload: bytes) -> bytes:
        return struct.pack("<II", kind, len(payload)) + payload + bytes(-len(payload) % 8)

    packed = struct.pack("<HH", 1, 1) + b"x\0\0\0"  # a name of one letter lies in its tag
    matrix = element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack("<ii", 3, 1)) + packed
    matrix += element(2, bytes([1, 2, 200]))
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    (tmp_path / "w.mat").write_bytes(header + element(14, matrix))
    value = read_entry(tmp_path / "w.mat", entries(tmp_path / "w.mat")["x"])
    assert value.dtype == np.float64 and value.tolist() == [[1.0], [2.0], [200.0]]
    np.testing.assert_array_equal(value, loadmat(tmp_path / "w.mat")["x"])


def test_flipped_bits_are_read_or_refused(path):
    """Every bit of the headers, and a thousand anywhere."""
    good, draw = path.read_bytes(), random.Random(0)
    places = [*range(8 * 124, 8 * 400), *(draw.randrange(8 * len(good)) for _ in range(1000))]
    refused = 0
    for place in places:
        data = bytearray(good)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        try:
            for entry in entries(path).values():
                if entry.kind == "numbers":
                    read_entry(path, entry)
        except MatError:
            refused += 1
    assert refused > 200


def test_cut_anywhere_is_read_or_refused(path):
    good = path.read_bytes()
    for end in range(0, len(good), 7):
        path.write_bytes(good[:end])
        try:
            found = entries(path)
        except MatError:
            continue
        assert len(found) <= len(ARRAYS) + len(OTHERS)


def announcing(path, shape, zeros: int) -> None:
    """A compressed array of doubles with this shape in its header, and that many zeros in fact."""
    payload = struct.pack("<IIII", 6, 8, 6, 0) + struct.pack("<IIii", 5, 8, *shape) + struct.pack("<II", 1, 8)
    payload += b"meanbig\0" + struct.pack("<II", 9, zeros)
    packer = zlib.compressobj(9)
    stream = packer.compress(struct.pack("<II", 14, len(payload) + zeros) + payload)
    for _ in range(zeros >> 20):
        stream += packer.compress(bytes(1 << 20))
    stream += packer.flush()
    header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    path.write_bytes(header + struct.pack("<II", 15, len(stream)) + stream)


@pytest.mark.parametrize(
    ("shape", "zeros", "message"),
    [
        ((100, 1), 256 << 20, r"has shape \(100, 1\) and .* bytes of numbers|announced where"),  # unpacks to 256 MB
        ((1 << 15, 1 << 15), 1 << 20, r"more than 1,024 MiB"),
        ((2**31 - 1, 2**31 - 1), 1 << 20, r"more than 1,024 MiB"),
    ],
)
def test_a_file_that_unpacks_to_far_more_is_refused_without_unpacking(tmp_path, shape, zeros, message):
    path = tmp_path / "bomb.mat"
    announcing(path, shape, zeros)
    assert path.stat().st_size < 400_000
    tracemalloc.start()
    with pytest.raises(MatError, match=message):
        read_entry(path, entries(path)["meanbig\0"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_a_shape_that_is_not_wanted_is_refused_by_its_header(tmp_path):
    path = tmp_path / "BFM_model_front.mat"
    announcing(path, (1000, 1000), 8_000_000)
    with pytest.raises(AssetError, match=r"must have shape \(5,\), got \(1000, 1000\)") as caught:
        read_mat(path, [Field("meanbig\0", (5,))], FRONT)
    assert "\n" not in str(caught.value)
