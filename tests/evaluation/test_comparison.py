"""Reports compared face by face: verdicts from numbers whose answer is known."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
import torch
from small_reports import NOISE, N, base, run

from faceuv.errors import AssetError, InputError
from faceuv.evaluation.comparison import check_claims, compare, read_run
from faceuv.evaluation.meanings import meaning, order
from faceuv.evaluation.summary import rounded
from faceuv.files.artefacts import save_tensors
from faceuv.models.base.subject import Claim
from faceuv.models.stylefaceuv.claims import CLAIMS


class TestCompare:
    def test_lower_is_better_for_errors_and_higher_for_similarities(self):
        lower = compare("l1", base(0.2), base(0.3) + 0.01 * NOISE)
        assert lower.verdict == "yes" and lower.gain == pytest.approx(0.1, abs=0.01)
        assert compare("identity_far", base(0.2), base(0.3) + 0.01 * NOISE).verdict == "no"
        assert compare("scene_albedo_unseen", base(0.3), base(0.2) + 0.01 * NOISE).verdict == "no"

    def test_pairs_tell_what_means_cannot(self):
        """The spread over faces is twenty times the gain, and the same on both sides."""
        better, worse = base(0.50, 1.0), base(0.55, 1.0) + 0.01 * torch.randn(N, generator=torch.Generator())
        found = compare("l1", better, worse)
        assert found.verdict == "yes" and found.error < 0.01
        shuffled = compare("l1", better, worse.roll(1))
        assert shuffled.verdict == "not told apart"

    def test_known_numbers(self):
        found = compare("l1", torch.tensor([1.0, 2, 3, 4]), torch.tensor([2.0, 4, 4, 6]))
        assert (found.better, found.worse, found.gain, found.pairs) == (2.5, 4.0, 1.5, 4)
        assert found.error == pytest.approx((1 / 3) ** 0.5 / 2)

    def test_faces_without_a_number_are_left_out_on_both_sides(self):
        nan = float("nan")
        found = compare("l1", torch.tensor([1.0, nan, 1, 1, 1]), torch.tensor([2.0, 2, nan, 2, 2]))
        assert (found.pairs, found.gain) == (3, 1.0)
        assert found.verdict == "not measured"  # three are too few
        assert compare("l1", None, torch.ones(5)).verdict == "not measured"

    def test_other_faces_are_refused(self):
        with pytest.raises(InputError, match="compared are the same faces, got 3 and 4"):
            compare("l1", torch.ones(3), torch.ones(4))


class TestClaims:
    claim = Claim("it is better", ("full", "method"), ("one_view", "method"), ("l1", "psnr"))

    @pytest.mark.parametrize(
        ("l1", "psnr", "verdict"),
        [
            (0.1, -1.0, "holds"),
            (0.1, 0.0, "holds in 1 of 2 measures, the others cannot be told apart"),
            (0.1, 1.0, "mixed: right in 1 of 2 measures, wrong in 1"),
            (-0.1, 0.0, "does not hold"),
            (0.0, 0.0, "cannot be told apart"),
        ],
    )
    def test_the_verdict_is_that_of_its_measures(self, l1, psnr, verdict):
        full = run("full", {"ours/l1": base(), "ours/psnr": base(20.0)})
        wobble = 0.05 * NOISE.flip(0)
        other = run("one_view", {"ours/l1": base() + l1 + wobble, "ours/psnr": base(20.0) + psnr + wobble})
        (found,) = check_claims([full, other], [self.claim])
        assert found.verdict == verdict

    def test_a_subject_beside_ours_counts_as_a_run(self):
        rows = {"ours/l1": base(), "one view/l1": base() + 0.1 + 0.01 * NOISE.flip(0)}
        (found,) = check_claims([run("full", rows, subjects=("ours", "one view"))], [self.claim])
        assert [c.verdict for c in found.comparisons] == ["yes", "not measured"] and found.verdict == "holds"

    def test_without_the_other_run_nothing_is_claimed(self):
        (found,) = check_claims([run("full", {"ours/l1": base(), "ours/psnr": base()})], [self.claim])
        assert found.verdict == "not measured"

    def test_runs_of_other_faces_or_instruments_are_refused(self):
        runs = [run("full", {"ours/l1": base()}), run("one_view", {"ours/l1": base()}, seed=2)]
        with pytest.raises(InputError, match=r"'full' and 'one_view' differ in their protocol \(seed: 1 and 2\)"):
            check_claims(runs, [self.claim])

    def test_the_method_of_each_run_is_meant_whatever_its_name(self):
        first = run("a", {"mine/l1": base(), "ours/l1": base(9.0)}, subjects=("mine", "ours"))
        other = run("one_view", {"theirs/l1": base() + 0.1 + 0.01 * NOISE.flip(0)}, subjects=("theirs",))
        (found,) = check_claims([first, other], [self.claim])
        assert found.comparisons[0].verdict == "yes"
        assert found.comparisons[0].gain == pytest.approx(0.1, abs=0.01)

    def test_claims_are_those_of_the_first_reports_method(self):
        mine = run("full", {"ours/l1": base(), "linear/l1": base() + 0.1 + 0.01 * NOISE.flip(0)})
        mine.report["claims"] = [asdict(Claim("mine", ("full", "method"), ("full", "linear"), ("l1",)))]
        (found,) = check_claims([mine])
        assert (found.claim.title, found.verdict, found.lacking) == ("mine", "holds", [])
        mine.report["claims"] = []
        assert check_claims([mine]) == []

    def test_what_a_claim_lacks_is_named(self):
        (found,) = check_claims([run("full", {"ours/l1": base()})], [self.claim])
        assert found.lacking == [("one_view", "method")]

    def test_every_claim_of_the_paper_names_metrics_that_exist(self):
        for claim in CLAIMS:
            for metric in claim.metrics:
                assert metric == "perceptual" or "the loss" not in meaning(metric).about or "perceptual" in metric


class TestReading:
    def write(self, folder, kind="faceuv report"):
        folder.mkdir(parents=True, exist_ok=True)
        one = run("x", {"ours/l1": base()})
        (folder / "metrics.json").write_text(json.dumps({**one.report, "kind": kind}))
        save_tensors(folder / "samples.safetensors", {"ours/l1": base()}, {"kind": "report_samples"})

    def test_a_work_dir_or_the_reports_own_folder(self, tmp_path):
        self.write(tmp_path / "work" / "report")
        for place in (tmp_path / "work", tmp_path / "work" / "report"):
            found = read_run("full", place)
            assert torch.equal(found.of("ours", "l1"), base()) and found.of("ours", "l2") is None
            assert found.report["protocol"]["seed"] == 1

    def test_a_report_of_an_older_version_is_refused(self, tmp_path):
        self.write(tmp_path)
        report = json.loads((tmp_path / "metrics.json").read_text())
        (tmp_path / "metrics.json").write_text(json.dumps({k: v for k, v in report.items() if k != "method"}))
        with pytest.raises(AssetError, match="does not say which subject is the method.*run the stage 'report' again"):
            read_run("full", tmp_path)

    def test_what_is_no_report(self, tmp_path):
        with pytest.raises(AssetError, match="holds 0 reports"):
            read_run("full", tmp_path)
        self.write(tmp_path / "work" / "report", kind="something")
        with pytest.raises(AssetError, match="is not a report of faceuv"):
            read_run("full", tmp_path / "work")


def test_numbers_for_tables():
    assert [rounded(v) for v in (0.12345, 1234.6, None, float("nan"), -2.5e-7)] == [
        "0.123",
        "1235",
        "–",
        "–",
        "-2.5e-07",
    ]


def test_metrics_come_in_the_order_of_a_report():
    names = ["scene_depth", "identity_far", "fid_turned", "l1_symmetric", "l1"]
    assert order(names) == ["l1", "l1_symmetric", "fid_turned", "identity_far", "scene_depth"]


@pytest.mark.parametrize(
    ("name", "unit", "better"),
    [
        ("psnr_symmetric", "dB", "higher"),
        ("pose_deg_far", "degrees", "lower"),
        ("scene_depth_mm", "mm", "lower"),
        ("fitted_normal_unseen_deg", "degrees", "lower"),
        ("kernel_means_turned", "", "lower"),
        ("lpips_symmetric", "", "lower"),
    ],
)
def test_every_metric_has_a_unit_and_a_direction(name, unit, better):
    assert (meaning(name).unit, meaning(name).better) == (unit, better)
