"""The parts of a face generator in files: networks and directions, written and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from faceuv.errors import InputError
from faceuv.files import zoo
from faceuv.files.locate import locate
from faceuv.files.networks import load_network, save_network
from faceuv.models.directions import Direction, load_directions, save_directions

DIRECTIONS = "directions"
"""The part that holds directions; every other part is a network."""


def part_names(networks: Mapping[str, nn.Module], directions: Mapping[str, Direction]) -> tuple[str, ...]:
    """The parts that a generator with these networks and directions has."""
    return (*networks, *((DIRECTIONS,) if directions else ()))


def part_writers(
    networks: Mapping[str, nn.Module], directions: Mapping[str, Direction], dtype: torch.dtype
) -> dict[str, Callable[[Path], Path]]:
    """Part → the function that writes its file."""

    def writer(network: nn.Module) -> Callable[[Path], Path]:
        return lambda path: save_network(path, network, dtype=dtype)

    found = {part: writer(network) for part, network in networks.items()}
    if directions:
        found[DIRECTIONS] = lambda path: save_directions(path, list(directions.values()))
    return found


def check_reference(
    part: str, reference: str, networks: Mapping[str, nn.Module], directions: Mapping[str, Direction]
) -> None:
    """Raise unless ``reference`` is a file of the zoo that holds just this part."""
    parts = part_names(networks, directions)
    if part not in parts:
        raise InputError(f"this generator has no part {part!r} to refer to; it has {', '.join(parts)}")
    if not reference.startswith(zoo.PREFIX):
        raise InputError(f"{part} can refer to a file of the zoo, 'zoo:entry/file', got {reference!r}")
    path = locate(reference)
    if part == DIRECTIONS:
        same = same_directions(load_directions(path), list(directions.values()))
    else:
        same = same_weights(load_network(path, type(networks[part])), networks[part])
    if not same:
        raise InputError(
            f"{reference} does not hold the {part} of this generator: leave it out of refer, and it is copied"
        )


def same_directions(first: list[Direction], second: list[Direction]) -> bool:
    """Whether two lists hold the same directions in the same order."""
    return [d.name for d in first] == [d.name for d in second] and all(
        a.scale == b.scale and torch.equal(a.vector, b.vector) for a, b in zip(first, second)
    )


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks hold the same numbers under the same names."""
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name].cpu(), b[name].cpu()) for name in a)
