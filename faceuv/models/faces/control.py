"""Changes of pose, expression and light, as pure functions on coefficients.

Angles are in degrees here. An unknown name is an error that lists the known ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceuv.checks import check_finite, check_floating, check_shape, finite_number, shown
from faceuv.errors import InputError
from faceuv.geometry import named_light
from faceuv.models.faces.base import FaceModel
from faceuv.structures import Coefficients, Surface, UVMaps

Degrees = float | Sequence[float] | Tensor
Light = str | Tensor
Expression = Mapping[str, float] | Tensor


def posed(
    coefficients: Coefficients,
    *,
    yaw_deg: Degrees | None = None,
    pitch_deg: Degrees | None = None,
    roll_deg: Degrees | None = None,
) -> Coefficients:
    """Turn B heads; an angle is one number or one per face ``(B,)``, and one that is not given stays as it is.

    ``yaw_deg`` > 0 turns to the viewer's right, ``pitch_deg`` > 0 looks down, ``roll_deg`` > 0 tilts counter-clockwise
    in the image.
    """
    rotation = turned(coefficients.rotation, yaw_deg=yaw_deg, pitch_deg=pitch_deg, roll_deg=roll_deg)
    return coefficients.replace(rotation=rotation)


def turned(
    rotation: Tensor,
    *,
    yaw_deg: Degrees | None = None,
    pitch_deg: Degrees | None = None,
    roll_deg: Degrees | None = None,
) -> Tensor:
    """Rotations ``(B, 3)`` in radians with some angles exchanged."""
    rotation = rotation.clone()
    for axis, (name, angle) in enumerate((("pitch_deg", pitch_deg), ("yaw_deg", yaw_deg), ("roll_deg", roll_deg))):
        if angle is not None:
            rotation[:, axis] = degrees(name, angle, len(rotation)).deg2rad().to(rotation)
    return rotation


def expressed(
    coefficients: Coefficients,
    face_model: FaceModel,
    expression: Tensor | None = None,
    amounts: Mapping[str, float] | None = None,
) -> Coefficients:
    """A new expression for B faces.

    Args:
        expression: raw coefficients ``(E,)``, ``(1, E)`` or ``(B, E)`` that replace the present ones.
        amounts: movement → how far, 1.0 = the full movement, set in place of their modes' coefficients.
    """
    value = coefficients.expression
    if expression is not None:
        given = expression[None] if isinstance(expression, Tensor) and expression.ndim == 1 else expression
        check_shape("expression coefficients", given, ("B", face_model.layout.expression))
        check_floating("expression coefficients", given)
        check_finite("expression coefficients", given)
        if len(given) not in (1, len(coefficients)):
            raise InputError(f"expression coefficients are of one face or of {len(coefficients)}, got {len(given)}")
        value = given.to(value).expand_as(value)
    value = value.clone()
    for name, amount in (amounts or {}).items():
        for column, full in face_model.movement(name).items():
            value[:, column] = full * finite(name, amount)
    return coefficients.replace(expression=value)


def relit(coefficients: Coefficients, light: Light) -> Coefficients:
    """Relight B faces: by a name (``"studio"``, ``"left"``, ``"warm"``, …) or by SH coefficients ``(3, 9)``,
    ``(1, 3, 9)`` or ``(B, 3, 9)``."""
    return coefficients.replace(lighting=lighting_of(light, len(coefficients)))


def lighting_of(light: Light, count: int) -> Tensor:
    """SH coefficients ``(1 or count, 3, 9)`` of a light's name, or of coefficients."""
    if isinstance(light, str):
        return named_light(light)
    value = light[None] if isinstance(light, Tensor) and light.ndim == 2 else light
    check_shape("light", value, ("B", 3, 9))
    check_floating("light", value)
    check_finite("light", value)
    if len(value) not in (1, count):
        raise InputError(f"light must be one or one per face ({count}, 3, 9), got {tuple(value.shape)}")
    return value


def between_maps(first: UVMaps | None, second: UVMaps | None, t: float) -> UVMaps | None:
    """The maps between two; both have the same ones at the same sizes, or none."""
    if first is None and second is None:
        return None
    mixed: dict[str, Tensor | None] = {}
    for name in ("diffuse", "displacement", "roughness"):
        pair = [getattr(maps, name, None) for maps in (first, second)]
        shapes = [None if value is None else tuple(value.shape) for value in pair]
        if shapes[0] != shapes[1]:
            raise InputError(f"faces between two need {name} maps of one size in both, or in neither; got {shapes}")
        a, b = pair
        mixed[name] = None if a is None or b is None else torch.lerp(a, b.to(a), t)
    return UVMaps(**mixed)


def between_surfaces(first: Surface, second: Surface, t: float) -> Surface:
    """The surface between two of one mesh: vertices, pose, light and textures."""
    a, b = first.mesh, second.mesh
    if a.vertices.shape != b.vertices.shape or not torch.equal(a.faces, b.faces.to(a.faces)):
        raise InputError("surfaces between two need one mesh: the same faces over as many vertices")
    mixed: dict[str, Tensor | None] = {}
    for name in ("rotation", "translation", "lighting", "diffuse", "vertex_colours", "normal_map"):
        pair = [getattr(surface, name) for surface in (first, second)]
        shapes = [None if value is None else tuple(value.shape) for value in pair]
        if shapes[0] != shapes[1]:
            raise InputError(f"surfaces between two need {name} of one shape in both, or in neither; got {shapes}")
        mixed[name] = None if pair[0] is None else torch.lerp(pair[0], pair[1].to(pair[0]), t)
    return first.replace(mesh=a.at(torch.lerp(a.vertices, b.vertices.to(a.vertices), t)), **mixed)


def degrees(name: str, angle: Degrees, count: int) -> Tensor:
    """One angle, or one per face, as ``(count,)``."""
    try:
        plain = isinstance(angle, (list, tuple, np.ndarray, Tensor))
        value = torch.as_tensor(angle if plain else finite(name, angle), dtype=torch.float64).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{name} must be one number or one per face, got {shown(angle)}") from error
    if value.ndim > 1 or (value.ndim == 1 and len(value) not in (1, count)):
        raise InputError(f"{name} must be one number or one per face ({count},), got shape {tuple(value.shape)}")
    check_finite(name, value.reshape(-1))
    # Whole turns go in 64 bits: in 32, a billion degrees would be 30 off. Smaller angles stay exactly as they are.
    value = torch.where(value.abs() > 360, torch.fmod(value, 360.0), value)
    return value.to(torch.get_default_dtype()).expand(count)


def finite(name: str, value: Any) -> float:
    """``value``, unless it is NaN or infinite."""
    return finite_number(name, value)
