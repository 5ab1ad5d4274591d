"""A world small enough for whole reports."""

from __future__ import annotations

import pytest
from small_evaluation import small_evaluation

from faceuv.evaluation.face_truth import FittedTruth
from faceuv.evaluation.protocol import Protocol


@pytest.fixture(scope="session")
def small():
    """See :func:`small_evaluation.small_evaluation`."""
    return small_evaluation()


@pytest.fixture(scope="session")
def protocol():
    return Protocol(pictures=4, curve=2, truth=3, yaws_deg=(-40, 0, 40), far_deg=40, batch=4, texels=16)


@pytest.fixture(scope="session")
def instruments(small):
    """With a truth that is the mapper's own reading, so that the linear face is free of error."""
    truth = FittedTruth(lambda codes, images: small.setting.mapper(codes), small.setting.renderer, texels=16)
    return small.instruments(truths=[truth])
