"""Which synthetic faces are drawn."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces
from faceuv.synthetic.features import Person
from faceuv.synthetic.hair import KINDS, draw_style
from faceuv.synthetic.world import WORLDS, World


@pytest.fixture(scope="module")
def calm(face_model):
    return SyntheticFaces(size=32, samples=1, texture_size=64, face_model=face_model, world="calm")


@pytest.fixture(scope="module")
def full(face_model):
    return SyntheticFaces(size=32, samples=1, texture_size=64, face_model=face_model)


def people(count: int, rng: torch.Generator) -> tuple[torch.Tensor, Person]:
    male = (torch.rand(count, generator=rng) < 0.5).float()
    person = Person(male, torch.rand(count, generator=rng), torch.zeros(count), torch.zeros(count, 3))
    return torch.randn(count, 30, generator=rng), person


def test_the_full_world_is_the_default(full, face_model):
    named = SyntheticFaces(size=32, samples=1, texture_size=64, face_model=face_model, world="full")
    spelled = SyntheticFaces(size=32, samples=1, texture_size=64, face_model=face_model, world={"glasses": 0.16})
    for other in (named, spelled):
        assert torch.equal(full.batch([0, 1])["image"], other.batch([0, 1])["image"])


@pytest.mark.parametrize("kinds", [("short", "long"), ("buzz", "tied"), KINDS])
def test_only_the_named_hair_styles_occur_and_all_of_them(kinds, rng):
    numbers, person = people(4000, rng)
    found = draw_style(numbers, person, kinds).kind.unique().tolist()
    assert [KINDS[k] for k in found] == [k for k in KINDS if k in kinds]


def test_shares_of_the_styles_left_out_go_to_the_others(rng):
    numbers, person = people(20000, rng)
    women = draw_style(numbers, person, ("short", "long", "tied")).kind[person.male < 0.5]
    shares = torch.bincount(women, minlength=len(KINDS)) / len(women)
    expected = torch.zeros(len(KINDS))
    expected[[KINDS.index(k) for k in ("short", "long", "tied")]] = torch.tensor([0.05, 0.38, 0.13]) / 0.56
    assert torch.allclose(shares, expected, atol=0.02)


def test_calm_pictures_are_a_function_of_their_latents_alone(calm, full):
    # two items whose numbers are made equal, while their seeds, and so their texture noise in the full world, differ
    for faces, same in ((calm, True), (full, False)):
        one, other = faces.scene(faces.seeds([3])), faces.scene(faces.seeds([4]))
        noises = [type(one)(one.numbers, noise) for noise in (one.noise, other.noise)]
        with torch.no_grad():
            first, second = (faces.studio(scene).image for scene in noises)
        assert torch.equal(first, second) == same


def test_calm_faces_wear_no_glasses_and_stand_in_a_studio(calm, full):
    numbers = {name: torch.cat([calm.scene(calm.seeds([k])).numbers[name] for k in range(40)]) for name in ("glasses",)}
    identity = torch.zeros(40, 80)
    worn = full.studio.glasses(numbers["glasses"], identity).vertices[..., 2].amin(1) < 50
    assert worn.any()
    assert not (calm.studio.glasses(numbers["glasses"], identity).vertices[..., 2].amin(1) < 50).any()
    assert calm.studio.world.backgrounds == ("studio",)


def test_grain_is_what_speckles_the_skin(full, face_model):
    smooth = SyntheticFaces(size=32, samples=1, texture_size=64, face_model=face_model, world={"grain": 0.0})
    seed, middle = torch.arange(6), torch.full((6,), 0.5)
    numbers = torch.randn(6, 28, generator=torch.Generator().manual_seed(0))

    def roughness(faces: SyntheticFaces) -> float:
        skin = faces.studio.painting.skin
        painted, _ = skin(torch.full((6, 3, 64, 64), 0.6), numbers, seed, 0 * middle, middle)
        cheeks = skin.canvas.spot(36, -30, 10, 8)
        return float(((painted - torch.nn.functional.avg_pool2d(painted, 3, 1, 1)).abs() * cheeks).mean())

    assert roughness(smooth) < 0.4 * roughness(full)


def test_backgrounds_of_one_kind_have_no_horizon(face_model):
    from faceuv.synthetic.background import paint_background

    rng = torch.Generator().manual_seed(1)
    numbers, seed = torch.randn(64, 20, generator=rng), torch.arange(64)
    edges = {
        kinds: float(paint_background(numbers, seed, 40, kinds).diff(dim=2).abs().amax((1, 2, 3)).mean())
        for kinds in (("studio",), ("outdoors", "indoors"))
    }
    assert edges[("studio",)] < 0.5 * edges[("outdoors", "indoors")]


def test_facts_do_not_depend_on_the_world(calm, full):
    for name, value in full.facts([5, 6]).items():
        assert torch.equal(value, calm.facts([5, 6])[name])


@pytest.mark.parametrize(
    ("world", "says"),
    [
        ("quiet", "no world is called 'quiet'; there are full, calm"),
        ({"hairs": ("short",)}, r"no settings \['hairs'\]; it has hair"),
        ({"hair": ("mullet",)}, "hair must name some of bald"),
        ({"hair": ("tied",)}, "one that men wear"),
        ({"hair": "short"}, "got 'short'"),
        ({"glasses": 1.5}, r"world.glasses must be a number in \[0, 1\]"),
        ({"grain": -1}, r"world.grain must be a number in \[0, 2\]"),
        ({"expression": 3.5}, r"world.expression must be a number in \[0, 3\]"),
        ({"turn": True}, r"world.turn must be a number in \[0, 1.38\]"),
        ({"backgrounds": ()}, "world.backgrounds must name some of studio"),
        ({"backgrounds": ("sea",)}, "world.backgrounds must name some of studio"),
        ({"texture_seed": 0.5}, "world.texture_seed must be a whole number or None"),
        (7, "world must be a name or dict"),
    ],
)
def test_a_wrong_world_is_one_clear_line(world, says):
    with pytest.raises(InputError, match=says) as told:
        World.of(world)
    assert "\n" not in str(told.value)


def test_lists_of_a_config_are_taken():
    assert World.of({"hair": ["short", "long"]}).hair == ("short", "long")
    assert World.of(None) == WORLDS["full"] == World()


def test_faces_of_a_livelier_world_move_more_and_turn_farther(face_model):
    found = {}
    for name, world in (
        ("calm", {}),
        ("lively", {"expression": 1.5, "turn": 1.35}),
        ("still", {"expression": 0.0, "turn": 0.0}),
    ):
        faces = SyntheticFaces(size=16, seed=3, face_model=face_model, world=world)
        data = Coefficients(faces.facts(range(300))["coefficients"], face_model.layout)
        found[name] = data.rotation[:, 1].abs(), data.expression.abs().mean(1)
    assert found["lively"][0].max() > 1.2 * found["calm"][0].max()
    assert found["lively"][1].mean() > 1.1 * found["calm"][1].mean()
    assert found["still"][0].max() == 0
    assert found["still"][1].mean() < 0.5 * found["calm"][1].mean()
