"""Measures of rigs: answers that are known."""

from __future__ import annotations

import math

import pytest
import torch

from faceuv.errors import InputError
from faceuv.evaluation.rig_measures import (
    by_size,
    calibrated,
    control_rows,
    energy_centre,
    followed,
    layer_energy,
    means,
    mouth_rows,
    range_of,
)
from faceuv.evaluation.rig_study import EDITS, LayerMixing, RigStudy, StudiedEditor, record, wanted_of
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.stylerig.errors import GroupErrors
from faceuv.structures import Coefficients


@pytest.fixture(scope="module")
def model() -> ProceduralFace:
    return ProceduralFace(49, 41, verbose=False)


@pytest.fixture(scope="module")
def errors(model: ProceduralFace) -> GroupErrors:
    return GroupErrors(model)


def faces(model: ProceduralFace, count: int = 2) -> Coefficients:
    return Coefficients(
        0.1 * torch.randn(count, model.layout.size, generator=torch.Generator().manual_seed(0)), model.layout
    )


class TestGroupErrors:
    def test_angles(self, model: ProceduralFace, errors: GroupErrors) -> None:
        a = faces(model)
        b = a.replace(rotation=a.rotation + torch.tensor([3.0, -6.0, 0.0]).deg2rad())
        found = errors(a, b)
        assert found["pitch_deg"].tolist() == pytest.approx([3, 3], abs=1e-3)
        assert found["yaw_deg"].tolist() == pytest.approx([6, 6], abs=1e-3)
        assert found["pose_deg"].tolist() == pytest.approx([3, 3], abs=1e-3)
        full = a.replace(rotation=a.rotation + 2 * math.pi)
        assert float(errors(a, full)["pose_deg"].max()) < 0.01  # a whole turn is none
        for name in ("expression_percent", "light_percent", "shape_mm", "colour_percent"):
            assert float(found[name].abs().max()) < 1e-4, name

    def test_each_group_has_its_own_error(self, model: ProceduralFace, errors: GroupErrors) -> None:
        a = faces(model)
        own = {
            "expression": "expression_percent",
            "lighting": "light_percent",
            "identity": "shape_mm",
            "albedo": "colour_percent",
        }
        for group, name in own.items():
            found = errors(a, a.replace(**{group: a.view(group) + 0.3}))
            others = [value for key, value in found.items() if key != name]
            assert float(found[name].min()) > 0.01 and max(float(v.max()) for v in others) < 1e-3, group

    def test_light_in_percent(self, model: ProceduralFace, errors: GroupErrors) -> None:
        a = faces(model)
        brighter = a.lighting.clone()
        brighter[:, :, 0] += 0.1  # the constant band: the same on every normal
        from faceuv.geometry import sh_irradiance

        rise = sh_irradiance(torch.tensor([[[0.0, 0.0, 1.0]]]), brighter[:1] - a.lighting[:1])
        rise = rise - sh_irradiance(torch.tensor([[[0.0, 0.0, 1.0]]]), torch.zeros(1, 3, 9))
        found = errors(a, a.replace(lighting=brighter))["light_percent"]
        assert found.tolist() == pytest.approx([100 * float(rise.mean())] * 2, rel=1e-4)

    def test_expression_in_percent_of_the_eyes(self, model: ProceduralFace, errors: GroupErrors) -> None:
        a = Coefficients.zeros(1, model.layout)
        b = a.replace(expression=model.expression_coefficients(smile=1.0))
        points = [model.shape(c.identity, c.expression)[0, model.landmarks] for c in (a, b)]
        eyes = (points[0][36] - points[0][45]).norm()
        expected = 100 * (points[0] - points[1]).norm(dim=1).mean() / eyes
        assert float(errors(a, b)["expression_percent"]) == pytest.approx(float(expected), rel=1e-4)


class TestMouth:
    def test_a_smile_widens_and_an_open_jaw_opens(self, model: ProceduralFace, errors: GroupErrors) -> None:
        rest = Coefficients.zeros(1, model.layout)
        for movement, name, other in (
            ("smile", "mouth_width", "mouth_opening"),
            ("jaw_open", "mouth_opening", "mouth_width"),
        ):
            found = errors.mouth(rest.replace(expression=model.expression_coefficients(**{movement: 1.0})))
            assert float(found[name]) > 1 and float(found[name]) > 2 * abs(float(found[other])), (movement, found)

    def test_corners_by_hand(self, model: ProceduralFace, errors: GroupErrors) -> None:
        a = faces(model)
        still = a.replace(expression=torch.zeros_like(a.expression))
        points, rest = (model.shape(c.identity, c.expression)[:, model.landmarks] for c in (a, still))
        mean = model.mean[model.landmarks]
        wider = (points[:, 54] - points[:, 48] - rest[:, 54] + rest[:, 48])[:, 0]
        expected = 100 * wider / (mean[36] - mean[45]).norm()
        assert errors.mouth(a)["mouth_width"].tolist() == pytest.approx(expected.tolist(), rel=1e-3)

    def test_rows_have_the_signs_of_the_changes(self, model: ProceduralFace, errors: GroupErrors) -> None:
        rest = Coefficients.zeros(1, model.layout)
        smile, half = (rest.replace(expression=model.expression_coefficients(smile=x)) for x in (1.0, 0.5))
        there = mouth_rows(errors, rest, half, smile)
        back = mouth_rows(errors, smile, half, rest)
        assert float(there["mouth_width_asked"]) > 1 and float(back["mouth_width_asked"]) < -1
        for rows in (there, back):
            assert float(rows["mouth_width_reached"]) == pytest.approx(0.5 * float(rows["mouth_width_asked"]), rel=1e-3)


class TestFollowed:
    def test_known_answers(self) -> None:
        asked = torch.tensor([-2.0, 1.0, 3.0])
        half, against = followed(asked, asked / 2), followed(asked, -asked)
        assert (half.gain, half.correlation) == (pytest.approx(0.5), pytest.approx(1.0))
        assert (against.gain, against.correlation) == (pytest.approx(-1.0), pytest.approx(-1.0))
        none = followed(asked, torch.zeros(3))
        assert (none.gain, none.correlation) == (0.0, 0.0)
        # the same for everybody is no answer to what each was asked: gain without correlation
        shift = followed(asked, torch.ones(3))
        assert shift.gain == pytest.approx(2 / 14) and shift.correlation == pytest.approx(0.0, abs=1e-9)

    def test_bad_input(self) -> None:
        with pytest.raises(InputError, match="not all the same"):
            followed(torch.ones(4), torch.zeros(4))


class TestControlRows:
    def test_a_perfect_edit_and_none(self, model: ProceduralFace, errors: GroupErrors) -> None:
        before, other = faces(model, 4).data.split(2)
        before, other = Coefficients(before, model.layout), Coefficients(other + 0.2, model.layout)
        wanted = wanted_of(before, other, "pose")
        perfect = control_rows(errors, before, wanted, wanted, ("pose",))
        assert float(perfect["pose_deg"].max()) < 1e-3
        assert all(float(v.max()) < 1e-3 for name, v in perfect.items() if name.endswith("_leaked"))
        nothing = control_rows(errors, before, before, wanted, ("pose",))
        assert torch.equal(nothing["pose_deg"], nothing["pose_deg_unedited"]) and float(nothing["pose_deg"].min()) > 5
        everything = control_rows(errors, before, other, wanted, ("pose",))
        assert float(everything["pose_deg"].max()) < 1e-3 and float(everything["light_percent_leaked"].min()) > 5
        assert "pose_deg_leaked" not in everything and "shape_mm_leaked" in everything

    def test_a_yaw_alone_keeps_pitch_and_roll(self, model: ProceduralFace, errors: GroupErrors) -> None:
        a = faces(model)
        wanted = wanted_of(a, a.replace(rotation=a.rotation + 0.2), "yaw")
        assert torch.equal(wanted.rotation[:, [0, 2]], a.rotation[:, [0, 2]])
        tilted = a.replace(rotation=a.rotation + torch.tensor([0.1, 0.2, 0.0]))
        rows = control_rows(errors, a, tilted, wanted, ("yaw",))
        assert float(rows["yaw_deg"].max()) < 1e-3
        assert rows["pitch_deg_leaked"].tolist() == pytest.approx([math.degrees(0.1)] * 2, rel=1e-3)


def test_the_share_of_rows() -> None:
    before = torch.zeros(2, 4, 3)
    after = before.clone()
    after[0, 1], after[1, 3] = 1.0, 3.0
    assert layer_energy(before, after).tolist() == pytest.approx([0, 0.1, 0, 0.9])
    assert energy_centre(before, after).tolist() == [1.0, 3.0]
    with pytest.raises(InputError, match="no code was moved"):
        layer_energy(before, before)


class TestRange:
    def test_half_as_far(self) -> None:
        found = range_of([2.0, 4.0, 10.0], torch.tensor([[1.0, 1.0], [2.0, 2.0], [5.0, 5.0]]))
        assert found.gain == pytest.approx(0.5) and found.errors == (1.0, 2.0, 5.0)
        assert found.doubles == pytest.approx(4.0)

    def test_between_two_sizes_and_never(self) -> None:
        # errors 1, 1, 4: twice the first is a third of the way from 2 to 3
        found = range_of([1.0, 2.0, 3.0], torch.tensor([[0.0], [1.0], [-1.0]]))
        assert found.doubles == pytest.approx(2 + 1 / 3)
        assert range_of([1.0, 2.0], torch.tensor([[0.5], [1.5]])).doubles is None

    def test_bad_sizes(self) -> None:
        for sizes in ([2.0, 1.0], [1.0], [0.0, 1.0]):
            with pytest.raises(InputError, match="ascending order"):
                range_of(sizes, torch.zeros(len(sizes), 3))


def test_bins_of_sizes() -> None:
    found = by_size(torch.tensor([1.0, 0.0, 0.5, torch.nan]), torch.tensor([1.0, 2.0, 7.0, 8.0]), (0, 5, 10, 20))
    assert found[:2] == [(0.5, 2), (0.5, 1)] and math.isnan(found[2][0]) and found[2][1] == 0


def test_the_step_of_a_straight_line() -> None:
    codes = torch.linspace(-1, 1, 9).view(9, 1, 1)
    step = calibrated(lambda c: c[:, 0, 0], codes, 4 * codes[:, 0, 0] + 3)
    assert step(torch.tensor([1.0]), torch.tensor([9.0])).tolist() == pytest.approx([2.0])
    with pytest.raises(InputError, match="does not change"):
        calibrated(lambda c: c[:, 0, 0], codes, torch.zeros(9))


def test_mixing_of_rows_takes_a_third() -> None:
    a, b = torch.zeros(1, 10, 2), torch.ones(1, 10, 2)
    none = Coefficients.zeros(1)
    taken = {
        edit: LayerMixing().transfer(a, b, none, none, edit)[0, :, 0].tolist()
        for edit in ("pose", "expression", "light")
    }
    assert taken["pose"] == [1.0] * 3 + [0.0] * 7
    assert [sum(rows) for rows in zip(*taken.values())] == [1.0] * 10  # every row once
    assert "all" not in LayerMixing.edits and set(LayerMixing.edits) < set(EDITS)


def test_means_leave_out_what_was_not_measured() -> None:
    found = means({"a": torch.tensor([1.0, 3.0, torch.nan])})
    assert found["a"]["value"] == 2.0 and found["a"]["error"] == pytest.approx(1.0)


class Exact(StudiedEditor):
    """Codes are coefficients: a share of what is asked is done."""

    edits = ("expression", "light")

    def __init__(self, share: float) -> None:
        self.share = share

    def transfer(
        self, code: torch.Tensor, source: torch.Tensor, own: Coefficients, other: Coefficients, edit: str
    ) -> torch.Tensor:
        return code + self.share * (wanted_of(own, other, edit).data[:, None] - code)


def test_a_study_says_how_mouths_follow(model: ProceduralFace, errors: GroupErrors) -> None:
    layout, rng = model.layout, torch.Generator().manual_seed(3)
    code, source = (0.3 * torch.randn(6, 1, layout.size, generator=rng) for _ in range(2))

    def mapper(codes: torch.Tensor) -> Coefficients:
        return Coefficients(codes[:, 0], layout)

    def look(codes: torch.Tensor) -> tuple[torch.Tensor, Coefficients]:
        return codes[:, :, :64].unflatten(2, (8, 8)).expand(-1, 3, -1, -1), mapper(codes)

    flat = torch.nn.Flatten()
    study = RigStudy(look, mapper, errors, flat, flat, code, source, torch.randn(20, 192, generator=rng))
    found, _ = study.run({"half": Exact(0.5), "whole": Exact(1.0)})
    for name, share in (("half", 0.5), ("whole", 1.0)):
        mouth = found[name]["expression"].mouth
        assert set(mouth) == {"mouth_width", "mouth_opening"}
        for one in mouth.values():
            assert one.gain == pytest.approx(share, rel=1e-3) and one.correlation == pytest.approx(1, abs=1e-4)
        assert found[name]["light"].mouth == {} and "mouth_width_asked" in found[name]["expression"].rows
    report = record(found, 0.0, {}, {})
    assert report["editors"]["half"]["expression"]["mouth"]["mouth_width"]["gain"] == pytest.approx(0.5, rel=1e-3)


class TestTable:
    """The page of a study, of numbers made up for it."""

    def report(self) -> dict[str, object]:
        values = {"yaw_deg": 2.0, "yaw_deg_unedited": 20.0, "shape_mm_leaked": 1.0, "identity": 0.5}
        metrics = {name: {"value": value, "error": 0.1} for name, value in values.items()}
        yaw = {"metrics": metrics, "frechet": 1.5, "energy": [0.25, 0.75], "identity_by_yaw_deg": []}
        pose = {
            "metrics": {**metrics, "pose_deg": metrics["yaw_deg"], "pose_deg_unedited": metrics["yaw_deg_unedited"]}
        }
        ranges = {"yaw": {"sizes": (5.0, 10.0), "errors": (1.0, 3.0), "doubles": 7.5, "gain": 0.8}}
        mouth = {"mouth_width": {"gain": 0.45, "correlation": 0.71}, "mouth_opening": {"gain": 0.0, "correlation": 0.1}}
        expression = {
            **pose,
            "metrics": {
                **metrics,
                "expression_percent": metrics["yaw_deg"],
                "expression_percent_unedited": metrics["yaw_deg_unedited"],
            },
            "mouth": mouth,
        }
        about = {"pairs": 8, "judge": {"type": "truth"}, "space": "s", "identity": "i", "frechet_floor": 1.0}
        edits = {"yaw": yaw, "pose": {**yaw, **pose}, "expression": {**yaw, **expression}}
        return {**about, "editors": {"rig": edits}, "ranges": ranges}

    def test_rows_and_claims(self) -> None:
        from faceuv.evaluation.rig_tables import rig_table

        rows = {
            "rig/pose/pose_deg": torch.full((8,), 2.0) + torch.arange(8) / 100,
            "rig/pose/pose_deg_unedited": torch.full((8,), 9.0),
        }
        page = rig_table(self.report(), rows)
        assert "| rig | 2 ± 0.1 | 20 ± 0.1 | 1 ± 0.1 | 0.5 ± 0.1 | 1.5 |" in page
        assert "| pose | 25 | 75 |" in page and "| yaw | 0.80 | 1 | 3 | 8° |" in page
        assert "| rig | 0.45 | 0.71 | 0.00 | 0.10 |" in page
        claimed = next(line for line in page.splitlines() if line.startswith("| `pose_deg` | rig/pose/pose_deg:"))
        assert claimed.endswith("| 8 | yes |")
        assert "not measured" in page and "No editor does it." in page

    def test_editors_of_an_unknown_type(self) -> None:
        from faceuv.engine.stages.rig_study import RigStudyStage

        settings = dict(generator={}, mapper="m", judge={}, face_model="f", features={})
        with pytest.raises(InputError, match="the editor 'a' has the type 'rgi'.*Did you mean 'rig'"):
            RigStudyStage(**settings, editors={"a": {"type": "rgi"}})  # type: ignore[arg-type]
