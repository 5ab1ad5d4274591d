"""Details of skin beyond the linear albedo: unevenness, freckles, moles, wrinkles, pores, blush."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from faceuv.models.faces.appearance.wrinkles import age_lines
from faceuv.synthetic.canvas import Canvas
from faceuv.synthetic.draw import Draw, smoothstep
from faceuv.synthetic.seeds import normals, smooth_noise, uniforms

# Display-referred attenuation per unit of melanin and haemoglobin: exponents of linear light divided by 2.2.
MELANIN = (0.18, 0.33, 0.50)
HAEMOGLOBIN = (0.03, 0.25, 0.19)
_MOLES = 4


class SkinPainter(nn.Module):
    """Adds details to a linear albedo, with a relief that matches them.

    ``grain`` is a factor on what speckles: pores, blotches, freckles, moles.
    """

    def __init__(self, canvas: Canvas, grain: float = 1.0) -> None:
        super().__init__()
        self.canvas, self.grain = canvas, grain
        self.register_buffer("melanin", torch.tensor(MELANIN).view(1, 3, 1, 1))
        self.register_buffer("haemoglobin", torch.tensor(HAEMOGLOBIN).view(1, 3, 1, 1))
        self.register_buffer("lines", _lines(canvas))
        x, y, z = canvas.x.abs(), canvas.y, canvas.z
        front = smoothstep(20, 55, z) * canvas.smooth_skin
        self.register_buffer("front", front)
        self.register_buffer("freckled", (canvas.spot(26, -20, 24, 15) + 0.8 * canvas.spot(0, -16, 14, 14)) * front)
        self.register_buffer("flushed", canvas.spot(39, -27, 17, 13) + 0.5 * canvas.spot(0, -34, 10, 8) * (z > 95))
        # Light that never arrives: under the jaw, behind the ears, in the sockets.
        shade = 0.30 * smoothstep(-100, -118, y) * smoothstep(-10, 30, z) + 0.12 * smoothstep(-110, -140, y)
        shade = shade + 0.07 * canvas.spot(22, 2, 8, 9) + 0.06 * canvas.spot(17, -38, 5, 7) * (z > 60)
        shade = shade + 0.05 * canvas.spot(0, -78, 17, 3.5)
        self.register_buffer("shade", (shade + _ear_shade(canvas)).clamp(0, 0.42))
        # A soft sheen where skin is oily, as a fill light shows it; fixed to the skin, so part of the albedo.
        sheen = 0.55 * canvas.spot(0, 42, 26, 13) + 0.6 * torch.exp(-((x / 3.2) ** 2)) * smoothstep(-38, -28, y) * (
            smoothstep(14, 0, y)
        )
        sheen = (
            sheen
            + 0.5 * canvas.spot(0, -33, 5, 5)
            + 0.55 * canvas.spot(40, -18, 9, 6)
            + 0.3 * canvas.spot(0, -95, 8, 6)
        )
        self.register_buffer("sheen", (sheen * canvas.smooth_skin * (1 - canvas.lips)).clamp(0, 1))

    melanin: Tensor
    haemoglobin: Tensor
    lines: Tensor
    front: Tensor
    freckled: Tensor
    flushed: Tensor
    shade: Tensor
    sheen: Tensor

    def forward(
        self, albedo: Tensor, numbers: Tensor, seed: Tensor, age: Tensor, male: Tensor
    ) -> tuple[Tensor, Tensor]:
        """``albedo (B, 3, T, T)`` → painted albedo and relief ``(B, 1, T, T)`` in millimetres.

        ``numbers`` is the factor ``skin``, ``seed (B,)`` feeds the noise, ``age`` and ``male`` lie in [0, 1].
        """
        canvas, draw = self.canvas, Draw(numbers)
        size = canvas.size
        blotches = self.grain * smooth_noise(seed, (size, size), (9, 8), 1, 2)
        speckles = smooth_noise(seed, (size, size), (size // 4, size // 4), 2)
        grain = self.grain * normals(seed, (1, size, size), 3)

        freckles = _wide(draw.chance(0.22) * draw.uniform(0.3, 1.0)) * smoothstep(0.7, 1.7, speckles) * self.freckled
        rough, red, tired = (_wide(draw.uniform()) for _ in range(3))
        pigment = 0.05 * blotches[:, :1] + 0.55 * self.grain * freckles + (0.015 + 0.015 * rough) * grain
        blood = 0.06 * blotches[:, 1:] + 0.045 * self.grain * speckles + 0.20 * red * self.flushed
        pigment = pigment + 0.16 * tired * canvas.spot(31, -12, 14, 5)
        blood = blood + 0.20 * tired * canvas.spot(31, -11, 14, 5)

        moles, bumps = self._moles(draw, seed)
        pigment = pigment + 2.2 * moles
        depth = (0.12 + 1.25 * _wide(smoothstep(0.35, 1.0, age)))[..., 0, 0]
        strength = torch.stack([draw.uniform(0.35, 1.0) for _ in range(self.lines.shape[0])], 1) * depth
        # few products per texel and a fixed order of addition: no matrix product, whose rounding depends on the batch
        creases = sum(strength[:, k, None, None, None] * self.lines[k] for k in range(self.lines.shape[0]))
        creases = creases * (1 + 0.35 * blotches[:, :1])
        keep = self.canvas.smooth_skin
        light = 1 - self.shade - 0.10 * creases.clamp(0, 1.2)
        tone = torch.exp(-(pigment * self.melanin + blood * self.haemoglobin) * keep)
        shine = _wide(draw.uniform(0.0, 0.16))
        painted = albedo * tone * light + shine * self.sheen * (1 - albedo)
        relief = 0.5 * bumps - 0.42 * creases + (0.02 + 0.03 * rough) * grain * self.front
        return painted, relief * keep

    def _moles(self, draw: Draw, seed: Tensor) -> tuple[Tensor, Tensor]:
        """Coverage and relief of a few moles, where chance puts them."""
        canvas = self.canvas
        there = torch.stack([draw.chance(0.2) * draw.uniform(0.4, 1.0) for _ in range(_MOLES)], 1)
        scene, number = there.detach().nonzero().unbind(1)  # few of them: the others are not painted
        place = uniforms(seed, (3, _MOLES), 4)[scene, :, number][..., None, None]
        radius = 0.9 + 0.8 * place[:, 2]
        square = (canvas.x - 100 * (place[:, 0] - 0.5)) ** 2 + (canvas.y + 90 - 130 * place[:, 1]) ** 2
        cover = (1 - 0.25 * square / radius.square()).clamp_min(0) ** 2 * self.front * (1 - canvas.lips)
        cover = self.grain * cover * there[scene, number][:, None, None]
        total = cover.new_zeros(len(seed), *cover.shape[1:]).index_add(0, scene, cover)[:, None]
        return total, total


def _ear_shade(canvas: Canvas) -> Tensor:
    """Shadows within and behind an ear, which its relief is too flat for."""
    y, z = canvas.y + 9, canvas.z + 6
    radius = torch.sqrt((y / 27).square() + (z / 14.5).square() + 1e-6)
    behind = torch.exp(-(((radius - 1.12) / 0.14) ** 2)) * smoothstep(4, -6, z + 0.2 * y)
    fold = torch.exp(-(((radius - 0.70) / 0.10) ** 2)) * smoothstep(-12, 4, y)
    bowl = torch.exp(-(((y + 3) / 9) ** 2) - ((z - 1) / 5.5) ** 2)
    return (0.30 * behind + 0.18 * fold + 0.34 * bowl) * smoothstep(58, 65, canvas.x.abs())


def _wide(value: Tensor) -> Tensor:
    """(B,) → (B, 1, 1, 1)."""
    return value[:, None, None, None]


def _lines(canvas: Canvas) -> Tensor:
    """``(K, T, T)``: the folds that age deepens, each with its own strength."""
    kept = canvas.smooth_skin * (1 - canvas.lips)
    return torch.stack([line * kept for line in age_lines(canvas.x.abs(), canvas.y, canvas.z)])
