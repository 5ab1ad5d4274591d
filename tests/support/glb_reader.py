"""An independent reader of GLB files for tests."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np
import pytest
from PIL import Image

COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Parsed:
    """An independent little reader, strict about what the specification demands of the container."""

    def __init__(self, data: bytes) -> None:
        magic, version, length = struct.unpack_from("<4sII", data)
        assert (magic, version, length) == (b"glTF", 2, len(data))
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        assert size % 4 == 0
        self.json: dict[str, Any] = json.loads(data[20 : 20 + size])
        binary_size, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0"
        assert binary_size % 4 == 0
        self.binary = data[28 + size :]
        assert len(self.binary) == binary_size
        assert self.json["buffers"] == [{"byteLength": pytest.approx(binary_size, abs=3)}]

    def view(self, index: int) -> bytes:
        view = self.json["bufferViews"][index]
        assert view["byteOffset"] % 4 == 0
        return self.binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]

    def accessor(self, index: int) -> np.ndarray:
        entry = self.json["accessors"][index]
        kind, width = COMPONENTS[entry["componentType"]], WIDTHS[entry["type"]]
        if "bufferView" in entry:
            view, size = self.view(entry["bufferView"]), width * np.dtype(kind).itemsize
            stride = self.json["bufferViews"][entry["bufferView"]].get("byteStride", size)
            assert stride % 4 == 0 or "byteStride" not in self.json["bufferViews"][entry["bufferView"]]
            rows = np.frombuffer(view, np.uint8).reshape(entry["count"], stride)[:, :size]
            array = np.ascontiguousarray(rows).view(kind).reshape(entry["count"], width).copy()
        else:
            array = np.zeros((entry["count"], width), kind)
        if "sparse" in entry:
            sparse = entry["sparse"]
            rows = np.frombuffer(
                self.view(sparse["indices"]["bufferView"]), COMPONENTS[sparse["indices"]["componentType"]]
            )
            assert len(rows) == sparse["count"] >= 1
            assert (np.diff(rows.astype(int)) > 0).all()
            array[rows] = np.frombuffer(self.view(sparse["values"]["bufferView"]), kind).reshape(-1, width)
        if "min" in entry:
            np.testing.assert_array_equal(array.min(0), np.float32(entry["min"]))
            np.testing.assert_array_equal(array.max(0), np.float32(entry["max"]))
        if entry.get("normalized"):
            return np.maximum(array / np.float64(np.iinfo(kind).max), -1)
        return array

    @property
    def primitive(self) -> dict[str, Any]:
        return self.json["meshes"][0]["primitives"][0]

    def attribute(self, name: str) -> np.ndarray:
        if name == "POSITION":
            assert {"min", "max"} <= set(self.json["accessors"][self.primitive["attributes"][name]])
        return self.accessor(self.primitive["attributes"][name])

    def image(self, index: int) -> Image.Image:
        return Image.open(io.BytesIO(self.view(self.json["images"][index]["bufferView"])))

    def of(self, part: str) -> dict[str, Any]:
        """The primitive whose material is called after a part."""
        names = [material["name"] for material in self.json["materials"]]
        (found,) = (p for p in self.json["meshes"][0]["primitives"] if names[p["material"]].endswith(f"_{part}"))
        return found

    def node(self, name: str) -> dict[str, Any]:
        (found,) = (node for node in self.json["nodes"] if node["name"] == name)
        return found
