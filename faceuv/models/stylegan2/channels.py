"""Sizes, numbers of style layers and channel tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faceuv.errors import InputError


def check_size(size: int) -> int:
    """``size`` itself if it is a power of two ≥ 8."""
    if not isinstance(size, int) or size < 8 or size & (size - 1):
        raise InputError(f"a StyleGAN2 size must be a power of two ≥ 8, got {size!r}")
    return size


def resolutions(size: int) -> list[int]:
    """``[4, 8, …, size]``."""
    return [2**k for k in range(2, check_size(size).bit_length())]


def style_layers(size: int) -> int:
    """L = 2·log2(size) − 2, the number of rows of a code: 14 at 256², 18 at 1024²."""
    return 2 * len(resolutions(size))


def channel_table(
    size: int, *, base: int = 32768, maximum: int = 512, channels: Mapping[int, int] | None = None
) -> dict[int, int]:
    """Resolution → number of feature channels: ``min(base / resolution, maximum)``, config-f by default.

    ``channels`` replaces the rule by an explicit table, which must name every resolution from 4 to ``size``.

    >>> channel_table(32, base=1024, maximum=64)
    {4: 64, 8: 64, 16: 64, 32: 32}
    """
    if channels is None:
        channels = {r: min(base // r, maximum) for r in resolutions(size)}
    missing = [r for r in resolutions(size) if r not in channels]
    if missing:
        raise InputError(
            f"the channel table of a {size}² StyleGAN2 must name the resolutions {resolutions(size)},"
            f" {missing} are missing from {dict(channels)}"
        )
    table = {r: int(channels[r]) for r in resolutions(size)}
    if min(table.values()) < 1:
        raise InputError(f"every resolution needs at least one channel, got {table}")
    return table


def arguments(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a file's JSON keeps them → the constructor's arguments: the resolutions of a table are numbers."""
    return {**settings, "channels": {int(key): value for key, value in settings["channels"].items()}}
