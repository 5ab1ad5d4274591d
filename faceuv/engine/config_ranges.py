"""Ranges of settings whose names mean the same everywhere: counts, sizes, rates, seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from faceuv.checks import shown
from faceuv.errors import InputError

_COUNT = (1, 2**40)
_SIDE = (1, 2**15)

RANGES: dict[str, tuple[float, float]] = {
    "batch_size": (1, 2**20), "batch": (1, 2**20), "num_workers": (0, 4096), "workers": (0, 4096),
    "max_iters": _COUNT, "max_epochs": _COUNT, "val_interval": _COUNT, "val_begin": (0, 2**40), "interval": _COUNT,
    "count": (1, 2**31), "samples": (1, 2**31), "shard": (1, 2**24), "length": (1, 2**31), "limit": (1, 2**31),
    "held_out": (2, 2**31), "size": _SIDE, "code_dim": (1, 2**16), "latent_dim": (1, 2**16), "num_layers": (1, 256),
    "mapping_depth": (0, 256), "channel_base": (1, 2**24), "channel_max": (1, 2**16), "rows": (2, 2**12),
    "columns": (1, 2**12), "every": (1, 2**40), "accumulative_counts": (1, 2**20), "remember": (0, 2**31),
    "lr": (0, 3e38), "weight_decay": (0, 3e38), "half_life": (1e-9, 1e18), "seed": (0, 2**32 - 1),
    "pictures": (2, 2**20), "max_norm": (1e-30, 3e38), "weight": (0, 3e38), "T_max": _COUNT, "truncation": (0, 10),
}  # fmt: skip
"""Setting → the smallest and the largest value that means something."""


def check_ranges(config: Any, where: str) -> None:
    """Raise for the first setting below ``config`` that is out of its range, with the place where it stands."""
    for key, value in numbers(config):
        name = key.rpartition(".")[2]
        if isinstance(value, float) and math.isnan(value):
            raise InputError(f"{where}, {key} must be a number, got nan")
        if isinstance(value, int) and abs(value) > 2**63 - 1:
            raise InputError(f"{where}, {key} must be within 64 bits, got {shown(value)}")
        if name not in RANGES:
            continue
        least, most = RANGES[name]
        if value < least:
            raise InputError(f"{where}, {key} must be at least {least:g}, got {shown(value)}")
        if value > most:
            raise InputError(f"{where}, {key} must be at most {_plain(most)}, got {shown(value)}")


def numbers(config: Any, key: str = "") -> Iterator[tuple[str, int | float]]:
    """Dotted key → every number in nested dicts and lists; a list's numbers have the key of the list."""
    if isinstance(config, Mapping):
        for name, value in config.items():
            yield from numbers(value, f"{key}.{name}" if key else str(name))
    elif isinstance(config, (list, tuple)):
        for index, value in enumerate(config):
            plain = isinstance(value, (int, float))
            yield from numbers(value, key if plain else f"{key}.{index}")
    elif isinstance(config, (int, float)) and not isinstance(config, bool):
        yield key, config


def _plain(number: float) -> str:
    return f"{int(number):,}" if number >= 1 else f"{number:g}"
