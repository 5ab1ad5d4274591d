"""Directions in latent space, their files, and the contract of finders."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import check_finite, check_floating, check_shape, one_line, shown
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.files.networks import CodeFacts, Shapes, facts_of_shapes
from faceuv.models.base.generator import Generator
from faceuv.structures import Coefficients

KIND = "directions"
Mapper = Callable[[Tensor], Coefficients]
_UNIT = 1e-4  # how far from one the length of a vector that was stored in half precision may be


@dataclass(frozen=True, eq=False)
class Direction:
    """A unit vector over W+: ``move(code, step)`` adds ``step`` times it to a code.

    vector    ``(L, D)`` of length 1; rows that the direction does not change are zero
    name      short name for tables and files: ``"yaw"``
    meaning   what grows with the step, in words
    method    name of the finder that made it
    scale     σ, the standard deviation along it of the generator's own codes; steps of −3σ … 3σ stay among them
    accuracy  share of held-out ends on the right side, for finders that classify
    seed      of the codes that it was found from
    metadata  more JSON values
    """

    vector: Tensor
    name: str
    meaning: str
    method: str
    scale: float
    accuracy: float | None = None
    seed: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_shape("a direction", self.vector, ("L", "D"))
        check_floating("a direction", self.vector)
        check_finite("a direction", self.vector)
        length = float(self.vector.double().norm())
        if abs(length - 1) > _UNIT:
            raise InputError(f"a direction must have length 1 over all of its numbers, got {length:.6g}; divide by it")
        for name in ("name", "meaning", "method"):
            if not isinstance(getattr(self, name), str):
                raise InputError(f"the {name} of a direction must be a text, got {shown(getattr(self, name))}")
        for name, value in {"scale": self.scale, "accuracy": 0.0 if self.accuracy is None else self.accuracy}.items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise InputError(f"the {name} of the direction {self.name!r} must be a number, got {shown(value)}")
        if not (math.isfinite(self.scale) and self.scale >= 0):
            raise InputError(f"the scale of the direction {self.name!r} must be a number ≥ 0, got {self.scale}")

    @property
    def num_layers(self) -> int:
        """L of the codes that it moves."""
        return self.vector.shape[0]

    @property
    def code_dim(self) -> int:
        """D of the codes that it moves."""
        return self.vector.shape[1]

    @property
    def layers(self) -> tuple[int, ...]:
        """The rows of a code that it moves."""
        return tuple(self.vector.abs().amax(1).nonzero().flatten().tolist())

    def move(self, code: Tensor, step: Tensor | float) -> Tensor:
        """``code + step · vector`` as ``(B, L, D)``, differentiable in both.

        Args:
            code: ``(B, L, D)``, or one w per face ``(B, D)``, which is repeated for every layer.
            step: one number, or one per face ``(B,)``; the distance in W+. ``n * direction.scale`` is n σ. A single
                code with several steps gives a strip of one face.
        """
        code = self._broadcast(code)
        steps = torch.as_tensor(step, dtype=code.dtype, device=code.device)
        if steps.ndim > 1 or (steps.ndim == 1 and len(code) != len(steps) and 1 not in (len(code), len(steps))):
            raise InputError(f"step must be one number or one per code, shape ({len(code)},), got {tuple(steps.shape)}")
        return code + steps.reshape(-1, 1, 1) * self.vector.to(code)

    def position(self, code: Tensor) -> Tensor:
        """Where codes ``(B, L, D)`` or ``(B, D)`` lie along the direction, ``(B,)``; a step of s adds s to it."""
        return (self._broadcast(code) * self.vector.to(code)).flatten(1).sum(1)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Direction:
        """The same with its vector elsewhere; :meth:`move` does this by itself."""
        return replace(self, vector=self.vector.to(device=device, dtype=dtype))

    def check_fits(self, generator: Generator) -> Direction:
        """Raise unless this direction is for codes of the generator's shape."""
        if (generator.num_layers, generator.code_dim) != tuple(self.vector.shape):
            raise InputError(
                self._misfit(f"the generator's codes are (B, {generator.num_layers}, {generator.code_dim})")
            )
        return self

    def save(self, path: str | Path) -> Path:
        """Write a file of this one direction, see :func:`save_directions`."""
        return save_directions(path, [self])

    @classmethod
    def load(cls, path: str | Path, generator: Generator | None = None) -> Direction:
        """Read a file of one direction; with a ``generator``, one of another shape is an error."""
        found = load_directions(path, generator)
        if len(found) != 1:
            names = ", ".join(d.name for d in found[:5])
            raise AssetError(f"{path} holds {len(found)} directions ({names}, …); read them with load_directions")
        return found[0]

    def _broadcast(self, code: Tensor) -> Tensor:
        if not isinstance(code, Tensor) or code.ndim not in (2, 3) or code.shape[-1] != self.code_dim:
            came = tuple(code.shape) if isinstance(code, Tensor) else type(code).__name__
            raise InputError(self._misfit(f"got {came}"))
        check_floating("a code", code)
        if code.ndim == 2:
            return code[:, None].expand(-1, self.num_layers, -1)
        if code.shape[1] != self.num_layers:
            raise InputError(self._misfit(f"got {tuple(code.shape)}"))
        return code

    def _misfit(self, came: str) -> str:
        shape = f"(B, {self.num_layers}, {self.code_dim}) or (B, {self.code_dim})"
        return f"the direction {self.name!r} moves codes {shape}, but {came}; find one for this generator"


def save_directions(path: str | Path, directions: Sequence[Direction]) -> Path:
    """Write directions of one generator to a safetensors file, atomically."""
    if not directions:
        raise InputError("there are no directions to save")
    shapes = sorted({tuple(d.vector.shape) for d in directions})
    if len(shapes) > 1:
        raise InputError(f"one file holds directions of one shape (L, D), got {shapes}; write one file for each")
    records = [
        {
            "name": d.name,
            "meaning": d.meaning,
            "method": d.method,
            "scale": d.scale,
            "accuracy": d.accuracy,
            "seed": d.seed,
            "metadata": d.metadata,
        }
        for d in directions
    ]
    try:
        json.dumps(records)
    except TypeError as error:
        raise InputError(f"a direction's metadata must be plain JSON values: {error}") from error
    vectors = torch.stack([d.vector.detach().cpu() for d in directions])
    codes = CodeFacts(vectors.shape[1], vectors.shape[2]).known()
    return save_tensors(path, {"vectors": vectors}, {"kind": KIND, "directions": records, "codes": codes})


def _facts(shapes: Shapes) -> CodeFacts:
    vectors = shapes.get("vectors", ())
    return CodeFacts(vectors[1], vectors[2]) if len(vectors) == 3 else CodeFacts()


facts_of_shapes(KIND, _facts)


def load_directions(path: str | Path, generator: Generator | None = None) -> list[Direction]:
    """Read a file of :func:`save_directions`; with a ``generator``, directions of another shape are an error."""
    tensors, metadata = load_tensors(path, kind=KIND)
    records = metadata.get("directions", [])
    vectors = tensors.get("vectors")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise AssetError(f"{path}: its directions must be a list of objects, found {shown(records)}; write it again")
    if vectors is None or vectors.ndim != 3 or len(vectors) != len(records):
        came = None if vectors is None else tuple(vectors.shape)
        raise AssetError(f"{path} should hold {len(records)} vectors (K, L, D), got {came}; write it again")
    try:
        found = [Direction(vector=vector.float(), **record) for vector, record in zip(vectors, records)]
    except (InputError, TypeError, ValueError) as error:
        raise AssetError(f"{path} holds a direction that is not in order: {one_line(error)}; write it again") from error
    if generator is not None:
        for direction in found:
            direction.check_fits(generator)
    return found


def condition(vector: Tensor, others: Sequence[Tensor]) -> Tensor:
    """The unit vector nearest to ``vector (L, D)`` that is orthogonal to all ``others (L, D)``.

    Their span is removed by least squares, so that they need be neither orthogonal nor independent.
    """
    flat = vector.double().flatten()
    if others:
        for other in others:
            if other.shape != vector.shape:
                raise InputError(
                    f"a direction {tuple(vector.shape)} cannot be made orthogonal to one of {tuple(other.shape)};"
                    " both must be for the same generator"
                )
        span = torch.stack([other.to(flat).flatten() for other in others], 1)
        left, sizes, _ = torch.linalg.svd(span, full_matrices=False)
        basis = left[:, sizes > 1e-6 * sizes[0]]
        before = flat.norm()
        for _ in range(2):  # the second pass removes what rounding left of a nearly parallel vector
            flat = flat - basis @ (basis.T @ flat)
        if flat.norm() <= 1e-4 * before:
            raise InputError(
                "the direction lies in the span of those that it should be orthogonal to; nothing is left of it"
            )
    return (flat / flat.norm()).reshape(vector.shape).to(vector.dtype)


class DirectionFinder(ABC):
    """The contract of finders: :meth:`find` gives directions of a generator, the same ones for the same seed.

    A finder holds settings only; the generator is an argument of :meth:`find`, so that a config works for any.
    """

    def check(self, generator: Generator) -> None:  # noqa: B027 (a finder that works with any generator has nothing to check)
        """Raise if the finder cannot work with this generator, before any code is drawn."""

    @abstractmethod
    def find(self, generator: Generator, mapper: Mapper | None = None) -> list[Direction]:
        """Directions, most important first.

        Args:
            generator: anything of ``GENERATORS``.
            mapper: code ``(B, L, D)`` → :class:`~faceuv.structures.Coefficients`; for finders that score codes by a
                named coefficient. The others leave it alone.
        """


def unit_over_layers(vector: Tensor, num_layers: int, layers: Sequence[int]) -> Tensor:
    """A vector over one row ``(D,)`` → the unit direction ``(L, D)`` that moves the given rows alike."""
    full = vector.new_zeros(num_layers, len(vector))
    full[list(layers)] = vector / (vector.norm() * math.sqrt(len(layers)))
    return full


def first_sign(vectors: Tensor) -> Tensor:
    """Vectors ``(K, D)`` with the sign by which the number of largest magnitude is positive: PCA leaves it open."""
    largest = vectors.abs().argmax(1, keepdim=True)
    return vectors * torch.where(vectors.gather(1, largest) < 0, -1.0, 1.0).to(vectors)


def check_layers(layers: Sequence[int] | None, count: int) -> list[int]:
    """The chosen rows of a code, sorted; all of them if absent. Negative ones count from the end."""
    if layers is None:
        return list(range(count))
    chosen = list(layers)
    wrong = [i for i in chosen if isinstance(i, bool) or not isinstance(i, int) or not -count <= i < count]
    if not chosen or wrong:
        raise InputError(f"layers must be some of the rows 0 … {count - 1} of a code, got {chosen}")
    return sorted({i % count for i in chosen})
