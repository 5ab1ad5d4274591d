"""Every direction in the zoo does what was measured when it was put there, on other faces."""

from __future__ import annotations

import pytest
import torch

from faceuv.evaluation.direction_quality import Unit, direction_quality
from faceuv.files import zoo
from faceuv.files.locate import locate
from faceuv.models.directions import Direction
from faceuv.models.faces import ProceduralFace
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylegan2 import load_generator

ENTRIES = [name for name in zoo.entries() if name.startswith("direction_")]
FACES, STEPS, SEED = 20, (-2, 0, 2), 4321  # 60 pictures
MARGIN = 0.1  # of few faces at fewer steps


@pytest.mark.parametrize("entry", ENTRIES)
def test_the_judge_sees_the_faces_turn(entry):
    direction = Direction.load(zoo.path(entry, "direction.safetensors"))
    generator = load_generator(locate(direction.metadata["generator"]))
    direction.check_fits(generator)
    regressor = load_regressor(zoo.path("regressor", "weights.safetensors"))
    codes = generator.sample_codes(FACES, generator=torch.Generator().manual_seed(SEED))
    found = direction_quality(
        direction,
        direction.name,
        lambda code: regressor(generator.synthesis(code).clamp(0, 1)),
        codes,
        face_model=ProceduralFace(rows=61, columns=41, verbose=False),
        unit=Unit.of(direction.name, 1.0),
        steps=STEPS,
    )
    measured = direction.metadata["measured"]
    assert found.pooled > measured["pooled_correlation"] - MARGIN
    assert found.correlation > measured["correlation"] - MARGIN
    assert found.slope > 0
