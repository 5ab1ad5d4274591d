"""Whole reports of subjects that cannot do everything."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image
from toy_subjects import Boastful, Maps, Pictures, Surface

from faceuv.engine.report.making import write_report
from faceuv.errors import InputError
from faceuv.evaluation.comparison import check_claims, read_run
from faceuv.evaluation.meanings import TRUTH
from faceuv.evaluation.protocol import OWN_PICTURES, sample
from faceuv.models.base.subject import Setting, SubjectView
from faceuv.models.stylefaceuv.subjects import LinearSubject, TurnedSubject


def strict(path):
    """JSON without NaN and infinity, which other readers of the file do not know."""

    def refuse(word):
        raise ValueError(f"{path.name} holds {word}")

    return json.loads(path.read_text(), parse_constant=refuse)


def quiet(line):
    """No log."""


class Masked(Pictures):
    """Knows where its face is: everywhere; and turns it without any code being turned."""

    turns_itself = True

    def show(self, codes, targets):
        return SubjectView(targets.images * self.brightness, torch.ones_like(targets.images[:, :1]))


@pytest.mark.parametrize(("kind", "figures"), [(Pictures, ["views"]), (Masked, ["curves", "yaw_0", "views", "faces"])])
def test_a_teacher_is_enough_for_a_whole_report(small, protocol, tmp_path, kind, figures):
    subject = kind(Setting(small.teacher), "half")
    write_report([subject], small.instruments(), protocol, tmp_path, title="bare", faces=2, log=quiet)
    report = strict(tmp_path / "metrics.json")
    assert report["figures"] == figures and report["faces"] == []
    assert ("l1" in report["subjects"]["half"]["metrics"]) == (kind is Masked)
    for page in ("report.md", "report.html"):
        text = (tmp_path / page).read_text()
        assert "not measured: needs a mapper that reads codes and an editor that turns codes" in text
        assert ("needs an editor that turns codes" in text) == (kind is Pictures)
    run = read_run("full", tmp_path)
    assert all(result.verdict == "not measured" for result in check_claims([run]))


@pytest.fixture(scope="module")
def written(small, instruments, protocol, tmp_path_factory):
    """One report of everybody, whose method has pictures alone: its folder and metrics.json."""
    folder = tmp_path_factory.mktemp("report")
    setting = small.setting
    subjects = [LinearSubject(setting, "linear"), Pictures(setting, "half"), Maps(setting, "painted")]
    subjects += [Surface(setting, "depth"), TurnedSubject(setting, "turned 2D")]
    write_report(
        subjects, instruments, protocol, folder, title="all", method="half", faces=2, record={"teacher": "a"}, log=quiet
    )
    return folder, strict(folder / "metrics.json")


def test_pictures_alone_are_measured_as_far_as_pictures_go(written, small, protocol):
    _, report = written
    half = report["subjects"]["half"]
    assert {
        "l1",
        "ssim_symmetric",
        "frechet_means_original",
        "frechet_means_turned",
        "identity",
        "pose_deg_far",
    } <= set(half["metrics"])
    assert not any(name.startswith("fitted_") or "texels" in name for name in half["metrics"])
    why = half["not_measured"]
    assert why["texels"] == why["texels_unlit_far"] == "needs coefficients"
    assert why["fitted_depth_mm"] == why["fitted_normal_deg"] == "needs a surface"
    assert why["fitted_normal_unseen_deg"] == "needs coefficients and a surface"
    assert why["fitted_albedo_seen_free"] == "needs maps, or coefficients and a surface"
    assert set(why) == {"texels", "texels_far", "texels_unlit", "texels_unlit_far"} | {
        f"fitted_{name}" for name in TRUTH if name != "picture"
    }
    # where the face is: the linear face that the mapper reads
    _, codes = sample(small.setting, protocol, range(4))
    targets = small.setting.targets(codes)
    mask = small.setting.draw(targets.coefficients).mask
    wanted = (0.5 * targets.images * mask).flatten(1).sum(1) / (3 * mask.flatten(1).sum(1))
    assert half["metrics"]["l1"]["value"] == pytest.approx(float(wanted.mean()), abs=1e-6)


def test_maps_alone_have_colours_and_no_shape(written):
    painted = written[1]["subjects"]["painted"]
    assert painted["metrics"]["fitted_albedo_seen"]["value"] == pytest.approx(0, abs=1e-6)
    assert painted["not_measured"]["fitted_depth"] == "needs a surface"
    assert painted["not_measured"]["texels"] == "needs coefficients"


def test_a_surface_without_coefficients_has_depth_and_normals(written):
    entries = written[1]["subjects"]
    depth = entries["depth"]
    for name in ("fitted_depth", "fitted_depth_mm"):
        assert depth["metrics"][name] == entries["linear"]["metrics"][name]
    # the drawn normals are the true ones: the linear face is the truth
    assert depth["metrics"]["fitted_normal_deg"]["value"] == pytest.approx(0, abs=0.05)
    assert depth["not_measured"]["fitted_normal_seen_deg"] == "needs coefficients and a surface"
    assert depth["not_measured"]["fitted_albedo_seen"] == "needs maps, or coefficients and a surface"


def test_the_teachers_own_pictures_are_not_compared_with_themselves(written):
    turned = written[1]["subjects"]["turned 2D"]
    for name in ("l1", "psnr_symmetric", "frechet_means_original", "kernel_means_original"):
        assert turned["not_measured"][name] == OWN_PICTURES and name not in turned["metrics"]
    assert "frechet_means_turned" in turned["metrics"] and "texels_unlit" in turned["metrics"]
    assert turned["not_measured"]["fitted_depth"] == "needs a surface"


def test_the_linear_face_lacks_nothing(written):
    assert written[1]["subjects"]["linear"]["not_measured"] == {}


def test_the_page_says_why(written):
    folder, report = written
    words = (folder / "report.md").read_text()
    row = next(line for line in words.splitlines() if line.startswith("| `fitted_depth` "))
    assert row.count("not measured: needs a surface") == 3  # half, painted, turned 2D
    assert "nan" not in words.lower().replace("nanometre", "")
    page = (folder / "report.html").read_text()
    assert "<td class=skipped>not measured: needs maps, or coefficients and a surface</td>" in page
    assert report["figures"] == ["curves", "yaw_0", "views", "faces"]  # no maps: the method has none
    assert report["faces"] == [] and not (folder / "faces").exists()
    for name in report["figures"]:
        assert Image.open(folder / "figures" / f"{name}.png").width > 200


def test_the_method_and_its_claims_are_on_record(written):
    folder, report = written
    assert report["method"] == "half" and report["claims"][0]["title"] == "Half is less"
    (found,) = check_claims([read_run("x", folder)])
    (compared,) = found.comparisons
    assert found.lacking == [] and compared.pairs == 4
    assert compared.better == pytest.approx(report["subjects"]["half"]["metrics"]["l1"]["value"])


def test_one_subject_of_pictures_alone_makes_a_whole_report(small, instruments, protocol, tmp_path):
    files, report = write_report(
        [Pictures(small.setting, "only")], instruments, protocol, tmp_path, title="one", faces=1, log=quiet
    )
    assert all((tmp_path / name).is_file() for name in files)
    kept = strict(tmp_path / "metrics.json")
    assert report["method"] == "only" and report["subjects"] == kept["subjects"] and list(report) == list(kept)
    words = (tmp_path / "report.md").read_text()
    assert "| `fitted_depth` ↓ | not measured: needs a surface |" in words  # a row, though nobody has the number


def test_faces_are_written_of_what_has_coefficients_and_a_surface(small, instruments, protocol, tmp_path):
    _, report = write_report(
        [LinearSubject(small.setting, "linear")], instruments, protocol, tmp_path, title="x", faces=1, log=quiet
    )
    assert report["faces"] == ["faces/face_0.glb"] and (tmp_path / "faces" / "face_0.glb").stat().st_size > 1000
    assert report["viewer"] == "faces/faces.html" and "face-0" in (tmp_path / "faces" / "faces.html").read_text("utf-8")


def test_persons_in_aligned_pictures_need_coefficients(small, protocol, tmp_path):
    class Aligns(torch.nn.Module):
        name, needs_landmarks = "aligns", True

        def forward(self, images, landmarks=None):
            assert landmarks is not None
            return torch.cat([images.flatten(1).mean(1, keepdim=True), landmarks.flatten(1)], 1)

    subjects = [Pictures(small.setting, "half"), TurnedSubject(small.setting, "turned 2D")]
    _, report = write_report(
        subjects, small.instruments(identity=Aligns()), protocol, tmp_path, title="x", strips=0, log=quiet
    )
    half, turned = (report["subjects"][name] for name in ("half", "turned 2D"))
    assert half["not_measured"]["identity_kept_far"] == "needs coefficients" and "identity" not in half["metrics"]
    assert "identity" in turned["metrics"] and "pose_deg" in half["metrics"]


def test_a_subject_that_promises_too_much_is_refused(small, instruments, protocol, tmp_path):
    with pytest.raises(InputError, match="'mine' says that its views carry surface, they carry pictures alone"):
        write_report([Boastful(small.setting, "mine")], instruments, protocol, tmp_path, title="x", log=quiet)
    assert not list(tmp_path.iterdir())
