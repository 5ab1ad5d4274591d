"""The benchmark of heads against the truth: what its columns mean, and that a stopped run goes on."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import head_truth
from faceuv.face import Face


def _record(truth: list[float], made: list[float], **numbers: float) -> dict:
    row = {
        "albedo_seen": 0.1,
        "albedo_rest": 0.2,
        "albedo_even": 0.05,
        **{f"picture {yaw}": 0.05 for yaw in head_truth.HIDDEN},
    }
    row |= dict.fromkeys(head_truth._SHAPED, 1.0) | numbers
    features = {name: {str(yaw): own for yaw in head_truth.HIDDEN} for name, own in (("truth", truth), ("one", made))}
    return {"failed": {}, "rows": {"one": row}, "features": features, "settings": {}}


def test_identity_is_the_distance_to_the_own_person_and_its_rank() -> None:
    records = [
        _record([0, 0], [0, 0.3]),
        _record([1, 0], [1, 0.3]),
        _record([0, 1], [0.9, 0.1]),
    ]  # the last: a stranger
    own, nearest, apart = head_truth.identities(records, "one", (-30.0, 30.0))
    assert own == pytest.approx(0.3) and nearest == pytest.approx(2 / 3) and apart == pytest.approx(1.0)
    assert all(math.isnan(value) for value in head_truth.identities(records, "three", (30.0,)))


def test_the_table_has_medians_and_leaves_identity_out_without_a_network(tmp_path: Path) -> None:
    for k, shape in enumerate((1.0, 2.0, 9.0)):
        record = _record([k, 0], [k, 0], shape=shape) | ({"features": {}} if k == 0 else {})
        (tmp_path / f"Some_{k:04d}.json").write_text(json.dumps(record))
    lines = head_truth.table(tmp_path, ["Some"])
    assert lines[2].startswith("| Some | one | 3 | 1.0 | 1.0 | 2.0 |") and "identity" in lines[0]
    (tmp_path / "Some_0001.json").unlink(), (tmp_path / "Some_0002.json").unlink()
    assert "identity" not in head_truth.table(tmp_path, ["Some"])[0]


def test_the_true_head_has_no_error_in_hidden_views(maker) -> None:
    person = Face.random(3, face_model=maker.face_model, texture_size=None)
    placed = person.placed(torch.tensor([[0.3, 0.1, -0.2]]))
    _, picture, outline, middle = head_truth.hidden_view(person, 30.0, 64)
    view, again, _, _ = head_truth.hidden_view(placed, 30.0, 64, middle)
    assert (again - picture).abs().max() < 1e-4 and outline.mean() > 0.05
    points = head_truth._seen_points(maker.face_model, view, 64)
    assert outline[tuple(points[0, 30].long().flip(0))] == 1  # the tip of the nose lies on the face
    other = Face.random(4, face_model=maker.face_model, texture_size=None)
    laid, _, _, alone = head_truth.hidden_view(other, 30.0, 64, middle)
    assert torch.allclose(alone + laid.coefficients.translation[0], middle, atol=1e-5)
    assert (alone - middle).norm() > 0.01
    mirrored = head_truth.hidden_view(person, -30.0, 64, middle)[1]
    assert (mirrored - picture).abs().mean() > 0.01


def test_a_stopped_run_goes_on_and_other_settings_are_refused(tmp_path: Path, monkeypatch) -> None:
    made: list[tuple[str, int]] = []

    def measured(maker, network, seed, number, options):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append((maker, seed))
        return {"failed": {"one": "no face"}, "rows": {}, "features": {}}

    def run(*words: str) -> None:
        command = ["head_truth", "--heads", "A", "B", "--people", "3", "1", "--work", str(tmp_path / "work"), *words]
        monkeypatch.setattr(sys, "argv", command)
        head_truth.main()

    monkeypatch.setattr(head_truth, "measured_person", measured)
    monkeypatch.setattr(head_truth, "PhotoHeads", lambda head, **_: head)
    monkeypatch.setattr(head_truth, "_network", lambda: None)
    with pytest.raises(KeyboardInterrupt):
        run("--seed", "7")
    first, made[:] = list(made), []
    run("--seed", "7")
    assert first + made == [("A", 7), ("B", 7), ("A", 8), ("A", 9)]
    with pytest.raises(SystemExit, match="another seed"):
        run("--seed", "8")
