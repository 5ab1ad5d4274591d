"""Adaptive discriminator augmentation: the discriminator's inputs are moved and recoloured, so that it does not overfit
to a small data set. Differentiable; the strength follows from the discriminator's scores of real images (Karras et al.
2020, "Training Generative Adversarial Networks with Limited Data")."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faceuv.checks import check_shape
from faceuv.errors import InputError

# Spreads of the random transforms, as in the paper.
SHIFT_PIXELS = 0.125  # whole-pixel translation: uniform within this share of the side
SHIFT = 0.125  # fractional translation: σ as a share of the side
SCALE = 0.2  # isotropic and anisotropic scale: σ of log2
TURN = 1.0  # rotation: uniform within ±180° times this
BRIGHTNESS, CONTRAST, SATURATION = 0.2, 0.5, 1.0  # σ; contrast and saturation of log2
GREY = 1 / math.sqrt(3)


class AdaptiveAugment(nn.Module):
    """Image ``(B, 3, S, S)`` in [0, 1] → the same shape: each transform happens with probability ``strength``.

    Flip, whole-pixel and fractional translation, scale, stretch, rotation; brightness, contrast, hue, saturation. Real
    and generated images are augmented alike; as long as ``strength`` is well below 1, none of it shows in what the
    generator learns. Where an image is moved, bilinear sampling mirrors it at the border.

    Args:
        target: the mean sign of D(real) to steer to; above it the strength grows.
        images: how many images it takes to go from 0 to 1.
        limit: the largest strength.
        strength: the one to start from; with ``target=None`` it stays.
        turn: largest rotation as a share of ±180°.
    """

    strength: Tensor

    def __init__(
        self,
        target: float | None = 0.6,
        images: float = 500_000,
        limit: float = 0.8,
        strength: float = 0.0,
        turn: float = TURN,
    ) -> None:
        super().__init__()
        if not (0 <= strength <= limit <= 1 and images > 0 and 0 <= turn <= 1):
            raise InputError(
                f"expected 0 ≤ strength ≤ limit ≤ 1, images > 0 and turn in [0, 1], got strength={strength},"
                f" limit={limit}, images={images}, turn={turn}"
            )
        self.target, self.images, self.limit, self.turn = target, images, limit, turn
        self.register_buffer("strength", torch.tensor(float(strength)))

    @torch.no_grad()
    def adapt(self, sign: Tensor, images: int) -> None:
        """Move the strength after ``images`` more images, for which the mean sign of D(real) was ``sign``."""
        if self.target is not None:
            step = torch.sign(sign.to(self.strength) - self.target) * (images / self.images)
            self.strength.copy_((self.strength + step).clamp(0, self.limit))

    def forward(self, image: Tensor) -> Tensor:
        check_shape("images to augment", image, ("B", 3, "S", "S"))
        matrix, offset = self.colour_change(image)
        return recolour(move(image, self.movement(image)), matrix, offset)

    def _on(self, image: Tensor) -> Tensor:
        """``(B,)``: 1 where a transform happens."""
        return (torch.rand(len(image), device=image.device) < self.strength).float()

    def movement(self, image: Tensor) -> Tensor:
        """Random affine maps ``(B, 2, 3)`` of output to input coordinates in [−1, 1], x right, y down."""
        batch, side, device = len(image), image.shape[-1], image.device

        def normal() -> Tensor:
            return torch.randn(batch, device=device)

        def uniform() -> Tensor:
            return torch.rand(batch, device=device) * 2 - 1

        flip = 1 - 2 * self._on(image) * (torch.rand(batch, device=device) < 0.5)
        whole = [(uniform() * SHIFT_PIXELS * side).round() * (2 / side) for _ in range(2)]
        happens = self._on(image)
        whole = [shift * happens for shift in whole]
        happens = self._on(image)
        moved = [normal() * (2 * SHIFT) * happens for _ in range(2)]
        scale = torch.exp2(normal() * SCALE * self._on(image))
        stretch = torch.exp2(normal() * SCALE * self._on(image))
        # two turns, one before and one after the stretch, of which at least one happens with probability `strength`
        rare = 1 - torch.sqrt((1 - self.strength).clamp_min(0))
        turns = [uniform() * math.pi * self.turn * (torch.rand(batch, device=device) < rare) for _ in range(2)]
        matrix = _rotation(turns[0]) @ torch.diag_embed(torch.stack([stretch, 1 / stretch], 1)) @ _rotation(turns[1])
        matrix = matrix * scale[:, None, None]
        matrix = matrix @ torch.diag_embed(torch.stack([flip, torch.ones_like(flip)], 1))
        shift = torch.stack([whole[0] + moved[0], whole[1] + moved[1]], 1)
        return torch.cat([matrix, shift[:, :, None]], 2)

    def colour_change(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Random colour maps about mid-grey: ``(B, 3, 3)`` and offsets ``(B, 3)``."""
        batch, device = len(image), image.device
        eye = torch.eye(3, device=device).expand(batch, 3, 3)
        grey = torch.full((3, 3), 1 / 3, device=device)
        brightness = torch.randn(batch, device=device) * BRIGHTNESS * 0.5 * self._on(image)
        contrast = torch.exp2(torch.randn(batch, device=device) * CONTRAST * self._on(image))
        saturation = torch.exp2(torch.randn(batch, device=device) * SATURATION * self._on(image))
        angle = (torch.rand(batch, device=device) * 2 - 1) * math.pi * self._on(image)
        hue = _turn_about_grey(angle)
        matrix = (eye + (eye - grey) * (saturation - 1)[:, None, None]) @ hue * contrast[:, None, None]
        return matrix, (brightness * contrast)[:, None].expand(batch, 3)


def move(image: Tensor, affine: Tensor) -> Tensor:
    """``image (B, C, S, S)`` seen through ``affine (B, 2, 3)``, mirrored at the border."""
    grid = F.affine_grid(affine.float(), list(image.shape), align_corners=False)
    moved = F.grid_sample(image.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    still = (affine == torch.eye(2, 3, device=affine.device)).flatten(1).all(1)
    return torch.where(still[:, None, None, None], image.float(), moved)  # to the bit, where nothing moves


def recolour(image: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """``matrix (B, 3, 3)`` and ``offset (B, 3)`` applied to the colours of ``image (B, 3, S, S)``, about mid-grey."""
    changed = (matrix @ (image - 0.5).flatten(2) + offset[:, :, None]).unflatten(2, image.shape[2:]) + 0.5
    still = (matrix == torch.eye(3, device=matrix.device)).flatten(1).all(1) & (offset == 0).all(1)
    return torch.where(still[:, None, None, None], image, changed)


def _rotation(angle: Tensor) -> Tensor:
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.stack([torch.stack([c, -s], 1), torch.stack([s, c], 1)], 1)


def _turn_about_grey(angle: Tensor) -> Tensor:
    """Rotations ``(B, 3, 3)`` of RGB about the grey axis (Rodrigues)."""
    axis = torch.tensor([[0, -GREY, GREY], [GREY, 0, -GREY], [-GREY, GREY, 0]], device=angle.device)
    c, s = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
    return torch.eye(3, device=angle.device) + s * axis + (1 - c) * (axis @ axis)
