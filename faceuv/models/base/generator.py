"""The contract of a generator: StyleGAN2, the procedural generator and plug-ins fulfil it."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor

from faceuv.errors import InputError


class CodeSpace(Protocol):
    """The shape of codes ``(B, L, D)``, which a generator and the mappers and editors of its codes share."""

    @property
    def num_layers(self) -> int:
        """L, the number of rows of a code."""

    @property
    def code_dim(self) -> int:
        """D, the width of a row."""


class Generator(CodeSpace, Protocol):
    """Latents → codes → images. :func:`check_generator` says whether an object is one; ``isinstance`` would not see
    the buffers of a network since Python 3.12.

    =================  ======================================================================================
    ``size``           S, side of the images in pixels
    ``num_layers``     L, rows of a code
    ``code_dim``       D, width of a row
    ``mean_code``      ``(D,)``, the mean of w; its device is where codes are expected
    ``sample_latents`` normal latents ``(count, Z)``; a CPU ``torch.Generator`` gives the same on every device
    ``mapping``        z ``(B, Z)`` → w ``(B, D)``
    ``synthesis``      code ``(B, L, D)`` or ``(B, D)`` → images ``(B, 3, S, S)``, RGB around [0, 1], not clamped
    ``sample_codes``   codes ``(count, L, D)`` of random latents; ``truncation`` < 1 moves them toward the mean
    =================  ======================================================================================
    """

    @property
    def size(self) -> int: ...

    @property
    def mean_code(self) -> Tensor: ...

    @property
    def mapping(self) -> Any: ...

    @property
    def synthesis(self) -> Any: ...

    def sample_latents(self, count: int, *, generator: torch.Generator | None = None) -> Tensor: ...

    def sample_codes(
        self, count: int, *, truncation: float = 1.0, generator: torch.Generator | None = None
    ) -> Tensor: ...


MEMBERS = (
    "size", "num_layers", "code_dim", "mean_code", "sample_latents", "mapping", "synthesis", "sample_codes",
)  # fmt: skip


def check_generator(candidate: object, owner: str) -> Generator:
    """Return ``candidate`` if it is a :class:`Generator`; the error names what it lacks.

    Args:
        owner: the part that needs the generator, for the message: ``"the stage 'fits'"``.
    """
    missing = [name for name in MEMBERS if not hasattr(candidate, name)]
    if missing:
        raise InputError(
            f"{owner} needs a generator; {type(candidate).__name__} has no {', '.join(missing)}: see"
            " faceuv.models.base.generator.Generator for what a generator offers"
        )
    return cast(Generator, candidate)


R = TypeVar("R", bound=CodeSpace)


def check_same_codes(reader: R, generator: CodeSpace) -> R:
    """Return ``reader`` if it works with the codes of ``generator``; the error names both L and D."""
    if (generator.num_layers, generator.code_dim) != (reader.num_layers, reader.code_dim):
        raise InputError(
            f"this {type(reader).__name__} reads codes with L = {reader.num_layers}, D = {reader.code_dim}; the"
            f" generator has L = {generator.num_layers}, D = {generator.code_dim}: train one for it"
        )
    return reader
