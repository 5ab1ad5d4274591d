"""The report at the end of a recipe, and ``faceuv test`` on what the recipe made."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
import trimesh
from PIL import Image

from faceuv.cli.main import main
from faceuv.engine.stages import run_stages
from faceuv.engine.stages.testing import choose, evaluate_checkpoint
from faceuv.errors import AssetError, InputError
from faceuv.evaluation.comparison import read_run
from faceuv.registry import STAGES

PROTOCOL = {"pictures": 5, "curve": 2, "truth": 3, "yaws_deg": [-30.0, 0.0, 30.0], "far_deg": 30.0, "texels": 16}


def report_of(tiny, **changes):
    critic = {**tiny.CRITIC}
    settings = {
        "type": "report",
        "generator": {"type": "PretrainedGenerator", "path": "{teacher}/generator.safetensors"},
        "mapper": "{mapper}/mapper.safetensors",
        "stepper": "{stepper}/stepper.safetensors",
        "subjects": {
            "ours": {"type": "uv", "path": "{uv}/uv_generator.safetensors"},
            "the same": {"type": "uv", "path": "{uv}/uv_generator.safetensors"},
            "linear": {"type": "linear"},
            "turned 2D": {"type": "turned"},
        },
        "face_model": {"type": "ToyOval"},
        "normals": "vertex",
        "features": {"type": "DiscriminatorFeatures", "network": critic},
        "losses": {"perceptual": {"type": "DiscriminatorPerceptual", "network": critic, "weight": 3.0}, "off": None},
        "truth": ["fitted"],
        "source": {"type": "toy"},
        "protocol": PROTOCOL,
        "faces": 2,
        "strips": 1,
    }
    return {**settings, **changes}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A work dir in which the whole recipe has run, and its config."""
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "toy"))
    import stage_toys  # noqa: F401 (registers)
    import tiny_recipe as tiny
    from mmengine.config import Config

    root = tmp_path_factory.mktemp("recipe")
    stages = {**tiny.tiny_recipe(tiny.write_teacher(root)), "report": report_of(tiny)}
    config = Config(
        {
            "stages": list(stages),
            **stages,
            "work_dir": str(root / "work"),
            "randomness": {"seed": 0},
            "launcher": "none",
        }
    )
    said = []
    plan = run_stages(config, log=said.append)
    yield config, root / "work", plan, said
    monkeypatch.undo()


def test_the_recipe_ends_with_a_report(made):
    _, work, plan, said = made
    assert all(row.finding.state == "fresh" for row in plan)
    assert any(line.startswith("stage report: done") and "l1 " in line for line in said)
    report = json.loads((work / "report" / "metrics.json").read_text())
    assert list(report["subjects"]) == ["ours", "the same", "linear", "turned 2D"]
    assert report["protocol"]["pictures"] == 5 and report["spaces"]["identity"] == "regressor_identity"
    ours = report["subjects"]["ours"]["metrics"]
    space = report["spaces"]["distances"]
    assert {"l1", "perceptual_symmetric", f"frechet_{space}_turned", "identity_far", "fitted_depth"} <= set(ours)
    assert ours == report["subjects"]["the same"]["metrics"]
    assert ours["l1"]["samples"] == 5 and ours["identity"]["samples"] == 2 and ours["fitted_depth"]["samples"] <= 3
    assert set(report["meanings"]) >= set(ours) and all(m["better"] for m in report["meanings"].values())
    assert report["meanings"]["pose_deg"]["unit"] == "degrees"
    assert report["method"] == "ours" and report["claims"][0]["better"] == ["full", "method"]
    assert set(report["files"]) == {"ours", "the same"}


def test_its_pages_and_files_are_whole(made):
    _, work, _, _ = made
    folder = work / "report"
    page = (folder / "report.html").read_text()
    assert page.startswith("<!doctype html>") and 'name="viewport"' in page
    assert page.count("data:image/") >= 5 and not re.search(r"(src|href)=\"(?!data:|faces/)", page)
    assert page.count("<tr>") == page.count("</tr>") and page.count("<table>") == page.count("</table>") > 2
    words = (folder / "report.md").read_text()
    pictures = re.findall(r"!\[\w+\]\((figures/\w+\.png)\)", words)
    assert {"figures/curves.png", "figures/yaw_0.png", "figures/views.png", "figures/maps.png"} <= set(pictures)
    for name in pictures:
        assert Image.open(folder / name).width > 200
    for k in (0, 1):
        assert len(trimesh.load(folder / "faces" / f"face_{k}.glb", force="mesh").vertices) == 81
    assert len(read_run("x", work).of("ours", "l1")) == 5


def test_another_batch_is_no_other_report_and_another_count_is(made):
    config, _, _, _ = made
    config = copy.deepcopy(config)
    config.report.protocol.batch = 2
    assert [row.finding.state for row in run_stages(config, plan_only=True)][-1] == "fresh"
    config.report.protocol.pictures = 6
    plan = run_stages(config, plan_only=True)
    assert plan[-1].finding.state == "stale" and "protocol.pictures: 5 → 6" in plan[-1].finding.why[0]


class TestTesting:
    def test_a_checkpoint_of_the_uv_stage_gives_the_reports_numbers(self, made):
        """The stage has no evaluator of its own, so that the report measures it: the same averaged weights."""
        config, work, _, _ = made
        folder, metrics = evaluate_checkpoint(config, work / "uv" / "iter_8.pth", log=lambda line: None)
        assert folder == work / "test" / "report"
        wanted = json.loads((work / "report" / "metrics.json").read_text())["subjects"]["ours"]["metrics"]
        for name in ("l1", "ssim_symmetric", "texels", "fitted_albedo_seen"):
            assert metrics[name] == pytest.approx(wanted[name]["value"], abs=1e-6), name
        assert (folder / "report.html").is_file()
        assert read_run("whole recipe", work).report["title"].endswith("report")  # the test's own report lies apart

    def test_a_training_with_an_evaluator_is_tested_by_it(self, made):
        config, work, _, _ = made
        config = copy.deepcopy(config)
        config.mapper.update(
            val_dataloader={**config.mapper.train_dataloader, "sampler": {"type": "DefaultSampler", "shuffle": False}},
            val_cfg={},
            val_evaluator={"type": "CoefficientErrors", "face_model": {"type": "ToyOval"}, "size": 16},
        )
        folder, metrics = evaluate_checkpoint(config, work / "mapper" / "iter_12.pth")
        assert folder == work / "test" / "mapper" and metrics["samples"] > 10
        assert metrics["yaw_deg_mean"] > 0

    def test_who_evaluates_what(self, made, tmp_path):
        config, work, _, _ = made
        stages = {name: dict(config[name]) for name in config.stages}
        checkpoint, weights = work / "mapper" / "iter_12.pth", work / "uv" / "uv_generator.safetensors"
        assert choose(stages, work, weights, None) == "report"
        assert choose(stages, work, weights, "report") == "report"
        with pytest.raises(InputError, match=r"'mapper' \(type 'train'\) cannot evaluate iter_12.pth"):
            choose(stages, work, checkpoint, "mapper")
        with pytest.raises(InputError, match="the stages are teacher, .* Did you mean 'report'"):
            choose(stages, work, weights, "raport")
        with pytest.raises(InputError, match="Name it with --stage; none of teacher, fits can"):
            choose({name: stages[name] for name in ("teacher", "fits")}, work, weights, None)
        with pytest.raises(AssetError, match="no checkpoint at"):
            evaluate_checkpoint(config, tmp_path / "nothing.pth")

    def test_what_the_evaluation_reads_must_be_there(self, made, tmp_path):
        config, work, _, _ = made
        config = copy.deepcopy(config)
        config.work_dir = str(tmp_path)
        with pytest.raises(AssetError, match="teacher is missing, and the evaluation reads it: run it with"):
            evaluate_checkpoint(config, work / "uv" / "uv_generator.safetensors")


def test_the_command_tells_recipes_from_single_trainings(tmp_path, capsys):
    config = tmp_path / "single.py"
    config.write_text("model = dict(type='StyleFaceUV')\n")
    words = ["test", str(config), "x.pth", "--stage", "report", "--work-dir", str(tmp_path / "work")]
    assert main(words) == 2
    assert "--stage is for configs with stages=[…]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trutth": []}, "no setting 'trutth'.*Did you mean 'truth'"),
        ({"truth": ["scenes"]}, r"truth must be a list of 'scene', 'fitted', got \['scenes'\]"),
        ({"source": None}, "truth 'fitted' needs source"),
        ({"uv": "x"}, r"no setting 'uv' any more; write subjects=dict\(ours=dict\(type='uv', path=…\)"),
        ({"others": {"one view": "x"}}, "no setting 'others' any more"),
        ({"faces": 6}, "0 to 5, got 6 and 1"),
        ({"protocol": {"picturess": 6}}, "protocol: .*picturess"),
        ({"protocol": {"pictures": 2}}, "pictures ≥ 4, got 2"),
        ({"features": None, "generator": None}, None),
    ],
)
def test_what_is_wrong_is_told_with_the_plan(tiny, changes, message):
    settings = report_of(tiny, **changes)
    if message is None:
        settings = {key: value for key, value in settings.items() if value is not None}
        message = "missing 2 required positional arguments: 'generator' and 'features'"
    with pytest.raises(InputError, match=message):
        STAGES.build(settings)


def test_the_scene_is_no_truth_of_another_face_model(tiny):
    stage = STAGES.build(report_of(tiny, truth=["scene"]))
    with pytest.raises(InputError, match="known for the procedural face, not for 'ToyOval'"):
        stage.check()
    stage = STAGES.build(report_of(tiny, regressor="nowhere.safetensors"))
    with pytest.raises(AssetError, match="regressor nowhere.safetensors does not exist"):
        stage.check()
