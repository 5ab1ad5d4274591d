"""The colours of a person on points of a head: skin, lips, brows, the shade of hair, eyes, mouth.

What is painted is smooth; :mod:`~faceuv.models.faces.appearance.detail` adds what is finer than a vertex grid. Skin is
composed as melanin and blood (:mod:`~faceuv.models.faces.appearance.spectrum`), so that a blush on dark skin is dark.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceuv.models.faces.appearance.curves import signed_distance, smoothstep
from faceuv.models.faces.appearance.geometry import SIDES, Eyeball, Head, eye_rows, interpolate
from faceuv.models.faces.appearance.modes import PATCHES, Person
from faceuv.models.faces.appearance.regions import SEEN_FROM_FRONT, Regions, find_regions
from faceuv.models.faces.appearance.spectrum import encode, skin_colour
from faceuv.models.faces.arrays import PARTS
from faceuv.models.faces.procedural.paint import HAIR, brow_coverage

_MELANIN = (math.log(0.036), 0.66)  # middle and deviation of the logarithm, over people
_BLOOD = (math.log(0.0225), 0.23)
_SEED = 5
_IRIS_COLOURS = (  # along lightness: the usual way from dark brown to pale
    (0.155, 0.098, 0.068), (0.28, 0.175, 0.105), (0.42, 0.28, 0.155), (0.47, 0.40, 0.25), (0.50, 0.54, 0.46),
    (0.60, 0.66, 0.68),
)  # fmt: skip
_IRIS_BLUE = (0.40, 0.53, 0.68)
_WET = ("cornea_left", "cornea_right", "lacrimal", "eye_blend", "eye_occlusion")
_MOUTH = ("gums", "tongue", "inner_mouth", "teeth")
_THROUGH = (0.94, 1.0, 1.08)
# Single hairs let red light through: they are warmer than a head of hair, whose strands shade each other.
_BROWS = (0.98, 0.85, 0.74)
_FLESH = (0.95, 0.80, 0.79)  # mucous membranes have no epidermis to scatter light: redder than the reddest skin
_INSIDE = (0.85, 1.15, 1.2)  # how fast each channel darkens into the mouth
_IRIS_MM = 5.9
_CUT = 0.25  # how much darker than skin the cut under the neck is
PUPIL = 0.36
"""Radius of the pupil, in radii of the iris."""


@dataclass(frozen=True)
class Points:
    """N points of a head, with all of their properties that do not depend on the person.

    part     (N,) index into PARTS
    regions  masks of the skin
    patches  (M, P) slow unevenness of unit variance, at the points or, with ``within``, at the vertices
    within   the vertices around each point ``(N, 3)`` and their weights ``(N, 3)``, or None
    eyes     side → rows, distance in iris radii, angle
    """

    part: Tensor
    regions: Regions
    patches: Tensor
    eyes: Mapping[str, tuple[Tensor, Tensor, Tensor]]
    within: tuple[Tensor, Tensor] | None = None

    @classmethod
    def of(
        cls,
        positions: Tensor,
        canonical: Tensor,
        part: Tensor,
        eyeballs: Mapping[str, Eyeball],
        normals: Tensor,
        patches: Tensor | None = None,
        within: tuple[Tensor, Tensor] | None = None,
    ) -> Points:
        """From ``positions (N, 3)`` dm, ``canonical (N, 3)`` mm, ``part (N,)`` and ``normals (N, 3)``."""
        regions = find_regions(canonical, (part == PARTS.index("skin")).to(canonical), normals)
        eyes = {side: eye_rows(part, positions, side, ball) for side, ball in eyeballs.items()}
        if not eyeballs:
            eyes = _eyes_of_one_surface(canonical)
        return cls(part, regions, unevenness(canonical) if patches is None else patches, eyes, within)

    @classmethod
    def of_vertices(cls, head: Head) -> Points:
        return cls.of(head.mean, head.canonical, head.part_of_vertices(), head.eyeballs(), head.normals())

    @functools.cached_property
    def lid_shadows(self) -> dict[str, Tensor]:
        """Side → :func:`lid_shadow` at the rows of that eye."""
        return {side: lid_shadow(self.regions.points[rows], side) for side, (rows, *_) in self.eyes.items()}

    @functools.cached_property
    def wet(self) -> Tensor:
        """``(N,)`` bool: the wet layers of the eyes."""
        return torch.isin(self.part, torch.tensor([PARTS.index(name) for name in _WET]))

    @functools.cached_property
    def in_mouth(self) -> Tensor:
        """``(N,)`` bool: teeth, gums, tongue and the mouth's lining."""
        return torch.isin(self.part, torch.tensor([PARTS.index(name) for name in _MOUTH]))

    def uneven(self, weights: Tensor) -> Tensor:
        """``(N, C)``: the patches with ``weights (P, C)``."""
        found = self.patches @ weights
        return found if self.within is None else interpolate(found, *self.within)


Layer = Callable[[Points, Person], Any]


def _eyes_of_one_surface(canonical: Tensor) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """The eyes of a head whose eyeballs are no parts: what lies between the lids."""
    found = {}
    for side, sign in (("left", 1.0), ("right", -1.0)):
        near = (canonical[:, 0] * sign > 12) & (canonical[:, 0] * sign < 50) & (canonical[:, 1].abs() < 10)
        rows = (near & (canonical[:, 2] > SEEN_FROM_FRONT)).nonzero()[:, 0]
        rows = rows[signed_distance(canonical[rows, :2], f"eye_{side}") < 0]
        x, y = canonical[rows, 0] - 30.7 * sign, canonical[rows, 1] - 0.8
        found[side] = (rows, torch.hypot(x, y) / _IRIS_MM, torch.atan2(y, x))
    return found


def unevenness(points: Tensor) -> Tensor:
    """``(N, P)``: one smooth pattern of unit variance per name in PATCHES, even or odd across the midline."""
    rng = np.random.default_rng(_SEED)
    columns = []
    for name in PATCHES:
        odd, number = "uneven" in name, int(name.rsplit("_", 1)[1])
        wave = 2 * math.pi / np.linspace(95, 32, 6)[number]  # mm
        total = torch.zeros(len(points))
        for _ in range(3):
            direction = rng.standard_normal(3)
            k = wave * rng.uniform(0.8, 1.25) * direction / np.linalg.norm(direction)
            phase = float(rng.uniform(0, 2 * math.pi))
            across = points[:, 0] * float(abs(k[0]) + 0.3 * wave)
            along = points[:, 1] * float(k[1]) + points[:, 2] * float(k[2]) + phase
            total += (torch.sin(across) if odd else torch.cos(across)) * torch.cos(along)
        columns.append(total * (2 / math.sqrt(3)))
    return torch.stack(columns, 1)


def tone(points: Points, person: Person) -> tuple[Tensor, Tensor]:
    """Logarithms of melanin and blood ``(N,)``."""
    p = person
    weights = [_patch_weights(p, "melanin", 0.055), _patch_weights(p, "blood", 0.08)]
    melanin, blood = points.uneven(torch.stack(weights, 1)).unbind(1)
    more: dict[str, Tensor | float] = {"nostrils": 0.25, "lid_crease": 0.12, "lower_lip": -0.15}
    for name, zone, middle, spread in (
        ("under_eye_melanin", "under_eye", 0.10, 0.16),
        ("lid_melanin", "upper_lid", 0.12, 0.16),
        ("forehead_melanin", "forehead", 0.03, 0.07),
        ("temple_melanin", "temples", 0.03, 0.08),
        ("jaw_melanin", "jaw", 0.02, 0.06),
        ("perioral_melanin", "perioral", 0.06, 0.12),
        ("neck_melanin", "neck", 0.0, 0.08),
        ("tan", "sunny", 0.08, 0.14),
        ("lip_melanin", "lips", 0.10, 0.28),
        ("nasolabial_redness", "nasolabial", 0.05, 0.05),
    ):
        more[zone] = more.get(zone, 0.0) + middle + spread * p[name]
    melanin = melanin + (_MELANIN[0] + _MELANIN[1] * p["melanin"]) + points.regions.total(more)
    more = {"inner_corner": 0.45, "nostrils": 0.6, "lip_line": 0.4}
    for name, zone, middle, spread in (
        ("cheek_redness", "cheeks", 0.55, 0.35),
        ("nose_redness", "nose", 0.55, 0.32),
        ("ear_redness", "ears", 0.65, 0.30),
        ("chin_redness", "chin", 0.25, 0.22),
        ("forehead_redness", "forehead", -0.12, 0.18),
        ("neck_redness", "below_neck", 0.0, 0.25),
        ("nasolabial_redness", "nasolabial", 0.28, 0.20),
        ("lid_redness", "upper_lid", 0.30, 0.25),
        ("under_eye_blood", "under_eye", 0.35, 0.25),
        ("lip_blood", "lips", 1.40, 0.24),
        ("lower_lip", "lower_lip", 0.10, 0.16),
        ("lip_rim", "lip_rim", 0.10, 0.12),
    ):
        more[zone] = more.get(zone, 0.0) + middle + spread * p[name]
    blood = blood + (_BLOOD[0] + _BLOOD[1] * p["blood"] - 0.18 * p["pallor"]) + points.regions.total(more)
    return melanin, blood


def _patch_weights(person: Person, what: str, amount: float) -> Tensor:
    ours = [name.startswith(what) for name in PATCHES]
    return amount * person.patches() * torch.tensor(ours) / math.sqrt(sum(ours) / 2)


def skin(points: Points, person: Person) -> Tensor:
    """``(N, 3)``: bare skin and lips, in [0, 1]."""
    melanin, blood = tone(points, person)
    oxygen = float((0.86 - 0.03 * person["sallowness"]).clamp(0.7, 0.97))
    carotene = float((1.0 + 0.12 * person["carotene"]).clamp(0, 3))
    colour = skin_colour(melanin, blood, oxygen, carotene)
    shadows: dict[str, Tensor | float] = {
        "nostrils": 0.80 * (1 + 0.15 * person["nostril_shadow"]),
        "lid_crease": 0.10 + 0.04 * person["lid_crease"],
        "lip_line": 0.36 + 0.08 * person["lip_line"],
        "socket": 0.35,
    }
    dark = points.regions.total(shadows) + _CUT * (points.part == PARTS.index("neck_cap"))
    return colour * (1 - dark.clamp(0, 0.85))[:, None]


def paint(points: Points, person: Person, known: Mapping[Layer, Any] = MappingProxyType({})) -> Tensor:
    """``(N, 3)`` RGB in [0, 1], display-referred. What of :func:`layers` is ``known`` for this person is not computed
    again."""

    def layer(of: Layer) -> Any:
        return known[of] if of in known else of(points, person)

    masks = [layer(mask) for mask in (brow_mask, beard_mask, scalp_mask, lash_mask)]
    colour = torch.stack(over_skin(list(layer(skin).unbind(1)), hair_colour(person), *masks), 1)
    for rows, own in (*layer(mouth), *layer(eyes)):
        colour[rows] = own
    colour[points.part == PARTS.index("lashes")] = 0.45 * hair_colour(person) + 0.01
    colour[points.wet] = sclera_colour(person)
    return colour.clamp(0, 1)


def layers() -> tuple[Layer, ...]:
    """What :func:`paint` lays over each other, but for what takes no time."""
    return (skin, brow_mask, beard_mask, scalp_mask, lash_mask, mouth, eyes)


def over_skin(
    channels: list[Tensor],
    hair: Tensor,
    brows: Tensor,
    beard: Tensor,
    scalp: Tensor,
    lashes: Tensor,
    shade: Tensor | float = 0.0,
) -> list[Tensor]:
    """Hair over bare skin, channel by channel, by its coverage of any shape; ``shade`` is the lightness of brow hairs
    relative to the others."""
    result = []
    for channel, own, bluish, warm in zip(channels, hair.tolist(), _THROUGH, _BROWS):
        # hair below the skin's surface is seen through it, bluish grey
        channel = channel * (1 - 0.55 * scalp) + 0.55 * own * bluish * scalp
        channel = channel * (1 - 0.55 * beard) + 0.55 * own * bluish * beard
        channel = channel + ((1.0 + shade) * own * warm - channel) * brows
        result.append(channel + (0.5 * own + 0.02 - channel) * lashes)
    return result


def lash_mask(points: Points, person: Person) -> Tensor:
    """``(N,)``: the roots of the lashes."""
    m = points.regions
    upper = (0.78 + 0.10 * person["lashes"]).clamp(0.2, 0.95) * m["lash_line"]
    return (upper + 0.22 * m["lower_lash_line"]).clamp(0, 0.9)


def tone_slopes(person: Person) -> tuple[Tensor, Tensor]:
    """How fast the logarithms of the person's skin colour ``(3,)`` fall with those of melanin and of blood."""
    melanin, blood = _MELANIN[0] + _MELANIN[1] * person["melanin"], _BLOOD[0] + _BLOOD[1] * person["blood"] + 0.15
    step = 0.25
    near = skin_colour(
        torch.stack([melanin, melanin + step, melanin]), torch.stack([blood, blood, blood + step])
    ).log()  # fmt: skip
    return (near[0] - near[1]) / step, (near[0] - near[2]) / step


@functools.cache
def _hair_colours() -> tuple[Tensor, Tensor, Tensor]:
    """Colours from dark to fair ``(4, 3)`` float64, red and grey ``(3,)``."""
    knots = torch.from_numpy(encode(np.array([HAIR[name] for name in ("black", "brown", "chestnut", "fair")])))
    red, grey = (torch.from_numpy(encode(np.array(HAIR[name]))).float() for name in ("red", "grey"))
    return knots, red, grey


def hair_colour(person: Person) -> Tensor:
    """``(3,)`` of the person's hair, ``(N, 3)`` of N persons, whose values are ``(A, N)``; dark skin comes with dark
    hair."""
    knots, red, grey = _hair_colours()
    fair = torch.sigmoid(-2.2 * (person["melanin"] + 0.15))
    place = (0.55 + 0.9 * fair * (person["hair_lightness"] + 0.9)).clamp(0, 2.999)
    low = place.long()
    share = (place - low)[..., None]
    colour = ((1 - share) * knots[low] + share * knots[low + 1]).float()
    colour = blend(colour, red, (0.22 * fair * (person["hair_red"] - 0.6)).clamp(0, 0.8))
    return blend(colour, grey, smoothstep(0.8, 3.0, person["hair_grey"]))


def brow_mask(points: Points, person: Person) -> Tensor:
    """``(N,)``: how much of the brows' place hair covers."""
    where = points.regions.points
    rows = ((where[:, 1] > 4) & (where[:, 1] < 36) & (where[:, 2] > 45) & (where[:, 0].abs() < 60)).nonzero()[:, 0]
    thickness = float((1.0 + 0.16 * person["brow_thickness"]).clamp(0.5, 1.6))
    lifted = where[rows].double().numpy() - np.array([0.0, 0.7 * float(person["brow_height"]), 0.0])
    cover = brow_coverage(lifted, thickness=thickness, arch=0.6 * float(person["brow_arch"]))
    density = (0.66 + 0.15 * person["brow_density"]).clamp(0.15, 1.0)
    mask = where.new_zeros(len(where))
    mask[rows] = torch.from_numpy(cover).to(where) * density
    return mask * (points.part == PARTS.index("skin"))


def beard_mask(points: Points, person: Person) -> Tensor:
    """``(N,)``: the shade of shaved or growing hair on the lower face."""
    m = points.regions
    shade = 0.34 * torch.nn.functional.softplus(1.6 * (person["beard"] - 0.6)) / 1.6

    def kind(name: str) -> Tensor:
        return (1.0 + 0.28 * person[name]).clamp(0.1, 1.8) * m[name]

    cover = torch.maximum(torch.maximum(kind("moustache"), kind("goatee")), 0.85 * kind("whiskers"))
    return (shade * cover).clamp(0, 0.85)


def scalp_mask(points: Points, person: Person) -> Tensor:
    """``(N,)``: the shade of the roots of cropped hair."""
    return (0.62 + 0.12 * person["scalp_hair"]).clamp(0, 0.9) * points.regions["scalp"]


def mouth(points: Points, person: Person) -> list[tuple[Tensor, Tensor]]:
    """Rows of the mouth's inside and their colours."""
    rows = points.in_mouth
    return [(rows, mouth_colour(points.part[rows], points.regions.points[rows, 2], person))]


def mouth_colour(part: Tensor, depth: Tensor, person: Person) -> Tensor:
    """``(n, 3)`` of teeth, gums, tongue and the mouth's lining, darker inwards, where little light arrives: ``part
    (n,)`` and the canonical z ``(n,)`` mm."""
    gum = skin_colour(
        torch.full((1,), _MELANIN[0] - 0.8) + 0.45 * (person["gum_melanin"] + 0.5 * person["melanin"]),
        torch.full((1,), math.log(0.13)) + 0.25 * person["gum_red"],
    )[0]
    fleshy = torch.full((1,), math.log(0.15)) + 0.3 * person["tongue_red"]
    gum = gum * torch.tensor(_FLESH)
    tongue = 0.92 * skin_colour(torch.full((1,), math.log(0.012)), fleshy)[0] * torch.tensor(_FLESH)
    tooth = torch.tensor([0.90, 0.868, 0.79]) * (1 - 0.035 * person["teeth_dark"])
    tooth = tooth * (1 - torch.tensor([0.005, 0.018, 0.055]) * person["teeth_yellow"])
    inside = smoothstep(58, 106, depth)[:, None]
    colour = torch.zeros(len(part), 3)
    for name, (rgb, least) in zip(_MOUTH, ((gum, 0.45), (tongue, 0.45), (0.8 * gum, 0.25), (tooth, 0.45))):
        rows = part == PARTS.index(name)
        # the light that arrives inside is red: it has been through lips and cheeks
        colour[rows] = rgb * (least + (1 - least) * inside[rows]) ** torch.tensor(_INSIDE)
    return colour


def iris_colour(person: Person) -> Tensor:
    """``(3,)``: the middle tone of the iris; dark skin comes with dark eyes."""
    pale = torch.sigmoid(-2.2 * (person["melanin"] + 0.1))
    place = (0.75 + 1.55 * pale * (person["iris_lightness"] + 0.7)).clamp(0, len(_IRIS_COLOURS) - 1.001)
    low, knots = int(place), torch.tensor(_IRIS_COLOURS)
    colour = knots[low] + (place - low) * (knots[low + 1] - knots[low])
    blue = torch.sigmoid(2.0 * (place - 3.4)) * torch.sigmoid(1.6 * (person["iris_blue"] + 0.5))
    return blend(colour, torch.tensor(_IRIS_BLUE), 0.85 * blue)


def sclera_colour(person: Person) -> Tensor:
    """``(3,)`` of the white of the eyes."""
    white = torch.tensor([0.86, 0.82, 0.785]) * (1 - torch.tensor([0.012, 0.022, 0.055]) * person["sclera_yellow"])
    return white * (1 - torch.tensor([0.0, 0.035, 0.03]) * person["sclera_red"])


def eyes(points: Points, person: Person) -> list[tuple[Tensor, Tensor]]:
    """Rows of each eye and their colours, smooth: white, ring, iris, pupil, by the distance from the middle."""
    iris = iris_colour(person)
    white = sclera_colour(person)
    found = []
    for side in SIDES:
        if side not in points.eyes:
            continue
        rows, distance, _ = points.eyes[side]
        smooth = eye_colour(distance, white, iris, float(person["iris_ring"]))
        found.append((rows, smooth * points.lid_shadows[side][:, None]))
    return found


def lid_shadow(points: Tensor, side: str) -> Tensor:
    """``(N,)`` factor: the shadow of lids and lashes on an eyeball, at canonical ``(N, 3)`` mm, in a face at rest."""
    outside = signed_distance(points[:, :2], f"eye_{side}")
    x, y = points[:, 0].abs(), points[:, 1]
    above = smoothstep(-2.0, 3.0, y)
    inside = (-outside).clamp_min(0)
    shade = (0.20 + 0.36 * above) * torch.exp(-inside / (0.9 + 1.1 * above))
    corner = 0.16 * smoothstep(20, 15, x) + 0.14 * smoothstep(40, 46, x)
    return 1 - (shade + corner).clamp(0, 0.7)


def eye_colour(distance: Tensor, white: Tensor, iris: Tensor, ring: float = 0.0) -> Tensor:
    """``(N, 3)`` of the smooth eye at ``distance (N,)`` in radii of the iris."""
    back = smoothstep(1.4, 2.6, distance)
    ground = blend(white.expand(len(distance), 3), white * torch.tensor([0.95, 0.72, 0.68]), 0.6 * back)
    shade = 1.12 - 0.18 * smoothstep(0.5, 0.9, distance) - (0.42 + 0.08 * ring) * smoothstep(0.84, 1.0, distance)
    inner = iris * shade[:, None]
    colour = blend(ground, inner, smoothstep(1.06, 0.96, distance))
    return blend(colour, colour.new_tensor([0.02, 0.018, 0.018]), smoothstep(PUPIL + 0.04, PUPIL - 0.04, distance))


def blend(below: Tensor, above: Tensor, cover: Tensor) -> Tensor:
    """``above`` over ``below (N, 3)`` or ``(3,)`` with a coverage ``(N,)`` or a number."""
    cover = cover[:, None] if cover.ndim and below.ndim > 1 else cover
    return below + (above - below) * cover
