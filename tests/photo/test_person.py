"""One head of several photographs of a person."""

from __future__ import annotations

import pytest
import torch

from faceuv.data.window import Window
from faceuv.errors import InputError
from faceuv.face import Face
from faceuv.geometry.uv import bake
from faceuv.photo import PhotoHead, head_page
from faceuv.photo.fusing import fused
from faceuv.photo.light import Samples, fit_colours, irradiance_of, usual_light
from faceuv.photo.reading import View
from faceuv.photo.texture import head_texture

SIZE = 192
VIEWS = ((0, "studio"), (40, "left"), (-40, "right"))


@pytest.fixture(scope="module")
def person(maker) -> Face:
    return Face.random(11, face_model=maker.face_model, renderer="torch", texture_size=None)


@pytest.fixture(scope="module")
def pictures(person: Face) -> list[torch.Tensor]:
    views = [person.with_pose(yaw_deg=yaw).with_lighting(light) for yaw, light in VIEWS]
    return [view.render_full(SIZE, background=(0.5, 0.5, 0.6)).image[0].clamp(0, 1) for view in views]


@pytest.fixture(scope="module")
def made(maker, pictures) -> PhotoHead:
    return maker.of_person(pictures, ["front.png", "left.png", "right.png"])


def test_three_photographs_become_one_head(made: PhotoHead) -> None:
    assert len(made.shots) == 3 and not made.left_out
    shared = [own.identity for own in made.texture.views]
    assert all(torch.equal(one, shared[0]) for one in shared)
    facts = made.face.metadata["photo"]
    assert facts["source"] == "front.png" and set(facts["sources"]) == {"front.png", "left.png", "right.png"}
    assert made.face.metadata["licences"][0]["name"] == "front.png"
    assert len(made.face.metadata["licences"]) == 3
    turns = [float(own.rotation[0, 1]) for own in made.texture.views]
    assert abs(turns[0]) < 0.25 and min(turns) < -0.35 and max(turns) > 0.35
    assert head_page(made, size=48).isfinite().all()


def test_three_photographs_show_more_than_one(maker, made: PhotoHead, pictures) -> None:
    (alone,) = maker.of(pictures[0], "front.png")
    assert isinstance(alone, PhotoHead)
    assert made.texture.seen.sum() > 1.1 * alone.texture.seen.sum()
    assert made.texture.share >= alone.texture.share


def test_what_shows_no_face_is_left_out_with_its_reason(maker, pictures) -> None:
    wall = torch.full((3, SIZE, SIZE), 0.5)
    made = maker.of_person([pictures[0], wall], ["front.png", "wall.png"])
    assert len(made.shots) == 1 and len(made.left_out) == 1 and made.left_out[0].startswith("wall.png: no face")
    with pytest.raises(InputError, match=r"wall\.png: no face was found"):
        maker.of_person([wall], ["wall.png"])
    with pytest.raises(InputError, match="a name for each"):
        maker.of_person(pictures, ["one.png"])


def test_the_albedo_of_three_pictures_is_nearer_to_the_truth_than_that_of_one(person: Face) -> None:
    """With the true shape: what one picture hides, another one shows."""
    model, true = person.face_model, person.coefficients
    assert model is not None and true is not None
    posed = [person.with_pose(yaw_deg=yaw).with_lighting(light) for yaw, light in VIEWS]
    shots = [view.render_full(SIZE, background=(0.1, 0.9, 0.1)).image[0].clamp(0, 1) for view in posed]
    window = Window.whole(SIZE, SIZE)
    views = [View(view.coefficients, shot, window) for view, shot in zip(posed, shots)]
    truth = model.albedo_map(true.albedo, 128, 128)[0]
    skin = bake(model.skin_mask.float()[None, :, None], model.chart(128, 128))[0, 0] > 0.9

    def error(chosen: list[View]) -> float:
        made = head_texture(model, chosen, person.renderer, size=128, mirror=False).diffuse
        return float((made - truth).abs().mean(0)[skin].mean())

    alone = [error([view]) for view in views]
    together = error(views)
    assert together < 0.95 * min(alone) and together < 0.8 * sum(alone) / len(alone)


def test_albedo_is_shared_and_each_picture_has_its_light() -> None:
    generator = torch.Generator().manual_seed(3)
    count = 1500
    mean, basis = torch.full((count, 3), 0.5), 0.06 * torch.randn(count, 3, 3, generator=generator)
    albedo = torch.tensor([0.9, -0.6, 0.4])
    parts, lights = [], []
    for k in range(2):
        normal = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=1)
        light = usual_light()
        light[:, 1 + k] += 0.25
        lights.append(light)
        colour = (mean + basis @ albedo) * irradiance_of(normal, light)
        parts.append(Samples(colour, normal, torch.ones(count), mean, basis))
    found = fit_colours(parts, lighting=usual_light())
    assert torch.equal(found[0].albedo, found[1].albedo)
    assert (found[0].albedo - albedo).abs().max() < 0.1
    for one, light in zip(found, lights):
        assert (one.lighting - light).abs().max() < 0.06


def test_fused_maps_have_no_step_of_tone_and_fine_detail_of_one() -> None:
    generator = torch.Generator().manual_seed(5)
    fine = 0.2 * torch.randn(3, 64, 64, generator=generator)
    other = 0.2 * torch.randn(3, 64, 64, generator=generator)
    ramp = torch.linspace(0, 1, 64)[None, None].expand(1, 64, 64)
    made, weight = fused([fine, other + 0.4], [1 - ramp, ramp])
    assert torch.allclose(weight, torch.maximum(ramp, 1 - ramp))
    columns = made.mean((0, 1))
    assert (columns[:8].mean() - columns[-8:].mean()).abs() < 0.1  # the second picture is brighter: not in the map
    assert float((made[:, :, :12] - fine[:, :, :12]).std()) < 0.35 * float(fine.std())
    assert torch.equal(fused([fine], [ramp])[0], fine)
