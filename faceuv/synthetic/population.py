"""The population of synthetic faces: from standard normal numbers to identity, expression, pose, light and albedo."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn

from faceuv.geometry import ambient_light, directional_light
from faceuv.models.faces.base import FaceModel
from faceuv.synthetic.alone import one_by_one
from faceuv.synthetic.draw import Draw, smoothstep
from faceuv.synthetic.features import Person

# How the average man differs from the average woman, in standard deviations of each measure; half of it each way.
_DIMORPHISM = {
    "brow_depth": 0.9, "glabella_depth": 0.8, "jaw_width": 0.9, "chin_width": 0.9, "chin_height": -0.5,
    "eye_opening": -0.7, "upper_lip": -0.6, "lower_lip": -0.5, "cheek_fullness": -0.3, "nose_length": 0.4,
    "tip_size": 0.4, "alar_width": 0.5, "neck_width": 1.1, "jaw_angle_height": -0.5, "brow_height": -0.6,
    "bridge_width": 0.4, "face_width": 0.2, "size": 0.4,
}  # fmt: skip
# movement → (threshold, slope): amount = slope · max(0, normal − threshold) of the full movement
_MOVEMENTS = {
    "smile": (-0.3, 0.62),
    "jaw_open": (0.4, 0.36),
    "brow_up": (0.9, 0.63),
    "brow_down": (1.0, 0.56),
    "squint": (0.8, 0.56),
    "blink": (1.6, 1.26),
    "eye_wide": (0.9, 0.56),
    "cheek_raise": (0.6, 0.42),
    "frown": (1.2, 0.56),
    "mouth_stretch": (1.2, 0.49),
    "dimple": (0.8, 0.49),
    "upper_lip_raise": (1.1, 0.49),
    "lower_lip_drop": (1.1, 0.56),
    "pucker": (1.5, 0.56),
    "funnel": (1.6, 0.56),
    "lip_press": (1.2, 0.56),
    "nose_sneer": (1.5, 0.49),
    "chin_raise": (1.3, 0.49),
    "upper_lip_roll": (1.4, 0.49),
    "lower_lip_roll": (1.4, 0.49),
    "cheek_puff": (1.8, 0.56),
    "nostril_flare": (1.0, 0.49),
}
_DETAIL_SIGMA = 0.35
_IDENTITY_SIGMA = 0.9
# Display-referred hair colours, dark to light: black, dark brown, brown, chestnut, red, fair, blond, grey, white
_HAIR = torch.tensor(
    [
        [0.13, 0.11, 0.105], [0.21, 0.165, 0.14], [0.30, 0.22, 0.17], [0.40, 0.28, 0.20], [0.52, 0.29, 0.18],
        [0.56, 0.44, 0.30], [0.72, 0.59, 0.41], [0.52, 0.51, 0.50], [0.78, 0.77, 0.75],
    ]
)  # fmt: skip


class Population(nn.Module):
    """Reads the factors that end in coefficients of a linear model; a subclass knows the model's modes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("hair_colours", _HAIR.clone())

    hair_colours: Tensor
    left: Tensor
    right: Tensor

    @abstractmethod
    def identity(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coefficients ``(B, I)``, maleness and age ``(B,)`` in [0, 1]."""

    @abstractmethod
    def albedo(self, numbers: Tensor) -> Tensor:
        """Coefficients ``(B, A)``."""

    @abstractmethod
    def expression(self, numbers: Tensor) -> Tensor:
        """Coefficients ``(B, E)``: mostly calm or smiling faces, few movements at a time."""

    def _of_sides(self, left: Tensor, right: Tensor) -> Tensor:
        """Coefficients ``(B, E)`` of movements ``(B, M)`` of either side of the face."""
        return one_by_one(lambda left, right: left @ self.left + right @ self.right, left, right)

    def hair_colour(self, draw: Draw, darkness: Tensor, age: Tensor) -> Tensor:
        """Display-referred RGB ``(B, 3)``: dark skins have dark hair, old heads grey hair."""
        light = (1 - darkness).clamp(0.02, 1) ** 2
        grey = smoothstep(0.62, 1.0, age)
        weights = [
            0.10 + 2.2 * darkness,
            0.30 + 0.6 * darkness,
            *(light * w for w in (0.28, 0.20, 0.06, 0.18, 0.16)),
            0.8 * grey,
            0.6 * grey,
        ]
        table = torch.stack([w * (1 - 0.6 * grey) if k < 7 else w for k, w in enumerate(weights)], 1)
        colour = self.hair_colours[draw.choice(table)]
        return (
            colour
            * draw.uniform(0.85, 1.18)[:, None]
            * torch.stack([1 + 0.03 * draw.normal(), torch.ones_like(age), 1 + 0.03 * draw.normal()], 1)
        )

    def light(self, numbers: Tensor) -> Tensor:
        """``(B, 3, 9)``: an ambient part, a key light from above on either side, at times a fill or a rim."""
        draw = Draw(numbers)
        warm = 0.05 * draw.normal()
        tint = torch.stack([1 + warm, 1 + 0.012 * draw.normal(), 1 - warm], 1)
        ambient = draw.uniform(0.42, 0.66)
        light = ambient_light(ambient[:, None] * tint)
        sky = torch.stack([torch.zeros_like(warm), torch.ones_like(warm), 0.3 * torch.ones_like(warm)], 1)
        light = light + directional_light(sky, 0.14 * torch.ones_like(sky))
        brightness = draw.uniform(0.38, 0.68) + (0.55 - ambient)
        key = torch.stack([draw.normal(0, 0.62), draw.normal(0.42, 0.32), draw.uniform(0.45, 1.1)], 1)
        warmth = 0.06 * draw.normal()
        colour = torch.stack([1 + warmth, torch.ones_like(warm), 1 - warmth], 1)
        light = light + directional_light(key, brightness[:, None] * colour)
        second = torch.stack([draw.normal(0, 0.9), draw.normal(0.1, 0.4), draw.uniform(-0.5, 0.6)], 1)
        strength = draw.uniform(0.05, 0.32) * draw.chance(0.6)
        tinted = 1 + 0.15 * torch.stack([draw.normal(), draw.normal(), draw.normal()], 1)
        return light + directional_light(second, strength[:, None] * tinted)

    def head_turn(self, numbers: Tensor, reach: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        """Pitch, yaw and the roll left over after alignment, ``(B,)`` radians each.

        Yaw is symmetric, within ±45° in 96 of 100 cases and always within ±65°; ``reach`` is a factor on yaw and pitch.
        """
        draw = Draw(numbers)
        yaw = 65 * reach * torch.tanh(draw.normal(0, 27 / 65))
        pitch, roll = 26 * reach * torch.tanh(draw.normal(0.06, 0.36)), draw.normal(0, 2.2)
        degree = math.pi / 180
        return pitch * degree, yaw * degree, roll * degree


class ProceduralPopulation(Population):
    """The population of the procedural face."""

    def __init__(self, model: FaceModel) -> None:
        super().__init__()
        layout = model.layout
        traits, full = model.metadata["traits"], model.metadata["full_expression"]
        names = model.mode_names["expression"]
        man = torch.stack([0.5 * amount * torch.tensor(traits[name]) for name, amount in _DIMORPHISM.items()]).sum(0)
        self.register_buffer("man", man)
        left, right = (torch.zeros(len(_MOVEMENTS), layout.expression) for _ in range(2))
        combined = model.metadata["combined_expression"]
        for row, movement in enumerate(_MOVEMENTS):
            for mode in combined.get(movement, [movement]):
                sides = [right] if mode.endswith("_right") else [left] if mode.endswith("_left") else [left, right]
                for side in sides:
                    side[row, names.index(mode)] += full[mode] * (1.0 if len(sides) == 1 else 0.5)
        self.register_buffer("left", left)
        self.register_buffer("right", right)
        self.register_buffer("threshold", torch.tensor([t for t, _ in _MOVEMENTS.values()]))
        self.register_buffer("slope", torch.tensor([s for _, s in _MOVEMENTS.values()]))
        details = torch.tensor([name.startswith("detail") for name in names])
        self.register_buffer("detail_columns", details.nonzero()[:, 0])
        self.register_buffer("darker", -torch.sign(model.albedo_basis[..., 0].mean()).cpu())

    man: Tensor
    left: Tensor
    right: Tensor
    threshold: Tensor
    slope: Tensor
    detail_columns: Tensor
    darker: Tensor

    def identity(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        draw = Draw(numbers)
        own = draw.take(self.man.shape[0])
        male = one_by_one(torch.sigmoid, 4.0 * draw.normal())
        age = draw.skewed(1.4)
        return _IDENTITY_SIGMA * own + (2 * male - 1)[:, None] * self.man, male, age

    def albedo(self, numbers: Tensor) -> Tensor:
        """Coefficients ``(B, A)``; the tails are pulled in, because far out the linear model leaves human colours.

        The first mode is how dark the skin is; it leans to the dark side, where the linear model has the longer tail.
        """
        coefficients = 1.9 * torch.tanh(numbers / 2.0)
        depth = 0.45 + 1.1 * coefficients[:, :1]
        return torch.cat([self.darker * depth, coefficients[:, 1:]], 1)

    def expression(self, numbers: Tensor) -> Tensor:
        draw = Draw(numbers)
        count = len(self.slope)
        raised = (draw.take(count) - self.threshold).clamp_min(0) * self.slope
        raised = raised / (1 + 0.35 * raised)  # no movement runs far beyond its full extent
        lean = 0.18 * draw.take(count)
        expression = self._of_sides(raised * (1 - lean), raised * (1 + lean))
        details = _DETAIL_SIGMA * draw.take(len(self.detail_columns))
        return expression.index_add(1, self.detail_columns, details)


def skin_darkness(cheek: Tensor) -> Tensor:
    """0 … 1 from the mean colour of the cheeks ``(B, 3)``."""
    luminance = one_by_one(lambda row: row @ row.new_tensor([0.30, 0.59, 0.11]), cheek)
    return smoothstep(0.72, 0.40, luminance)


def make_person(population: Population, numbers: dict[str, Tensor], cheek: Tensor, male: Tensor, age: Tensor) -> Person:
    """The properties that several factors share."""
    darkness = skin_darkness(cheek)
    colour = population.hair_colour(Draw(numbers["hair"]), darkness, age)
    return Person(male, age, darkness, colour)
