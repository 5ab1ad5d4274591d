"""The zoo: what it has can be listed, what it lacks is said."""

import pytest

from faceuv.errors import AssetError, UnknownName
from faceuv.files import zoo
from faceuv.files.locate import locate


def entry(zoo_folder, name):
    folder = zoo_folder / name
    folder.mkdir(parents=True)
    (folder / "card.md").write_text(f"# {name.title()}", encoding="utf-8")
    (folder / "weights.safetensors").write_bytes(b"")
    return folder


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs packages with a zoo: name and entries of each. Their code cannot be imported, and need not be."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(site)
    zoo.zoos_of_packages.cache_clear()

    def install(package, *entries, declared="zoo"):
        module = package.replace("-", "_")
        (site / module).mkdir(parents=True)
        (site / module / "__init__.py").write_text("raise RuntimeError('imported')")
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[faceuv.zoo]\nits = {module}.{declared}\n")
        return [entry(site / module / "zoo", name) for name in entries]

    yield install
    zoo.zoos_of_packages.cache_clear()


def test_an_installed_package_adds_entries(install):
    (folder,) = install("more-faces", "masks")
    assert zoo.folders()["masks"] == folder
    assert zoo.entries()["masks"] == ["weights.safetensors"]
    assert set(zoo.entries()) > {"masks", "quickstart"}
    assert locate("zoo:masks/weights.safetensors") == folder / "weights.safetensors"
    assert zoo.title("masks") == "Masks"
    assert list(zoo.entries()) == sorted(zoo.entries())


def test_two_packages_with_one_entry_are_an_error_that_names_both(install):
    install("more-faces", "masks")
    install("other-faces", "masks")
    with pytest.raises(AssetError, match="two packages have a zoo entry 'masks': more-faces and other-faces; rename"):
        zoo.entries()


def test_no_package_takes_the_place_of_an_entry_of_faceuv(install):
    install("more-faces", "quickstart")
    with pytest.raises(AssetError, match="zoo entry 'quickstart': faceuv and more-faces"):
        zoo.path("teacher_64", "generator.safetensors")


def test_a_declared_zoo_that_is_not_there_names_its_package(install):
    install("more-faces", "masks", declared="weights")
    with pytest.raises(AssetError, match="the package more-faces declares the zoo 'more_faces.weights'.*no folder"):
        zoo.entries()


def test_unknown_entries_and_files_are_named(tmp_path, monkeypatch):
    entry(tmp_path, "faces")
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


def test_list_models_names_what_load_takes():
    import faceuv

    assert "quickstart" in faceuv.list_models()
    assert "landmarks" not in faceuv.list_models()  # weights, but no generator of faces
    assert faceuv.list_models("quick*") == ["quickstart"]
    assert faceuv.list_models("nobody*") == []
    assert faceuv.load(faceuv.list_models("quick*")[0]).name == "quickstart"
