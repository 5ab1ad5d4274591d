"""Which synthetic faces are drawn: all kinds, or a selection that a small network learns faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faceuv.errors import InputError
from faceuv.synthetic.background import BACKGROUNDS
from faceuv.synthetic.hair import KINDS, check_kinds


@dataclass(frozen=True)
class World:
    """A choice among what the studio can draw; the default draws everything.

    Config: ``world="calm"``, or ``world=dict(hair=("short", "long"), glasses=0.0)``.

    Args:
        hair: the hair styles that occur, names of :data:`~faceuv.synthetic.hair.KINDS`. The others' share goes to
            these, men's and women's each.
        glasses: the share of faces with glasses.
        backgrounds: the kinds of background that occur, names of
            :data:`~faceuv.synthetic.background.BACKGROUNDS`.
        grain: factor on what speckles a small picture: pores, freckles, blotches, single strands of hair.
        texture_seed: one seed for the texture noise of all pictures, which then are a function of their latents alone;
            None gives each picture its own.
        expression: factor on the numbers that decide what faces do: above 1, more of them move, and farther.
        turn: factor on how far heads turn and nod; 1 reaches 65° and 26°, 1.35 almost profiles.
    """

    hair: tuple[str, ...] = KINDS
    glasses: float = 0.16
    backgrounds: tuple[str, ...] = BACKGROUNDS
    grain: float = 1.0
    texture_seed: int | None = None
    expression: float = 1.0
    turn: float = 1.0

    def __post_init__(self) -> None:
        check_kinds(self.hair)
        unknown = [name for name in self.backgrounds if name not in BACKGROUNDS]
        if unknown or not self.backgrounds:
            raise InputError(f"world.backgrounds must name some of {', '.join(BACKGROUNDS)}, got {self.backgrounds!r}")
        for name, value, most in (
            ("glasses", self.glasses, 1.0),
            ("grain", self.grain, 2.0),
            ("expression", self.expression, 3.0),
            ("turn", self.turn, 1.38),
        ):
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
                raise InputError(f"world.{name} must be a number in [0, {most:g}], got {value!r}")
        if self.texture_seed is not None and not isinstance(self.texture_seed, int):
            raise InputError(f"world.texture_seed must be a whole number or None, got {self.texture_seed!r}")

    @classmethod
    def of(cls, world: World | Mapping[str, Any] | str | None) -> World:
        """A world from its name (see :data:`WORLDS`) or its settings; None is the full one."""
        if isinstance(world, World):
            return world
        if world is None:
            return cls()
        if isinstance(world, str):
            if world not in WORLDS:
                raise InputError(f"no world is called {world!r}; there are {', '.join(WORLDS)}")
            return WORLDS[world]
        if not isinstance(world, Mapping):
            raise InputError(f"world must be a name or dict(hair=…, glasses=…, …), got {world!r}")
        known = cls.__dataclass_fields__
        if unknown := sorted(set(world) - set(known)):
            raise InputError(f"a world has no settings {unknown}; it has {', '.join(known)}")
        settings: dict[str, Any] = {name: tuple(value) if _is_list(value) else value for name, value in world.items()}
        return cls(**settings)


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


WORLDS = {
    "full": World(),
    # what a teacher learns first: pictures that their latents decide completely, with little that is rare or small
    "calm": World(
        hair=("short", "parted", "long", "tied"), glasses=0.0, backgrounds=("studio",), grain=0.3, texture_seed=0
    ),
    # what a detector must know: moving faces, heads that turn away
    "lively": World(expression=1.5, turn=1.35, glasses=0.2),
}
"""Worlds by name."""
