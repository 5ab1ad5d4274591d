"""Hair styles and colours by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from faceuv.errors import InputError, did_you_mean

Comb = Literal["crown", "part", "back", "knot", "tuft"]


@dataclass(frozen=True)
class HairStyle:
    """How the hair of a head is cut and combed; lengths in mm.

    comb       away from the crown, to both sides of a parting, back, to a knot at the back, or every way (tufts)
    cards      strips of strands, ``width`` wide, of ``steps`` pieces along
    top, side  length on top, and at the sides and the back
    end        height relative to the eyes where hair that hangs is cut; None: it does not hang
    thick      how far the hair stands off the head, on top and at the sides
    part       x of the parting
    fringe     height relative to the eyes down to which hair falls over the forehead; None: the forehead is clear
    wave, curl sideways swing and radius of curls
    lift       0 … 1, how steeply hair leaves the skin
    sweep      −1 … 1, how much the hair on top leans to the viewer's right
    knot       where hair is tied, degrees above the horizon at the back of the head
    tail       what hangs at the knot
    burns      1 with sideburns
    strands    kind of the strands drawn on the cards
    scalp      how much of the skin's colour the roots cover
    line       height of the hairline in front, relative to the eyes
    recede     how far the corners of the forehead are bald above it
    crown      radius of what is bald on top
    front      of hair combed from the crown: how far it falls forward above the forehead, −1 (back) … 1
    """

    comb: Comb
    cards: int
    steps: int
    width: float
    top: float
    side: float
    end: float | None = None
    thick: tuple[float, float] = (12.0, 6.0)
    part: float = 0.0
    fringe: float | None = None
    wave: float = 0.0
    curl: float = 0.0
    lift: float = 0.3
    sweep: float = 0.0
    knot: float = 4.0
    tail: Literal["none", "ponytail", "bun"] = "none"
    burns: float = 1.0
    strands: Literal["stubble", "straight", "curly"] = "straight"
    scalp: float = 0.9
    line: float = 68.0
    recede: float = 0.0
    crown: float = 0.0
    front: float = 1.0


STYLES: dict[str, HairStyle] = {
    "buzz": HairStyle("crown", 2600, 2, 8, 7, 6, thick=(2.6, 1.8), lift=0.5, strands="stubble", scalp=0.92),
    "crew": HairStyle("crown", 2000, 3, 9, 22, 10, thick=(11.0, 3.5), lift=0.9, sweep=0.3, front=-0.2, scalp=0.85),
    "crop": HairStyle("crown", 1700, 7, 10, 34, 13, thick=(12.0, 4.0), lift=0.7, sweep=0.25, front=0.7, scalp=0.85),
    "short": HairStyle("crown", 1500, 8, 11, 44, 20, thick=(16.0, 6.0), lift=0.7, sweep=0.9, front=0.1),
    "parted": HairStyle("part", 1500, 9, 11, 70, 28, thick=(18.0, 6.0), part=-32, lift=0.7),
    "swept": HairStyle("back", 1400, 10, 11, 85, 34, thick=(18.0, 7.0), lift=0.9),
    "receding": HairStyle("back", 1400, 4, 10, 34, 16, thick=(7.0, 4.5), lift=0.5, recede=34.0, scalp=0.75),
    "balding": HairStyle("crown", 1300, 4, 10, 22, 18, thick=(5.0, 5.5), lift=0.3, recede=40.0, crown=62.0, scalp=0.7),
    "pixie": HairStyle("crown", 1300, 9, 11, 64, 38, thick=(15.0, 9.0), fringe=36, sweep=0.8, burns=0.4),
    "medium": HairStyle("part", 1000, 12, 13, 400, 400, end=-72, thick=(14.0, 13.0), part=-24, wave=4.0, burns=0.0),
    "bob": HairStyle("crown", 1000, 12, 13, 400, 400, end=-84, thick=(14.0, 14.0), fringe=24, front=0.2, burns=0.0),
    "fringe": HairStyle("crown", 900, 16, 13, 500, 500, end=-160, thick=(13.0, 12.0), fringe=22, front=0.2, burns=0.0),
    "long": HairStyle("part", 950, 18, 13, 600, 600, end=-165, thick=(13.0, 12.0), burns=0.0),
    "wavy": HairStyle("part", 950, 22, 14, 600, 600, end=-150, thick=(16.0, 18.0), part=-20, wave=10.0, burns=0.0),
    "curls": HairStyle("tuft", 3600, 3, 14, 24, 24, thick=(30.0, 25.0), lift=1.0, burns=0.5, strands="curly"),
    "ponytail": HairStyle("knot", 1000, 10, 12, 400, 400, thick=(9.0, 7.0), tail="ponytail", burns=0.0, lift=0.15),
    "bun": HairStyle("knot", 1000, 10, 12, 400, 400, thick=(9.0, 7.0), knot=38.0, tail="bun", burns=0.0, lift=0.15),
    "coils": HairStyle("tuft", 3000, 2, 10, 12, 12, thick=(15.0, 9.0), lift=1.0, strands="curly", scalp=0.95),
    "afro": HairStyle("tuft", 4200, 3, 17, 26, 26, thick=(44.0, 40.0), lift=1.0, strands="curly"),
    "pageboy": HairStyle(
        "crown", 1700, 12, 11, 400, 400, end=-42, thick=(17.0, 22.0), fringe=28, front=0.2, sweep=0.3, burns=0.3
    ),
}  # fmt: skip

COLOURS: dict[str, tuple[float, float, float]] = {
    "black": (0.085, 0.075, 0.072),
    "dark brown": (0.19, 0.135, 0.10),
    "brown": (0.30, 0.205, 0.14),
    "chestnut": (0.37, 0.215, 0.135),
    "auburn": (0.43, 0.19, 0.11),
    "red": (0.60, 0.29, 0.13),
    "dark blond": (0.50, 0.39, 0.25),
    "blond": (0.72, 0.58, 0.37),
    "platinum": (0.86, 0.80, 0.68),
    "grey": (0.52, 0.52, 0.51),
    "white": (0.84, 0.84, 0.82),
}
"""Display-referred RGB, dark to light."""


def named_style(name: object) -> HairStyle:
    """A style by its name; the error names the closest one."""
    if not isinstance(name, str) or name not in STYLES:
        near = did_you_mean(name, STYLES) if isinstance(name, str) else ""
        raise InputError(f"no hair style is called {name!r}{near}; known: {', '.join(STYLES)}")
    return STYLES[name]


def named_colour(colour: str | Sequence[float]) -> tuple[float, float, float]:
    """A colour by its name, or an RGB triple in [0, 1]."""
    if isinstance(colour, str):
        if colour not in COLOURS:
            raise InputError(
                f"no hair colour is called {colour!r}{did_you_mean(colour, COLOURS)}; known: {', '.join(COLOURS)},"
                " or an RGB triple in [0, 1]"
            )
        return COLOURS[colour]
    try:
        red, green, blue = (float(value) for value in colour)
    except (TypeError, ValueError):
        raise InputError(f"a hair colour is a name or three numbers (red, green, blue), got {colour!r}") from None
    if not all(0 <= value <= 1 for value in (red, green, blue)):
        raise InputError(f"a hair colour has red, green and blue in 0 … 1, got {colour!r}")
    return (red, green, blue)
