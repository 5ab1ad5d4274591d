"""The light of a picture, fitted to the generator's maps."""

from __future__ import annotations

import pytest
import torch

from faceuv.models.faces import FaceRenderer
from faceuv.models.inversion import EncoderInverter
from faceuv.models.inversion.light import with_fitted_light
from faceuv.structures import UVMaps


@pytest.fixture(scope="module")
def drawn(quickstart):
    """Faces of the generator, drawn under their light: renderer, pictures, coefficients, maps."""
    renderer = FaceRenderer(quickstart.face_model, quickstart.renderer, normals="map")
    codes = quickstart.codes([1, 2, 3], truncation=0.8)
    coefficients, maps = quickstart.coefficients(codes), quickstart.maps(codes)
    with torch.no_grad():
        return renderer, renderer(coefficients, maps, size=64).image.clamp(0, 1), coefficients, maps


def brighter(coefficients):
    """A wrong light: stronger, and from another side."""
    lighting = coefficients.lighting * 1.2
    lighting[:, :, 1:4] += 0.1
    return coefficients.replace(lighting=lighting)


def test_a_wrong_light_is_corrected_and_a_right_one_stays(drawn):
    renderer, pictures, coefficients, maps = drawn
    wrong = brighter(coefficients)

    def away(found):
        return float((renderer(found, maps, size=64).image - pictures).abs().mean())

    found = with_fitted_light(renderer, pictures, wrong, maps, map_size=64)
    assert away(found) < 0.35 * away(wrong)
    assert torch.equal(found.identity, wrong.identity)
    assert torch.equal(found.rotation, wrong.rotation)
    same = with_fitted_light(renderer, pictures, coefficients, maps, map_size=64)
    assert away(same) < 0.1 * away(wrong)
    torch.testing.assert_close(same.lighting, coefficients.lighting, atol=0.05, rtol=0)


def test_each_picture_has_its_own_light_and_detail_is_no_light(drawn):
    renderer, pictures, coefficients, maps = drawn
    wrong = brighter(coefficients)
    found = with_fitted_light(renderer, pictures, wrong, maps, map_size=64)
    one = UVMaps(maps.diffuse[1:2], maps.displacement[1:2])
    alone = with_fitted_light(renderer, pictures[1:2], wrong[1], one, map_size=64)
    torch.testing.assert_close(alone.lighting, found.lighting[1:2], atol=1e-3, rtol=1e-3)
    spotted = pictures.clone()
    spotted[:, :, 30:36, 28:36] = 0.0
    again = with_fitted_light(renderer, spotted, wrong, maps, map_size=64)
    moved, spot = (again.lighting - found.lighting).abs().mean(), (wrong.lighting - found.lighting).abs().mean()
    assert float(moved) < 0.3 * float(spot)
    mask = torch.ones_like(pictures[:, :1])
    mask[:, :, 28:38, 26:38] = 0
    masked = with_fitted_light(renderer, spotted, wrong, maps, map_size=64, mask=mask)
    assert float((masked.lighting - found.lighting).abs().mean()) < float(moved)
    hidden = with_fitted_light(renderer, spotted, wrong, maps, map_size=64, mask=torch.zeros_like(mask))
    torch.testing.assert_close(hidden.lighting, wrong.lighting)


def test_the_inverter_fits_it_unless_it_is_told_not_to(generator, pictures):
    plain = EncoderInverter(generator, light=False).invert(pictures)
    fitted = EncoderInverter(generator).invert(pictures)
    assert torch.equal(plain.codes, fitted.codes)
    assert not torch.equal(plain.coefficients.lighting, fitted.coefficients.lighting)
    assert torch.equal(plain.coefficients.rotation, fitted.coefficients.rotation)
    bare = [EncoderInverter(generator, detail=False, light=light).invert(pictures).errors["l1"] for light in (0, 1)]
    assert float(bare[1].mean()) < float(bare[0].mean())
