"""A face model's constructor arguments are kept: a saved face is built on the same model again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from faceuv import Face
from faceuv.errors import InputError
from faceuv.models.faces import FaceModel
from faceuv.registry import FACE_MODELS


def small_arrays():
    """A patch of 5 × 5 vertices with one mode of each kind."""
    line = torch.linspace(-0.5, 0.5, 5)
    y, x = torch.meshgrid(-line, line, indexing="ij")
    r, c = torch.meshgrid(torch.arange(4), torch.arange(4), indexing="ij")
    a = (5 * r + c).flatten()
    modes = 0.01 * torch.ones(25, 3, 1)
    return {
        "mean": torch.stack([x, y, 0 * x], -1).reshape(-1, 3),
        "identity_basis": modes,
        "expression_basis": modes,
        "mean_albedo": torch.full((25, 3), 0.5),
        "albedo_basis": modes,
        "faces": torch.cat([torch.stack([a, a + 5, a + 6], 1), torch.stack([a, a + 6, a + 1], 1)]),
        "uv": torch.stack([x + 0.5, 0.5 - y], -1).reshape(-1, 2),
        "landmarks": torch.arange(68) % 25,
        "skin_mask": torch.ones(25, dtype=torch.bool),
        "mirror": torch.arange(25).view(5, 5).flip(1).flatten(),
    }


class Patch(FaceModel):
    """A small patch, stretched and painted as its arguments say."""

    def __init__(self, stretch: float = 1.0, /, tint=0.5, *, file: str | Path = "none", **more) -> None:
        arrays = small_arrays()
        arrays["mean"] = arrays["mean"] * stretch
        arrays["mean_albedo"] = torch.full_like(arrays["mean_albedo"], tint)
        super().__init__(arrays, metadata={"file": str(file), "more": more})


class Taller(Patch):
    """Calls its base with arguments of its own making."""

    def __init__(self, height: float = 2.0) -> None:
        super().__init__(height, tint=0.25)


class Same(Taller):
    """Without a constructor of its own."""


class Many(FaceModel):
    """Takes any number of numbers."""

    def __init__(self, *factors: float) -> None:
        arrays = small_arrays()
        arrays["mean"] = arrays["mean"] * sum(factors)
        super().__init__(arrays)


@pytest.fixture(autouse=True)
def registered():
    for model in (Patch, Taller, Same, Many):
        FACE_MODELS.register_module(module=model)
    yield
    for model in (Patch, Taller, Same, Many):
        del FACE_MODELS._module_dict[model.__name__]


MODELS = {
    "defaults": (lambda: Patch(), {}),
    "defaults that are given": (lambda: Patch(1.0, tint=0.5), {}),
    "keyword": (lambda: Patch(tint=0.75), {"tint": 0.75}),
    "positional or keyword": (lambda: Taller(3.0), {"height": 3.0}),
    "path": (lambda: Patch(file=Path("faces") / "a.bin"), {"file": str(Path("faces") / "a.bin")}),
    "**kwargs": (lambda: Patch(colour="red", depth=[1, 2]), {"colour": "red", "depth": [1, 2]}),
    "a subclass": (lambda: Taller(), {}),
    "a subclass of a subclass": (lambda: Same(1.5), {"height": 1.5}),
}


@pytest.mark.parametrize(("make", "kept"), MODELS.values(), ids=MODELS)
def test_a_saved_face_is_built_on_the_same_model(tmp_path, make, kept):
    model = make()
    assert model.config() == {"type": type(model).__name__, **kept}
    assert json.loads(json.dumps(model.config())) == model.config()
    face = Face.mean(face_model=model)
    read = Face.load(face.save(tmp_path / "face.safetensors"))
    assert type(read.face_model) is type(model)
    for name, array in model.arrays().items():
        assert torch.equal(getattr(read.face_model, name), array), name
    assert read.face_model.metadata == model.metadata
    assert torch.equal(read.render(16), face.render(16))


@pytest.mark.parametrize(("model", "what"), [(Patch, "stretch"), (Many, "factors")])
def test_positional_only_arguments_cannot_be_named_in_a_config(tmp_path, model, what):
    face = Face.mean(face_model=model(3.0))
    with pytest.raises(
        InputError, match=f"{model.__name__} takes {what} by position only, so that no config can name it"
    ):
        face.save(tmp_path / "face.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [torch.ones(2), {1, 2}, object(), float("nan"), {"a": torch.ones(1)}, lambda: 1])
def test_an_argument_that_is_not_json_is_one_clear_line(tmp_path, value):
    face = Face.mean(face_model=Patch(extra=value))
    with pytest.raises(
        InputError, match=r"the argument 'extra' of the face model Patch must be a plain JSON value"
    ) as e:
        face.save(tmp_path / "face.safetensors")
    assert "\n" not in str(e.value)
    assert not list(tmp_path.iterdir())


def test_an_array_where_the_default_is_none_is_not_compared():
    class Loaded(FaceModel):
        """Made of given arrays."""

        def __init__(self, arrays=None, scale=1.0):
            super().__init__(small_arrays() if arrays is None else arrays)

    assert set(Loaded(small_arrays())._arguments) == {"arrays"}


def test_a_wrong_argument_is_pythons_own_error():
    with pytest.raises(TypeError, match="height"):
        Taller(1.0, height=2.0)
