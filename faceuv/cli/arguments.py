"""The parser of the command line, and the types of its numbers: what is wrong with an option is one line."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from typing import NoReturn

from faceuv.errors import InputError, shown

LARGEST_SEED = 2**63 - 1
LARGEST_SIDE = 8192


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are :class:`~faceuv.errors.InputError`, without the page of usage."""

    def error(self, message: str) -> NoReturn:
        """Raise for a wrong command line."""
        match = re.fullmatch(r"argument ([^:]*): (.*)", message, re.DOTALL)
        if match:  # "argument -n/--num: must be …" → "--num must be …"
            message = f"{match[1].split('/')[-1]}{' ' if match[2].startswith('must') else ': '}{match[2]}"
        raise InputError(f"{message} ({self.prog} --help lists the options)")


def whole(least: int = 1, most: int = LARGEST_SEED) -> Callable[[str], int]:
    """The type of a whole number between two limits, for ``add_argument``."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a whole number, got {shown(text)}") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {shown(value)}")
        if value > most:
            raise argparse.ArgumentTypeError(f"must be at most {most:,}, got {shown(value)}")
        return value

    return read


def real(least: float = -1e9, most: float = 1e9) -> Callable[[str], float]:
    """The type of a finite number between two limits, for ``add_argument``."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"expected a number, got {shown(text)}") from None
        if not math.isfinite(value) or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must lie in {least:g} … {most:g}, got {shown(text)}")
        return value

    return read


SEED = whole(0)
SIDE = whole(1, LARGEST_SIDE)
COUNT = whole(1, 1_000_000)
