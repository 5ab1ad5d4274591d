"""Generators in folders: what is written is read, nothing is half written, and every misfit has its message."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

import faceuv
from faceuv.errors import AssetError, InputError, UnknownName
from faceuv.files import zoo
from faceuv.files.networks import save_network
from faceuv.models.base import parts
from faceuv.models.base.manifest import MANIFEST, Manifest, manifest_for
from faceuv.models.directions import save_directions
from faceuv.models.faces import FaceModel

PARTS = {"teacher", "mapper", "stepper", "uv_generator", "directions"}


@pytest.fixture(scope="module")
def written(generator, tmp_path_factory):
    return generator.save(tmp_path_factory.mktemp("saved") / "small")


@pytest.fixture
def folder(written, tmp_path):
    """A copy that a test may break."""
    return shutil.copytree(written, tmp_path / "copy")


def change(folder, **values):
    path = folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}), encoding="utf-8")


def load(source, **options):
    return faceuv.load(source, renderer="torch", **options)


class TestSaving:
    def test_what_is_written_is_read(self, generator, written):
        again = load(written)
        assert again.name == "small" and set(again.directions) == {"yaw"}
        a, b = generator.sample(3), again.sample(3)
        assert torch.equal(a.coefficients.data, b.coefficients.data)
        assert torch.equal(a.maps.displacement, b.maps.displacement)
        code = generator.codes(3)
        assert torch.equal(generator.generate(code, yaw_deg=20), again.generate(code, yaw_deg=20))

    def test_the_manifest_names_everything(self, written):
        manifest = json.loads((written / MANIFEST).read_text(encoding="utf-8"))
        assert set(manifest["files"]) == set(manifest["checksums"]) == PARTS
        assert (manifest["kind"], manifest["type"], manifest["format"]) == ("face_generator", "StyleFaceUV", 2)
        assert manifest["settings"] == {"face_model": {"type": "OvalFace", "side": 15}}
        assert (manifest["num_layers"], manifest["code_dim"]) == (6, 6)
        assert {path.name for path in written.iterdir()} == {MANIFEST, *(f"{part}.safetensors" for part in PARTS)}

    def test_parts_that_are_absent_stay_absent(self, make, tmp_path):
        again = load(make(stepper=None, directions=()).save(tmp_path / "bare"))
        assert again.stepper is None and not again.directions

    def test_half_precision_is_half_the_size_and_nearly_the_same(self, generator, written, tmp_path):
        half = generator.save(tmp_path / "half", half=True)
        assert (half / "mapper.safetensors").stat().st_size < (written / "mapper.safetensors").stat().st_size
        assert torch.allclose(load(half).image(generator.codes(1)), generator.image(generator.codes(1)), atol=0.02)

    def test_metadata_is_kept_and_must_be_plain(self, make, tmp_path):
        assert load(make(metadata={"steps": 3}).save(tmp_path / "a")).metadata == {"steps": 3}
        with pytest.raises(InputError, match="must be plain JSON values"):
            make(metadata={"x": object()}).save(tmp_path / "b")
        assert not any((tmp_path / "b").iterdir())

    def test_a_failed_save_leaves_the_old_one(self, generator, folder, monkeypatch):
        before = {path.name: path.read_bytes() for path in folder.iterdir()}

        def full(*args, **kwargs):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(parts, "save_directions", full)
        with pytest.raises((OSError, AssetError), match="No space left|no room|cannot write"):
            generator.save(folder)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


class TestTheZoo:
    @pytest.fixture
    def small_zoo(self, generator, tmp_path, monkeypatch):
        """A zoo with the teacher's weights, and a generator that refers to them."""
        monkeypatch.setattr(zoo, "FOLDER", tmp_path / "zoo")
        save_network(tmp_path / "zoo" / "teacher" / "weights.safetensors", generator.teacher)
        (tmp_path / "zoo" / "teacher" / "card.md").write_text("# T", encoding="utf-8")
        return tmp_path / "zoo"

    def test_weights_of_the_zoo_are_named_and_not_copied(self, generator, small_zoo):
        entry = generator.save(small_zoo / "small", refer={"teacher": "zoo:teacher/weights.safetensors"})
        (entry / "card.md").write_text("# S", encoding="utf-8")
        assert not (entry / "teacher.safetensors").exists()
        assert torch.equal(load("small").image(generator.codes(1)), generator.image(generator.codes(1)))
        with pytest.raises(
            UnknownName, match="'smol' is neither a face generator of the zoo.*small.*Did you mean 'small'"
        ):
            load("smol")

    def test_only_equal_weights_can_be_referred_to(self, generator, make, small_zoo, tmp_path):
        with pytest.raises(InputError, match="does not hold the teacher of this generator"):
            make(seed=1).save(tmp_path / "o", refer={"teacher": "zoo:teacher/weights.safetensors"})
        with pytest.raises(InputError, match="can refer to a file of the zoo"):
            generator.save(tmp_path / "o", refer={"teacher": "weights.safetensors"})
        with pytest.raises(InputError, match="has no part 'nose'"):
            generator.save(tmp_path / "o", refer={"nose": "zoo:teacher/weights.safetensors"})
        assert not (tmp_path / "o").exists()

    def test_another_teacher_in_its_place_is_noticed(self, generator, make, small_zoo):
        entry = generator.save(small_zoo / "small", refer={"teacher": "zoo:teacher/weights.safetensors"})
        save_network(small_zoo / "teacher" / "weights.safetensors", make(seed=1).teacher)
        with pytest.raises(AssetError, match="zoo:teacher/weights.safetensors is not the file .* was made with"):
            load(entry)


class TestBadFolders:
    @pytest.mark.parametrize("part", sorted(PARTS))
    def test_a_missing_file(self, folder, part):
        (folder / f"{part}.safetensors").unlink()
        with pytest.raises(AssetError, match=f"its {part}, .*{part}.safetensors, does not exist"):
            load(folder)

    def test_a_changed_file(self, folder, make):
        save_network(folder / "mapper.safetensors", make(seed=1).mapper)
        with pytest.raises(AssetError, match="mapper.safetensors is not the file that this generator was made with"):
            load(folder)

    def test_a_file_of_another_kind(self, folder):
        shutil.copyfile(folder / "mapper.safetensors", folder / "uv_generator.safetensors")
        change(folder, checksums={})
        with pytest.raises(AssetError, match="holds 'coefficient_mapper', expected 'uv_generator'"):
            load(folder)

    def test_other_codes_than_the_manifest_says(self, folder):
        change(folder, num_layers=14, code_dim=512)
        with pytest.raises(AssetError, match=r"for codes with L = 14, D = 512; its teacher, .*, has L = 6, D = 6"):
            load(folder)

    def test_parts_that_do_not_fit_together(self, folder, make):
        save_network(folder / "mapper.safetensors", make(size=32).mapper)
        change(folder, checksums={})
        with pytest.raises(AssetError, match="do not fit together: this CoefficientMapper reads codes with L = 8"):
            load(folder)

    def test_another_face_model(self, folder, generator):
        with pytest.raises(AssetError, match="was trained with the face model 'OvalFace', got 'FaceModel'"):
            load(folder, face_model=FaceModel(generator.face_model.arrays()))
        assert load(folder, face_model={"type": "OvalFace", "side": 21}).sample(1).render(16).shape == (3, 16, 16)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", "not readable JSON"),
            ("[]", "is no manifest of a face generator: expected kind 'face_generator', found "),
            ('{"kind": "teacher"}', "expected kind 'face_generator', found 'teacher'"),
            ('{"kind": "face_generator", "format": 9}', "has format 9, faceuv .* reads 1 and 2"),
            ('{"kind": "face_generator", "format": 2, "name": "x"}', "incomplete or has unknown keys"),
            (
                '{"kind": "face_generator", "format": 1, "name": "x", "face_model": {}}',
                "incomplete or has unknown keys",
            ),
            ("[" * 100_000, "not readable JSON|nested"),
        ],
    )
    def test_a_manifest_that_is_none(self, folder, content, message):
        (folder / MANIFEST).write_text(content, encoding="utf-8")
        with pytest.raises(AssetError, match=message):
            load(folder)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("files", None),
            ("files", {"teacher": 3}),
            ("type", 4),
            ("settings", []),
            ("num_layers", "6"),
            ("name", None),
        ],
    )
    def test_values_of_another_type(self, folder, key, value):
        change(folder, **{key: value})
        with pytest.raises(AssetError, match=f"{key} must be "):
            load(folder)

    def test_an_unknown_type_lists_the_known_and_thinks_of_plugins(self, folder):
        change(folder, type="StyleFaceUw")
        message = "no face generator is called 'StyleFaceUw'; known: .*StyleFaceUV.*Did you mean 'StyleFaceUV'.*plug-in"
        with pytest.raises(AssetError, match=message):
            load(folder)

    def test_a_manifest_of_version_one_is_read(self, folder, generator):
        path = folder / MANIFEST
        content = json.loads(path.read_text(encoding="utf-8"))
        face_model = content.pop("settings")["face_model"]
        del content["type"]
        path.write_text(json.dumps({**content, "format": 1, "face_model": face_model}), encoding="utf-8")
        assert torch.equal(load(folder).sample(3).maps.diffuse, generator.sample(3).maps.diffuse)

    def test_a_manifest_without_a_part_or_with_a_strange_one(self, folder):
        files = json.loads((folder / MANIFEST).read_text())["files"]
        change(folder, files={k: v for k, v in files.items() if k != "mapper"})
        with pytest.raises(
            AssetError, match="names no mapper; a generator of type 'StyleFaceUV' has mapper, uv_generator"
        ):
            load(folder)
        change(folder, files={**files, "nose": "nose.safetensors"})
        with pytest.raises(AssetError, match="names unknown parts nose"):
            load(folder)

    def test_no_generator_at_all(self, tmp_path):
        with pytest.raises(
            AssetError, match=r"holds no generator.json and no stage that exported one \(it has no stages\)"
        ):
            load(tmp_path)
        with pytest.raises(UnknownName, match="neither a face generator of the zoo"):
            load(tmp_path / "nowhere")


class TestWorkDirs:
    @pytest.fixture
    def work(self, generator, tmp_path):
        """What the stages of a recipe leave."""
        work = tmp_path / "quick"
        save_network(work / "teacher" / "generator.safetensors", generator.teacher)
        save_network(work / "mapper" / "mapper.safetensors", generator.mapper)
        save_network(work / "stepper" / "stepper.safetensors", generator.stepper)
        save_directions(work / "direction" / "directions.safetensors", list(generator.directions.values()))
        self.stage(work / "uv", generator)
        return work

    @staticmethod
    def stage(folder, generator, **changes) -> Manifest:
        """What the method exports."""
        work = folder.parent
        files = {
            "teacher": work / "teacher" / "generator.safetensors",
            "mapper": work / "mapper" / "mapper.safetensors",
            "stepper": work / "stepper" / "stepper.safetensors",
            "directions": work / "direction" / "directions.safetensors",
            "uv_generator": save_network(folder / "uv_generator.safetensors", generator.uv_generator),
        } | changes
        manifest = manifest_for(
            "StyleFaceUV",
            folder,
            {part: file for part, file in files.items() if file is not None},
            generator.settings(),
            name="",
            num_layers=generator.num_layers,
            code_dim=generator.code_dim,
        )
        manifest.write(folder)
        return manifest

    def test_the_stages_of_a_recipe_are_a_generator(self, work, generator):
        found = load(work)
        assert found.name == "quick" and set(found.directions) == {"yaw"}
        assert torch.equal(found.sample(2).maps.diffuse, generator.sample(2).maps.diffuse)
        assert torch.equal(found.symmetric(found.codes(1)), generator.symmetric(generator.codes(1)))

    def test_files_are_named_relative_to_the_folder(self, work):
        files = Manifest.read(work / "uv" / MANIFEST).files
        assert files["teacher"] == "../teacher/generator.safetensors"
        assert files["uv_generator"] == "uv_generator.safetensors"

    def test_a_work_dir_may_be_moved_and_saved(self, work, generator, tmp_path):
        moved = work.rename(tmp_path / "elsewhere")
        again = load(load(moved).save(tmp_path / "copy"))
        assert torch.equal(again.sample(2).maps.diffuse, generator.sample(2).maps.diffuse)
        assert again.name == "elsewhere"

    def test_of_several_stages_one_is_chosen(self, work, generator):
        self.stage(work / "uv_one_view", generator, stepper=None)
        assert load(work).stepper is not None  # `uv` is the recipe's own
        assert load(work / "uv_one_view").stepper is None
        shutil.rmtree(work / "uv")
        self.stage(work / "uv_no_mask", generator)
        with pytest.raises(AssetError, match="has several face generators; load one of .*uv_no_mask.*uv_one_view"):
            load(work)

    def test_a_part_that_was_deleted(self, work):
        (work / "mapper" / "mapper.safetensors").unlink()
        with pytest.raises(AssetError, match="its mapper, .*mapper.safetensors, does not exist"):
            load(work)

    def test_a_work_dir_before_its_uv_stage(self, work):
        shutil.rmtree(work / "uv")
        (work / "mapper" / "stage.json").write_text("{}", encoding="utf-8")
        with pytest.raises(AssetError, match=r"no stage that exported one \(it has the stages mapper\).*run it again"):
            load(work)
