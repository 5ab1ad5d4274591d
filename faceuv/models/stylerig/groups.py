"""What can be edited: pose, expression and light. Identity, albedo and translation are always kept."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from faceuv.errors import InputError, did_you_mean
from faceuv.structures import CoefficientLayout

CONTROLS: dict[str, str] = {"pose": "rotation", "expression": "expression", "light": "lighting"}
"""Control → the group of coefficients that it edits."""
ALL = tuple(CONTROLS)
Controls = str | Iterable[str]


def controls_of(names: Controls) -> tuple[str, ...]:
    """Controls by their names, each once, in the order of :data:`CONTROLS`; ``"all"`` is every one."""
    given = [names] if isinstance(names, str) else list(names)
    if not given:
        raise InputError(f"an edit needs at least one control, got none; the controls are {', '.join(ALL)}")
    if given == ["all"]:
        return ALL
    for name in given:
        if name in CoefficientLayout().groups and name not in CONTROLS.values():
            raise InputError(f"{name} is always kept and cannot be edited; the controls are {', '.join(ALL)}, or 'all'")
        if name not in CONTROLS:
            raise InputError(
                f"no control is called {name!r}; the controls are {', '.join(ALL)}, or 'all'"
                f"{did_you_mean(str(name), ALL)}"
            )
    return tuple(name for name in ALL if name in given)


def edited_columns(layout: CoefficientLayout, controls: Controls) -> Tensor:
    """``(N,)`` bool: the columns that these controls edit."""
    chosen = torch.zeros(layout.size, dtype=torch.bool)
    for name in controls_of(controls):
        chosen[layout.slice(CONTROLS[name])] = True
    return chosen


def random_columns(layout: CoefficientLayout, controls: Controls, count: int, rng: torch.Generator | None) -> Tensor:
    """``(count, N)`` bool: for each row the columns of a random choice of the controls, at least one of them, every
    choice equally likely."""
    names = controls_of(controls)
    each = torch.stack([edited_columns(layout, name) for name in names])
    choice = torch.randint(1, 2 ** len(names), (count,), generator=rng)
    picked = (choice[:, None] >> torch.arange(len(names))) & 1 == 1
    return (picked[:, :, None] & each).any(1)
