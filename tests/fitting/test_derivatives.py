"""Every gradient in closed form against differences, in float64; every Gauss–Newton matrix against its residuals."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from faceuv.fitting.priors import likely, likely_light, prior_terms
from faceuv.fitting.surface import SurfaceSamples, SurfaceTerm, spread_out
from faceuv.fitting.terms import LandmarkTerm, PriorTerm, albedo_variance_term
from faceuv.geometry import euler_to_matrix, vertex_normals
from faceuv.losses import AlbedoVariance, LandmarkLoss, PhotometricLoss
from faceuv.models.faces.kinematics import rotation_axes
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.registry import RENDERERS
from faceuv.structures import Camera, Coefficients

ROWS = torch.arange(2)


@pytest.fixture(scope="module")
def model():
    return ProceduralFace(rows=65, columns=51, verbose=False).double()


@pytest.fixture(scope="module")
def x(faces):
    return faces.true.data[:2].double()


@pytest.fixture(scope="module")
def smooth(faces):
    """Pictures so smooth that the bilinear look-up has the slope that differences see."""
    wide = F.pad(faces.images[:2].double(), (8,) * 4, mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(wide, 9, 1), 9, 1)


@pytest.fixture(scope="module")
def samples(model):
    return SurfaceSamples.choose(model, 120)


def slope(term, x, columns, step=1e-5):
    parts = []
    for column in columns:
        change = torch.zeros_like(x)
        change[:, column] = step
        parts.append((term.cost(x + change, ROWS) - term.cost(x - change, ROWS)) / (4 * step))  # halved, as in system
    return torch.stack(parts, 1)


def check(term, x, layout, tolerance):
    matrix, gradient = term.system(x, ROWS)
    assert matrix.shape == (2, layout.size, layout.size)
    for group in layout.groups:
        columns = list(range(layout.size))[layout.slice(group)][:5]
        expected = slope(term, x, columns)
        limit = tolerance * float(expected.abs().max()) + 1e-9
        torch.testing.assert_close(
            gradient[:, columns], expected, atol=limit, rtol=0, msg=lambda m, g=group: f"{g}: {m}"
        )


@pytest.mark.parametrize("robust", [None, 0.02])
def test_landmark_term(model, x, faces, robust):
    points = faces.landmarks.points[:2].double() + 2
    term = LandmarkTerm(model, Camera(), points, 96, 96, weight=100, emphasis=10, robust=robust)
    check(term, x, model.layout, 1e-5)
    if robust is None:
        drawn = (
            term.landmarks.points.place(x[:, :144]) @ euler_to_matrix(x[:, 224:227]).transpose(1, 2) + x[:, None, 254:]
        )
        depth = 10 - drawn[..., 2:]
        at = 0.5 + Camera().focal * drawn[..., :2] * torch.tensor([1, -1]) / depth
        loss = LandmarkLoss().per_image({"landmarks": at}, {"landmarks": points / 96})
        torch.testing.assert_close(term.cost(x, ROWS), 100 * loss)


def test_surface_term(model, x, smooth, samples):
    term = SurfaceTerm(samples, RENDERERS.build("torch"), smooth, None, weight=30, outlier=0.3)
    term.look(x, ROWS)
    assert torch.allclose(term.areas.sum(1), torch.ones(2).double())
    check(term, x, model.layout, 0.15)  # a bilinear look-up has kinks where differences have none


def test_surface_term_knows_light_and_albedo_exactly(model, x, smooth, samples):
    term = SurfaceTerm(samples, RENDERERS.build("torch"), smooth, None, weight=30, outlier=0.3)
    term.look(x, ROWS)
    _, gradient = term.system(x, ROWS)
    for group in ("albedo", "lighting"):
        columns = list(range(model.layout.size))[model.layout.slice(group)][::9]
        torch.testing.assert_close(gradient[:, columns], slope(term, x, columns), atol=1e-8, rtol=1e-5)


def test_surface_normals_are_the_renderers(model, x, smooth, samples):
    term = SurfaceTerm(samples, RENDERERS.build("torch"), smooth, None, weight=1, outlier=1)
    own = term._normals(x)[0]
    mesh = vertex_normals(model.mesh(Coefficients(x, model.layout)).vertices, model.faces)[:, samples.vertices]
    angle = torch.rad2deg((own * mesh).sum(2).clamp(-1, 1).acos())
    assert float(angle.median()) < 1
    assert float(angle.quantile(0.9)) < 5


def test_the_far_side_is_not_seen(model, samples, smooth):
    turned = likely(model.layout, smooth).expand(2, -1).clone()
    turned[:, 225] = torch.tensor([0.9, -0.9])  # yaw
    term = SurfaceTerm(samples, RENDERERS.build("torch"), smooth, None, weight=1, outlier=1)
    term.look(turned, ROWS)
    side = model.mean[samples.vertices, 0]
    near, far = side < -0.45, side > 0.45  # turned to the viewer's right, the face shows its left cheek (at −x)
    assert float(term.areas[0, near].sum()) > 20 * float(term.areas[0, far].sum())
    assert float(term.areas[1, far].sum()) > 20 * float(term.areas[1, near].sum())


def test_masked_pixels_do_not_count(model, x, smooth, samples):
    mask = torch.ones(2, 1, 96, 96).double()
    mask[:, :, :, :48] = 0
    term = SurfaceTerm(samples, RENDERERS.build("torch"), smooth, mask, weight=1, outlier=1)
    term.look(x, ROWS)
    before = term.cost(x, ROWS)
    term.maps[:, :3, :, :46] = 0.0
    torch.testing.assert_close(term.cost(x, ROWS), before)


def test_surface_term_is_the_photometric_loss_of_its_points(model, x, smooth, samples):
    term = SurfaceTerm(samples, RENDERERS.build("torch"), smooth, None, weight=2, outlier=0.2)
    term.look(x, ROWS)
    single = torch.zeros_like(term.areas)
    single[:, 7] = 1
    term.areas = single
    residual_cost = term.cost(x, ROWS)
    loss = PhotometricLoss("saturating", outlier=0.2)
    assert bool((residual_cost <= 2 * 0.2**2).all())
    assert loss.outlier == term.outlier


def test_priors(model, x):
    layout = model.layout
    terms = prior_terms(layout, {"identity": 2.0, "lighting": 0.5}, likely(layout, x), tint=3.0)
    for term in terms:
        check(term, x, layout, 1e-6)
    # a grey light has no tint
    grey = Coefficients(x, layout).replace(lighting=likely_light(x)).data
    assert float(terms[1].cost(grey, ROWS).abs().max()) < 1e-12
    assert float(terms[1].cost(x, ROWS).min()) > 0


def test_prior_around_each_images_own_centre(model, x):
    term = PriorTerm(model.layout, {"identity": 1.0}, x)
    assert term.cost(x, ROWS).tolist() == [0.0, 0.0]
    assert float(term.cost(x[:1] + 1, torch.tensor([1]))[0]) > 0


def test_albedo_variance_term_is_the_loss(model, x):
    term = albedo_variance_term(model, 1.5)
    check(term, x, model.layout, 1e-6)
    colours = model.albedo(Coefficients(x, model.layout).albedo)
    expected = 1.5 * AlbedoVariance().per_image({"colours": colours}, {"skin_mask": model.skin_mask})
    torch.testing.assert_close(term.cost(x, ROWS), expected)


def test_rotation_axes_are_the_derivatives_of_the_matrix():
    angles = torch.tensor([[0.3, -0.7, 0.2]], dtype=torch.float64)
    vector = torch.tensor([0.2, -1.0, 0.5], dtype=torch.float64)
    by_angle = torch.autograd.functional.jacobian(lambda a: euler_to_matrix(a)[0] @ vector, angles)[:, 0]
    turned = euler_to_matrix(angles)[0] @ vector
    crossed = torch.linalg.cross(rotation_axes(angles)[0], turned.expand(3, -1))
    torch.testing.assert_close(by_angle.T, crossed)


def test_samples_are_spread_over_the_skin(model):
    index = spread_out(model.mean, model.skin_mask, 150)
    assert len(index.unique()) == 150
    assert bool(model.skin_mask[index].all())
    gap = torch.cdist(model.mean[model.skin_mask], model.mean[index]).amin(1)
    assert float(gap.max()) < 0.15  # dm: no place of the face is without one
    assert len(spread_out(model.mean, model.skin_mask, 10**6)) == int(model.skin_mask.sum())
