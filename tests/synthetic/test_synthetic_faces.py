"""The dataset: reproducible bits, truth that agrees with the picture, FFHQ's statistics."""

from __future__ import annotations

import math

import pytest
import torch

from faceuv.errors import InputError
from faceuv.models.faces import FaceRenderer
from faceuv.registry import DATASETS
from faceuv.structures import Coefficients, UVMaps
from faceuv.synthetic import FIELDS, Scene, SceneSeeds, Studio, SyntheticFaces
from faceuv.synthetic.alignment import crop_of
from faceuv.synthetic.draw import Draw, normal_cdf
from faceuv.synthetic.seeds import uniforms
from faceuv.synthetic.truth import _look_up, face_surface


def test_registered():
    assert DATASETS.get("SyntheticFaces") is SyntheticFaces


def test_shapes_and_ranges(samples):
    size, texels, count = 64, 96, 8
    shapes = {
        "image": (3, size, size), "mask": (1, size, size), "foreground": (1, size, size), "background": (3, size, size),
        "coefficients": (257,), "depth": (1, size, size), "normal": (3, size, size), "uv": (2, size, size),
        "diffuse": (3, texels, texels), "displacement": (3, texels, texels), "linear_diffuse": (3, texels, texels),
        "landmarks": (68, 2), "landmark_visibility": (68,), "visibility": (1, texels, texels), "index": (),
    }  # fmt: skip
    assert set(shapes) == {*FIELDS, "image", "index"}
    for name, shape in shapes.items():
        assert samples[name].shape == (count, *shape), name
        assert bool(torch.isfinite(samples[name].double()).all()), name
    for name in ("image", "mask", "foreground", "background", "diffuse", "visibility", "landmark_visibility"):
        assert 0 <= float(samples[name].min()) <= float(samples[name].max()) <= 1, name
    assert bool((samples["mask"] <= samples["foreground"] + 1e-6).all())
    assert float(samples["displacement"].norm(dim=1).max()) < 0.15  # dm: no beard is longer than 1.5 cm


def test_same_seed_same_bits_in_any_batch(dataset, samples):
    again = dataset.batch([5, 2])
    for name, value in again.items():
        assert torch.equal(value, samples[name][[5, 2]]), name
    single = dataset[5]
    for name, value in single.items():
        assert torch.equal(value, samples[name][5]), name


def test_the_number_of_threads_does_not_matter(dataset, samples):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2 if threads == 1 else 1)
        assert float((dataset[3]["image"] - samples["image"][3]).abs().max()) < 1e-5
    finally:
        torch.set_num_threads(threads)


def test_seeds_and_indices_differ(face_model, samples):
    other = SyntheticFaces(10, size=64, texture_size=96, seed=1, face_model=face_model)
    assert float((other[0]["image"] - samples["image"][0]).abs().mean()) > 0.02
    assert float((samples["image"][0] - samples["image"][1]).abs().mean()) > 0.02


def test_one_factor_changes_what_it_should(dataset):
    seeds = dataset.seeds([4]).repeat(2)
    layout = dataset.studio.face_model.layout
    pose_only = dataset.draw(seeds.replace(pose=[1, 2]), ["coefficients", "diffuse"])
    same = pose_only["coefficients"]
    for group in ("identity", "expression", "albedo", "lighting"):
        assert torch.equal(same[0, layout.slice(group)], same[1, layout.slice(group)]), group
    assert not torch.equal(same[0, layout.slice("rotation")], same[1, layout.slice("rotation")])
    assert torch.equal(pose_only["diffuse"][0], pose_only["diffuse"][1])
    light_only = dataset.draw(seeds.replace(light=[1, 2]), ["coefficients", "background", "mask"])
    assert torch.equal(light_only["mask"][0], light_only["mask"][1])
    assert torch.equal(light_only["background"][0], light_only["background"][1])
    behind = dataset.draw(seeds.replace(background=[1, 2]), ["foreground"])
    inside = (behind["foreground"] > 0.999).expand(-1, 3, -1, -1)[0]
    # hair lets a last trace of the background through
    assert float((behind["image"][0][inside] - behind["image"][1][inside]).abs().max()) < 2e-3
    assert not torch.equal(behind["image"][0], behind["image"][1])


def test_held_factors_are_shared(face_model):
    held = SyntheticFaces(10, size=64, texture_size=64, hold={"pose": 3}, truth=["coefficients"], face_model=face_model)
    rotation = held.batch([0, 1])["coefficients"][:, held.studio.face_model.layout.slice("rotation")]
    assert torch.equal(rotation[0, :2], rotation[1, :2])  # roll also follows the alignment


def test_coefficients_and_maps_redraw_the_face(dataset, samples):
    """Independently of the studio: FaceRenderer makes the same pixels from the truth."""
    model = dataset.studio.face_model
    renderer = FaceRenderer(model, {"type": "torch", "antialias": None, "samples": 2}, normals="map")
    drawn = renderer(
        Coefficients(samples["coefficients"], model.layout),
        UVMaps(samples["diffuse"], samples["displacement"]),
        size=64,
        background=samples["background"],
    )
    bare = samples["mask"] > 0.999
    assert float(bare.float().mean()) > 0.15
    difference = (drawn.image.clamp(0, 1) - samples["image"]).abs()[bare.expand(-1, 3, -1, -1)]
    # the two take normals by different formulas
    assert float(difference.mean()) < 0.006
    assert float(difference.quantile(0.99)) < 0.05


def test_depth_normals_and_uv_agree_with_the_picture(dataset, samples):
    seeds = dataset.seeds([0])
    drawn = next(iter(dataset.scene_renders(seeds)))
    render = face_surface(dataset.studio, drawn)
    assert torch.equal(render.depth[0], samples["depth"][0])
    on_face = samples["mask"] > 0.999
    assert bool((samples["depth"][on_face] > 5).all())
    lengths = samples["normal"].norm(dim=1, keepdim=True)[on_face]
    assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-3)
    # a surface with its back to the camera is not seen
    assert float((samples["normal"][:, 2:][on_face] > -0.2).float().mean()) > 0.99


def test_landmarks_lie_on_the_features(dataset, samples):
    inside = (samples["landmarks"] > 0) & (samples["landmarks"] < 64)
    assert float(inside[:, 17:].float().mean()) > 0.98
    assert 0.5 < float(samples["landmark_visibility"].mean()) <= 1
    facing = dataset.draw(
        dataset.seeds([0]).replace(pose=_seed_of_yaw(dataset, 0.0), hair=_bald_seed(dataset)), list(FIELDS)
    )
    assert float(facing["landmark_visibility"][0, 17:48].mean()) > 0.9  # brows, nose, eyes
    turned = dataset.draw(dataset.seeds([0]).replace(pose=_seed_of_yaw(dataset, 50.0)), ["landmark_visibility"])
    # turned to the viewer's right, the subject's left side of the jaw (points 12 to 16) is hidden, or nearly so
    sides = turned["landmark_visibility"][0]
    assert float(sides[:5].sum()) != float(sides[12:17].sum())


def test_texel_visibility_follows_the_yaw(dataset):
    seeds = dataset.seeds([0]).replace(hair=_bald_seed(dataset))
    left = dataset.draw(seeds.replace(pose=_seed_of_yaw(dataset, 40.0)), ["visibility"])["visibility"][0, 0]
    right = dataset.draw(seeds.replace(pose=_seed_of_yaw(dataset, -40.0)), ["visibility"])["visibility"][0, 0]
    half = left.shape[1] // 2
    # yaw > 0 turns the face to the viewer's right: the viewer's left half of the chart stays in sight
    assert float(left[:, :half].mean()) > float(left[:, half:].mean()) + 0.1
    assert float(right[:, half:].mean()) > float(right[:, :half].mean()) + 0.1


def test_alignment_is_that_of_ffhq(dataset, samples):
    centre, axis = crop_of(samples["landmarks"] / 64)
    assert float((centre - 0.5).abs().max()) < 0.04
    side = 2 * axis.norm(dim=1)
    assert float((side.log()).abs().max()) < 0.12
    assert float(side.log().mean().abs()) < 0.03
    tilt = torch.atan2(-axis[:, 1], axis[:, 0])
    assert float(tilt.abs().max()) < math.radians(9)
    eyes = samples["landmarks"][:, 36:48].mean(1) / 64
    assert 0.44 < float(eyes[:, 1].mean()) < 0.51


def test_poses_are_symmetric_and_mostly_within_45_degrees(dataset):
    scene = Scene.from_seeds(SceneSeeds.of(range(6000)))
    pitch, yaw, roll = dataset.studio.population.head_turn(scene.numbers["pose"])
    degrees = yaw.double() * 180 / math.pi
    error = float(degrees.std()) / math.sqrt(len(degrees))
    assert abs(float(degrees.mean())) < 3 * error
    assert abs(float((degrees > 0).double().mean()) - 0.5) < 3 * 0.5 / math.sqrt(len(degrees))
    beyond = float((degrees.abs() > 45).double().mean())
    assert 0.01 < beyond < 0.08
    assert 55 < float(degrees.abs().max()) <= 65
    assert float(pitch.abs().max()) < math.radians(27)
    assert abs(float(roll.mean())) < 0.01


def test_the_light_reaches_both_sides_alike(dataset):
    light = dataset.studio.population.light(Scene.from_seeds(SceneSeeds.of(range(3000))).numbers["light"])
    sideways = light[:, :, 3].mean(1)  # the band along x
    assert abs(float(sideways.mean())) < 4 * float(sideways.std()) / math.sqrt(3000)


def test_supervision_of_both_albedos(samples):
    """The painted map holds detail that the linear one cannot, on the same skin."""
    painted, linear = samples["diffuse"], samples["linear_diffuse"]
    assert float((painted - linear).abs().mean()) > 0.005
    cheeks = (slice(None), slice(None), slice(50, 58), slice(20, 28))
    assert float((painted[cheeks].mean((2, 3)) - linear[cheeks].mean((2, 3))).abs().mean()) < 0.2


def test_endless_stream(dataset, samples):
    stream = dataset.stream(1, start=4)
    first, second = next(stream), next(stream)
    assert torch.equal(first["image"], samples["image"][4:5])
    assert torch.equal(second["index"], torch.tensor([5]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"truth": ["mood"]}, "no truth called 'mood'; known: mask"),
        ({"hold": {"mood": 3}}, "no factor is called 'mood'"),
        ({"length": 0}, "length must be a whole number of at least 1"),
        ({"size": 8}, "size must be a whole number of at least 16"),
        ({"samples": 0}, "samples must be"),
    ],
)
def test_bad_settings_are_refused_clearly(face_model, arguments, message):
    with pytest.raises(InputError, match=message):
        SyntheticFaces(**{"length": 10, "size": 64, "texture_size": 64, "face_model": face_model, **arguments})


def test_bad_indices_are_refused_clearly(dataset):
    with pytest.raises(InputError, match="indices must be"):
        dataset.batch([-1])
    with pytest.raises(InputError, match="indices must be"):
        dataset.batch([])


def test_another_face_model_is_refused_clearly(face_model):
    plain = type(face_model).__mro__[1](face_model.arrays())
    with pytest.raises(
        InputError, match="synthetic people need the procedural face or a head with ARKit's expressions"
    ):
        Studio(plain, size=64)


def _seed_of_yaw(dataset: SyntheticFaces, degrees: float) -> int:
    """A pose seed whose yaw is near the wanted one."""
    scene = Scene.from_seeds(SceneSeeds.of(range(3000)))
    pitch, yaw, _ = dataset.studio.population.head_turn(scene.numbers["pose"])
    return int(((yaw - math.radians(degrees)).abs() + 0.3 * pitch.abs()).argmin())


def _bald_seed(dataset: SyntheticFaces) -> int:
    """A hair seed with the shortest hair that the person of item 0 can have."""
    seeds = dataset.seeds([0]).repeat(60).replace(hair=list(range(60)))
    from faceuv.synthetic.features import Person
    from faceuv.synthetic.hair import draw_style

    scene = Scene.from_seeds(seeds)
    _, male, age = dataset.studio.population.identity(scene.numbers["identity"])
    style = draw_style(scene.numbers["hair"], Person(male, age, male * 0, male[:, None].expand(-1, 3)))
    return int((style.top + style.side + 50 * style.falls).argmin())


def test_a_picture_is_looked_up_at_pixel_centres():
    """Pixel (row r, column c) has its centre at (c + ½, r + ½), whatever the size; outside there is nothing."""
    picture = torch.zeros(2, 1, 8, 8)
    picture[0, 0, 2, 5], picture[1, 0, 7, 0] = 1.0, 1.0
    points = torch.tensor([[5.5, 2.5], [2.5, 5.5], [0.5, 7.5], [20.0, 2.5]]).expand(2, 4, 2)
    assert _look_up(picture, points).tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]


def test_moles_lie_where_chance_puts_them_and_nowhere_else(dataset):
    skin, canvas = dataset.studio.painting.skin, dataset.studio.painting.canvas
    scene = dataset.scene(dataset.seeds(range(60)))
    numbers, seed = scene.numbers["skin"], scene.noise["skin"]
    cover, _ = skin._moles(Draw(numbers), seed)
    there = normal_cdf(numbers[:, 0:8:2]) < 0.2
    assert bool((cover[~there.any(1)] == 0).all())
    across, down, _ = uniforms(seed, (3, 4), 4).unbind(1)
    found = 0
    for row, number in (there & (there.sum(1, keepdim=True) == 1)).nonzero().tolist():
        mole = torch.stack([100 * (across[row, number] - 0.5), 130 * down[row, number] - 90])
        away = torch.stack([canvas.x - mole[0], canvas.y - mole[1]]).norm(dim=0)
        painted = cover[row, 0] > 0
        assert bool((away[painted] <= 3.4).all())  # no mole is larger across than 3.4 mm, with its soft rim
        found += bool(painted.any())
    assert found > 3
