"""How a face moves: 46 named movements and 18 smooth details about mouth and brows.

Left and right are the subject's, as in ARKit's blend shapes: ``smile_left`` moves the corner at x > 0, on the viewer's
right. Fields are written for the *full* movement in millimetres; a mode is that divided by its full coefficient, so
that one unit is a natural standard deviation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from faceuv.models.faces.procedural import eyelid, mouth
from faceuv.models.faces.procedural.kernels import Parity, mirrored_fields
from faceuv.models.faces.procedural.linear import principal_modes
from faceuv.models.faces.procedural.sdf import Array, smoothstep
from faceuv.models.faces.procedural.template import Template
from faceuv.models.faces.procedural.twin import Twin, each

MODES = 64
FULL = 5.0  # coefficient of a full movement …
FULL_SPECIAL = {"jaw_open": 8.0, "blink_left": 6.0, "blink_right": 6.0}  # … of those that can hardly go backwards
JAW_ANGLE = 14.0  # degrees of the hinge at full opening
_HINGE = (-12.0, 8.0)  # y, z of the jaw's axis
_SEED = 1


class Expression(NamedTuple):
    basis: Array  # (V, 3, 64) mm per unit
    names: list[str]
    full: dict[str, float]  # named movement → coefficient of the full movement


def expression_basis(template: Twin[Template]) -> Expression:
    """The named movements, then details up to 64 modes."""
    movements = named_movements(template.wanted)
    full = {name: FULL_SPECIAL.get(name, FULL) for name in movements}
    named = np.stack([field / full[name] for name, field in movements.items()])
    details = _details(template, MODES - len(movements))
    names = [*movements, *(f"detail_{k:02d}" for k in range(len(details)))]
    return Expression(np.moveaxis(np.concatenate([named, details]), 0, -1), names, full)


def named_movements(template: Template) -> dict[str, Array]:
    """Name → ``(V, 3)`` mm of the full movement."""
    face = _Face(template)
    sided = {**_brows(face), **_eyes(face), **_cheeks_and_nose(face), **_mouth_sides(face)}
    return {
        **_jaw(face),
        **{f"{name}_{side}": field * mask[:, None] for name, field in sided.items() for side, mask in face.sides},
        **_mouth_whole(face),
    }


class _Face:
    """Coordinates and weights that the movements are written in; x is the distance from the midline."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.signed_x, self.y, self.z = template.positions.T
        self.x = np.abs(self.signed_x)
        self.outward = np.sign(self.signed_x)
        left = smoothstep(-4, 4, self.signed_x)
        self.sides = (("left", left), ("right", 1 - left))
        self.front = smoothstep(0, 40, self.z)
        # flesh: 1 on skin and lips, 0 on teeth, palate and tongue
        t, width = template.pocket_t, smoothstep(0.97, 0.55, template.mouth_along)
        edges = np.maximum(np.maximum(1 - t / 0.14, 1 - (1 - t) / 0.10), 0)
        self.flesh = 1 - width * (1 - edges)
        self.lower = self._lower_lip()
        ball = smoothstep(1.25, 0.95, np.abs(template.lid_along))
        off_eye = np.maximum(template.above("upper_lid", 0.03), template.below("lower_lid", 0.03))
        self.not_eye = 1 - ball * (1 - off_eye)

    def _lower_lip(self) -> Array:
        """0 on what the skull carries, 1 on what the jaw carries: split at the lips, smooth beyond their corner."""
        template = self.template
        wide = smoothstep(mouth.HEIGHT + 16, mouth.HEIGHT - 14, self.y)
        split = mouth.pocket_jaw(template.pocket_t)
        return split + (wide - split) * smoothstep(0.42, 1.12, template.mouth_along)

    def bump(self, x: float, y: float, wide: float, high: float) -> Array:
        """A Gaussian hill at ``(±x, y)`` on the front of the face, on flesh only."""
        hill = np.exp(-(((self.x - x) / wide) ** 2) - ((self.y - y) / high) ** 2)
        return hill * self.front * self.flesh

    def field(self, outward: Array | float = 0.0, up: Array | float = 0.0, forward: Array | float = 0.0) -> Array:
        """``(V, 3)`` from parts; outward is away from the midline."""
        parts = (self.outward * outward, up, forward)
        return np.stack([np.broadcast_to(part, self.x.shape) for part in parts], -1)


def _jaw(face: _Face) -> dict[str, Array]:
    throat = smoothstep(-168, -104, face.y) * smoothstep(0, 70, face.z)  # the neck stays
    carried = face.lower * smoothstep(86, 42, face.x) * throat
    carried = carried * (1 - 0.3 * np.exp(-(((face.x - 27) / 8) ** 2) - ((face.y - mouth.HEIGHT) / 9) ** 2))
    angle = np.deg2rad(JAW_ANGLE)
    y, z = face.y - _HINGE[0], face.z - _HINGE[1]
    open_up = y * np.cos(angle) - z * np.sin(angle) - y
    open_forward = y * np.sin(angle) + z * np.cos(angle) - z
    cheeks = face.bump(38, -50, 16, 22)  # the cheeks hollow a little as the jaw pulls them
    upper_lip = face.bump(0, mouth.HEIGHT + 5, 16, 8) * (1 - face.lower)
    sideways = np.stack([5.5 * carried, 0 * carried, 0 * carried], -1)
    narrow = -0.05 * face.x * carried - 1.6 * cheeks
    return {
        "jaw_open": face.field(narrow, carried * open_up + 1.8 * upper_lip, carried * open_forward - 1.2 * cheeks),
        "jaw_left": sideways,
        "jaw_forward": face.field(forward=4.5 * carried),
    }


def _brows(face: _Face) -> dict[str, Array]:
    above_lid = face.template.above("crease", 0.035)

    def hill(x: float, wide: float, y: float = 20, high: float = 19) -> Array:
        return face.bump(x, y, wide, high) * above_lid

    def raised(x: float, amount: float) -> Array:
        lift = hill(x, 13)
        return face.field(up=amount * lift, forward=0.08 * amount * lift)

    frown = hill(15, 15, 17, 12)
    return {
        "brow_inner_up": raised(12, 5.0),
        "brow_middle_up": raised(29, 4.0),
        "brow_outer_up": raised(46, 5.5),
        "brow_down": face.field(-2.2 * frown, -4.8 * frown, 1.2 * frown),
    }


def _eyes(face: _Face) -> dict[str, Array]:
    below = face.template.below("lower_lid", 0.03)
    cheek = face.bump(33, -17, 16, 8) * below
    return {
        "blink": eyelid.shut(face.template),
        "squint": eyelid.squint(face.template) + face.field(up=1.6 * cheek, forward=1.2 * cheek),
        "eye_wide": eyelid.widen(face.template),
    }


def _cheeks_and_nose(face: _Face) -> dict[str, Array]:
    below = face.template.below("lower_lid", 0.04)
    apple, pouch = face.bump(41, -27, 18, 12) * below, face.bump(37, -52, 17, 18)
    wing, flank = face.bump(14, -36, 8, 9), face.bump(9, -8, 6, 10)
    lip, brow = face.bump(11, -55, 10, 8) * (1 - face.lower), face.bump(12, 14, 9, 8) * face.not_eye
    return {
        "cheek_raise": face.field(up=3.6 * apple, forward=2.6 * apple),
        "cheek_puff": face.field(5.5 * pouch, 0.0, 5.5 * pouch),
        "nose_sneer": face.field(0.6 * wing, 3.2 * wing + 1.8 * lip - 1.6 * brow, 1.4 * flank),
        "nostril_flare": face.field(2.6 * face.bump(15, -38, 6, 7), 0.6 * face.bump(15, -38, 6, 7)),
    }


def _mouth_sides(face: _Face) -> dict[str, Array]:
    y = mouth.HEIGHT
    corner, apple = face.bump(25.5, y, 14, 12), face.bump(38, -33, 16, 13) * face.template.below("lower_lid", 0.05)
    fold, hollow = face.bump(31, -50, 8, 12), face.bump(30, y + 1, 7, 8)
    upper, lower = (1 - face.lower) * face.bump(9, -56, 15, 9), face.lower * face.bump(9, -70, 15, 9)
    stretch = face.bump(25.5, y, 15, 13)
    return {
        "smile": face.field(
            7.0 * corner + 1.0 * apple,
            7.0 * corner + 4.0 * apple + 1.0 * fold,
            -4.5 * corner + 3.6 * apple + 1.2 * fold,
        ),
        "frown": face.field(0.8 * corner, -6.5 * corner, -0.8 * corner),
        "mouth_stretch": face.field(7.0 * stretch, -1.5 * stretch, -3.4 * stretch),
        "dimple": face.field(2.4 * corner, 0.5 * corner, -3.6 * hollow),
        "upper_lip_raise": face.field(up=6.0 * upper, forward=1.2 * upper),
        "lower_lip_drop": face.field(up=-6.5 * lower, forward=0.6 * lower),
    }


def _mouth_whole(face: _Face) -> dict[str, Array]:
    y = mouth.HEIGHT
    lips, seam = face.bump(0, y, 25, 14), face.bump(0, y, 22, 7)
    upper, lower = 1 - face.lower, face.lower
    parted = np.where(face.lower > 0.5, -1.0, 1.0) * np.abs(2 * face.lower - 1)
    above, below = face.bump(0, y + 5, 22, 5) * upper, face.bump(0, y - 5, 22, 6) * lower
    pout, chin = face.bump(0, y - 5, 20, 7) * lower, face.bump(0, -90, 17, 12)
    shift = 7.0 * face.bump(0, y, 34, 15)
    return {
        "pucker": face.field(-0.30 * face.x * lips, 0.0, 7.0 * lips),
        "funnel": face.field(-0.18 * face.x * lips, 3.0 * parted * lips, 5.5 * lips),
        "lip_press": face.field(0.0, -1.2 * (1 - 2 * face.lower) * face.bump(0, y, 22, 6), -2.4 * seam),
        "mouth_left": np.stack([shift, 0 * shift, 0 * shift], -1),
        "upper_lip_roll": face.field(0.0, -1.6 * above, -2.8 * above),
        "lower_lip_roll": face.field(0.0, 1.6 * below, -2.8 * below),
        "lower_lip_out": face.field(0.0, -0.6 * pout, 4.0 * pout),
        "chin_raise": face.field(0.0, 3.6 * face.bump(0, -84, 20, 14) * lower, 2.2 * chin),
        "nose_down": face.field(up=-2.6 * face.bump(0, -36, 14, 10)),
    }


def _details(template: Twin[Template], count: int) -> Array:
    """``(count, V, 3)``: smooth local fields about mouth and brows, two in three symmetric."""
    window = each(_detail_window, template)
    points = each(lambda chart: _half(chart, chart.positions), template)
    density = each(_half, template, window)
    reference = template.reference
    weight = _half(reference, reference.face_weight() * window.reference)
    rng = np.random.default_rng(_SEED)
    skewed = count // 3
    kinds: tuple[tuple[Parity, int, float], ...] = (
        ("symmetric", count - skewed, 1.0),
        ("antisymmetric", skewed, -1.0),
    )
    fields = []
    for parity, wanted, mirror in kinds:
        raw = mirrored_fields(points, density.reference, 15.0, parity, 8, rng)
        raw = each(lambda field, at: field * at[:, None].astype(np.float32), raw, density)
        found = principal_modes(raw, weight, wanted).fields
        modes = found.wanted / np.linalg.norm(found.reference, axis=-1).max(1)[:, None, None]
        modes *= np.linspace(0.7, 0.4, wanted)[:, None, None]  # mm at the strongest vertex
        side = modes.reshape(wanted, template.wanted.grid.rows, -1, 3)
        other = side[:, :, :0:-1] * np.array([-mirror, mirror, mirror])
        fields.append(np.concatenate([other, side], axis=2).reshape(wanted, -1, 3))
    return np.concatenate(fields)


def _detail_window(template: Template) -> Array:
    """``(V,)``: 1 about the mouth and the brows."""
    face = _Face(template)
    window = face.bump(0, mouth.HEIGHT, 38, 24) + face.bump(0, 19, 52, 14) * template.above("crease", 0.035)
    return np.clip(window, 0, 1) * face.not_eye


def _half(template: Template, values: Array) -> Array:
    """Of the subject's left half, the midline included."""
    grid = template.grid
    return values.reshape(grid.rows, grid.columns, -1)[:, grid.middle :].reshape(-1, *values.shape[1:])
