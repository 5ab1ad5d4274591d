"""An inversion generator over the zoo's quickstart, whose encoder and local branch are untrained."""

from __future__ import annotations

import pytest
from inversion_world import REGRESSOR, shaken

import faceuv
from faceuv.models.faces import ProceduralFace
from faceuv.models.inversion import InversionGenerator, LocalBranch
from faceuv.models.inversion.encoder import start_encoder


@pytest.fixture(scope="session")
def quickstart():
    return faceuv.load("quickstart")


@pytest.fixture(scope="session")
def coarse():
    return ProceduralFace(rows=49, columns=41, verbose=False)


@pytest.fixture(scope="session")
def generator(quickstart):
    q = quickstart
    encoder = shaken(start_encoder(q.teacher, q.mapper.layout, reader=REGRESSOR), 1, 0.02)
    local = shaken(LocalBranch(), 2, 0.1)
    return InversionGenerator(
        q.teacher, q.mapper, q.uv_generator, encoder, q.face_model, local=local, stepper=q.stepper,
        directions=q.directions.values(), name="small",
    )  # fmt: skip


@pytest.fixture(scope="session")
def pictures(quickstart):
    return quickstart.image(quickstart.codes([1, 2, 3], truncation=0.8))
