"""The protocol: known answers, and the same numbers for any batch and any number of processes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from faceuv.errors import InputError
from faceuv.evaluation import protocol as module
from faceuv.evaluation.face_truth import FittedTruth
from faceuv.evaluation.measures import curve_means, curve_rows, identity_features
from faceuv.evaluation.protocol import Protocol, evaluate, sample
from faceuv.evaluation.summary import report_of, tables
from faceuv.geometry import pose, project
from faceuv.losses import PhotometricLoss
from faceuv.models.base.subject import Subject, SubjectView
from faceuv.models.stylefaceuv.subjects import LinearSubject, TurnedSubject, UVSubject
from faceuv.structures import Coefficients

SMALL = {"pictures": 7, "curve": 4, "truth": 3, "yaws_deg": (-40, 0, 40), "far_deg": 40, "batch": 3, "texels": 16}


class Perfect(Subject):
    """Shows the teacher's very pictures, and says that all of them is the face."""

    capabilities = frozenset(("coefficients", "surface"))

    def show(self, codes, targets):
        surface = self.setting.draw(targets.coefficients)
        mask = torch.ones_like(surface.mask)
        return SubjectView(targets.images, mask, targets.coefficients, render=surface)


class Asked(torch.nn.Module):
    """A regressor that reads a yaw of 0.25 in every picture."""

    def __init__(self, layout):
        super().__init__()
        self.layout = layout

    def forward(self, images):
        data = images.new_zeros(len(images), self.layout.size)
        data[:, self.layout.slice("rotation").start + 1] = 0.25
        return Coefficients(data, self.layout)


@pytest.fixture(scope="module")
def measured(small):
    """Everything once, with a truth that is the mapper's own reading."""
    truth = FittedTruth(lambda codes, images: small.setting.mapper(codes), small.setting.renderer, texels=16)
    instruments = small.instruments(truths=[truth], perceptual={"photo": PhotometricLoss()})
    subjects = [
        UVSubject(small.setting, "ours", generator=small.uv),
        LinearSubject(small.setting, "linear"),
        TurnedSubject(small.setting, "turned 2D"),
    ]
    subjects.append(Perfect(small.setting, "perfect"))
    return subjects, instruments, evaluate(subjects, instruments, Protocol(**SMALL))


def test_every_face_is_measured_as_often_as_the_protocol_says(measured):
    _, _, found = measured
    rows = found.subjects["ours"].rows
    assert len(rows["l1"]) == len(rows["l1_symmetric"]) == len(rows["photo"]) == 7
    assert len(rows["identity_far"]) == len(rows["pose_deg"]) == 4
    assert len(rows["fitted_depth"]) == len(rows["fitted_albedo_unseen"]) == 3
    assert found.subjects["ours"].curves["identity"].shape == (3, 4)
    assert found.subjects["ours"].features["turned"].shape == found.reference["original"].shape == (7, 48)
    assert "l1" not in found.subjects["turned 2D"].rows  # it would be its own truth
    assert "original" not in found.subjects["turned 2D"].features


def test_the_teachers_own_pictures_are_perfect(measured):
    _, _, found = measured
    rows = found.subjects["perfect"].rows
    assert float(rows["l1"].max()) == float(rows["l1_symmetric"].max()) == float(rows["photo"].max()) == 0
    assert float(rows["psnr"].min()) == 100 and float(rows["ssim"].min()) == pytest.approx(1, abs=1e-5)
    report = report_of(found, space="means", about={}, identity="corners", facts={})
    metrics = report["subjects"]["perfect"]["metrics"]
    assert metrics["frechet_means_original"]["value"] == pytest.approx(0, abs=1e-8)
    assert metrics["frechet_means_turned"]["value"] > 1e-5
    assert metrics["l1"] == {"value": 0.0, "error": 0.0, "samples": 7}
    assert report["subjects"]["ours"]["metrics"]["frechet_means_original"]["value"] > 1e-4
    assert report["floor"]["metrics"]["frechet_means"]["samples"] == 7
    front = report["subjects"]["ours"]["curves"]["texels"][1]
    assert front == {"value": None, "error": None, "samples": 0}  # a view is not compared with itself


def test_the_linear_face_is_its_own_truth(measured):
    _, _, found = measured
    rows = found.subjects["linear"].rows
    for name in ("depth", "depth_mm", "normal_seen_deg", "normal_unseen_deg", "albedo_seen", "albedo_unseen"):
        assert float(rows[f"fitted_{name}"].nan_to_num(0).abs().max()) < 1e-5, name
        assert bool(torch.isfinite(rows[f"fitted_{name}"]).any()), name
    assert float(found.subjects["ours"].rows["fitted_albedo_seen"].nanmean()) > 0.02


def test_a_lit_surface_of_one_colour_is_consistent_once_the_light_is_taken_off(small):
    """Normals by vertices on both sides, an albedo without modes: what is left is the picture's resolution."""
    instruments = small.instruments()
    yaw = torch.tensor([[-0.6], [0.0], [0.6]])
    _, code = sample(small.setting, Protocol(**SMALL), [0])
    subject = LinearSubject(small.setting, "linear")
    view = subject.views(code, yaw)
    plain = view.coefficients.replace(albedo=torch.zeros_like(view.coefficients.albedo))
    drawn = small.setting.draw(plain)
    view = SubjectView(drawn.image, drawn.mask, plain, render=drawn)
    found = curve_rows(view, yaw, torch.ones(1, 12), small.setting, instruments, texels=16)
    assert float(found["texels_unlit"].nanmean()) < 0.01 < float(found["texels"].nanmean())
    assert torch.isnan(found["texels"][1]).all()


def test_a_picture_that_does_not_change_keeps_the_person(small):
    instruments, yaw = small.instruments(), torch.tensor([[-0.5], [0.0], [0.5]])
    _, code = sample(small.setting, Protocol(**SMALL), [0])
    view = LinearSubject(small.setting, "linear").views(code, yaw)
    still = replace(view, image=view.image[1:2].expand(3, -1, -1, -1))
    for shown, kept in ((still, True), (view, False)):
        found = curve_rows(shown, yaw, torch.ones(1, 12), small.setting, instruments, texels=16)["identity_kept"]
        assert torch.isnan(found[1]).all()
        assert bool((found[[0, 2]] > 1 - 1e-6).all()) == kept


def test_pose_is_read_by_the_regressor_alone(small):
    instruments = small.instruments(regressor=Asked(small.face.layout))
    yaw = torch.tensor([[-0.5, -0.5], [0.25, 0.25], [0.5, 0.5]])
    _, code = sample(small.setting, Protocol(**SMALL), [0, 1])
    view = LinearSubject(small.setting, "linear").views(code, yaw)
    found = curve_rows(view, yaw, torch.ones(2, 12), small.setting, instruments, texels=16)
    wanted = torch.tensor([0.75, 0.0, 0.25])[:, None].expand(3, 2) * 180 / math.pi
    torch.testing.assert_close(found["pose_deg"], wanted, atol=1e-4, rtol=0)
    means = curve_means({"pose_deg": found["pose_deg"]}, [-30, 10, 45], far_deg=45)
    torch.testing.assert_close(means["pose_deg"], wanted.mean(0), atol=1e-4, rtol=0)
    torch.testing.assert_close(means["pose_deg_far"], wanted[2], atol=1e-4, rtol=0)


def test_faces_are_aligned_by_the_landmarks_of_their_coefficients(small):
    class Aligns(torch.nn.Module):
        name, needs_landmarks = "aligns", True

        def forward(self, images, landmarks=None):
            assert landmarks.shape == (len(images), 68, 2)
            return landmarks.flatten(1)

    _, code = sample(small.setting, Protocol(**SMALL), [0, 1])
    own = small.setting.mapper(code)
    instruments = small.instruments(identity=Aligns())
    found = identity_features(instruments, small.setting, small.setting.pictures(code), own)
    world = pose(small.face.mesh(own).vertices, own.rotation, own.translation)
    wanted = project(world, small.setting.renderer.renderer.camera, 16, 16)[:, small.face.landmarks, :2]
    torch.testing.assert_close(found, wanted.flatten(1))
    evaluate([TurnedSubject(small.setting, "turned 2D")], instruments, Protocol(**{**SMALL, "truth": 0}))


@pytest.mark.parametrize("batch", [1, 16])
def test_numbers_do_not_depend_on_the_batch(measured, batch):
    subjects, instruments, found = measured
    again = evaluate(subjects, instruments, Protocol(**{**SMALL, "batch": batch}))
    first, second = tables(found), tables(again)
    assert set(first) == set(second)
    for name, values in first.items():
        torch.testing.assert_close(second[name], values, atol=2e-3, rtol=1e-3, equal_nan=True, msg=name)
    assert again.protocol.identity() == found.protocol.identity()


def test_numbers_do_not_depend_on_the_processes(measured, monkeypatch):
    subjects, instruments, found = measured
    protocol, parts = Protocol(**{**SMALL, "batch": 1}), []
    monkeypatch.setattr(module, "get_world_size", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(module, "get_rank", lambda rank=rank: rank)
        monkeypatch.setattr(module, "all_gather_object", lambda mine: parts.append(mine) or [mine])
        evaluate(subjects, instruments, protocol)
    assert [len(part) for part in parts] == [4, 3]
    monkeypatch.setattr(module, "all_gather_object", lambda mine: parts)
    joined = tables(evaluate(subjects, instruments, protocol))
    for name, values in tables(found).items():
        torch.testing.assert_close(joined[name], values, atol=2e-3, rtol=1e-3, equal_nan=True, msg=name)


def test_a_sample_is_a_function_of_its_index_and_the_seed(small):
    first = sample(small.setting, Protocol(**SMALL), [2])[1]
    torch.testing.assert_close(first[0], sample(small.setting, Protocol(**SMALL), [0, 1, 2])[1][2])
    other = sample(small.setting, Protocol(**{**SMALL, "seed": 5}), [2])[1]
    donors = sample(small.setting, Protocol(**SMALL), [2], stream=1)[1]
    assert not torch.allclose(first, other) and not torch.allclose(first, donors)


def test_truncated_codes_are_nearer_to_the_mean(small):
    whole, half = (sample(small.setting, Protocol(**SMALL, truncation=psi), [0])[1] for psi in (1.0, 0.5))
    torch.testing.assert_close(half, (whole + small.teacher.mean_code) / 2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pictures": 3}, "pictures ≥ 4, got 3"),
        ({"pictures": 8, "curve": 9}, "cannot be larger than pictures=8"),
        ({"yaws_deg": (120,)}, "within ±90°"),
        ({"batch": 2.5}, "whole number batch"),
    ],
)
def test_a_protocol_that_cannot_be(settings, message):
    with pytest.raises(InputError, match=message):
        Protocol(**{**SMALL, **settings})


def test_subjects_must_be_told_apart(small):
    twice = [LinearSubject(small.setting, "linear"), LinearSubject(small.setting, "linear")]
    with pytest.raises(InputError, match="different names and one setting, got linear, linear"):
        evaluate(twice, small.instruments(), Protocol(**SMALL))
    with pytest.raises(InputError, match="at least one subject"):
        evaluate([], small.instruments(), Protocol(**SMALL))
