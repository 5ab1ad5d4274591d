"""The licence manifest: what face models, files and generators say, and the answer for the whole."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import torch

from faceuv import load
from faceuv.files.artefacts import save_tensors
from faceuv.files.licences import (
    commercial_use,
    head_licence,
    licence,
    licence_line,
    weights_licences,
    zoo_licences,
)


def test_head_models():
    assert head_licence("ProceduralFace", {})["commercial"] == "yes"
    assert head_licence("BFM2009", {})["commercial"] == "no"
    assert head_licence("Mine", {}) == {
        "part": "head model", "name": "Mine", "licence": "unknown", "commercial": "ask", "source": "unknown",
    }  # fmt: skip
    said = {"licence": {"name": "MIT", "source": "https://x", "commercial": "yes"}}
    assert head_licence("Mine", said)["licence"] == "MIT"
    text = {"licence": "Basel Face Model 2009: research use only, not to be redistributed"}
    assert head_licence("BFM2009", text)["commercial"] == "no"


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ({"commercial": "YES"}, "yes"),
        ({"commercial": 1}, "ask"),
        ("MIT", "ask"),
        ("CC-BY-NC, non-commercial", "no"),
        (None, "ask"),
        (3, "ask"),
    ],
)
def test_answers_are_yes_no_or_ask(given, answer):
    assert licence("weights", "x", given)["commercial"] == answer


def test_the_strictest_part_decides():
    yes, no, ask = ({"part": "weights", "name": "x", "licence": "L", "commercial": a} for a in ("yes", "no", "ask"))
    assert commercial_use([yes, yes]) == "yes"
    assert commercial_use([yes, ask]) == "ask"
    assert commercial_use([yes, ask, no]) == "no"
    assert commercial_use([]) == "ask"
    assert licence_line([yes, no]) == "commercial use: no (weights: L)"


def test_files_say_themselves_and_strangers_are_asked_about(tmp_path: Path):
    said = save_tensors(
        tmp_path / "a.safetensors", {"x": torch.zeros(1)}, {"licence": {"name": "MIT", "commercial": "yes"}}
    )
    silent = save_tensors(tmp_path / "b.safetensors", {"x": torch.zeros(1)}, {})
    found = weights_licences(
        {"teacher": "a.safetensors", "mapper": "b.safetensors"}, {"teacher": said, "mapper": silent}
    )
    assert [(entry["part"], entry["commercial"]) for entry in found] == [
        ("weights: mapper", "ask"),
        ("weights: teacher", "yes"),
    ]
    # a name that looks like the zoo's does not make a file ours
    fake = weights_licences({"teacher": "zoo:teacher_64/generator.safetensors"}, {"teacher": silent})
    assert fake[0]["commercial"] == "ask"


def test_the_zoo_is_ours():
    own = [entry for entry in zoo_licences() if entry["name"] == "zoo:teacher_64"]
    assert own[0]["licence"] == "Apache-2.0"


def test_a_generated_face_carries_head_and_weights_into_its_glb(tmp_path: Path):
    face = load("quickstart").sample(1)
    parts = [entry["part"] for entry in face.licences()]
    assert parts[0] == "head model" and {"weights: teacher", "weights: mapper", "weights: uv_generator"} <= set(parts)
    data = face.save(tmp_path / "a.glb", blend_shapes=False).read_bytes()
    (size,) = struct.unpack_from("<I", data, 12)
    listed = json.loads(data[20 : 20 + size])["asset"]["extras"]["licences"]
    assert listed == face.licences()
    assert commercial_use(listed) == "yes"
