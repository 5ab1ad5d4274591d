"""What is fresh, missing, stale or interrupted, and why."""

from __future__ import annotations

import json
import os

import pytest

from faceuv.engine.stages import fingerprint as fingerprint_module
from faceuv.engine.stages import make_plan, run_stages, show
from faceuv.engine.stages.fingerprint import describe, fingerprint, flatten, reasons
from faceuv.engine.stages.record import Record
from faceuv.engine.stages.references import referenced, resolve
from faceuv.engine.stages.running import clean
from faceuv.errors import AssetError, FaceUVError, InputError, MissingDependency, UnknownName
from faceuv.files import zoo
from faceuv.models.stylegan2 import load_discriminator, load_generator


def silent(line):
    """Instead of print."""


def two(recipe, **changes):
    first = {"type": "note", "text": "a", **changes.pop("first", {})}
    second = {"type": "note", "text": "b", "file": "{first}/note.txt", **changes.pop("second", {})}
    return recipe(first=first, second=second, **changes)


def states(config, **options):
    plan = make_plan(config, config.work_dir, seed=config.randomness.seed, **options)
    return {row.name: (row.finding.state, list(row.finding.why)) for row in plan}


def runs(config):
    from pathlib import Path

    path = Path(config.work_dir) / "runs"
    return path.read_text().split() if path.exists() else []


def test_what_is_missing_runs_in_order_and_then_is_fresh(recipe):
    config = two(recipe)
    lines = []
    after = run_stages(config, log=lines.append)
    assert runs(config) == ["first", "second"]
    assert "first   runs  missing\nsecond  runs  missing" in lines[0]
    assert "stage second: done in" in lines[-1]
    assert "length 4" in lines[-1]
    assert [row.finding.state for row in after] == ["fresh", "fresh"]
    run_stages(config, log=silent)
    assert runs(config) == ["first", "second"]  # nothing ran again


def test_the_plan_alone_runs_nothing(recipe):
    config = two(recipe)
    lines = []
    run_stages(config, plan_only=True, log=lines.append)
    assert runs(config) == []
    assert "runs  missing" in lines[0]


def test_a_changed_setting_makes_it_and_what_follows_stale_and_says_which(recipe):
    run_stages(two(recipe), log=silent)
    changed = two(recipe, first={"text": "A"})
    assert states(changed) == {
        "first": ("stale", ["text: a → A"]),
        "second": ("stale", ["its input first changed"]),
    }
    run_stages(changed, log=silent)
    assert runs(changed) == ["first", "second"] * 2
    assert states(changed)["second"][0] == "fresh"


def test_only_what_depends_on_the_change_is_stale(recipe):
    run_stages(two(recipe), log=silent)
    assert states(two(recipe, second={"text": "B"})) == {
        "first": ("fresh", ["made in 0 s"]),
        "second": ("stale", ["text: b → B"]),
    }


def test_a_neutral_setting_changes_nothing(recipe):
    run_stages(two(recipe), log=silent)
    assert states(two(recipe, first={"speed": 9}))["first"][0] == "fresh"


def test_another_seed_or_version_of_the_stage_is_stale(recipe, toys, monkeypatch):
    run_stages(two(recipe), log=silent)
    assert states(two(recipe, seed=3))["first"] == ("stale", ["recipe seed: 0 → 3"])
    monkeypatch.setattr(toys.NoteStage, "version", 2)
    assert states(two(recipe))["first"] == ("stale", ["stage version: 1 → 2"])


def test_old_versions_are_kept_by_number_and_said(recipe, tmp_path):
    for text in "aAb":
        lines = []
        run_stages(two(recipe, first={"text": text}), log=lines.append)
    kept = tmp_path / "work" / "first.previous.2"
    assert f"stage first: the version of other settings is kept in {kept}" in lines
    endings = {"": "b0", ".previous.1": "a0", ".previous.2": "A0"}
    for ending, text in endings.items():
        assert (tmp_path / "work" / f"first{ending}" / "note.txt").read_text() == text
    assert (tmp_path / "work" / "second.previous.2" / "note.txt").read_text() == "bA00"


def test_what_the_user_calls_previous_is_left_alone(recipe, tmp_path):
    for name in ("first.previous", "first.previous.7", "first.previous.x"):
        (tmp_path / "work" / name).mkdir(parents=True)
        (tmp_path / "work" / name / "mine.txt").write_text("precious")
    for text in "aA":
        run_stages(two(recipe, first={"text": text}), log=silent)
    assert (tmp_path / "work" / "first.previous.8" / "note.txt").read_text() == "a0"
    mine = sorted(path.parent.name for path in (tmp_path / "work").glob("*/mine.txt"))
    assert mine == ["first.previous", "first.previous.7", "first.previous.x"]
    removed = []
    clean(two(recipe), log=removed.append)
    assert sorted(path.parent.name for path in (tmp_path / "work").glob("*/mine.txt")) == mine
    assert not (tmp_path / "work" / "first.previous.8").exists()
    assert any("first.previous.8" in line for line in removed)
    assert (tmp_path / "work" / "first" / "note.txt").read_text() == "A0"


def test_a_file_counts_by_its_contents(recipe, tmp_path):
    file = tmp_path / "given.txt"
    file.write_text("one")
    config = recipe(first={"type": "note", "file": str(file)})
    run_stages(config, log=silent)
    file.touch()
    assert states(config)["first"][0] == "fresh"
    file.write_text("two")
    assert states(config)["first"] == ("stale", [f"the contents of {file} changed"])


def test_a_file_without_a_suffix_counts_by_its_contents(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "teacher").write_text("one")
    for name in ("teacher", str(tmp_path / "teacher"), "./teacher"):
        (tmp_path / "teacher").write_text("one")
        config = recipe("of_" + name.replace("/", "_"), first={"type": "note", "file": name})
        run_stages(config, log=silent)
        (tmp_path / "teacher").write_text("two")
        assert states(config)["first"] == ("stale", [f"the contents of {name} changed"])


def test_a_word_that_happens_to_be_a_file_does_not_count(recipe, tmp_path, monkeypatch):
    config = recipe(first={"type": "note", "text": "yaw"})
    run_stages(config, log=silent)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "yaw").write_text("anything")
    assert states(config)["first"][0] == "fresh"


@pytest.mark.parametrize("limit", [1 << 30, 0])
def test_a_folder_counts_by_what_is_in_it(recipe, tmp_path, monkeypatch, limit):
    monkeypatch.setattr(fingerprint_module, "LARGEST_FOLDER", limit)
    folder = tmp_path / "photos" / "inner"
    folder.mkdir(parents=True)
    (folder / "a.png").write_text("one")
    describe_now = lambda: describe({"root": str(tmp_path / "photos")})["file:root"]  # noqa: E731
    before = describe_now()
    assert describe_now() == before
    (folder / "a.png").write_text("two")
    os.utime(folder / "a.png", ns=(5, 5))
    changed = describe_now()
    (folder / "a.png").rename(folder / "b.png")
    renamed = describe_now()
    (folder / "c.png").write_text("more")
    assert len({before, changed, renamed, describe_now()}) == 4


def test_a_folder_of_cached_pictures_does_not_count(tmp_path):
    (tmp_path / "drawn.png").write_text("one")
    for kind, counts in (("ImageFolder", True), ("CachedImages", False)):
        found = describe({"a": [{"type": kind, "folder": str(tmp_path)}]})
        assert ("file:a.0.folder" in found) == counts


def test_a_work_dir_may_be_moved(recipe, tmp_path):
    run_stages(two(recipe), log=silent)
    (tmp_path / "work").rename(tmp_path / "elsewhere")
    assert {state for state, _ in states(two(recipe, work_dir="elsewhere")).values()} == {"fresh"}


def test_a_deleted_or_cut_output_is_made_again_and_what_follows_stays(recipe, tmp_path):
    run_stages(two(recipe), log=silent)
    note = tmp_path / "work" / "first" / "note.txt"
    note.write_text("")
    config = two(recipe)
    assert states(config)["first"] == ("interrupted", ["note.txt: missing or changed since"])
    run_stages(config, log=silent)
    assert note.read_text() == "a0"
    assert note.with_name("note.txt.previous.1").read_text() == ""
    assert runs(config) == ["first", "second", "first"]


class TestContents:
    def test_another_byte_is_noticed_by_the_time_of_change(self, recipe, tmp_path):
        run_stages(two(recipe), log=silent)
        note = tmp_path / "work" / "first" / "note.txt"
        note.write_text("a1")
        os.utime(note, ns=(1, 1))
        assert states(two(recipe))["first"] == ("interrupted", ["note.txt: missing or changed since"])
        lines = []
        run_stages(two(recipe), log=lines.append)
        assert "stage first: note.txt was changed since it was made; it is kept as note.txt.previous.1" in lines
        assert (note.read_text(), note.with_name("note.txt.previous.1").read_text()) == ("a0", "a1")

    def test_a_new_time_with_the_same_contents_is_fresh(self, recipe, tmp_path):
        run_stages(two(recipe), log=silent)
        os.utime(tmp_path / "work" / "first" / "note.txt", ns=(1, 1))
        assert states(two(recipe))["first"][0] == "fresh"

    def test_a_flipped_bit_with_the_old_time_is_found_by_verify(self, recipe, tmp_path):
        run_stages(two(recipe), log=silent)
        note = tmp_path / "work" / "first" / "note.txt"
        before = note.stat().st_mtime_ns
        note.write_text("a1")
        os.utime(note, ns=(before, before))
        assert states(two(recipe))["first"][0] == "fresh"
        assert states(two(recipe), verify=True)["first"][0] == "interrupted"
        run_stages(two(recipe), verify=True, log=silent)
        assert note.read_text() == "a0"

    def test_records_of_version_0_1_have_sizes_only(self, recipe, tmp_path):
        run_stages(two(recipe), log=silent)
        path = tmp_path / "work" / "first" / "stage.json"
        record = json.loads(path.read_text())
        del record["hashes"], record["times"]
        path.write_text(json.dumps(record))
        assert states(two(recipe), verify=True)["first"][0] == "fresh"


def test_an_extended_setting_keeps_the_folder(recipe, tmp_path):
    run_stages(two(recipe), log=silent)
    (tmp_path / "work" / "first" / "extra").write_text("kept")
    config = two(recipe, first={"more": 5})
    assert states(config)["first"] == ("interrupted", ["more: absent → 5"])
    run_stages(config, log=silent)
    assert (tmp_path / "work" / "first" / "extra").exists()
    assert not list((tmp_path / "work").glob("first.previous*"))


def test_a_stage_that_fails_is_interrupted_and_goes_on(recipe):
    config = two(recipe, second={"broken": True})
    with pytest.raises(ValueError, match="broken on purpose"):
        run_stages(config, log=silent)
    assert states(config) == {"first": ("fresh", ["made in 0 s"]), "second": ("interrupted", ["goes on where it was"])}


def test_a_record_that_cannot_be_read_is_a_reason(recipe, tmp_path):
    config = two(recipe)
    run_stages(config, log=silent)
    (tmp_path / "work" / "first" / "stage.json").write_text("{")
    state, why = states(config)["first"]
    assert state == "stale"
    assert "stage.json: not readable JSON" in why[0]
    run_stages(config, log=silent)
    assert states(config)["first"][0] == "fresh"


@pytest.mark.parametrize("plan_only", [False, True])
def test_a_folder_of_the_users_is_refused_and_stays(recipe, tmp_path, plan_only):
    (tmp_path / "work" / "first").mkdir(parents=True)
    (tmp_path / "work" / "first" / "mine.txt").write_text("precious")
    config = two(recipe)
    assert states(config)["first"] == ("foreign", ["its folder holds mine.txt, which no stage made"])
    with pytest.raises(
        InputError, match=r"'first' would write to .*first, which holds files .*\(mine.txt\): move them"
    ):
        run_stages(config, plan_only=plan_only, log=silent)
    assert (tmp_path / "work" / "first" / "mine.txt").read_text() == "precious"
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == ["first"]


def test_an_empty_folder_is_taken(recipe, tmp_path):
    (tmp_path / "work" / "first").mkdir(parents=True)
    run_stages(two(recipe), log=silent)
    assert (tmp_path / "work" / "first" / "note.txt").read_text() == "a0"


class TestChoosing:
    def test_one_stage(self, recipe):
        config = two(recipe)
        run_stages(config, only="first", log=silent)
        assert runs(config) == ["first"]
        run_stages(config, only="first", log=silent)
        assert runs(config) == ["first"]  # fresh: nothing to do
        run_stages(config, only="second", log=silent)
        assert runs(config) == ["first", "second"]

    def test_from_one_on(self, recipe):
        config = two(recipe)
        run_stages(config, only="first", log=silent)
        run_stages(config, start="second", log=silent)
        assert runs(config) == ["first", "second"]

    def test_an_input_that_is_not_fresh_is_named_with_its_reason(self, recipe):
        with pytest.raises(InputError, match=r"'second' needs 'first', which is missing: run it too, with --from"):
            run_stages(two(recipe), only="second", log=silent)
        run_stages(two(recipe), log=silent)
        with pytest.raises(InputError, match=r"needs 'first', which is stale \(text: a → A\): run it too"):
            run_stages(two(recipe, first={"text": "A"}), start="second", log=silent)

    def test_an_unknown_name(self, recipe):
        with pytest.raises(InputError, match=r"--stage secnod: the stages are first, second. Did you mean 'second'"):
            make_plan(two(recipe), "w", only="secnod")
        with pytest.raises(InputError, match=r"--from third: the stages are first, second"):
            make_plan(two(recipe), "w", start="third")

    def test_the_plan_shows_what_is_left(self, recipe):
        plan = make_plan(two(recipe), "w", only="first")
        assert show(plan).splitlines()[1] == "second  left  missing"


class TestBadConfigs:
    @pytest.mark.parametrize(
        ("stages", "message"),
        [
            (
                {"first": {"type": "note", "file": "{secnod}/x"}, "second": {"type": "note"}},
                "'secnod', which is no stage",
            ),
            ({"first": {"type": "note", "file": "{second}/x"}, "second": {"type": "note"}}, "comes after it"),
            ({"first": {"text": "x"}}, r"needs a config first = dict\(type="),
        ],
    )
    def test_references_and_types(self, recipe, stages, message):
        with pytest.raises(InputError, match=message):
            make_plan(recipe(**stages), "w")

    def test_a_stage_listed_without_a_config(self, recipe):
        config = two(recipe)
        config.stages = ["first", "third"]
        with pytest.raises(InputError, match=r"the stage 'third' needs a config third = dict"):
            make_plan(config, "w")
        config.stages = ["first", "first"]
        with pytest.raises(InputError, match="two stages are called 'first'"):
            make_plan(config, "w")
        config.stages = "first"
        with pytest.raises(InputError, match="stages must be a list"):
            make_plan(config, "w")

    def test_a_stage_inline(self, recipe):
        config = two(recipe)
        config.stages = [{"name": "only", "type": "note", "text": "x"}]
        assert [row.name for row in make_plan(config, "w")] == ["only"]

    def test_an_unknown_stage_or_setting(self, recipe):
        with pytest.raises(UnknownName, match="no stage is called 'noet'.*Did you mean 'note'"):
            make_plan(recipe(first={"type": "noet"}), "w")
        with pytest.raises(InputError, match="'first': the stage has no setting 'txet'; .*Did you mean 'text'"):
            make_plan(recipe(first={"type": "note", "txet": 1}), "w")

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"generator": {"type": "StyleGAN3"}, "source": {"type": "truth"}}, r"'fits', generator: no generator"),
            ({"generator": {"type": "ToyCodes"}, "source": {"type": "truht"}}, r"'fits', source: .*mean 'truth'"),
        ],
    )
    def test_parts_are_looked_up_before_anything_runs(self, recipe, settings, message):
        with pytest.raises(UnknownName, match=message):
            make_plan(recipe(fits={"type": "fits", **settings}), "w")

    def test_a_loss_and_a_renderer_deep_inside(self, recipe, monkeypatch):
        train = {
            "type": "train",
            "model": {"type": "CoefficientMapping", "losses": {"l1": {"type": "StandardizedL1"}}},
            "train_cfg": {},
            "train_dataloader": {"dataset": {"type": "CodeFits"}},
            "optim_wrapper": {},
        }
        with pytest.raises(UnknownName, match=r"'mapper', model.losses.l1: .*Did you mean 'StandardisedL1'"):
            make_plan(recipe(mapper=train), "w")
        photo = {"photo": {"type": "PhotometricLoss"}}
        train["model"] = {"type": "StyleFaceUV", "renderer": {"type": "torch"}, "losses": photo}
        from faceuv.registry import RENDERERS

        monkeypatch.setattr(RENDERERS.get("torch"), "available", classmethod(lambda cls, device: False))
        with pytest.raises(MissingDependency, match=r"the renderer 'torch' cannot draw on 'cpu' here"):
            make_plan(recipe(mapper=train), "w")

    def test_a_training_without_data(self, recipe):
        with pytest.raises(InputError, match="does not set train_dataloader, optim_wrapper"):
            make_plan(
                recipe(a={"type": "train", "model": {"type": "CoefficientMapping"}, "train_cfg": {"max_iters": 1}}), "w"
            )

    def test_a_missing_teacher(self, recipe):
        with pytest.raises(AssetError, match=r"the teacher nowhere.pt does not exist; expected StyleGAN2 weights"):
            run_stages(recipe(teacher={"type": "teacher", "path": "nowhere.pt"}), plan_only=True, log=silent)

    def test_a_teacher_in_a_folder(self, recipe, tmp_path):
        settings = {"type": "teacher", "path": str(zoo.FOLDER / "teacher_64"), "size": 64, "discriminator": True}
        run_stages(recipe(teacher=settings), log=silent)
        assert load_discriminator(tmp_path / "work" / "teacher" / "discriminator.safetensors").size == 64
        assert load_generator(tmp_path / "work" / "teacher" / "generator.safetensors").size == 64
        (tmp_path / "empty").mkdir()
        with pytest.raises(AssetError, match=r"empty does not exist.* or a folder with generator.safetensors"):
            run_stages(recipe(teacher={**settings, "path": str(tmp_path / "empty")}), plan_only=True, log=silent)

    def test_all_that_is_in_the_way_is_one_error_after_the_plan(self, recipe):
        lines = []
        config = recipe(
            teacher={"type": "teacher", "path": "nowhere.pt"},
            fits={"type": "fits", "generator": {"type": "ToyCodes"}, "source": "truth"},
            other={"type": "fits", "generator": {"type": "ToyCodes"}, "source": {"type": "fitter", "schedul": "fast"}},
        )
        with pytest.raises(
            FaceUVError, match=r"3 stages cannot run yet: \(1\) teacher: .*nowhere.pt.*; \(2\) fits: source"
        ):
            run_stages(config, log=lines.append)
        assert lines[0].count("runs  missing") == 3
        config.stages = ["other"]
        with pytest.raises(InputError, match=r"no setting 'schedul'. Did you mean 'schedule'"):
            run_stages(config, log=silent)
        config.other.source = {"type": "fitter", "schedule": "fast"}
        with pytest.raises(InputError, match=r"needs a landmark detector, .* of .*SyntheticLandmarks"):
            run_stages(config, log=silent)

    def test_a_zoo_entry_that_is_not_there(self, recipe):
        with pytest.raises(UnknownName, match="the zoo has no entry 'teecher'"):
            make_plan(recipe(teacher={"type": "teacher", "path": "zoo:teecher/generator.safetensors"}), "w")

    def test_a_value_without_a_plain_form(self, recipe):
        with pytest.raises(InputError, match="first.text|text is a complex"):
            make_plan(recipe(first={"type": "note", "text": 1j}), "w")


class TestFingerprints:
    def test_flat_and_in_any_order_the_same(self):
        a = describe({"x": {"y": 1, "z": [1, 2]}, "k": None})
        b = describe({"k": None, "x": {"z": [1, 2], "y": 1}})
        assert fingerprint(a) == fingerprint(b)
        assert dict(flatten({"a": [{"b": 1}], "c": {}})) == {"a.0.b": 1, "c": "{}"}

    def test_reasons_name_added_and_removed_keys_and_inputs(self):
        old, new = describe({"a": 1, "b": 2}, inputs={"x": "1"}), describe({"a": 1, "c": 3}, inputs={"y": "1"})
        assert reasons(old, new) == ["c: absent → 3", "y is now an input", "b: 2 → absent", "x is no input any more"]

    def test_neutral_keys_cover_what_is_below_them_and_not_what_begins_alike(self):
        assert describe({"log": {"every": 1}, "logo": 2}, neutral=("log",)) == {"logo": 2}

    def test_references(self, tmp_path):
        config = {"a": "{fits}/x", "b": ["{mapper}", 3], "c": "{}"}
        assert referenced(config) == ["fits", "mapper"]
        folders = {"fits": tmp_path / "f", "mapper": tmp_path / "m"}
        assert resolve(config, folders) == {"a": f"{tmp_path}/f/x", "b": [f"{tmp_path}/m", 3], "c": "{}"}


def test_the_record_says_what_was_made_from_what(recipe, tmp_path):
    run_stages(two(recipe), log=silent)
    record = json.loads((tmp_path / "work" / "second" / "stage.json").read_text())
    first = Record.read(tmp_path / "work" / "first")
    assert record["complete"]
    assert record["outputs"] == {"note.txt": 4}
    assert record["description"]["input:first"] == first.fingerprint
    assert record["description"]["file"] == "{first}/note.txt"
