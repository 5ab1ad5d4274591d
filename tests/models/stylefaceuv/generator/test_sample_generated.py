"""``faceuv sample --generator``: files of generated faces."""

from __future__ import annotations

import os

import torch

from faceuv import Face
from faceuv.cli.main import main


def test_generated_faces_become_files(generator, tmp_path, capsys):
    saved = generator.save(tmp_path / "small")
    out = tmp_path / "out"
    assert main(["sample", "--generator", str(saved), "--num", "2", "--seed", "4", "--size", "24",
                 "--out", str(out)]) == 0  # fmt: skip
    names = [f"face_{k:03d}.{s}" for k in (0, 1) for s in ("glb", "safetensors")]
    assert sorted(os.listdir(out)) == [*names, "sample.json", "sheet.png"]
    face = Face.load(out / "face_001.safetensors", renderer="torch")
    assert face.metadata["seed"] == 5 and face.metadata["generator"] == "small"
    assert torch.equal(face.coefficients.data, generator.sample(5).coefficients.data)  # its own light, too


def test_an_unknown_generator_is_one_clear_line(tmp_path, capsys):
    assert main(["sample", "--generator", "quickstrat", "--out", str(tmp_path)]) == 2
    assert "'quickstrat' is neither a face generator of the zoo" in capsys.readouterr().err
