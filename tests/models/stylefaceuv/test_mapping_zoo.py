"""The zoo's mapper and stepper are as good as their cards say, on codes that nobody has seen."""

from __future__ import annotations

import math

import pytest
import torch

from faceuv.data.codes import codes_at
from faceuv.files import zoo
from faceuv.models.directions import Direction
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylefaceuv.mappers import load_mapper, load_stepper
from faceuv.models.stylegan2 import load_generator

CODES, SEED = 48, 77
# Bounds in degrees, with margin above what the cards say.
MEDIAN_YAW = 1.2  # the mapper against the regressor on pictures
TURNED = 3.0  # mean |yaw read by the mapper − wanted|
SEEN = 4.5  # mean |yaw seen by the regressor − wanted|
SYMMETRIC = 1.6  # mean |yaw of the symmetric view + own yaw|, both by the mapper


@pytest.fixture(scope="module")
def generator():
    return load_generator(zoo.path("teacher_64", "generator.safetensors"))


@pytest.fixture(scope="module")
def regressor():
    return load_regressor(zoo.path("regressor", "weights.safetensors"))


@pytest.fixture(scope="module")
def mapper(generator):
    return load_mapper(zoo.path("mapper_64", "weights.safetensors"), generator)


@pytest.fixture(scope="module")
def stepper(generator):
    return load_stepper(zoo.path("stepper_64", "weights.safetensors"), generator)


@pytest.fixture(scope="module")
def codes(generator):
    return codes_at(generator, range(CODES), seed=SEED)


def seen_yaw(regressor, generator, code):
    with torch.no_grad():
        return regressor(generator.synthesis(code).clamp(0, 1)).rotation[:, 1]


def test_f3d_reads_what_the_regressor_sees(mapper, regressor, generator, codes):
    found, seen = mapper.yaw(codes), seen_yaw(regressor, generator, codes)
    assert math.degrees(float((found - seen).abs().median())) < MEDIAN_YAW
    assert float(torch.corrcoef(torch.stack([found, seen]))[0, 1]) > 0.97


@pytest.mark.parametrize("angle", [-25, 25])
def test_f_yaw_turns_to_the_wanted_angle(mapper, stepper, regressor, generator, codes, angle):
    wanted = math.radians(angle)
    turned = stepper.move(codes, wanted)
    assert math.degrees(float((mapper.yaw(turned) - wanted).abs().mean())) < TURNED
    seen = seen_yaw(regressor, generator, turned[:8])
    assert math.degrees(float((seen - wanted).abs().mean())) < SEEN


def test_the_symmetric_view_looks_the_other_way(mapper, stepper, codes):
    mirrored = stepper.symmetric(codes, mapper)
    error = (mapper.yaw(mirrored) + mapper.yaw(codes)).abs().mean()
    assert math.degrees(float(error)) < SYMMETRIC


def test_the_direction_beside_the_stepper_is_its_own(stepper, generator):
    direction = Direction.load(zoo.path("stepper_64", "yaw.safetensors"), generator)
    torch.testing.assert_close(direction.vector, stepper.vector)
    assert direction.scale == pytest.approx(float(stepper.scale))
