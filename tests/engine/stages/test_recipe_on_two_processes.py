"""The whole recipe on two processes gives what one gives."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
import torch
from damage import damaged
from safetensors.torch import load_file

from faceuv.engine.stages import run_stages
from faceuv.models.directions import Direction


def silent(line):
    """Instead of print."""


def same_numbers(one, two, **tolerance):
    a, b = load_file(one), load_file(two)
    assert a.keys() == b.keys()
    for name, value in a.items():
        torch.testing.assert_close(b[name], value, msg=lambda text, name=name: f"{name}: {text}", **tolerance)


def test_two_processes_give_the_codes_fits_and_directions_of_one_and_train_alike(tiny, recipe, forked, tmp_path, capfd):
    from faceuv.engine.training import train_stages

    teacher = tiny.write_teacher(tmp_path)
    run_stages(recipe("one", **tiny.tiny_recipe(teacher, batch=4)), log=silent)
    capfd.readouterr()

    def both():
        rows = train_stages(recipe("two", **tiny.tiny_recipe(teacher, batch=2)), launcher="pytorch")
        assert [row.finding.state for row in rows] == ["fresh"] * len(tiny.STAGES)

    assert forked(both) == [0, 0]
    assert capfd.readouterr().out.count("stage uv: done") == 1  # one process speaks
    one, two = tmp_path / "one", tmp_path / "two"
    for path in sorted([*one.glob("teacher/*.safetensors"), *one.glob("fits/*.safetensors")]):
        assert (two / path.parent.name / path.name).read_bytes() == path.read_bytes(), path.name

    # gradients of half batches are averaged: sums in another order, so that networks differ by rounding
    close = {"atol": 2e-4, "rtol": 2e-3}
    same_numbers(one / "mapper" / "mapper.safetensors", two / "mapper" / "mapper.safetensors", **close)
    same_numbers(one / "stepper" / "stepper.safetensors", two / "stepper" / "stepper.safetensors", **close)
    same_numbers(one / "uv" / "uv_generator.safetensors", two / "uv" / "uv_generator.safetensors", **close)
    numbers = [json.loads((folder / "report" / "metrics.json").read_text())["subjects"] for folder in (one, two)]
    assert numbers[1].keys() == numbers[0].keys() >= {"ours", "linear", "turned 2D"}
    for subject in numbers[0]:
        metrics = [every[subject]["metrics"] for every in numbers]
        values = [{name: m["value"] for name, m in each.items() if m["value"] is not None} for each in metrics]
        assert values[0]
        assert values[1] == pytest.approx(values[0], rel=0.05, abs=0.02), subject
    directions = [Direction.load(folder / "direction" / "directions.safetensors").vector for folder in (one, two)]
    assert float((directions[0] * directions[1]).sum()) > 0.9999

    # with the same mapper the direction and its scores are the same to the byte
    shutil.copytree(one, tmp_path / "again")
    shutil.rmtree(tmp_path / "again" / "direction")

    def direction_only():
        train_stages(recipe("again", **tiny.tiny_recipe(teacher, batch=4)), only="direction", launcher="pytorch")

    assert forked(direction_only) == [0, 0]
    made = sorted((one / "direction").glob("*.safetensors"))
    assert len(made) == 9  # the directions, and 1000 codes in batches of 32, four to a file
    for path in made:
        assert (tmp_path / "again" / "direction" / path.name).read_bytes() == path.read_bytes(), path.name


def test_scores_are_kept_by_settings_of_the_finder_that_change_none(tiny, recipe, tmp_path, monkeypatch):
    made = tiny.tiny_recipe(tiny.write_teacher(tmp_path))
    for name in ("stepper", "uv", "report"):
        del made[name]
    run_stages(recipe(**made), log=silent)
    folder = tmp_path / "work" / "direction"
    written = {path.name: path.stat().st_mtime_ns for path in folder.glob("scores_*")}
    before = (folder / "directions.safetensors").read_bytes()

    def rerun(**finder):
        changed = copy.deepcopy(made)
        changed["direction"]["finder"].update(finder)
        lines = []
        run_stages(recipe(**changed), log=lines.append)
        now = {path.name: path.stat().st_mtime_ns for path in folder.glob("scores_*")}
        return lines, sorted(name for name in now if now[name] != written.get(name))

    lines, rewritten = rerun(ridge=50.0)
    assert "finder.ridge: absent → 50.0" in lines[0]
    assert rewritten == []
    assert (folder / "directions.safetensors").read_bytes() != before
    assert rerun(samples=1200)[1] == [
        "scores_000007.safetensors",
        "scores_000008.safetensors",
        "scores_000009.safetensors",
    ]
    lines, rewritten = rerun(seed=4)
    assert "direction  runs  stale" in lines[0]
    assert "finder.seed: absent → 4" in lines[0]
    assert len(rewritten) == 8


def test_a_damaged_file_of_scores_is_made_again(tiny, recipe, tmp_path):
    made = tiny.tiny_recipe(tiny.write_teacher(tmp_path))
    for name in ("stepper", "uv", "report"):
        del made[name]
    run_stages(recipe(**made), log=silent)
    folder = tmp_path / "work" / "direction"
    whole = {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}
    (folder / "directions.safetensors").unlink()
    damaged(folder / "scores_000003.safetensors", whole["scores_000003.safetensors"][:90])
    run_stages(recipe(**made), log=silent)
    assert {path.name: path.read_bytes() for path in folder.glob("*.safetensors")} == whole
