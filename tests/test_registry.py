from __future__ import annotations

import subprocess
import sys

import pytest

from faceuv import plugins, registry
from faceuv.errors import FaceUVError, InputError, UnknownName
from faceuv.registry import Registry


@pytest.fixture
def shapes():
    kind = Registry("shape", needs={"fractal": 'the extra: pip install "faceuv[fractal]"'})

    @kind.register_module(name="circle")
    class Circle:
        """A round one.

        More text.
        """

        def __init__(self, radius=1.0):
            self.radius = radius

    return kind


def test_build_by_config_by_name_and_pass_through(shapes):
    assert shapes.build({"type": "circle", "radius": 2}).radius == 2
    built = shapes.build("circle")
    assert built.radius == 1
    assert shapes.build(built) is built


def test_unknown_name_lists_the_known_and_the_nearest(shapes):
    with pytest.raises(UnknownName, match="no shape is called 'circel'; known: circle. Did you mean 'circle'?"):
        shapes.build({"type": "circel"})


def test_missing_extra_is_named(shapes):
    with pytest.raises(UnknownName, match=r"'fractal' needs the extra: pip install"):
        shapes.build({"type": "fractal"})


def test_misspelt_argument_names_the_part(shapes):
    with pytest.raises(InputError, match=r"cannot build the shape 'circle': .*'radios'.*; it takes radius"):
        shapes.build({"type": "circle", "radios": 2})


def test_a_complaint_of_the_constructor_itself_stays_what_it_is(shapes):
    @shapes.register_module(name="square")
    class Square:
        def __init__(self, side=1.0):
            len(side)

    with pytest.raises(TypeError, match=r"cannot build the shape 'square' with \['side'\]: object of type 'int'"):
        shapes.build({"type": "square", "side": 2})


def test_config_without_type(shapes):
    with pytest.raises(UnknownName, match=r"needs a 'type', got keys \['radius'\]; known: circle"):
        shapes.build({"radius": 2})


def test_summaries_are_first_paragraphs(shapes):
    assert shapes.summaries() == {"circle": "A round one."}


def test_children_find_mmengine_parts_and_name_ours_when_nothing_fits():
    assert registry.HOOKS.get("CheckpointHook").__name__ == "CheckpointHook"
    with pytest.raises(UnknownName, match="no hook is called 'ChekpointHook'"):
        registry.HOOKS.get("ChekpointHook")


def test_children_do_not_leak_into_each_other():
    kinds = registry.all_registries()
    assert len({id(kind) for kind in kinds.values()}) == len(kinds)
    for kind in (registry.RENDERERS, registry.LOSSES, registry.STAGES, registry.FACE_MODELS):
        assert kind.parent is None


def test_every_built_in_part_has_a_docstring():
    for word, kind in registry.all_registries().items():
        for name, summary in kind.summaries().items():
            assert summary, f"{word}: {name} has no docstring"


def test_a_broken_plugin_is_an_error_that_names_it(monkeypatch):
    class Broken:
        name, value, dist = "pretty-noses", "pretty_noses:register", None

        def load(self):
            raise RuntimeError("no such nose")

    monkeypatch.setattr(plugins, "entry_points", lambda group: [Broken()])
    with pytest.raises(FaceUVError, match="plug-in 'pretty-noses'.*failed to load: RuntimeError: no such nose"):
        plugins.load_plugins()


def test_a_plugin_is_loaded_on_the_first_look_up(monkeypatch, shapes):
    class Plugin:
        name, value, dist = "squares", "squares:register", None

        def load(self):
            shapes.register_module(name="square", module=type("Square", (), {"__doc__": "Four corners."}), force=True)

    monkeypatch.setattr(plugins, "entry_points", lambda group: [Plugin()])
    monkeypatch.setattr(plugins, "_loaded_plugins", set())
    assert shapes.names() == ["circle", "square"]


class OfPackage:
    """A plug-in's entry point."""

    name = "noses"

    def __init__(self, package):
        self.value, self.dist = package, type("Distribution", (), {"name": package.replace("_", "-")})

    def load(self):
        raise AssertionError("nothing is loaded before the names are known to be different")


def test_two_packages_with_one_plugin_name_are_an_error_that_names_both(monkeypatch):
    monkeypatch.setattr(plugins, "entry_points", lambda group: [OfPackage("big_noses"), OfPackage("red_noses")])
    monkeypatch.setattr(plugins, "_loaded_plugins", {"noses"})
    with pytest.raises(
        FaceUVError, match="two packages declare .*'noses': big_noses of big-noses and red_noses of red-noses; rename"
    ):
        plugins.load_plugins()


def test_two_parts_of_one_name_are_an_error_that_names_both(shapes):
    class Ring:
        """Round, too."""

    with pytest.raises(InputError, match=r"as the shape 'circle': .*Circle of .*test_registry and .*Ring of .*another"):
        shapes.register_module(name="circle", module=Ring)
    shapes.register_module(name="circle", module=Ring, force=True)
    assert shapes.get("circle") is Ring


def test_import_is_light_and_quiet():
    code = (
        "import sys, faceuv; heavy = {'torch', 'mmengine', 'scipy', 'trimesh', 'PIL'} & set(sys.modules);"
        "assert not heavy, heavy; assert 'RENDERERS' in dir(faceuv)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
