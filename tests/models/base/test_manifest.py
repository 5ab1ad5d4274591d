"""``generator.json``: written, read, and refused."""

from __future__ import annotations

import json

import pytest
import torch

import faceuv
from faceuv.errors import AssetError, InputError, UnknownName
from faceuv.files import zoo
from faceuv.files.artefacts import save_tensors
from faceuv.models.base.manifest import (
    FORMAT,
    MANIFEST,
    Manifest,
    entries,
    find_manifest,
    manifest_for,
    reference_to,
)


@pytest.fixture
def weights(tmp_path):
    return save_tensors(tmp_path / "work" / "uv" / "weights.safetensors", {"x": torch.arange(3.0)}, {"kind": "toy"})


def manifest(weights, **facts):
    facts = {"name": "toys", "num_layers": 6, "code_dim": 8, **facts}
    return manifest_for("Toy", weights.parent, {"network": weights}, {"n": 3}, **facts)


def test_what_export_writes_is_what_load_reads(weights):
    written = manifest(weights, metadata={"stage": "uv"})
    path = written.write(weights.parent)
    assert path.name == MANIFEST
    read = Manifest.read(path)
    assert read == written
    assert read.files == {"network": "weights.safetensors"}
    assert (read.type, read.settings, read.num_layers, read.code_dim) == ("Toy", {"n": 3}, 6, 8)
    assert read.located(weights.parent) == {"network": weights}
    assert find_manifest(weights.parent) == find_manifest(path) == (weights.parent, read)


def test_another_file_under_the_name_of_a_part_is_refused(weights):
    written = manifest(weights)
    save_tensors(weights, {"x": torch.arange(3.0) + 1}, {"kind": "toy"})
    with pytest.raises(AssetError, match=r"weights\.safetensors is not the file that this generator was made with"):
        written.located(weights.parent)


def test_a_part_that_is_gone_is_named(weights):
    written = manifest(weights)
    weights.unlink()
    with pytest.raises(AssetError, match=r"its network, .*weights\.safetensors, does not exist; get the file back"):
        written.located(weights.parent)


def test_files_are_named_so_that_folders_can_move_together(tmp_path):
    folder = tmp_path / "work" / "uv"
    assert reference_to(folder / "a.safetensors", folder) == "a.safetensors"
    assert reference_to(tmp_path / "work" / "mapper" / "a.safetensors", folder) == "../mapper/a.safetensors"
    assert reference_to("zoo:regressor/weights.safetensors", folder) == "zoo:regressor/weights.safetensors"
    assert reference_to("asset:stylegan2_ffhq256", folder) == "asset:stylegan2_ffhq256"
    far = tmp_path / "elsewhere.safetensors"
    assert reference_to(far, folder) == str(far.resolve())


def test_a_manifest_may_not_lead_out_of_its_work_dir(weights):
    written = manifest(weights)
    written.files["network"] = "../../secret.safetensors"
    with pytest.raises(AssetError, match=r"secret\.safetensors"):
        written.located(weights.parent)


def test_format_1_is_a_stylefaceuv_generator(tmp_path):
    old = {
        "name": "old", "files": {"mapper": "m.safetensors"}, "face_model": {"type": "ProceduralFace"},
        "num_layers": 10, "code_dim": 128, "kind": "face_generator", "format": 1, "faceuv_version": "0.1.0",
    }  # fmt: skip
    (tmp_path / MANIFEST).write_text(json.dumps(old), encoding="utf-8")
    read = Manifest.read(tmp_path / MANIFEST)
    assert (read.type, read.format) == ("StyleFaceUV", FORMAT)
    assert read.settings == {"face_model": {"type": "ProceduralFace"}}


def test_a_newer_format_says_who_wrote_it(weights):
    path = manifest(weights).write(weights.parent)
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 9, "faceuv_version": "7.1"}))
    with pytest.raises(AssetError, match=r"has format 9, faceuv .* reads 1 and 2; it was written by '7\.1'"):
        Manifest.read(path)


def test_an_unknown_type_names_the_known_ones_and_the_plugin_that_may_be_missing(weights):
    manifest(weights).write(weights.parent)
    with pytest.raises(
        AssetError, match=r"'Toy'; known: .*StyleFaceUV.*another package, install that package: its plug"
    ):
        faceuv.load(weights.parent)


def test_parts_of_another_type(weights):
    written = manifest(weights)
    written.check_parts(["network"], [], "here")
    with pytest.raises(AssetError, match="here names no teacher; a generator of type 'Toy' has teacher, network"):
        written.check_parts(["teacher", "network"], [], "here")
    written.files["eyes"] = "eyes.safetensors"
    with pytest.raises(AssetError, match=r"here names unknown parts eyes; .* has network \(and may have stepper\)"):
        written.check_parts(["network"], ["stepper"], "here")


def test_settings_are_plain_values(weights):
    with pytest.raises(InputError, match="settings and metadata of a generator must be plain JSON values"):
        manifest_for(
            "Toy", weights.parent, {"network": weights}, {"n": torch.ones(1)}, name="a", num_layers=1, code_dim=1
        ).write(weights.parent)


def test_a_work_dir_is_its_one_stage_with_a_manifest(weights, tmp_path):
    work = tmp_path / "work"
    with pytest.raises(AssetError, match=r"holds no generator\.json and no stage that exported one"):
        find_manifest(work)
    manifest(weights).write(weights.parent)
    assert find_manifest(work)[0] == weights.parent
    other = save_tensors(work / "second" / "weights.safetensors", {"x": torch.arange(3.0)}, {"kind": "toy"})
    manifest(other).write(other.parent)
    assert find_manifest(work)[0] == weights.parent  # of several, uv
    weights.parent.rename(work / "first")
    with pytest.raises(AssetError, match=r"has several face generators; load one of .*first.*second"):
        find_manifest(work)


def test_entries_of_the_zoo():
    assert "quickstart" in entries() and "teacher_64" not in entries()
    assert find_manifest("quickstart")[0] == zoo.FOLDER / "quickstart"
    with pytest.raises(UnknownName, match=r"'quikstart' is neither .* zoo \(.*quickstart.*Did you mean 'quickstart'\?"):
        find_manifest("quikstart")
