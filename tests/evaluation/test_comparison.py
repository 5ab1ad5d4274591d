"""Reports compared face by face: verdicts from numbers whose answer is known."""

from __future__ import annotations

import json

import pytest
import torch

from faceuv.engine.report.results import BEGIN, END, results_text, write_results
from faceuv.errors import AssetError, InputError
from faceuv.evaluation.comparison import CLAIMS, Claim, Run, compare, judge, read_run
from faceuv.evaluation.summary import meaning, order, rounded
from faceuv.files.artefacts import save_tensors

N = 40
NOISE = torch.randn(N, generator=torch.Generator().manual_seed(0))


def run(name, rows, *, seed=1, subjects=("ours", "linear", "turned 2D")):
    """A report whose subjects have these numbers, ``"subject/metric"``."""
    entries = {subject: {"about": "", "metrics": {}, "curves": {}} for subject in subjects}
    for key, values in rows.items():
        subject, metric = key.split("/")
        known = values[torch.isfinite(values)]
        entries[subject]["metrics"][metric] = {"value": float(known.mean()), "error": 0.1, "samples": len(known)}
    metrics = {key.split("/")[1] for key in rows}
    report = {
        "kind": "faceuv report",
        "protocol": {"pictures": N, "curve": N, "truth": N, "seed": seed},
        "judged": {"teacher": "abc"},
        "spaces": {"distances": "means", "identity": "corners"},
        "subjects": entries,
        "yaw_deg": [-60.0, 0.0, 60.0],
        "meanings": {metric: vars(meaning(metric)) for metric in metrics},
    }
    return Run(name, report, rows)


def base(value=0.5, spread=0.1):
    return value + spread * NOISE


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
    claim = Claim("it is better", ("full", "ours"), ("one_view", "ours"), ("l1", "psnr"))

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
        (found,) = judge([self.claim], [full, other])
        assert found.verdict == verdict

    def test_a_subject_beside_ours_counts_as_a_run(self):
        rows = {"ours/l1": base(), "one view/l1": base() + 0.1 + 0.01 * NOISE.flip(0)}
        (found,) = judge([self.claim], [run("full", rows, subjects=("ours", "one view"))])
        assert [c.verdict for c in found.comparisons] == ["yes", "not measured"] and found.verdict == "holds"

    def test_without_the_other_run_nothing_is_claimed(self):
        (found,) = judge([self.claim], [run("full", {"ours/l1": base(), "ours/psnr": base()})])
        assert found.verdict == "not measured"

    def test_runs_of_other_faces_or_judges_are_refused(self):
        runs = [run("full", {"ours/l1": base()}), run("one_view", {"ours/l1": base()}, seed=2)]
        with pytest.raises(InputError, match=r"'full' and 'one_view' cannot .* protocol differs \(seed: 1 and 2\)"):
            judge([self.claim], runs)

    def test_every_claim_of_the_paper_names_metrics_that_exist(self):
        for claim in CLAIMS:
            for metric in claim.metrics:
                assert metric == "perceptual" or "the loss" not in meaning(metric).about or "perceptual" in metric


class TestPage:
    def runs(self):
        rows = {"ours/identity_far": base(0.8), "turned 2D/identity_far": base(0.6) + 0.01 * NOISE.flip(0)}
        rows |= {"ours/l1": base(0.1), "linear/l1": base(0.2) + 0.01 * NOISE.flip(0)}
        return [run("full", rows)]

    def test_it_says_what_holds_and_what_was_not_measured(self):
        text = results_text(self.runs(), commands=["faceuv train x"])
        assert "**Ours beats 2D rotation at large yaw, in identity and in consistency: holds.**" in text
        assert "**View masks beat no mask: not measured.**" in text and "`full` and `no_mask`" in text
        assert "| `identity_far` ↑ | full | turned 2D |" not in text
        assert "| | full | linear | turned 2D | unit |" in text and "```bash\nfaceuv train x\n```" in text

    def test_only_what_is_between_the_markers_changes(self, tmp_path):
        page = tmp_path / "results.md"
        page.write_text(f"# Ours\n\nwords before\n\n{BEGIN}\nold\n{END}\n\nwords after\n")
        for text in ("first", "second"):
            write_results(page, text)
        assert page.read_text() == f"# Ours\n\nwords before\n\n{BEGIN}\n\nsecond\n{END}\n\nwords after\n"

    def test_a_page_without_markers_gets_them(self, tmp_path):
        page = write_results(tmp_path / "new.md", "tables")
        assert page.read_text().startswith("# Results\n") and page.read_text().count("tables") == 1
        write_results(page, "others")
        assert "tables" not in page.read_text() and page.read_text().count(BEGIN) == 1

    def test_a_broken_page_is_left_alone(self, tmp_path):
        page = tmp_path / "results.md"
        page.write_text(f"{END}\n{BEGIN}\n")
        with pytest.raises(InputError, match="once after it; found 1 and 1"):
            write_results(page, "numbers")
        assert page.read_text() == f"{END}\n{BEGIN}\n"


class TestReading:
    def write(self, folder, kind="faceuv report"):
        folder.mkdir(parents=True)
        one = run("x", {"ours/l1": base()})
        (folder / "metrics.json").write_text(json.dumps({**one.report, "kind": kind}))
        save_tensors(folder / "samples.safetensors", {"ours/l1": base()}, {"kind": "report_samples"})

    def test_a_work_dir_or_the_reports_own_folder(self, tmp_path):
        self.write(tmp_path / "work" / "report")
        for place in (tmp_path / "work", tmp_path / "work" / "report"):
            found = read_run("full", place)
            assert torch.equal(found.of("ours", "l1"), base()) and found.of("ours", "l2") is None
            assert found.report["protocol"]["seed"] == 1

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
