"""Eyes, brows, lashes, lips, teeth, make-up and beards, painted over the skin row by row of the chart."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.models.faces.procedural.grid import CURVES
from faceuv.models.faces.procedural.mouth import TEETH, TONGUE
from faceuv.synthetic.canvas import Canvas
from faceuv.synthetic.draw import Draw, blend, smoothstep
from faceuv.synthetic.seeds import normals, smooth_noise

# Display-referred RGB.
IRISES = torch.tensor(
    [
        [0.36, 0.26, 0.20],
        [0.46, 0.34, 0.24],
        [0.58, 0.50, 0.36],
        [0.50, 0.58, 0.44],
        [0.48, 0.60, 0.70],
        [0.60, 0.65, 0.68],
    ]
)
_LIPSTICKS = torch.tensor(
    [[0.74, 0.28, 0.32], [0.82, 0.42, 0.46], [0.66, 0.20, 0.30], [0.78, 0.46, 0.42], [0.58, 0.26, 0.32]]
)
_SHADOWS = torch.tensor([[0.42, 0.32, 0.30], [0.46, 0.36, 0.44], [0.36, 0.38, 0.46], [0.60, 0.46, 0.40]])


class Person(NamedTuple):
    """Properties that several factors share; each ``(B,)`` but the colour ``(B, 3)``."""

    male: Tensor  # 0 … 1, mostly near its ends
    age: Tensor  # 0 … 1
    darkness: Tensor  # of the skin: 0 … 1
    hair_colour: Tensor  # display-referred RGB


class FeaturePainter(nn.Module):
    """Paints the features of a face over its skin."""

    def __init__(self, canvas: Canvas) -> None:
        super().__init__()
        self.canvas = canvas
        x, y, z = canvas.x.abs(), canvas.y, canvas.z
        side = torch.sign(canvas.x)
        for name, table in (("irises", IRISES), ("lipsticks", _LIPSTICKS), ("shadows", _SHADOWS)):
            self.register_buffer(name, table.clone())
        bare = (1 - canvas.lips) * canvas.smooth_skin
        moustache = (1.15 * canvas.spot(0, -53, 29, 8.5) * smoothstep(-43, -49, y)).clamp(0, 1) * smoothstep(55, 75, z)
        chin = (
            (smoothstep(-71, -80, y) + canvas.spot(30, -68, 6, 13)).clamp(0, 1)
            * smoothstep(40, 22, x)
            * smoothstep(20, 50, z)
        )
        edge = -44 - 0.55 * (x - 40).clamp(-22, 16)
        jaw = smoothstep(0, -20, y - edge) * smoothstep(-16, 14, z) * smoothstep(24, 40, x) * smoothstep(
            68, 56, x
        ) + smoothstep(-74, -84, y)
        jaw = jaw.clamp(0, 1) + canvas.spot(30, -66, 8, 14)
        jaw = jaw.clamp(0, 1)
        low = smoothstep(-128, -106, y)
        self.register_buffer("beards", torch.stack([moustache * bare, chin * bare * low, jaw * bare * low]))
        strand_v = torch.linspace(-1, 1, canvas.size)
        strands = torch.stack([canvas.x / 75, strand_v[:, None].expand_as(canvas.x) * 0.5], -1)
        self.register_buffer("beard_grid", strands[None])
        # Brow hairs run outward and up; noise stretched along them is looked up in these coordinates.
        t = ((x - 13) / 36).clamp(-0.2, 1.2)
        angle = 0.95 - 1.15 * t.clamp(0, 1)
        along = (x * angle.cos() + y * angle.sin()) / 26 - 1.2 + 0.37 * side
        across = (-x * angle.sin() + y * angle.cos()) / 26
        self.register_buffer("brow_grid", torch.stack([along, across], -1)[None])
        self.register_buffer("brow_t", t)

    irises: Tensor
    lipsticks: Tensor
    shadows: Tensor
    beards: Tensor
    beard_grid: Tensor
    brow_grid: Tensor
    brow_t: Tensor

    def forward(
        self, albedo: Tensor, relief: Tensor, numbers: dict[str, Tensor], seeds: dict[str, Tensor], person: Person
    ) -> tuple[Tensor, Tensor]:
        """Paint over ``albedo (B, 3, T, T)`` and ``relief (B, 1, T, T)`` mm; both are returned as new tensors."""
        draw = Draw(numbers["features"])
        albedo, relief = self._beard(albedo, relief, Draw(numbers["beard"]), seeds["beard"], person)
        albedo = self._patch(
            albedo, self.canvas.rows_between("upper_lip_top", "lower_lip_bottom", 0.03), self._lips, draw, person
        )
        albedo = self._patch(
            albedo, self.canvas.rows_between("brow", "upper_lid", 0.055), self._brows, draw, person, seeds["features"]
        )
        albedo = self._patch(
            albedo, self.canvas.rows_between("brow", "lower_lid", 0.03), self._eyes, draw, Draw(numbers["eyes"]), person
        )
        return albedo, relief

    @staticmethod
    def _patch(albedo: Tensor, rows: slice, paint, *arguments) -> Tensor:  # type: ignore[no-untyped-def]
        """Repaint some rows of the map only."""
        painted = paint(albedo[:, :, rows], rows, *arguments)
        return torch.cat([albedo[:, :, : rows.start], painted, albedo[:, :, rows.stop :]], 2)

    def _beard(self, albedo: Tensor, relief: Tensor, draw: Draw, seed: Tensor, person: Person) -> tuple[Tensor, Tensor]:
        # none, stubble, moustache, goatee, full
        kind = draw.choice([0.42, 0.24, 0.07, 0.09, 0.18])
        cover = self.beards.new_tensor([[0, 0, 0], [1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]])[kind]
        weight = self.beards.new_tensor([0.0, 0.0, 0.85, 0.85, 0.9])[kind] * draw.uniform(0.8, 1.1)
        stubble = draw.skewed(1.3, 0.55)
        weight = torch.where(kind == 1, stubble, weight) * smoothstep(0.5, 0.8, person.male)
        shadow = 0.16 * smoothstep(0.5, 0.8, person.male) * draw.uniform(0.2, 1.0)  # shaved, but still seen
        parts = [cover[:, k, None, None, None] * self.beards[k] for k in range(3)]
        region = (parts[0] + parts[1] + parts[2]).clamp(0, 1)
        everywhere = (self.beards[0] + self.beards[1] + self.beards[2]).clamp(0, 1)
        hairs = F.grid_sample(
            normals(seed, (1, 72, 96), 1), self.beard_grid.expand(len(seed), -1, -1, -1),
            mode="bilinear", padding_mode="reflection", align_corners=True,
        )  # fmt: skip
        patches = smooth_noise(seed, (self.canvas.size,) * 2, (14, 14), 2)
        density = _wide(weight) * region
        # the noise alone passes the threshold here and there: no hair where no beard grows
        ragged = smoothstep(0.10, 0.75, density + 0.10 * patches + 0.05 * hairs) * smoothstep(0.0, 0.2, region)
        solid = _wide((kind > 1).to(albedo.dtype))
        density = (density * (1 - solid) + ragged * _wide(weight) * solid).clamp(0, 1)
        density = density * (0.88 + 0.10 * hairs).clamp(0.4, 1.2)
        density = torch.maximum(density, _wide(shadow) * everywhere)
        colour = person.hair_colour[:, :, None, None] * (0.92 + 0.09 * hairs).clamp(0.5, 1.4)
        albedo = blend(albedo, colour * 0.85 + 0.02, density.clamp(0, 0.92))
        length = _wide(torch.where(kind > 1, draw.uniform(1.0, 5.0), 0.2 * torch.ones_like(weight)))
        return albedo, relief + density * length * (1 + 0.18 * hairs)

    def _lips(self, patch: Tensor, rows: slice, draw: Draw, person: Person) -> Tensor:
        canvas = self.canvas
        lips, along, v = canvas.lips[rows], canvas.mouth_along[rows], canvas.v[rows]
        woman = smoothstep(0.6, 0.3, person.male)
        tint = self.lipsticks[draw.choice([0.25, 0.25, 0.15, 0.25, 0.10])]
        strength = draw.chance(0.5) * woman * draw.uniform(0.25, 0.85)
        patch = patch * (1 - 0.06 * lips)
        patch = blend(
            patch, tint[:, :, None, None] * (1 - 0.25 * person.darkness[:, None, None, None]), _wide(strength) * lips
        )
        y = canvas.y[rows]
        gloss = torch.exp(-(((y + 69.5) / 1.8) ** 2) - (canvas.x[rows] / 9) ** 2) * lips
        patch = blend(patch, torch.ones_like(patch), 0.22 * _wide(draw.uniform(0.1, 1.0)) * gloss)
        t = (v - CURVES["upper_lip_edge"]) / (CURVES["lower_lip_edge"] - CURVES["upper_lip_edge"])
        dark, enamel, tongue = (
            patch.new_tensor(c).view(1, 3, 1, 1) for c in ((0.26, 0.12, 0.12), (0.90, 0.87, 0.82), (0.66, 0.38, 0.38))
        )
        gaps = 0.86 + 0.14 * torch.abs(torch.cos(torch.pi * canvas.x_reference[rows] / 8.0)) ** 0.4
        teeth = smoothstep(TEETH[0] - 0.03, TEETH[0] + 0.05, t) * smoothstep(TEETH[1] + 0.03, TEETH[1] - 0.03, t)
        shade = 1 - 0.55 * smoothstep(0.25, 0.9, along)
        inside = blend(dark, enamel * gaps * shade, teeth * smoothstep(0.95, 0.7, along))
        inside = blend(inside, tongue, smoothstep(TONGUE[0], TONGUE[0] + 0.1, t) * smoothstep(0.95, 0.6, along))
        return blend(patch, inside, canvas.mouth[rows])

    def _brows(self, patch: Tensor, rows: slice, draw: Draw, person: Person, seed: Tensor) -> Tensor:
        canvas, t = self.canvas, self.brow_t[rows]
        y, z = canvas.y[rows], canvas.z[rows]
        arch, height, shift = draw.normal(0, 1.3), draw.normal(0, 0.9), draw.normal(0, 0.05)
        thickness = draw.uniform(0.72, 1.22) * (0.86 + 0.3 * person.male)
        density = draw.uniform(0.55, 0.95)
        inside = (t - _wide(shift)).clamp(-0.2, 1.2)
        rise = torch.sin(torch.pi * inside.clamp(0, 1) ** 1.15 * 0.82)
        middle = 16.6 + _wide(height) + (4.4 + _wide(arch)) * rise - t
        half = 3.7 * _wide(thickness) * (1 - 0.62 * t.clamp(0, 1) ** 1.5)
        ends = smoothstep(-0.06, 0.16, inside) * smoothstep(1.04, 0.80, inside) * smoothstep(20, 40, z)
        wide = (
            torch.exp(-(((y - 20) / 9.5) ** 4))
            * smoothstep(-0.1, 0.02, t)
            * smoothstep(1.12, 1.0, t)
            * smoothstep(20, 40, z)
        )
        # The linear albedo has an average brow of its own: fill it with the skin above before painting another.
        above = patch[:, :, :1].mean(3, keepdim=True)
        own = torch.exp(
            -(torch.abs((y - 16.6 - 4.4 * torch.sin(torch.pi * t.clamp(0, 1) ** 1.15 * 0.82) + t) / 5.6) ** 3)
        )
        lost = (above - patch).clamp_min(0) * (own * wide)
        patch = patch + 0.9 * lost
        strokes = F.grid_sample(
            normals(seed, (1, 96, 14), 1), self.brow_grid[:, rows].expand(len(patch), -1, -1, -1),
            mode="bilinear", padding_mode="reflection", align_corners=True,
        )  # fmt: skip
        cover = torch.exp(-(torch.abs((y - middle) / half) ** 2.4)) * ends
        cover = cover * (0.74 + 0.30 * strokes).clamp(0.15, 1.1) * _wide(density)
        colour = person.hair_colour[:, :, None, None] * 0.72 + 0.02
        return blend(patch, colour.clamp(0.08, 0.5), cover.clamp(0, 0.93))

    def _eyes(self, patch: Tensor, rows: slice, draw: Draw, eyes: Draw, person: Person) -> Tensor:
        canvas = self.canvas
        x, y, v, along = canvas.x[rows], canvas.y[rows], canvas.v[rows], canvas.lid_along[rows]
        woman = smoothstep(0.6, 0.3, person.male)
        lid = smoothstep(CURVES["brow"] + 0.015, CURVES["upper_lid"] - 0.012, v) * (v < CURVES["upper_lid"])
        lid = lid * smoothstep(1.35, 0.8, along.abs())
        shadow = self.shadows[draw.choice([0.4, 0.2, 0.15, 0.25])] * (1 - 0.35 * person.darkness[:, None])
        made_up = draw.chance(0.45) * woman * draw.uniform(0.15, 0.6)
        patch = blend(patch, shadow[:, :, None, None], _wide(made_up) * lid)
        crease = canvas.curve("crease", 0.009)[rows] * smoothstep(1.25, 0.9, along.abs())
        patch = patch * (1 - 0.16 * crease)
        # the ball
        centre, side = canvas.eye_centre, torch.sign(x)
        look_x, look_y = _wide(eyes.normal(0, 1.5)), _wide(eyes.normal(0, 0.5))
        dx, dy = x.abs() - centre[0] - side * look_x, y - centre[1] - 0.3 - look_y
        radius = torch.sqrt(dx.square() + dy.square() + 1e-6)
        iris_colour = draw_iris(eyes, self.irises, person)
        white = blend(
            patch.new_tensor([0.91, 0.895, 0.875]).view(1, 3, 1, 1),
            patch.new_tensor([0.84, 0.62, 0.58]).view(1, 3, 1, 1),
            (0.8 * smoothstep(-0.75, -1.0, along) + 0.3 * smoothstep(0.82, 1.05, along)).clamp(0, 1),
        )
        pupil = _wide(eyes.uniform(2.2, 2.9))
        ball = paint_iris(white, radius, iris_colour, pupil)
        t = (v - CURVES["upper_lid"]) / (CURVES["lower_lid"] - CURVES["upper_lid"])
        ball = ball * (1 - 0.42 * torch.exp(-((t / 0.2) ** 2)) - 0.10 * torch.exp(-(((1 - t) / 0.12) ** 2)))
        ball = ball * (1 - 0.12 * smoothstep(0.4, 1.0, along.abs()))
        spark_x, spark_y = _wide(eyes.uniform(-2.2, 2.2)), centre[1] + 2.3
        spark = torch.exp(-(((dx * side - spark_x) ** 2 + (y - spark_y) ** 2) / 1.2))
        ball = blend(ball, torch.ones_like(ball), 0.85 * spark)
        patch = blend(patch, ball, canvas.eye[rows])
        lash = 0.45 + 0.45 * woman * draw.uniform(0.3, 1.0)
        upper = torch.exp(-(((v - CURVES["upper_lid"] + 0.003) / 0.0085) ** 2)) * smoothstep(1.12, 0.95, along.abs())
        upper = upper * smoothstep(-1.15, -0.6, along)
        lower = torch.exp(-(((v - CURVES["lower_lid"] - 0.002) / 0.006) ** 2)) * smoothstep(1.0, 0.7, along.abs())
        cover = (_wide(lash) * (upper + 0.38 * lower)).clamp(0, 0.92)
        return blend(patch, patch.new_tensor([0.13, 0.09, 0.08]).view(1, 3, 1, 1), cover)


def draw_iris(eyes: Draw, table: Tensor, person: Person) -> Tensor:
    """``(B, 3, 1, 1)``: brown for dark skins, any colour of ``table (6, 3)`` for others."""
    likely = torch.stack(
        [
            0.15 + 2.5 * person.darkness,
            torch.full_like(person.age, 0.22),
            *(0.18 * (1 - person.darkness) ** 2,) * 4,
        ],
        1,
    )
    return (table[eyes.choice(likely)] * eyes.uniform(0.8, 1.1)[:, None])[:, :, None, None]


def paint_iris(white: Tensor, radius: Tensor, colour: Tensor, pupil: Tensor) -> Tensor:
    """Iris and pupil over the ``white (B, 3, T, T)`` of an eyeball; ``radius`` in mm from the middle of the iris."""
    iris = colour * (0.82 + 0.40 * smoothstep(5.4, 2.6, radius))
    iris = blend(iris, 0.42 * colour, smoothstep(4.9, 5.9, radius))
    ball = blend(white, iris, smoothstep(6.4, 5.7, radius))
    black = white.new_tensor([0.05, 0.045, 0.045]).view(1, 3, 1, 1)
    return blend(ball, black, smoothstep(pupil + 0.4, pupil - 0.3, radius))


def _wide(value: Tensor) -> Tensor:
    """(B,) → (B, 1, 1, 1)."""
    return value[:, None, None, None]
