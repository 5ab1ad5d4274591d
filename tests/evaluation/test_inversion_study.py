"""The protocol of inversions: the cases are what they say, the truth has no error, the stage keeps what is finished."""

from __future__ import annotations

import json

import pytest
import torch

import faceuv
from faceuv.cli.main import main
from faceuv.evaluation.inversion_study import InversionStudy, drawn_cases, reduction, study_table, summary
from faceuv.models.base.contracts import Inversion, Inverter
from faceuv.synthetic import ProceduralGenerator


@pytest.fixture(scope="module")
def generator():
    return faceuv.load("quickstart")


@pytest.fixture(scope="module")
def cases():
    return drawn_cases(ProceduralGenerator(64), 3, seed=5, truncation=0.8)


class Known(Inverter):
    """Gives the mean code with known coefficients; the second picture fails."""

    def __init__(self, generator, coefficients):
        self.generator, self.coefficients = generator, coefficients

    def invert(self, images):
        codes = self.generator.teacher.mean_code.expand(len(images), self.generator.num_layers, -1)
        return Inversion(codes, self.coefficients, reasons=("", "it has no face", ""))


def test_the_hidden_view_is_the_same_face_from_its_other_side(cases):
    yaw, hidden = cases.true.rotation[:, 1], cases.hidden_true.rotation[:, 1]
    assert bool((yaw * hidden < 0).all())
    assert bool((hidden.abs().rad2deg() > 8).all())
    for group in ("identity", "expression", "albedo", "lighting"):
        assert torch.equal(cases.true.view(group), cases.hidden_true.view(group))
    inside = cases.hidden_mask > 0.99
    assert 0.02 < float(inside.float().mean()) < 0.6
    shown = cases.seen[inside]
    assert 0.1 < float((shown > 0.95).float().mean()) < 1, "the picture showed a part of it"
    assert float((shown < 0.05).float().mean()) > 0.01, "and not all of it"


def test_true_coefficients_have_no_error_of_shape_and_a_failed_face_counts_for_nothing(generator, cases):
    study = InversionStudy(generator, cases)
    table, shown = study.measure(Known(generator, cases.true))
    for name in ("shape_mm", "yaw_deg"):
        assert table[name][[0, 2]].tolist() == pytest.approx([0, 0], abs=1e-4)
    assert float(table["normal_deg"][0]) < 0.1
    assert all(bool(torch.isnan(values[1])) for values in table.values())
    assert shown["hidden"].shape == (3, 3, 64, 64)
    other = cases.true.replace(identity=cases.true.identity + 1)
    assert float(study.measure(Known(generator, other))[0]["shape_mm"][0]) > 1
    rows = summary(table)
    assert rows["mae"]["faces"] == 2
    assert rows["mae"]["mean"] == pytest.approx(float(table["mae"][[0, 2]].mean()))


def test_the_hidden_view_keeps_the_place_in_which_the_face_was_found(generator, cases):
    """A large head far away gives the same picture as a small one nearby; at the hidden view it must stay far away."""
    study = InversionStudy(generator, cases)
    back = torch.tensor([0.0, 0.0, -2.0])
    far = cases.true.replace(translation=cases.true.translation + back)
    _, shown = study.measure(Known(generator, far))
    there = far.replace(
        rotation=cases.hidden_true.rotation, translation=cases.hidden_true.translation + back
    )  # what two decimetres more of distance make of the hidden view
    maps = generator.maps(generator.teacher.mean_code.expand(3, generator.num_layers, -1))
    wanted = study.renderer(there, maps, size=64).image.clamp(0, 1)
    torch.testing.assert_close(shown["hidden"][0], wanted[0], atol=1e-3, rtol=0)


class Brightness:
    """Tells persons apart by the mean colours of their pictures' quarters."""

    name = "brightness"

    def __call__(self, images, landmarks=None):
        return torch.nn.functional.adaptive_avg_pool2d(images, 2).flatten(1) - 0.5


def test_identity_is_that_of_the_pictures_with_the_face_laid_over_them(generator, cases):
    study = InversionStudy(generator, cases, identity=Brightness())
    table, _ = study.measure(Known(generator, cases.true))
    assert {"identity", "hidden_identity"} <= set(table)
    assert bool((table["identity"][[0, 2]] > 0.9).all()), "the background is the picture's"
    seen = study.likeness()
    assert seen["same"] > seen["others"]
    assert seen["faces"] == 3
    assert seen["found"] == 1
    assert "identity" not in InversionStudy(generator, cases).measure(Known(generator, cases.true))[0]


def test_tables_and_reductions():
    bare, better = summary({"x": torch.tensor([1.0, 3.0])}), summary({"x": torch.tensor([1.0, 1.0])})
    assert reduction(better, bare, "x") == pytest.approx(50)
    text = study_table({"a": bare, "b": better}, ["x"])
    assert text.splitlines()[2:] == ["| a | 2 ± 1 |", "| b | 1 |"]


def test_the_stage_writes_its_table_and_keeps_finished_subjects(tmp_path, capsys):
    recipe = tmp_path / "study.py"
    recipe.write_text(
        "stages = ['study']\n"
        "study = dict(type='inversion_study', faces='quickstart', count=2, inverters={\n"
        "    'W': dict(type='WProjection', steps=2), 'W+': dict(type='WPlusProjection', steps=2)},\n"
        "    detail=('W+', 'W'), identity='RegressorIdentity')\n"
    )
    assert main(["train", str(recipe), "--work-dir", str(tmp_path / "work"), "--no-rehearsal"]) == 0
    folder = tmp_path / "work" / "study"
    found = json.loads((folder / "study.json").read_text())
    assert list(found["subjects"]) == ["W", "W+"]
    assert set(found["detail"]) == {"seen", "unseen"}
    assert found["likeness"]["network"] == "regressor_identity"
    assert "Identity by regressor_identity" in (folder / "inversion.md").read_text()
    assert "| W+ |" in (folder / "inversion.md").read_text()
    assert (folder / "sheet.png").is_file()
    assert len(list(folder.glob("subject_*.safetensors"))) == 2
    recipe.write_text(recipe.read_text().replace("quickstart", "liftedgan"))
    assert main(["train", str(recipe), "--work-dir", str(tmp_path / "other"), "--no-rehearsal"]) == 2
    assert "has no coefficients and UV maps" in capsys.readouterr().err
