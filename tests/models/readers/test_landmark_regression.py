"""The method that trains the landmark network: truth in frames, mirrored truth, losses that fall."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.models.faces.landmark_truth import interocular_distance
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.readers.landmark_training import LandmarkRegression
from faceuv.registry import MODELS
from faceuv.synthetic import SyntheticFaces

SIZE, COUNT = 32, 8
NOTHING = dict(occlusion=0, colour=0, blur=0, resolution=0, noise=0, jpeg=0)
LOSSES = dict(points=dict(type="MeanDistance", of="points", smooth=0.2), face=dict(type="DiscriminatorLogistic"))


@pytest.fixture(scope="module")
def face_model():
    return ProceduralFace(rows=97, columns=81)


@pytest.fixture(scope="module")
def batch(face_model):
    faces = SyntheticFaces(size=SIZE, seed=2, face_model=face_model, truth=("coefficients",))
    found = faces.batch(range(COUNT))
    return {**found, "image": (found["image"] * 255).round().to(torch.uint8)}


def method(face_model, **settings) -> LandmarkRegression:
    torch.manual_seed(0)
    network = dict(type="LandmarkNetwork", size=SIZE, widths=(8, 16, 24, 32), hidden=32)
    given = dict(network=network, face_model=face_model, losses=LOSSES, without_face=0.25)
    return MODELS.build(dict(type="LandmarkRegression", **{**given, **settings}))


def test_losses_fall_and_no_face_is_learnt(face_model, batch):
    made = method(face_model, shares=NOTHING, shift=0.0, zoom=(1.0, 1.0), turn_deg=0.0)
    optimizer = torch.optim.Adam(made.parameters(), 3e-3)
    values = []
    for _ in range(60):
        terms = made.terms(batch)
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        values.append({name: float(term.detach()) for name, term in terms.items()})
    first, last = ({n: sum(v[n] for v in part) / 5 for n in LOSSES} for part in (values[:5], values[-5:]))
    assert last["points"] < 0.5 * first["points"] and last["face"] < 0.7 * first["face"]


def test_the_truth_follows_frames_and_mirror_images(face_model, batch, monkeypatch):
    """What the losses are given is where the landmarks are in the picture that the network is given."""
    made = method(face_model, shares=NOTHING, without_face=0.0, zoom=(0.9, 1.1))
    seen = {}
    monkeypatch.setattr(made.network, "forward", lambda shown: _answer(shown, seen))
    monkeypatch.setattr(
        made.losses, "term", lambda name, pred, target: seen.setdefault("truth", target["points"]).mean()
    )
    marked = dict(batch)
    image, points, _ = made.pictures(batch)
    dots = torch.zeros_like(image)
    for row, column in ((0, 36), (1, 45), (2, 8)):  # one channel each: outer eye corners and chin
        place = points[:, column].long().clamp(0, SIZE - 1)
        dots[torch.arange(COUNT), row, place[:, 1], place[:, 0]] = 1
    marked["image"] = (dots * 255).to(torch.uint8)
    torch.manual_seed(3)
    made.terms(marked)
    shown, truth = seen["shown"], seen["truth"] / 50
    axis = (torch.arange(SIZE) + 0.5) * (2 / SIZE) - 1
    checked = 0
    for k in range(COUNT):
        mass = shown[k] / shown[k].sum((1, 2), keepdim=True).clamp_min(1e-9)
        places = torch.stack([mass.sum(1) @ axis, mass.sum(2) @ axis], 1)  # (3, 2)
        if (truth[k].abs().amax() > 0.9) or (shown[k].sum((1, 2)) < 0.5).any():
            continue
        eyes = sorted([36, 45], key=lambda name: float((truth[k, name] - places[0]).norm()))
        for place, name in zip(places, (eyes[0], eyes[1], 8)):
            assert (truth[k, name] - place).norm() < 3 * 2 / SIZE
        assert truth[k, 36, 0] < truth[k, 45, 0]  # the viewer's left eye keeps its name in a mirror image
        checked += 1
    assert checked >= 3


def _answer(shown, seen):
    seen["shown"] = shown
    return torch.zeros(len(shown), 68, 2), torch.zeros(len(shown))


def test_is_validated_in_pixels_and_always_alike(face_model, batch):
    made = method(face_model)
    first, second = made.val_step(batch), made.val_step(batch)
    assert len(first) == COUNT and set(first[0]) == {"points", "truth", "interocular", "score", "other_score"}
    assert all(torch.equal(a[name], b[name]) for a, b in zip(first, second) for name in a)
    assert first[0]["truth"].shape == (68, 2) and 0 <= first[0]["score"] <= 1


def test_starts_from_the_mean_and_shows_pictures(face_model):
    population = dict(type="SyntheticFaces", size=16, seed=2)
    made = method(face_model, population=population)
    mean = made.network.mean_points
    assert mean[36, 0] < -0.1 and mean[45, 0] > 0.1 and mean[8, 1] > mean[27, 1]
    assert made.sample_images(2)["landmarks"].shape == (2, 3, 16, 16)


def test_pictures_of_several_head_models_come_with_their_landmarks(face_model, batch):
    """Landmarks in pixels say the same as the coefficients that they are from."""
    made = method(face_model, shares=NOTHING)
    _, points, interocular = made.pictures(batch)
    mixed = {"image": batch["image"], "index": batch["index"] if "index" in batch else torch.arange(COUNT)}
    image, same, eyes = made.pictures({**mixed, "landmarks": points.double()})
    assert image.dtype == torch.float32 and torch.equal(same, points.float())
    assert torch.equal(eyes, interocular_distance(points)) and eyes.shape == interocular.shape
    torch.manual_seed(1)
    first = made.terms(batch)
    torch.manual_seed(1)
    second = made.terms({**mixed, "landmarks": points})
    torch.testing.assert_close(first, second)


def test_the_mean_of_a_mixed_population_is_in_the_frame(face_model):
    population = dict(type="MixedFaces", populations=[dict(share=1), dict(share=1, world="calm")], size=16, seed=2)
    mean = method(face_model, population=population).network.mean_points
    plain = method(face_model, population=dict(type="SyntheticFaces", size=16, seed=2)).network.mean_points
    assert (mean - plain).abs().max() < 0.05


def test_a_training_starts_from_a_network_of_the_same_shape(face_model, tmp_path):
    known = method(face_model).network
    with torch.no_grad():
        known.face.bias.fill_(3.25)
        known.mean_points.fill_(0.5)
    save_network(tmp_path / "start.safetensors", known)
    population = dict(type="SyntheticFaces", size=16, seed=2)
    made = method(face_model, start=tmp_path / "start.safetensors", population=population).network
    assert float(made.face.bias) == 3.25
    assert (made.mean_points - 0.5).abs().max() > 0.1  # the mean is the new population's
    kept = method(face_model, start=tmp_path / "start.safetensors").network
    assert torch.equal(kept.mean_points, known.mean_points)
    other = dict(type="LandmarkNetwork", size=SIZE, widths=(8, 16, 24, 40), hidden=32)
    with pytest.raises(InputError, match="start .* is a network of"):
        method(face_model, start=tmp_path / "start.safetensors", network=other)


def test_settings_are_checked(face_model):
    with pytest.raises(InputError, match=r"unknown: \['colour'\]"):
        method(face_model, losses=dict(colour=dict(type="MeanDistance", of="x")))
    with pytest.raises(InputError, match=r"without_face in \[0, 1\)"):
        method(face_model, without_face=1.0)
