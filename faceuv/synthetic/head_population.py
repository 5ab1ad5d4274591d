"""The population of any head whose expressions are ARKit's: who the people are, and what their faces do."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.faces.base import FaceModel
from faceuv.synthetic.alone import one_by_one
from faceuv.synthetic.draw import Draw
from faceuv.synthetic.population import Population
from faceuv.synthetic.seeds import FACTORS

# movement → (threshold, slope): amount = slope · max(0, normal − threshold); sides by the suffixes Left and Right
_MOVEMENTS = {
    "mouthSmile": (-0.3, 0.45),
    "jawOpen": (0.5, 0.22),
    "browInnerUp": (0.8, 0.45),
    "browOuterUp": (0.9, 0.40),
    "browDown": (1.0, 0.45),
    "eyeSquint": (0.7, 0.50),
    "eyeBlink": (1.6, 1.20),
    "eyeWide": (0.9, 0.50),
    "cheekSquint": (0.6, 0.40),
    "mouthFrown": (1.2, 0.50),
    "mouthStretch": (1.2, 0.45),
    "mouthDimple": (0.8, 0.45),
    "mouthUpperUp": (1.1, 0.45),
    "mouthLowerDown": (1.1, 0.45),
    "mouthPucker": (1.5, 0.60),
    "mouthFunnel": (1.6, 0.50),
    "mouthPress": (1.2, 0.50),
    "noseSneer": (1.5, 0.50),
    "mouthShrugLower": (1.4, 0.45),
    "mouthRollUpper": (1.5, 0.50),
    "mouthRollLower": (1.5, 0.50),
    "cheekPuff": (1.8, 0.60),
    "mouthLeft": (1.7, 0.40),
    "mouthRight": (1.7, 0.40),
    "jawForward": (1.7, 0.40),
    "jawLeft": (1.8, 0.30),
    "jawRight": (1.8, 0.30),
}
_GAZE = 0.2  # amount of a look at one deviation
_MODES = 80  # of identity and of albedo that the numbers of a scene reach
_SIGMA = 0.9
_YOUNGEST, _OLDEST = -0.95, 1.5  # deviations of a mode called age between which adults lie


class HeadPopulation(Population):
    """Draws identities as the head's own modes say, and expressions as ARKit amounts within their limits.

    Where the identity has modes called ``age`` and ``gender``, beards and wrinkles agree with the shape.
    """

    def __init__(self, model: FaceModel) -> None:
        super().__init__()
        names = model.mode_names["expression"]
        if model.expression_limits is None or "jawOpen" not in names:
            raise InputError(
                f"synthetic people need the procedural face or a head with ARKit's expressions; {model.kind} has"
                f" {', '.join(names[:3])}, …: transfer its coefficients to such a head"
            )
        self.layout = model.layout
        identity = model.mode_names["identity"]
        self.age_mode, self.gender_mode = (identity.index(n) if n in identity else None for n in ("age", "gender"))
        left, right = (torch.zeros(len(_MOVEMENTS), len(names)) for _ in range(2))
        for row, movement in enumerate(_MOVEMENTS):
            for table, side in ((left, "Left"), (right, "Right")):
                for name in (movement, movement + side):
                    if name in names:
                        table[row, names.index(name)] = 1.0 if name.endswith(side) and name != movement else 0.5
        gaze = torch.zeros(2, 2, len(names))  # axis, sign
        for axis, sign, looks in (
            (0, 0, ("eyeLookOutLeft", "eyeLookInRight")),
            (0, 1, ("eyeLookInLeft", "eyeLookOutRight")),
            (1, 0, ("eyeLookUpLeft", "eyeLookUpRight")),
            (1, 1, ("eyeLookDownLeft", "eyeLookDownRight")),
        ):
            for name in looks:
                if name in names:
                    gaze[axis, sign, names.index(name)] = 1.0
        self.register_buffer("left", left)
        self.register_buffer("right", right)
        self.register_buffer("gaze", gaze)
        self.register_buffer("threshold", torch.tensor([t for t, _ in _MOVEMENTS.values()]))
        self.register_buffer("slope", torch.tensor([s for _, s in _MOVEMENTS.values()]))
        self.register_buffer("limits", model.expression_limits.clone())

    left: Tensor
    right: Tensor
    gaze: Tensor
    threshold: Tensor
    slope: Tensor
    limits: Tensor

    def identity(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        draw = Draw(numbers)
        own = _SIGMA * draw.take(_MODES)[:, : self.layout.identity]
        male = one_by_one(torch.sigmoid, 4.0 * draw.normal())
        age = draw.skewed(1.4)
        columns = list(own.unbind(1)) + [own.new_zeros(len(own))] * (self.layout.identity - own.shape[1])
        if self.gender_mode is not None:
            columns[self.gender_mode] = 2 * male - 1
        if self.age_mode is not None:
            columns[self.age_mode] = _YOUNGEST + (_OLDEST - _YOUNGEST) * age
        return torch.stack(columns, 1), male, age

    def albedo(self, numbers: Tensor) -> Tensor:
        """Coefficients ``(B, A)``; the tails are pulled in."""
        count = self.layout.albedo
        coefficients = 1.9 * torch.tanh(numbers[:, :count] / 2.0)
        return torch.cat([coefficients, coefficients.new_zeros(len(numbers), count - coefficients.shape[1])], 1)

    def expression(self, numbers: Tensor) -> Tensor:
        draw = Draw(numbers)
        raised = (draw.take(len(self.slope)) - self.threshold).clamp_min(0) * self.slope
        raised = raised / (1 + 0.35 * raised)
        lean = 0.18 * draw.take(len(self.slope))
        amounts = self._of_sides(raised * (1 - lean), raised * (1 + lean))
        for axis in range(2):
            look = (_GAZE * draw.normal())[:, None]
            amounts = amounts + look.clamp_min(0) * self.gaze[axis, 0] + (-look).clamp_min(0) * self.gaze[axis, 1]
        low, high = self.limits.unbind(1)
        return torch.minimum(torch.maximum(amounts, low), high)


assert 2 * len(_MOVEMENTS) + 2 <= FACTORS["expression"]
