"""The plan that makes the zoo: complete, in order, and it makes again just what has changed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from faceuv.engine.compat.configs import load_config
from tools import rebuild_zoo
from tools.rebuild_zoo import LIMITS, STEPS, Step, main, shipping

ROOT = Path(__file__).parents[2]
ENTRIES = [entry for step in STEPS for entry in step.entries]


def test_every_entry_of_the_zoo_is_made_by_one_step():
    assert sorted(ENTRIES) == sorted(folder.name for folder in (ROOT / "faceuv/zoo").iterdir() if folder.is_dir())


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_can_run(step):
    made_before = ENTRIES[: ENTRIES.index(step.name)]
    assert set(step.needs) <= set(made_before)
    for recipe in step.recipes:
        assert load_config(recipe)
    script = (ROOT / shlex.split(step.ship)[0]).read_text(encoding="utf-8")
    for word in shlex.split(step.ship):
        assert not word.startswith("--") or f'"{word}"' in script, f"{step.name}: its script has no {word}"


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_step_names_what_its_recipe_reads(step):
    text = "".join(load_config(recipe).pretty_text for recipe in step.recipes)
    read = {entry for entry in ENTRIES if f"zoo:{entry}/" in text} - set(step.entries)
    assert read <= set(step.needs), f"{step.name} reads {read - set(step.needs)} and does not say so"


def test_steps_are_chosen_by_their_entries():
    assert [step.name for step in rebuild_zoo.chosen(["heads_64", "stepper_64"])] == ["mapper_64", "heads_64"]
    assert rebuild_zoo.chosen(None) == list(STEPS)


@pytest.fixture
def small_zoo(tmp_path, monkeypatch):
    """Two steps whose commands are only noted; the second needs the first."""
    zoo, ran = tmp_path / "zoo", []
    steps = (Step(("one",), ("regressor_synthetic",), "make.py one"),
             Step(("two",), ("landmarks_synthetic",), "make.py two", needs=("one",)))  # fmt: skip

    def run(command):
        ran.append(command)
        if "make.py" in command:
            entry = zoo / command[-1]
            entry.mkdir(parents=True, exist_ok=True)
            (entry / "card.md").write_text("card")
            (entry / "weights.safetensors").write_bytes(b"1")

    monkeypatch.setattr(rebuild_zoo, "FOLDER", zoo)
    monkeypatch.setattr(rebuild_zoo, "STEPS", steps)
    monkeypatch.setattr(rebuild_zoo, "run", run)
    return zoo, ran, ["--work-dir", str(tmp_path / "work"), "--hardware", "a core"]


def test_what_is_fresh_is_kept(small_zoo):
    _, ran, arguments = small_zoo
    assert main(arguments) == 0
    assert [command[-1] for command in ran if "make.py" in command] == ["one", "two"]
    ran.clear()
    assert main(arguments) == 0
    assert not ran


def test_what_needs_a_changed_entry_is_made_again(small_zoo, capsys):
    zoo, ran, arguments = small_zoo
    main(arguments)
    ran.clear()
    (zoo / "one" / "weights.safetensors").write_bytes(b"2")
    assert main([*arguments, "--plan"]) == 0
    assert not ran
    assert "changed: one" in capsys.readouterr().out
    main(arguments)
    assert [command[-1] for command in ran if "make.py" in command] == ["two"]


def test_a_training_that_was_cut_goes_on(small_zoo, tmp_path):
    _, ran, arguments = small_zoo
    folder = tmp_path / "work" / "regressor_synthetic"
    folder.mkdir(parents=True)
    (folder / "iter_500.pth").write_bytes(b"")
    main([*arguments, "--only", "one"])
    assert "--resume" in ran[0]


def test_a_second_recipe_starts_from_the_first_and_its_newest_checkpoint_is_shipped(tmp_path):
    step = next(step for step in STEPS if step.name == "teacher_64")
    folders = [tmp_path / name for name in step.recipes]
    folders[-1].mkdir()
    for number in (500, 10_000):
        (folders[-1] / f"iter_{number}.pth").write_bytes(b"")
    words = shipping(step, folders, "a core")
    assert str(folders[-1] / "iter_10000.pth") in words
    assert words[words.index("--runs") + 1 : words.index("--runs") + 3] == [str(folder) for folder in folders]
    assert words[words.index("--limits") + 1] == LIMITS


def test_bad_input_is_one_line(small_zoo, tmp_path, capsys):
    _, _, arguments = small_zoo
    assert main([*arguments, "--only", "three"]) == 2
    assert "--only knows no three; there are one, two" in capsys.readouterr().err
    assert main(["--work-dir", str(tmp_path)]) == 2
    assert "--hardware says on the cards" in capsys.readouterr().err
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "rebuild.json").write_text("{")
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "rebuild.json is damaged" in said
    assert said.count("\n") == 1


def test_the_record_says_what_it_was_made_from(small_zoo, tmp_path):
    main(small_zoo[2])
    state = json.loads((tmp_path / "work" / "rebuild.json").read_text())
    assert set(state["two"]["made_from"]) == {"configs/landmarks_synthetic.py", "one"}
    assert state["two"]["hardware"] == "a core"
