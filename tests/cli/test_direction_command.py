"""`faceuv direction`: from a config to directions, strips and figures; what is missing is reported before any work."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

from faceuv.cli.main import main
from faceuv.engine.direction_study import build_study, find_all, score_all
from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.models.directions import Direction, ScoreTable, load_directions
from faceuv.models.readers.regressor import CoefficientRegressor
from faceuv.models.stylefaceuv.mappers import CoefficientMapper
from faceuv.models.stylegan2 import StyleGAN2Generator

CONFIG = """
score = "yaw"
generator = dict(type="ProceduralGenerator", size=16, code_dim=384, texture_size=64, samples=1)
source = dict(type="truth")
face_model = dict(type="ProceduralFace", rows=97, columns=81)
codes = dict(samples=1500, batch=256)
finders = dict(
    svm=dict(type="svm", ratio=0.1),
    alone=dict(type="regression", orthogonal_to=["pitch"]),
    ganspace=dict(type="ganspace", components=4),
)
quality = dict(faces=6, steps=[-2, 0, 2])
strip = dict(faces=2, steps=[-2, 0, 2])
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "study.py"
    path.write_text(CONFIG, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """Files of an untrained generator, mapper and regressor that belong together."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("networks")
    generator = StyleGAN2Generator(16, 24, channel_base=64, channel_max=8, mapping_depth=2)
    mapper = CoefficientMapper(generator.num_layers, 24, widths=(16,))
    regressor = CoefficientRegressor(16, 4, (8,), (1,), (4, 16))
    torch.nn.init.normal_(regressor.head[-1].weight)
    return {
        "generator": str(save_network(folder / "generator.safetensors", generator)),
        "mapper": str(save_network(folder / "mapper.safetensors", mapper)),
        "regressor": str(save_network(folder / "regressor.safetensors", regressor)),
    }


@pytest.fixture
def trained(networks, tmp_path):
    """The config of a study of those files, as a dict."""
    return {
        "generator": {"type": "PretrainedGenerator", "path": networks["generator"]},
        "source": {"type": "mapper", "path": networks["mapper"]},
        "judge": {"type": "regressor", "path": networks["regressor"]},
        "face_model": {"type": "ProceduralFace", "rows": 81, "columns": 65, "verbose": False},
        "codes": {"samples": 600, "batch": 128},
        "finders": {"svm": {"type": "svm", "ratio": 0.1}, "sefa": {"type": "sefa", "components": 3}},
        "quality": {"faces": 4},
        "strip": {"faces": 2},
    }


def test_a_study_writes_directions_strips_and_figures(config, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["direction", str(config), "--work-dir", str(tmp_path / "work"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "degree per σ" in printed
    assert "alone (orthogonal to pitch)" in printed
    (scores,) = (tmp_path / "work").glob("scores_*.safetensors")
    table = ScoreTable.load(scores)
    assert table.names == ("yaw", "pitch")
    assert len(table.values) == 1500

    record = json.loads((out / "quality_yaw.json").read_text())
    assert list(record["finders"]) == ["svm", "alone", "ganspace"]
    exact = record["finders"]["alone"]
    assert exact["correlation"] > 0.98
    assert exact["drift_per_degree"]["identity_mm"] < 0.05
    assert record["finders"]["ganspace"]["pooled_correlation"] < exact["pooled_correlation"]
    for name in record["finders"]:
        direction = Direction.load(out / f"yaw_{name}.safetensors")
        assert direction.vector.shape == (6, 384)
        strip = Image.open(out / f"strip_yaw_{name}.png")
        assert strip.width > 3 * 160
    components = load_directions(out / "yaw_ganspace_components.safetensors")
    best = Direction.load(out / "yaw_ganspace.safetensors")
    index = best.metadata["component"]
    assert torch.equal(best.vector.abs(), components[index].vector.abs())
    assert best.metadata["codes_correlation"] > 0
    assert best.name == "yaw"
    assert Image.open(out / "quality_yaw.png").width > 1000


def test_scores_are_made_once_and_finding_again_gives_the_same(config, tmp_path):
    study = build_study(_read(config), tmp_path)
    first = find_all(study, score_all(study))
    again = build_study(_read(config), tmp_path)
    again.reader.source.estimate = None  # nothing is scored any more
    second = find_all(again, score_all(again))
    for name in first:
        assert torch.equal(first[name].direction.vector, second[name].direction.vector)
    with_other_codes = _read(config) | {"codes": {"samples": 1500, "batch": 256, "seed": 1}}
    assert build_study(with_other_codes, tmp_path).scores_file != study.scores_file
    more = _read(config) | {"codes": {"samples": 2000, "batch": 256}}
    assert build_study(more, tmp_path).scores_file == study.scores_file


def test_the_conditional_direction_is_orthogonal_to_the_other_score(config, tmp_path):
    wanted = _read(config)
    wanted["finders"] = {
        "pitch": {"type": "regression"},
        "alone": {"type": "regression", "orthogonal_to": ["pitch", "light_right"]},
    }
    study = build_study(wanted, tmp_path)
    assert study.columns == ("yaw", "pitch", "light_right")
    table = score_all(study)
    found = find_all(study, table)
    aside = study.finders["alone"].aside["pitch"].find(study.generator, scores=table)[0]
    assert abs(float((aside.vector * found["alone"].direction.vector).sum())) < 1e-6
    assert found["alone"].direction.metadata["orthogonal_to"] == ["pitch", "light_right"]
    twice = find_all(study, table)
    assert torch.equal(twice["alone"].direction.vector, found["alone"].direction.vector)


def test_directions_of_a_file_are_left_alone(config, tmp_path):
    wanted = _read(config)
    vector = torch.zeros(6, 384)
    vector[:, 380] = 1 / 6**0.5
    path = Direction(vector, "other", "a column", "hand", 1.0).save(tmp_path / "other.safetensors")
    wanted["finders"] = {"alone": {"type": "regression", "orthogonal_to": str(path)}}
    study = build_study(wanted, tmp_path)
    found = find_all(study, score_all(study))["alone"].direction
    assert float(found.vector[:, 380].abs().max()) < 1e-6


@pytest.mark.parametrize("score", ["movement:smile", "light_right"])
def test_other_scores(config, tmp_path, score):
    words = [f"score={score}", "codes.samples=1200"]
    folder = tmp_path / "w"
    assert main(["direction", str(config), "--work-dir", str(folder), "--cfg-options", *words]) == 0
    name = score.replace(":", "_")
    record = json.loads((folder / f"quality_{name}.json").read_text())
    assert "sd_per_sigma" in record["finders"]["alone"]
    assert record["finders"]["alone"]["sd_per_sigma"] > 0.3
    assert "yaw_deg" in record["finders"]["alone"]["drift_per_sd"]


def test_a_trained_generator_with_a_mapper_and_an_independent_judge(trained, tmp_path):
    study = build_study(trained, tmp_path)
    assert not study.reader.source.reads_images
    assert study.judge.source.reads_images
    found = find_all(study, score_all(study))
    assert found["sefa"].direction.metadata["component"] in range(3)
    assert found["svm"].direction.accuracy is not None
    images, coefficients = study.judge.look(study.generator.sample_codes(2))
    assert images.shape == (2, 3, 16, 16)
    assert len(coefficients) == 2


def test_the_plan_does_nothing(config, tmp_path, capsys):
    assert main(["direction", str(config), "--work-dir", str(tmp_path / "w"), "--plan"]) == 0
    assert not (tmp_path / "w").exists()
    printed = capsys.readouterr().out
    assert "truth scores 1,500 codes" in printed
    assert "ProceduralGenerator, codes (6, 384)" in printed


def test_everything_that_is_missing_is_told_at_once_and_first(trained, tmp_path):
    wrong = trained | {
        "source": {"type": "mapper", "path": str(tmp_path / "no_mapper.safetensors")},
        "judge": {"type": "regressor", "path": "zoo:nobody/weights.safetensors"},
        "score": "jaw",
        "codes": {"sample": 5},
        "finders": {"svm": {"type": "svn"}, "sefa": {"type": "sefa", "layers": [99]}},
        "strip": {"faces": 0},
    }
    with pytest.raises(InputError) as error:
        build_study(wrong, tmp_path / "w")
    message = str(error.value)
    for part in ("source:", "no_mapper.safetensors", "judge:", "'nobody'", "codes:", "sample", "strip:", "score:"):
        assert part in message, part
    assert "Did you mean 'yaw'" in message
    assert not (tmp_path / "w").exists()
    wrong = trained | {"finders": {"svm": {"type": "svn"}, "sefa": {"type": "sefa", "layers": [99]}}}
    with pytest.raises(
        InputError, match=r"2 of the config's parts .*finders.svm: .*'svn'.*finders.sefa: layers must be"
    ):
        build_study(wrong, tmp_path)


def test_parts_that_do_not_belong_together(trained, networks, config, tmp_path):
    other = {"type": "StyleGAN2Generator", "size": 16, "code_dim": 16, "channel_base": 64, "channel_max": 8}
    with pytest.raises(InputError, match="source: this CoefficientMapper reads codes with L = 6, D = 24"):
        build_study(trained | {"generator": other}, tmp_path)
    with pytest.raises(InputError, match="source 'truth' works with the generator 'ProceduralGenerator'"):
        build_study(trained | {"source": {"type": "truth"}}, tmp_path)
    with pytest.raises(InputError, match=r"finders.sefa: sefa needs a generator with style_weights"):
        build_study(_read(config) | {"finders": {"sefa": {"type": "sefa"}}}, tmp_path)
    with pytest.raises(InputError, match="finders.sefa: 'sefa' does not score codes"):
        build_study(trained | {"finders": {"sefa": {"type": "sefa", "orthogonal_to": "pitch"}}}, tmp_path)
    foreign = Direction(torch.full((14, 16), 1 / 14**0.5 / 4), "tall", "of a larger generator", "hand", 1.0)
    alone = {"type": "svm", "ratio": 0.1, "orthogonal_to": str(foreign.save(tmp_path / "tall.safetensors"))}
    with pytest.raises(InputError, match=r"finders.svm: the direction 'tall' moves codes \(B, 14, 16\)"):
        build_study(trained | {"finders": {"svm": alone}}, tmp_path)
    with pytest.raises(InputError, match="set them in codes"):
        build_study(trained | {"finders": {"svm": {"type": "svm", "seed": 5, "ratio": 0.1}}}, tmp_path)
    with pytest.raises(InputError, match="one study has one score"):
        build_study(trained | {"finders": {"svm": {"type": "svm", "score": "roll", "ratio": 0.1}}}, tmp_path)


def test_codes_that_cannot_be_scored_are_counted(config, tmp_path, monkeypatch, capsys):
    from faceuv.fitting.sources import Estimates, TruthSource

    whole = TruthSource.estimate

    def sometimes(self, code, images):
        found = whole(self, code, images)
        # every tenth code of the scored batches, none of the few faces that are moved
        reasons = ["no face" if len(code) > 100 and k % 10 == 0 else "" for k in range(len(code))]
        return Estimates(found.coefficients, reasons)

    monkeypatch.setattr(TruthSource, "estimate", sometimes)
    assert main(["direction", str(config), "--work-dir", str(tmp_path), "--cfg-options", "codes.samples=1024"]) == 0
    assert "104 of 1,024 codes could not be scored" in capsys.readouterr().out
    assert Direction.load(tmp_path / "yaw_svm.safetensors").metadata["unscored"] == 104


def test_an_empty_config_is_explained(tmp_path, capsys):
    path = tmp_path / "empty.py"
    path.write_text("score = 'yaw'\n", encoding="utf-8")
    assert main(["direction", str(path)]) == 2
    assert "does not set generator, source, finders" in capsys.readouterr().err


def _read(path):
    from faceuv.engine import load_config

    return load_config(path).to_dict()
