"""From a config to subjects and networks, and the errors of configs that are wrong."""

from __future__ import annotations

import pytest
import torch
from toy_subjects import Pictures

from faceuv import plugins
from faceuv.engine.report import ReportSettings
from faceuv.engine.report.setup import _network as network
from faceuv.engine.report.setup import build_setting, build_subjects
from faceuv.errors import AssetError, InputError, UnknownName
from faceuv.files.artefacts import save_tensors
from faceuv.files.networks import save_network
from faceuv.models.stylefaceuv.subjects import LinearSubject
from faceuv.registry import SUBJECTS


def settings(subjects=None, **changes):
    known = {
        "generator": {"type": "x"},
        "mapper": "mapper.safetensors",
        "stepper": "stepper.safetensors",
        "subjects": {"linear": {"type": "linear"}} if subjects is None else subjects,
        "face_model": {"type": "ProceduralFace"},
        "features": {"type": "DiscriminatorFeatures"},
    }
    return ReportSettings(**{**known, **changes})


@pytest.fixture
def own_subjects(monkeypatch):
    """A registry that forgets what the test registers."""
    SUBJECTS.names()
    monkeypatch.setattr(SUBJECTS, "_module_dict", dict(SUBJECTS._module_dict))


class TestSubjects:
    def test_they_have_the_names_of_the_config_in_its_order(self, small, own_subjects):
        SUBJECTS.register_module(name="toy_pictures", module=Pictures)
        made = settings({"b": {"type": "toy_pictures", "brightness": 0.25}, "off": None, "a": {"type": "linear"}})
        found = build_subjects(made, small.setting)
        assert [(subject.name, type(subject)) for subject in found] == [("b", Pictures), ("a", LinearSubject)]
        assert found[0].brightness == 0.25 and all(subject.setting is small.setting for subject in found)

    def test_a_plug_ins_subject_is_found(self, small, own_subjects, monkeypatch):
        class Plugin:
            name, value, dist = "toys", "toys", None

            def load(self):
                SUBJECTS.register_module(name="of_a_plugin", module=type("OfAPlugin", (Pictures,), {}))

        monkeypatch.setattr(plugins, "entry_points", lambda group: [Plugin()])
        monkeypatch.setattr(plugins, "_loaded_plugins", set())
        monkeypatch.setattr(SUBJECTS, "_filled", False)
        (found,) = build_subjects(settings({"mine": {"type": "of_a_plugin"}}), small.setting)
        assert isinstance(found, Pictures) and found.name == "mine" and "of_a_plugin" in SUBJECTS.names()

    def test_the_method_is_the_first_or_the_one_that_is_named(self):
        three = {"off": None, "first": {"type": "linear"}, "second": {"type": "turned"}}
        assert settings(three).method_name == "first"
        assert settings(three, method="second").method_name == "second"

    @pytest.mark.parametrize(
        ("subjects", "changes", "error", "message"),
        [
            ({}, {}, InputError, "a report needs subjects, dict"),
            ({"a": None}, {}, InputError, "a report needs subjects, dict"),
            (["uv"], {}, InputError, r"a report needs subjects, .* got \['uv'\]"),
            ({"a": "linear"}, {}, InputError, "'a' needs a config dict.type=…. with one of .*linear.*got 'linear'"),
            ({"a": {"path": "x"}}, {}, InputError, "'a' needs a config dict"),
            ({"a": {"type": "linnear"}}, {}, UnknownName, "no subject is called 'linnear'.*Did you mean 'linear'"),
            ({"a/b": {"type": "linear"}}, {}, InputError, "a word without '/'.*got 'a/b'"),
            ({"method": {"type": "linear"}}, {}, InputError, "other than 'method'"),
            (
                {"a": {"type": "linear"}},
                {"mapper": None},
                InputError,
                "'a' .type 'linear'. needs the report's mapper: give",
            ),
            ({"ours": {"type": "linear"}}, {"method": "our"}, InputError, "method='our' is none of .*mean 'ours'"),
        ],
    )
    def test_what_cannot_be(self, subjects, changes, error, message):
        with pytest.raises(error, match=message):
            settings(subjects, **changes)

    def test_what_is_no_subject(self, small, own_subjects):
        class NotOne:
            def __init__(self, setting, name):
                pass

        SUBJECTS.register_module(name="not_one", module=NotOne)
        with pytest.raises(InputError, match="subject 'x' is a NotOne; a subject derives from"):
            build_subjects(settings({"x": {"type": "not_one"}}), small.setting)


class TestWithoutCoefficients:
    bare = dict.fromkeys(("mapper", "stepper", "face_model"))

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"mapper": "m.safetensors"}, "the report's mapper reads coefficients of a face model: give face_model="),
            ({"truth": ["fitted"], "source": {"type": "x"}}, "the report's truth 'fitted' has coefficients of a face"),
            (
                {"renderer": "nvdiffrast"},
                "renderer and normals draw the report's face model, got 'nvdiffrast' and 'map'",
            ),
            ({"normals": "vertex"}, "got 'torch' and 'vertex' without one"),
        ],
    )
    def test_what_needs_a_face_model(self, own_subjects, changes, message):
        SUBJECTS.register_module(name="toy_pictures", module=Pictures)
        with pytest.raises(InputError, match=message):
            settings({"a": {"type": "toy_pictures"}}, **{**self.bare, **changes})

    def test_the_setting_has_the_parts_that_the_config_names(self, small, own_subjects, tmp_path):
        SUBJECTS.register_module(name="toy_pictures", module=Pictures)
        teacher = {"type": "ProceduralGenerator", "size": 16}
        made = settings({"a": {"type": "toy_pictures"}}, **self.bare, generator=teacher)
        made.check()
        found = build_setting(made, "cpu")
        assert found.mapper is None and found.stepper is None and found.renderer is None
        faces = build_setting(
            settings(
                {"a": {"type": "toy_pictures"}},
                **{
                    **self.bare,
                    "generator": teacher,
                    "face_model": {"type": "ProceduralFace", "rows": 97, "columns": 81},
                },
            ),
            "cpu",
        )
        assert faces.mapper is None and len(faces.faces.face_model.faces) > 0


class TestNetworks:
    def test_a_file_is_read_by_its_kind(self, small, tmp_path):
        path = save_network(tmp_path / "mapper.safetensors", small.setting.mapper)
        found = network(str(path), "mapper", ("layout", "yaw"))
        codes = small.teacher.sample_codes(2, generator=torch.Generator().manual_seed(0))
        assert torch.equal(found(codes).data, small.setting.mapper(codes).data)

    def test_a_network_that_does_something_else_is_refused(self, small, tmp_path):
        path = save_network(tmp_path / "mapper.safetensors", small.setting.mapper)
        with pytest.raises(InputError, match="the report's stepper is a CoefficientMapper, which has no move"):
            network(str(path), "stepper", ("move",))

    def test_a_file_of_something_else(self, tmp_path):
        save_tensors(tmp_path / "x.safetensors", {"x": torch.zeros(1)}, {"kind": "samples"})
        with pytest.raises(AssetError, match="holds a 'samples'; networks that can be read are .*coefficient_mapper"):
            network(str(tmp_path / "x.safetensors"), "mapper", ())
