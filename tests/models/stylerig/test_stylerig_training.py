"""Both trainings on a generator whose truth is known."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import torch
from rig_world import COARSE, EXACT, LOSSES
from torch import Tensor
from torch.utils.data import default_collate

from faceuv.data.drawn import DrawnCodes
from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.models.stylefaceuv import CoefficientMapper, load_mapper
from faceuv.models.stylerig import StyleRig, load_rignet
from faceuv.models.stylerig.drawing import Drawing, picture_of, render_errors
from faceuv.models.stylerig.groups import edited_columns
from faceuv.registry import MODELS
from faceuv.structures import Coefficients

EXPRESSION = {"type": "MeanDistance", "of": "expression", "weight": 3.0}


class Steps:
    """An optimiser as methods call it."""

    def __init__(self, network: torch.nn.Module, rate: float) -> None:
        self.optimizer = torch.optim.Adam(network.parameters(), rate)

    def optim_context(self, method: object) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def update_params(self, loss: Tensor) -> None:
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


def method(folder: Path, **changes: Any) -> StyleRig:
    torch.manual_seed(0)
    settings = dict(type="StyleRig", pictures=str(folder), mapper=EXACT, face_model=COARSE, losses=LOSSES)
    settings |= dict(renderer=dict(type="torch", antialias=None), rig=dict(given="change"))
    built = MODELS.build({**settings, **changes})
    assert isinstance(built, StyleRig)
    return built


def batch(folder: Path, split: str, rows: Any) -> dict[str, Tensor]:
    data = DrawnCodes(folder, split=split)
    found: dict[str, Tensor] = default_collate([data[int(row)] for row in rows])
    return found


def errors(made: StyleRig, folder: Path) -> dict[str, float]:
    rows = made.forward(batch(folder, "val", range(40)))
    return {name: float(torch.stack([row[name] for row in rows]).mean()) for name in rows[0]}


def train(made: StyleRig, folder: Path, steps: int) -> dict[str, float]:
    optimizer = {"rig": Steps(made.rig, 1e-2)}
    torch.manual_seed(1)
    for _ in range(steps):
        made.train_step(batch(folder, "train", torch.randperm(360)[:16]), optimizer)
    return errors(made, folder)


class TestTerms:
    """The three terms, on a RigNet that does what the test says."""

    def terms(self, folder: Path, step: Tensor | None, controls: str) -> tuple[StyleRig, dict[str, Tensor], Any]:
        made = method(folder)
        data = batch(folder, "train", range(4))
        w, v = torch.arange(2), torch.arange(2, 4)
        if step is not None:
            made.rig.step = lambda code, wanted, own: step.expand(len(code), -1, -1)  # type: ignore[method-assign]
        edited = edited_columns(made.rig.layout, controls).expand(2, -1)
        return made, made.terms(data["code"], picture_of(data), w, v, edited), data

    def by_hand(self, made: StyleRig, coefficients: Tensor, picture: dict[str, Tensor], term: str) -> float:
        drawn = made.drawing.network(Coefficients(coefficients, made.rig.layout))
        return float(made.losses.term(term, drawn, picture))

    @pytest.mark.parametrize("controls", ["pose", "light"])
    def test_edit_and_consistency_mix_the_right_groups(self, drawn_folder: Path, controls: str) -> None:
        step = 0.3 * torch.randn(1, 8, 512, generator=torch.Generator().manual_seed(2))
        made, found, data = self.terms(drawn_folder, step, controls)
        mapper, picture = made.mapper.network, picture_of(data)
        first, second = ({key: value[rows] for key, value in picture.items()} for rows in ([0, 1], [2, 3]))
        own = mapper(data["code"])
        read = mapper(data["code"][:2] + step @ made.rig.spread)
        group = {"pose": "rotation", "light": "lighting"}[controls]
        # v's face with only the edited group of p̂ against v's picture; p̂ with only the edited group of w against w's
        edit = own[2:].replace(**{group: read.view(group)}).data
        consistency = read.replace(**{group: own[:2].view(group)}).data
        assert float(found["edit"]) == pytest.approx(self.by_hand(made, edit, second, "edit"), rel=1e-5)
        assert float(found["consistency"]) == pytest.approx(
            self.by_hand(made, consistency, first, "consistency"), rel=1e-5
        )
        assert float(found["reconstruction"]) == pytest.approx(float(step.square().mean()), rel=1e-5)

    @pytest.mark.parametrize("controls", ["pose", "expression"])
    def test_the_expression_is_that_of_v_where_it_is_edited_and_else_that_of_w(
        self, drawn_folder: Path, controls: str
    ) -> None:
        made = method(drawn_folder, losses={**LOSSES, "expression": EXPRESSION})
        data = batch(drawn_folder, "train", range(4))
        step = 0.3 * torch.randn(1, 8, 512, generator=torch.Generator().manual_seed(2))
        made.rig.step = lambda code, wanted, own: step.expand(len(code), -1, -1)  # type: ignore[method-assign]
        w, v = torch.arange(2), torch.arange(2, 4)
        edited = edited_columns(made.rig.layout, controls).expand(2, -1)
        found = made.terms(data["code"], picture_of(data), w, v, edited)
        model, mapper = made.drawing.network.face_model, made.mapper.network
        own, read = mapper(data["code"]), mapper(data["code"][:2] + step @ made.rig.spread)

        def moved(identity: Tensor, expression: Tensor) -> Tensor:
            still = model.shape(identity, torch.zeros_like(expression))
            return (model.shape(identity, expression) - still)[:, model.landmarks]

        rest = model.mean[model.landmarks]
        wanted = own.expression[2:] if controls == "expression" else own.expression[:2]
        away = moved(read.identity, read.expression) - moved(own.identity[:2], wanted)
        percent = 100 * away / (rest[36] - rest[45]).norm()
        expected = (percent.square().sum(2) + 0.01).sqrt().mean() - 0.1
        assert float(found["expression"]) == pytest.approx(3 * float(expected), rel=1e-4)

    def test_an_untrained_rig_is_consistent_and_has_edited_nothing(self, drawn_folder: Path) -> None:
        made, found, data = self.terms(drawn_folder, None, "pose")
        own = made.mapper.network(data["code"])
        unmoved = own[2:].replace(rotation=own.rotation[:2]).data
        second = {key: value[2:] for key, value in picture_of(data).items()}
        assert float(found["reconstruction"].detach()) == 0
        assert float(found["edit"]) == pytest.approx(self.by_hand(made, unmoved, second, "edit"), rel=1e-5)

    def test_the_cycle_adds_the_other_way(self, drawn_folder: Path) -> None:
        seen: dict[bool, tuple[Tensor, Tensor]] = {}

        def step(cycle: bool) -> None:
            made = method(drawn_folder, cycle=cycle, controls="pose")

            def terms(codes: Tensor, picture: Any, w: Tensor, v: Tensor, edited: Tensor) -> dict[str, Tensor]:
                seen[cycle] = (w, v)
                return {"edit": made.rig.decode.bias.sum()}

            made.terms = terms  # type: ignore[method-assign]
            made.train_step(batch(drawn_folder, "train", range(4)), {"rig": Steps(made.rig, 1e-3)})

        step(True)
        step(False)
        assert [rows.tolist() for rows in seen[True]] == [[0, 1, 2, 3], [2, 3, 0, 1]]
        assert [rows.tolist() for rows in seen[False]] == [[0, 1], [2, 3]]


@pytest.fixture(scope="module")
def trained(drawn_folder: Path) -> dict[str, dict[str, float]]:
    """Dropped term → errors on held-out codes after training."""
    found = {"none": train(method(drawn_folder), drawn_folder, 60)}
    for dropped in ("consistency", "reconstruction"):
        found[dropped] = train(method(drawn_folder, losses={**LOSSES, dropped: None}), drawn_folder, 60)
    return found


class TestRigTraining:
    def test_control_errors_fall_and_leakage_is_bounded(self, trained: dict[str, dict[str, float]]) -> None:
        full = trained["none"]
        for name in ("pose_deg", "light_percent"):  # expressions move few pixels of 32²: they take a longer training
            assert full[name] < 0.65 * full[f"{name}_before"], (name, full[name])
            assert full[f"{name}_leaked"] < 0.5 * full[f"{name}_before"], (name, full[f"{name}_leaked"])

    def test_without_consistency_other_attributes_drift(self, trained: dict[str, dict[str, float]]) -> None:
        for name in ("shape_mm_leaked", "pose_deg_leaked"):
            assert trained["consistency"][name] > 1.1 * trained["none"][name], name

    def test_without_reconstruction_a_code_does_not_stay(self, trained: dict[str, dict[str, float]]) -> None:
        assert trained["reconstruction"]["step_reconstruction"] > 2 * trained["none"]["step_reconstruction"]

    def test_the_term_of_the_expression_teaches_it(
        self, drawn_folder: Path, trained: dict[str, dict[str, float]]
    ) -> None:
        full = trained["none"]
        assert full["expression_percent"] > 0.8 * full["expression_percent_before"]  # pictures of 32² hardly do
        term = {**EXPRESSION, "weight": 0.05}
        found = train(method(drawn_folder, losses={**LOSSES, "expression": term}), drawn_folder, 60)
        assert found["expression_percent"] < 0.75 * found["expression_percent_before"], found
        assert found["expression_percent"] < 0.85 * full["expression_percent"], (found, full)
        assert found["pose_deg"] < 0.75 * found["pose_deg_before"], found


class TestBadInput:
    def test_terms(self, drawn_folder: Path) -> None:
        with pytest.raises(InputError, match="Did you mean 'consistency'"):
            method(drawn_folder, losses={**LOSSES, "consistencey": LOSSES["edit"]})
        with pytest.raises(InputError, match="without the loss 'edit' nothing is learned"):
            method(drawn_folder, losses={**LOSSES, "edit": None})

    def test_settings(self, drawn_folder: Path) -> None:
        with pytest.raises(InputError, match="Did you mean 'decoder'"):
            method(drawn_folder, rig=dict(decodr="linear"))
        with pytest.raises(InputError, match="Did you mean 'light'"):
            method(drawn_folder, controls=["ligt"])

    def test_mappers_of_other_generators(self, drawn_folder: Path, tmp_path: Path) -> None:
        torch.manual_seed(0)
        for layers, words in ((6, "L = 6"), (8, "does not read these codes")):
            file = save_network(tmp_path / f"{layers}.safetensors", CoefficientMapper(layers, 512, widths=(8,)))
            with pytest.raises(InputError, match=words):
                method(drawn_folder, mapper=str(file))
        file = save_network(tmp_path / "other.safetensors", CoefficientMapper(8, 512, dict(identity=5), widths=(8,)))
        with pytest.raises(InputError, match="another face model"):
            method(drawn_folder, mapper=str(file))

    def test_a_batch_without_a_pair(self, drawn_folder: Path) -> None:
        made = method(drawn_folder)
        with pytest.raises(InputError, match="pairs of codes, at least 2 of them, got 1"):
            made.train_step(batch(drawn_folder, "train", [0]), {"rig": Steps(made.rig, 1e-3)})


def test_export_and_read(drawn_folder: Path, tmp_path: Path) -> None:
    made = method(drawn_folder, controls=("pose", "light"))
    assert made.export(tmp_path) == ["rignet.safetensors"]
    found = load_rignet(tmp_path / "rignet.safetensors")
    assert found.controls == ("pose", "light") and found.trained_for == made.rig.trained_for != ""


class TestSelfSupervision:
    def build(self, folder: Path, **changes: Any) -> Any:
        torch.manual_seed(0)
        losses = dict(
            render=dict(type="RenderLoss"), identity=dict(type="CoefficientPenalty", group="identity", weight=1e-3)
        )
        settings = dict(type="SelfSupervisedMapping", pictures=str(folder), losses=losses, face_model=COARSE)
        return MODELS.build({**settings, "widths": (32,), **changes})

    def test_pictures_alone_teach_to_read_codes(self, drawn_folder: Path, tmp_path: Path) -> None:
        made, rows = self.build(drawn_folder), range(80)
        optimizer = {"mapper": Steps(made.mapper, 2e-3)}

        def mean(name: str) -> float:
            return float(torch.stack([row[name] for row in made.forward(batch(drawn_folder, "train", rows))]).mean())

        before = {name: mean(name) for name in ("landmarks_percent", "colour")}
        torch.manual_seed(1)
        for _ in range(60):
            made.train_step(batch(drawn_folder, "train", torch.randperm(80)[:16]), optimizer)
        assert mean("landmarks_percent") < 0.6 * before["landmarks_percent"]
        assert mean("colour") < 0.8 * before["colour"]
        assert made.export(tmp_path) == ["mapper.safetensors"]
        code = batch(drawn_folder, "train", [0])["code"]
        assert torch.equal(load_mapper(tmp_path / "mapper.safetensors")(code).data, made.mapper(code).data)

    def test_the_first_face_is_near_the_average(self, drawn_folder: Path) -> None:
        made = self.build(drawn_folder)
        found = made.mapper(batch(drawn_folder, "train", range(8))["code"])
        assert float(found.identity.abs().max()) < 1 and float(found.rotation.abs().max()) < 0.3
        assert (
            float((found.lighting.mean((1, 2)) - made.mapper.mean[found.layout.slice("lighting")].mean()).abs().max())
            < 0.1
        )

    def test_bad_settings(self, drawn_folder: Path) -> None:
        with pytest.raises(InputError, match="Did you mean 'rotation'"):
            self.build(drawn_folder, deviations=dict(rotations=1.0))
        with pytest.raises(InputError, match="deviation of identity must be positive"):
            self.build(drawn_folder, deviations=dict(identity=0.0))
        with pytest.raises(InputError, match="needs a loss"):
            self.build(drawn_folder, losses=dict(render=None))


def test_render_errors_by_hand() -> None:
    drawn = {"image": torch.full((1, 3, 4, 4), 0.6), "mask": torch.ones(1, 1, 4, 4), "landmarks": torch.zeros(1, 68, 2)}
    points = torch.zeros(1, 68, 2)
    points[:, 45, 0] = 0.4
    picture = {"image": torch.full((1, 3, 4, 4), 0.5), "mask": torch.ones(1, 1, 4, 4), "landmarks": points}
    picture["image"][..., :2], picture["mask"][..., :2] = 0.0, 0.0
    found = render_errors(drawn, picture)
    assert float(found["colour"]) == pytest.approx(0.1, rel=1e-5)
    assert float(found["landmarks_percent"]) == pytest.approx(100 * 0.4 / 68 / 0.4, rel=1e-5)


def test_the_drawing_is_the_face_renderer_s(drawn_folder: Path) -> None:
    drawing = Drawing(COARSE, 32)
    drawn = drawing(Coefficients.zeros(1, drawing.face_model.layout))
    assert drawn["image"].shape == (1, 3, 32, 32)
    nose = drawn["landmarks"][0, 30]
    assert 0.4 < float(nose[0]) < 0.6 and 0.4 < float(nose[1]) < 0.8
