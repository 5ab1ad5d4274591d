"""Motions of an image for which the new coefficients are known exactly: mirroring, and a roll about the centre.

A shift or a zoom is not among them: under perspective the same face elsewhere is another picture.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.data.augment import move
from faceuv.errors import InputError
from faceuv.models.faces.base import FaceModel
from faceuv.structures import Coefficients

_TOLERANCE = 1e-3  # of the length of a mode: what its mirror image may lack in the model's span
_PEOPLE = 2  # whose shapes are compared with their mirror images
_ODD_LIGHT = (3, 4, 7)  # the spherical-harmonic bands that are odd in x
_X_FLIPPED = (-1.0, 1.0, 1.0)


class Mirror(nn.Module):
    """The coefficients of the mirrored picture: ``mirror(coefficients)`` describes ``image.flip(3)``.

    Each mode's mirror image is expressed in the modes of its group by least squares, once. A face model whose modes do
    not come in mirrored pairs or symmetric has no such map, which is an error.
    """

    identity: Tensor
    expression: Tensor
    albedo: Tensor

    def __init__(self, face_model: FaceModel) -> None:
        super().__init__()
        flip = face_model.mean.new_tensor(_X_FLIPPED)
        uneven = float((face_model.mean[face_model.mirror] * flip - face_model.mean).norm() / face_model.mean.norm())
        if uneven > _TOLERANCE:
            raise InputError(
                f"the mean of this face model is not symmetric ({uneven:.1%} off), so its pictures cannot be mirrored"
            )
        for group, signs in (("identity", flip), ("expression", flip), ("albedo", torch.ones_like(flip))):
            basis = getattr(face_model, f"{group}_basis").double()
            mirrored = basis[face_model.mirror] * signs[:, None]
            basis, mirrored = basis.flatten(0, 1), mirrored.flatten(0, 1)
            found = torch.linalg.lstsq(basis, mirrored).solution
            lack = (basis @ found - mirrored).norm(dim=0) / mirrored.norm(dim=0).clamp_min(1e-12)
            if float(lack.max()) > _TOLERANCE:
                raise InputError(
                    f"the mirror image of the {group} mode {face_model.mode_names[group][int(lack.argmax())]!r} is not"
                    f" in the span of the face model ({float(lack.max()):.1%} off); train without mirroring"
                )
            self.register_buffer(group, found.T.to(face_model.mean.dtype).contiguous(), persistent=False)
        if not face_model.linear:
            self._check_shape(face_model)

    @torch.no_grad()
    def _check_shape(self, model: FaceModel) -> None:
        """Whether a model that moves otherwise than its bases say has mirrored shapes, too: of a few people."""
        generator = torch.Generator().manual_seed(0)
        for _ in range(_PEOPLE):
            identity, expression = (
                torch.randn(1, count, generator=generator).to(model.mean)
                for count in (model.layout.identity, model.layout.expression)
            )
            shape, own = model.shape(identity, expression), model.shape(identity * 0, expression * 0)
            mirrored = model.shape(identity @ self.identity.T, expression @ self.expression.T)
            wanted = shape[:, model.mirror] * shape.new_tensor(_X_FLIPPED)
            lack = float((mirrored - wanted).norm() / (shape - own).norm())
            if lack > _TOLERANCE:
                raise InputError(
                    f"the shapes of this {model.kind} have no mirror images among its own ({lack:.1%} off); train"
                    " without mirroring"
                )

    def forward(self, coefficients: Coefficients) -> Coefficients:
        light = coefficients.lighting.clone()
        light[..., _ODD_LIGHT] *= -1
        return coefficients.replace(
            identity=coefficients.identity @ self.identity.T,
            expression=coefficients.expression @ self.expression.T,
            albedo=coefficients.albedo @ self.albedo.T,
            rotation=coefficients.rotation * coefficients.data.new_tensor([1.0, -1.0, -1.0]),
            lighting=light,
            translation=coefficients.translation * coefficients.data.new_tensor(_X_FLIPPED),
        )


def roll_images(images: Tensor, angle: Tensor) -> Tensor:
    """``images (B, 3, S, S)`` turned about their centre by ``angle (B,)`` radians, counter-clockwise; mirrored where
    nothing was."""
    c, s = angle.cos(), angle.sin()
    zero = torch.zeros_like(c)
    # from where in the old picture each new pixel comes: the turn back, in coordinates whose y runs down
    return move(images, torch.stack([torch.stack([c, -s, zero], 1), torch.stack([s, c, zero], 1)], 1))


def roll_coefficients(coefficients: Coefficients, angle: Tensor) -> Coefficients:
    """The coefficients of the picture that :func:`roll_images` makes: the head, its place and the light turn about the
    view axis; R = Rz·Ry·Rx, so a further Rz adds to the roll."""
    check_shape("angle", angle, (len(coefficients),))
    c, s = angle.cos(), angle.sin()
    x, y, z = coefficients.translation.unbind(1)
    g = list(coefficients.lighting.unbind(2))
    for across, up, order in ((3, 1, 1), (7, 5, 1), (8, 4, 2)):  # pairs of bands that turn into each other
        cos, sin = (order * angle).cos()[:, None], (order * angle).sin()[:, None]
        g[across], g[up] = cos * g[across] - sin * g[up], sin * g[across] + cos * g[up]
    turn = torch.stack([torch.zeros_like(angle), torch.zeros_like(angle), angle], 1)
    return coefficients.replace(
        rotation=coefficients.rotation + turn,
        lighting=torch.stack(g, 2),
        translation=torch.stack([c * x - s * y, s * x + c * y, z], 1),
    )
