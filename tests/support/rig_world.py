"""Codes of a procedural generator, whose truth is known, with pictures that the face model explains completely."""

from __future__ import annotations

from pathlib import Path

import torch

from faceuv.data.drawn import DrawnShard, as_levels, drawn_name, face_mask, mixed_codes_at
from faceuv.models.stylerig.drawing import Drawing
from faceuv.synthetic.generator import ProceduralGenerator

SIZE, COUNT = 32, 400
EXACT = {"type": "ExactMapper", "generator": {"type": "ProceduralGenerator", "size": SIZE}}
COARSE = {"type": "ProceduralFace", "rows": 49, "columns": 41, "verbose": False}
LOSSES = {
    "reconstruction": {"type": "CodeDistance", "weight": 1.0},
    "edit": {"type": "RenderLoss", "landmarks": 200.0, "emphasis": 10.0},
    "consistency": {"type": "RenderLoss", "landmarks": 200.0, "emphasis": 10.0},
}


def draw(folder: Path) -> Path:
    """As the ``pictures`` stage leaves it; the true coefficients render exactly these pictures and landmarks."""
    generator = ProceduralGenerator(SIZE)
    drawing = Drawing(COARSE, SIZE, {"type": "torch", "antialias": None})
    with torch.no_grad():
        codes = mixed_codes_at(generator, range(COUNT), seed=5, most=3)
        parts = [drawing(generator.studio.coefficients(generator.scene(part))) for part in codes.split(50)]
    images, points = (torch.cat([part[name] for part in parts]) for name in ("image", "landmarks"))
    DrawnShard(
        index=torch.arange(COUNT),
        codes=codes,
        images=as_levels(images),
        masks=face_mask(points * SIZE, SIZE).to(torch.uint8),
        landmarks=points,
        ok=torch.ones(COUNT, dtype=torch.bool),
        reasons=[""] * COUNT,
        metadata={"run": "test"},
    ).save(folder / drawn_name(0))
    return folder
