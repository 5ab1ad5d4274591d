"""Whole heads in the studio: their own eyes and mouth, paint carried over, truth that agrees with the picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from faceuv.models.faces.hair.surroundings import head_frame
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.synthetic import FIELDS, ProceduralGenerator, Scene, SceneSeeds, Studio, SyntheticFaces
from faceuv.synthetic.head import _farthest_hit, _farthest_hits, above_the_collar, skull_radius
from faceuv.synthetic.truth import face_surface
from tests.support.ict import ict_model


@pytest.fixture(scope="module")
def head():
    return ict_model()


@pytest.fixture(scope="module")
def dataset(head):
    return SyntheticFaces(100, size=64, texture_size=128, truth=tuple(FIELDS), face_model=head)


@pytest.fixture(scope="module")
def samples(dataset):
    return dataset.batch(range(4))


def test_items_do_not_depend_on_their_batch(dataset, samples):
    again = dataset.batch([2, 0])
    for name, value in again.items():
        assert torch.equal(value, samples[name][[2, 0]]), name


def test_coefficients_are_those_of_the_head(dataset, samples, head):
    assert samples["coefficients"].shape[1] == head.layout.size
    low, high = head.expression_limits.unbind(1)
    expression = samples["coefficients"][:, head.layout.slice("expression")]
    assert bool((expression >= low).all()) and bool((expression <= high).all())


def test_landmarks_are_where_the_coefficients_put_them(dataset, samples, head):
    facts = dataset.facts(range(4))
    torch.testing.assert_close(facts["coefficients"], samples["coefficients"], atol=1e-5, rtol=0)
    known, away = LandmarkTruth(head, dataset.studio.renderer.camera)(_coefficients(head, samples), 64)
    torch.testing.assert_close(facts["landmarks"], known)
    # paint stands out of the skin by less than 5 mm; the eyes are 90 mm apart
    assert float((samples["landmarks"] - known).norm(dim=2).max()) < 0.06 * float(away.max())


def test_the_head_is_framed_as_every_face(samples):
    eyes = samples["landmarks"][:, 36:48].mean(1)
    assert float((eyes[:, 0] - 32).abs().max()) < 8 and float((eyes[:, 1] - 29).abs().max()) < 8
    assert 0.3 < float(samples["foreground"].mean()) < 0.9


def test_the_surface_is_what_the_renderer_draws(dataset, samples):
    """Where nothing covers the head, the studio's picture is the face renderer's."""
    studio = dataset.studio
    with torch.no_grad():
        drawn = studio(dataset.scene(dataset.seeds([1])))
        render = face_surface(studio, drawn)
    sure = (drawn.mask > 0.999) & (render.mask > 0.999)
    assert float(sure.float().mean()) > 0.15
    off = ((drawn.image - render.image).abs() * sure).sum() / (3 * sure.sum())
    assert float(off) < 0.02


def test_paint_stays_on_the_skin(dataset, head):
    """Teeth, gums and the mouth's inside keep the head's own colours; the skin is painted."""
    studio = dataset.studio
    with torch.no_grad():
        drawn = studio(dataset.scene(dataset.seeds([0])))
        own = studio.painting.linear(drawn.coefficients.albedo)
    owner = head.chart(128, 128).face_id
    inside = head.faces_of("teeth", "gums", "tongue", "inner_mouth")[owner.clamp_min(0)] & (owner >= 0)
    skin = head.faces_of("skin")[owner.clamp_min(0)] & (owner >= 0)
    change = (drawn.maps.diffuse - own).abs().sum(1)[0]
    assert float(change[inside].max()) < 1e-6
    assert float(change[skin].mean()) > 0.02
    assert float(drawn.maps.displacement.abs().sum(1)[0][inside].max()) == 0


def test_irises_are_round_and_dark_in_the_middle(dataset, head):
    painter = dataset.studio.painting.eyeballs
    assert 0 < float((painter.radius < 2).sum()) < float((painter.radius < 6).sum())
    scene = dataset.scene(dataset.seeds([0]))
    with torch.no_grad():
        diffuse = dataset.studio(scene).maps.diffuse[0].mean(0)
    pupil, white = painter.radius < 1.5, (painter.radius > 6.6) & (painter.radius < 9)
    assert float(diffuse[pupil].mean()) < 0.15 < 0.7 < float(diffuse[white].mean())


def test_a_smile_moves_the_head_and_its_picture(dataset):
    generator = ProceduralGenerator(32, samples=1, texture_size=64, face_model=dataset.studio.face_model)
    code = generator.sample_codes(1, generator=torch.Generator().manual_seed(3)).requires_grad_()
    picture = generator.synthesis(code)
    (gradient,) = torch.autograd.grad(picture.mean(), code)
    rows, columns = generator.layers_of("identity"), generator.columns_of("identity")
    assert float(gradient[:, rows, columns].abs().max()) > 0


def test_hair_starts_on_the_skull(head):
    origin = np.broadcast_to([0.0, 22.0, -12.0], (3, 4, 3))
    direction = torch.nn.functional.normalize(torch.tensor([[0.0, 1, 0], [0, 1, 1], [0, 0.4, -1]]).double(), dim=1)
    radius = skull_radius(head, origin, direction[:, None].expand(3, 4, 3).numpy())
    assert radius.min() > 60 and radius.max() < 130  # mm


def test_rays_hit_what_they_hit_among_all_triangles(head):
    """Triangles whose surroundings a ray misses are left out; rays from several places, some that hit nothing."""
    random = np.random.default_rng(0)
    corners = head_frame(head)[head.faces.numpy()]
    direction = random.standard_normal((40, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    origin = np.array([[0.0, 22.0, -12.0], [0.0, 400.0, 0.0]])[random.integers(0, 2, 40)]
    found = _farthest_hits(origin, direction, corners)
    assert found.tolist() == [_farthest_hit(*ray, corners) for ray in zip(origin, direction)]
    assert 5 < (found > 0).sum() < 35


def test_shoulders_are_left_to_the_clothes(head):
    kept = above_the_collar(head)
    assert 0.5 < len(kept) / len(head.faces) < 1
    marked = torch.zeros(len(head.mean), dtype=torch.bool)
    marked[kept.flatten()] = True
    assert marked[head.landmarks].all()


def test_a_turned_head_has_no_hole(head):
    """From behind the ear one sees skin or hair, never the background through the head."""
    studio = Studio(head, size=64, texture_size=128, world="calm")
    scene = Scene.from_seeds(SceneSeeds.of([3]), 0)
    with torch.no_grad():
        drawn = studio(scene)
    solid = drawn.foreground[0, 0] > 0.99
    rows = solid[20:50]
    for row in rows:  # between the leftmost and the rightmost solid pixel everything is solid
        where = row.nonzero()[:, 0]
        assert int(where[-1] - where[0]) + 1 - len(where) <= 2


def _coefficients(head, samples):
    from faceuv.structures import Coefficients

    return Coefficients(samples["coefficients"], head.layout)
