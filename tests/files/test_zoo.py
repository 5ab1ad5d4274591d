"""The zoo: what it has can be listed, what it lacks is said."""

import pytest

from faceuv.errors import AssetError, UnknownName
from faceuv.files import zoo


def test_unknown_entries_and_files_are_named(tmp_path, monkeypatch):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "card.md").write_text("# Faces", encoding="utf-8")
    (tmp_path / "faces" / "weights.safetensors").write_bytes(b"")
    (tmp_path / "no_card").mkdir()
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    assert zoo.entries() == {"faces": ["weights.safetensors"]}
    assert zoo.path("faces", "weights.safetensors").parent.name == "faces"
    assert zoo.card("faces") == "# Faces"
    with pytest.raises(UnknownName, match=r"no entry 'face'; it has: faces. Did you mean 'faces'\?"):
        zoo.path("face", "weights.safetensors")
    with pytest.raises(AssetError, match=r"no file 'generator.safetensors'; it has: weights.safetensors"):
        zoo.path("faces", "generator.safetensors")


def test_every_entry_has_weights_that_its_card_names():
    for entry, files in zoo.entries().items():
        assert files
        for file in files:
            assert file in zoo.card(entry)
