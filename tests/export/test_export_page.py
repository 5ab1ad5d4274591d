"""The examples in docs/export.md run as they stand, one after the other, and its sizes are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import trimesh

PAGE = Path(__file__).parents[2] / "docs" / "export.md"


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    names: dict = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    assert {p.name for p in tmp_path.iterdir()} == {"square.glb", "blink.glb", "sheet.png", "turn.gif"}
    assert trimesh.load("square.glb", force="mesh").extents.tolist() == pytest.approx([0.2, 0.2, 0])
    assert names["mesh"].tangents is not None


def test_blend_shapes_add_the_megabytes_that_the_page_says(tmp_path: Path) -> None:
    from faceuv import Face

    (said,) = re.findall(r"add ([\d.]+) MB", PAGE.read_text(encoding="utf-8"))
    face = Face.random(7)
    plain = face.save(tmp_path / "plain.glb", blend_shapes=False).stat().st_size
    shapes = face.save(tmp_path / "shapes.glb", blend_shapes=True).stat().st_size
    assert (shapes - plain) / 1e6 == pytest.approx(float(said), abs=0.1)
