from __future__ import annotations

import math

import pytest
import torch

from faceuv.data.motions import Mirror, roll_coefficients, roll_images
from faceuv.errors import InputError
from faceuv.geometry import euler_to_matrix, pose, project, rotate, sh_irradiance
from faceuv.models.faces import FaceModel, FaceRenderer, ProceduralFace
from faceuv.models.faces.region import hemisphere
from faceuv.structures import Camera, Coefficients


@pytest.fixture(scope="module")
def model():
    return ProceduralFace(rows=61, columns=41, verbose=False)


@pytest.fixture(scope="module")
def coefficients(model):
    generator = torch.Generator().manual_seed(2)
    data = torch.randn(2, model.layout.size, generator=generator)
    scale = Coefficients(torch.ones(1, model.layout.size), model.layout).replace(
        rotation=torch.full((1, 3), 0.3), lighting=torch.full((1, 27), 0.1), translation=torch.full((1, 3), 0.1)
    )
    return Coefficients(data * scale.data, model.layout)


class TestMirror:
    def test_describes_the_mirrored_picture(self, model, coefficients):
        renderer = FaceRenderer(model)
        drawn = renderer(coefficients, size=64).image
        mirrored = renderer(Mirror(model)(coefficients), size=64).image
        assert float((drawn.flip(3) - drawn).abs().mean()) > 0.02  # the pictures are not symmetric themselves
        assert float((drawn.flip(3) - mirrored).abs().mean()) < 1e-4

    def test_twice_is_nothing(self, model, coefficients):
        mirror = Mirror(model)
        torch.testing.assert_close(mirror(mirror(coefficients)).data, coefficients.data, atol=1e-5, rtol=1e-5)

    def test_left_becomes_right(self, model):
        column = {side: model.mode_index("expression", f"smile_{side}") for side in ("left", "right")}
        smile = torch.zeros(1, model.layout.expression)
        smile[0, column["left"]] = 2.0
        found = Mirror(model)(Coefficients.zeros(1, model.layout).replace(expression=smile)).expression
        assert float(found[0, column["right"]]) == pytest.approx(2.0, abs=1e-4)
        assert float(found[0, column["left"]]) == pytest.approx(0.0, abs=1e-4)

    def test_a_face_model_without_mirrored_modes_is_refused(self, model):
        arrays = model.arrays()
        lopsided = arrays["identity_basis"].clone()
        lopsided[:, 0, 5] += (arrays["mean"][:, 0] > 0).float()
        with pytest.raises(InputError, match="mirror image of the identity mode .* train without mirroring"):
            Mirror(FaceModel({**arrays, "identity_basis": lopsided}))
        with pytest.raises(InputError, match="mean of this face model is not symmetric"):
            Mirror(FaceModel({**arrays, "mean": arrays["mean"] + 0.1}))

    def test_a_face_that_moves_otherwise_than_its_bases_is_asked_itself(self, model):
        class Squinting(FaceModel):
            """One side of the face follows the square of a coefficient, which no basis says."""

            linear = False

            def shape(self, identity, expression):
                side = (self.mean[:, 0] > 0).to(self.mean)[:, None] * self.mean.new_tensor([0.0, 0.1, 0.0])
                return super().shape(identity, expression) + identity[:, :1, None].square() * side

        with pytest.raises(InputError, match="have no mirror images among its own"):
            Mirror(Squinting(model.arrays()))


class TestRoll:
    @pytest.mark.parametrize("degrees", [-20.0, 7.0, 90.0])
    def test_landmarks_turn_about_the_centre(self, model, coefficients, degrees):
        angle = torch.full((2,), math.radians(degrees))

        def places(c):
            points = model.shape(c.identity, c.expression)[:, model.landmarks]
            return project(pose(points, c.rotation, c.translation), Camera(), 64, 64)[..., :2] - 32

        x, y = places(coefficients).unbind(2)
        c, s = math.cos(angle[0]), math.sin(angle[0])
        expected = torch.stack([c * x + s * y, c * y - s * x], 2)  # y runs down: counter-clockwise on the screen
        torch.testing.assert_close(places(roll_coefficients(coefficients, angle)), expected, atol=1e-3, rtol=1e-4)

    def test_light_turns_with_the_picture(self, model, coefficients):
        angle = torch.tensor([0.4, -1.3])
        normals = hemisphere(50).expand(2, -1, -1)
        turned = rotate(normals, euler_to_matrix(torch.stack([0 * angle, 0 * angle, angle], 1)))
        before = sh_irradiance(normals, coefficients.lighting)
        after = sh_irradiance(turned, roll_coefficients(coefficients, angle).lighting)
        torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-5)

    def test_describes_the_rolled_picture(self, model, coefficients):
        renderer = FaceRenderer(model)
        angle = torch.tensor([0.3, -0.5])
        drawn = renderer(coefficients, size=96).image
        described = renderer(roll_coefficients(coefficients, angle), size=96).image
        rolled = roll_images(drawn, angle)
        inner = torch.zeros(96, 96, dtype=torch.bool)
        y, x = torch.meshgrid(torch.arange(96) - 47.5, torch.arange(96) - 47.5, indexing="ij")
        inner[(x**2 + y**2) < 46**2] = True
        differences = (described - rolled).abs()[:, :, inner]
        assert float(differences.mean()) < 0.25 * float((drawn - rolled).abs()[:, :, inner].mean())
        assert float(differences.median()) < 0.01

    def test_no_turn_is_the_same_picture(self, coefficients):
        images = torch.rand(2, 3, 16, 16)
        assert torch.equal(roll_images(images, torch.zeros(2)), images)
        assert torch.equal(roll_coefficients(coefficients, torch.zeros(2)).data, coefficients.data)

    def test_one_angle_for_each_picture(self, coefficients):
        with pytest.raises(InputError, match=r"angle must have shape"):
            roll_coefficients(coefficients, torch.zeros(3))
