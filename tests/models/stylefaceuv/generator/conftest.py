"""A face generator small enough for tests: an oval for a face, a 16² teacher, networks of a few numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from small_world import oval_arrays, small_networks

from faceuv.models.faces import FaceModel
from faceuv.models.stylefaceuv import UVGenerator
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
from faceuv.registry import FACE_MODELS

SIZE, D = 16, 6


class OvalFace(FaceModel):
    """A bulging sheet of ``side``² vertices with two modes of each kind."""

    def __init__(self, side: int = 15) -> None:
        super().__init__(oval_arrays(side), names={"expression": ["jaw_open", "smile"]})
        self.side = side

    def config(self) -> dict[str, Any]:
        return {**super().config(), "side": self.side}


@pytest.fixture(scope="package", autouse=True)
def oval() -> Iterator[None]:
    """The face model by its name, as files name it."""
    FACE_MODELS.register_module(name="OvalFace", module=OvalFace)
    yield
    del FACE_MODELS._module_dict["OvalFace"]


@pytest.fixture(scope="session")
def make() -> Callable[..., StyleFaceUVGenerator]:
    """``make(**changes)``: a face generator; its parts are those of ``seed``, or the given ones."""

    def parts(seed: int = 0, size: int = SIZE, d: int = D) -> dict[str, Any]:
        face = OvalFace()
        made = small_networks(face, size, d, seed=seed)
        uv = UVGenerator.from_teacher(made.teacher, displacement_scale=0.05)
        assert uv.displacement is not None
        for layer in uv.displacement.layers:  # it starts at zero; here it is to be seen
            torch.nn.init.normal_(layer.weight)
        return {
            "teacher": made.teacher, "mapper": made.mapper, "uv_generator": uv, "face_model": face, "renderer": "torch",
            "stepper": made.stepper, "directions": [made.direction], "name": "small",
        }  # fmt: skip

    def make(*, seed: int = 0, size: int = SIZE, d: int = D, **changes: Any) -> StyleFaceUVGenerator:
        return StyleFaceUVGenerator(**{**parts(seed, size, d), **changes})

    make.parts = parts  # type: ignore[attr-defined]
    return make


@pytest.fixture(scope="session")
def generator(make: Callable[..., StyleFaceUVGenerator]) -> StyleFaceUVGenerator:
    return make()
