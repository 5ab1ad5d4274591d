"""Scores of many codes: kept, gone on from, shared by finders."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import AssetError, InputError
from faceuv.models.directions import (
    CodeSample,
    Direction,
    RegressionDirection,
    ScoreTable,
    SVMDirection,
    named_score,
    save_directions,
    score_codes,
)
from faceuv.models.directions.sampling import sample_w
from faceuv.models.directions.scores import degree_of, group_of, meaning
from faceuv.models.faces import ProceduralFace
from faceuv.structures import Coefficients

CODES = CodeSample(samples=1000, seed=3, batch=128)
NAMES = ("first", "second")


def first_two(code):
    """The first two numbers of w, after checking that it gets W+ codes of one batch."""
    assert code.ndim == 3
    assert len(code) <= CODES.batch
    return code[:, 0, :2]


class Stops:
    """A score that breaks off after some batches."""

    def __init__(self, after):
        self.left, self.scored = after, 0

    def __call__(self, code):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.scored += len(code)
        return first_two(code)


def whole(linear, codes=CODES, **options):
    return score_codes(linear, first_two, NAMES, codes, **options)


def test_row_n_is_code_n(linear):
    table = whole(linear)
    w = torch.cat(list(CODES.draw(linear)))
    assert table.values.shape == (1000, 2)
    assert torch.equal(table.column("second"), w[:, 1])


def test_code_n_does_not_depend_on_how_many_there_are_or_where_one_begins(linear):
    every = torch.cat(list(sample_w(linear, 1000, seed=3, batch=128)))
    for samples, first in ((500, 0), (1000, 384), (777, 700), (130, 129)):
        some = torch.cat(list(sample_w(linear, samples, seed=3, batch=128, first=first)))
        assert torch.allclose(some, every[first:samples], atol=1e-5)  # kernels round by the size of a batch


def test_an_interrupted_scoring_goes_on_where_it_was(linear, tmp_path):
    path, stops = tmp_path / "scores.safetensors", Stops(after=3)
    with pytest.raises(KeyboardInterrupt):
        score_codes(linear, stops, NAMES, CODES, path=path)
    assert len(ScoreTable.load(path).values) == 3 * 128
    rest, told = Stops(after=-1), []
    table = score_codes(linear, rest, NAMES, CODES, path=path, report=lambda done, wanted: told.append((done, wanted)))
    assert rest.scored == 1000 - 3 * 128
    assert told[0] == (384, 1000)
    assert told[-1] == (1000, 1000)
    assert torch.equal(table.values, whole(linear).values)
    assert torch.equal(ScoreTable.load(path).values, table.values)


def test_what_is_there_is_used_and_extended(linear, tmp_path):
    path = tmp_path / "scores.safetensors"
    whole(linear, path=path)
    untouched = Stops(after=0)
    again = score_codes(linear, untouched, NAMES, CODES, path=path)
    assert torch.equal(again.values, whole(linear).values)
    fewer = score_codes(linear, untouched, NAMES, CodeSample(300, seed=3, batch=128), path=path)
    assert torch.equal(fewer.values, again.values[:300])
    assert len(ScoreTable.load(path).values) == 1000
    more = Stops(after=-1)
    longer = CodeSample(1300, seed=3, batch=128)
    assert torch.equal(
        score_codes(linear, more, NAMES, longer, path=path).values, score_codes(linear, first_two, NAMES, longer).values
    )
    assert more.scored == 300


@pytest.mark.parametrize(
    "change",
    [
        {"codes": CodeSample(1000, seed=4, batch=128)},
        {"codes": CodeSample(1000, seed=3, batch=64)},
        {"names": ("first", "third")},
        {"source": {"mapper": "another"}},
    ],
)
def test_other_scores_are_not_mixed_in(linear, tmp_path, change):
    path = tmp_path / "scores.safetensors"
    whole(linear, path=path)
    with pytest.raises(AssetError, match="scores of other codes, or by another mapper"):
        score_codes(linear, first_two, **{"names": NAMES, "codes": CODES, "path": path, **change})


def test_broken_files_and_scores_are_named(linear, tmp_path):
    path = tmp_path / "scores.safetensors"
    save_directions(path, [Direction(torch.eye(4, 16)[:4] / 2, "a", "b", "c", 1.0)])
    with pytest.raises(AssetError, match="expected 'scores'"):
        whole(linear, path=path)
    with pytest.raises(InputError, match=r"scores must have shape \(128, 2\), got \(128,\)"):
        score_codes(linear, lambda code: code[:, 0, 0], NAMES, CODES)


@pytest.mark.parametrize("finder", [SVMDirection, RegressionDirection])
def test_a_finder_with_a_table_finds_what_it_finds_with_a_score(linear, finder):
    settings = {"samples": 1000, "seed": 3, "batch": 128}

    def yaw(code):
        data = torch.zeros(len(code), 257)
        data[:, 225] = code[:, 0, 0]
        return Coefficients(data)

    (direct,) = finder("yaw", **settings).find(linear, yaw)
    table = score_codes(linear, lambda code: code[:, 0, :1], ("yaw",), CODES)
    (shared,) = finder("yaw", **settings).find(linear, scores=table)
    assert torch.equal(direct.vector, shared.vector)
    assert direct.scale == shared.scale


def test_a_table_of_other_codes_is_refused_by_finders(linear):
    table = score_codes(linear, lambda code: code[:, 0, :1], ("yaw",), CODES)
    for settings in ({"seed": 4}, {"samples": 2000}, {"batch": 64}, {"truncation": 0.7}):
        with pytest.raises(InputError, match="the table holds the scores of"):
            SVMDirection("yaw", **{"samples": 1000, "seed": 3, "batch": 128, **settings}).find(linear, scores=table)
    with pytest.raises(InputError, match="no score 'pitch'; it has yaw"):
        SVMDirection("pitch", samples=1000, seed=3, batch=128).find(linear, scores=table)


def test_moments_leave_unscored_codes_out(linear):
    table = whole(linear)
    w = torch.cat(list(CODES.draw(linear))).double()
    moments = table.moments(linear)
    both = torch.cat([w, w[:, :2]], 1)
    assert torch.allclose(moments.covariance, torch.cov(both.T, correction=0), atol=1e-9)
    values = table.values.clone()
    values[::7, 1] = torch.nan
    holes = ScoreTable(NAMES, values, CODES)
    assert (table.unscored, holes.unscored) == (0, len(values[::7]))
    some = holes.moments(linear)
    assert some.count == 1000 - len(values[::7])
    assert torch.isfinite(some.covariance).all()


@pytest.fixture(scope="module")
def face_model():
    return ProceduralFace(rows=81, columns=65, verbose=False)


def test_a_movement_is_scored_by_how_far_it_has_gone(face_model):
    for name, amount in (("smile", 0.6), ("jaw_open", 1.2)):
        coefficients = Coefficients.zeros(2, face_model.layout)
        coefficients = coefficients.replace(expression=face_model.expression_coefficients(**{name: amount}))
        score = named_score(coefficients, f"movement:{name}", face_model)
        assert torch.allclose(score, torch.full((2,), amount))
    with pytest.raises(InputError, match="no movement is called 'smyle'.*Did you mean 'smile'"):
        named_score(coefficients, "movement:smyle", face_model)
    with pytest.raises(InputError, match="name the model, face_model"):
        named_score(coefficients, "movement:smile")


def test_scores_say_what_they_are_read_from():
    assert group_of("yaw") == "rotation"
    assert group_of("movement:smile") == "expression"
    assert group_of("identity:3") == "identity"
    assert group_of("warmth") == "lighting"
    assert degree_of("yaw") == pytest.approx(0.0174533, rel=1e-5)
    assert degree_of("warmth") is None
    assert "smile" in meaning("movement:smile")
    with pytest.raises(InputError, match="no score is called 'jaw'.*Did you mean 'yaw'"):
        meaning("jaw")


def test_named_lights():
    lighting = torch.zeros(1, 3, 9)
    lighting[:, :, 2], lighting[:, 0, 0], lighting[:, 2, 0] = 0.5, 0.3, 0.1
    coefficients = Coefficients.zeros(1).replace(lighting=lighting)
    assert named_score(coefficients, "light_front").item() == pytest.approx(0.5)
    assert named_score(coefficients, "warmth").item() == pytest.approx(0.2)
