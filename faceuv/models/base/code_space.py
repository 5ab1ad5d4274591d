"""``CodeSpace``: codes of a teacher by seed, and changes of codes: between two, along directions, to a yaw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from faceuv.checks import check_finite, finite_number, whole_number
from faceuv.errors import InputError, UnknownName, did_you_mean
from faceuv.models.base.codes import broadcast_code, mix
from faceuv.models.base.contracts import CodeEditor
from faceuv.models.base.generator import Generator, check_generator
from faceuv.models.directions import Direction
from faceuv.models.faces.control import Degrees, degrees

YAW_LIMIT = 90.0
"""Degrees; farther round, a face that is open at the back has nothing to show."""


class CodeSpace:
    """The codes of a teacher, with what moves them.

    Args:
        teacher: codes → images.
        editor: moves codes to a yaw in radians, for :meth:`turn`.
        directions: semantic directions, for :meth:`edit`; their names must differ.
        name: name in messages.
    """

    def __init__(
        self, teacher: Generator, *, editor: CodeEditor | None, directions: Iterable[Direction], name: str
    ) -> None:
        self.teacher = check_generator(teacher, f"a {type(self).__name__}")
        self.editor, self.name = editor, name
        self.directions: dict[str, Direction] = {}
        for direction in directions:
            direction.check_fits(self.teacher)
            if direction.name in self.directions:
                raise InputError(f"two directions are called {direction.name!r}; give each its own name")
            self.directions[direction.name] = direction

    @property
    def num_layers(self) -> int:
        """L, the number of rows of a code."""
        return self.teacher.num_layers

    @property
    def code_dim(self) -> int:
        """D, the width of a row of a code."""
        return self.teacher.code_dim

    @property
    def size(self) -> int:
        """Side of the teacher's images in pixels."""
        return self.teacher.size

    @torch.no_grad()
    def codes(self, seeds: int | Iterable[int], *, truncation: float = 1.0) -> Tensor:
        """The codes ``(B, L, D)`` of B seeds; a seed gives the same code in any batch. ``truncation`` < 1 moves codes
        toward the mean face."""
        many = isinstance(seeds, Iterable) and not isinstance(seeds, (str, bytes))
        wanted = [whole_number("a seed", seed) for seed in (seeds if many else [seeds])]  # type: ignore[union-attr]
        truncation = finite_number("truncation", truncation)
        if not wanted:
            raise InputError("codes() needs at least one seed, got none")
        drawn = [
            self.teacher.sample_codes(1, truncation=truncation, generator=torch.Generator().manual_seed(seed))
            for seed in wanted
        ]
        return torch.cat(drawn)

    def interpolate(self, a: Tensor, b: Tensor, t: float | Sequence[float] | Tensor) -> Tensor:
        """Codes between ``a`` (t = 0) and ``b`` (t = 1), linear in t: one t for all codes, or ``(B,)``. Two single
        codes and T values of t give T codes."""
        a, b = self.check(a), self.check(b)
        amounts = torch.as_tensor(t, dtype=a.dtype, device=a.device).reshape(-1)
        check_finite("t", amounts)
        counts = (len(a), len(b), len(amounts))
        if len({count for count in counts if count != 1}) > 1:
            raise InputError(f"interpolation takes two codes and t, one each or as many as each other, got {counts}")
        return torch.lerp(a, b, amounts[:, None, None])

    def mix(self, a: Tensor, b: Tensor, layer: int) -> Tensor:
        """Style mixing: the rows before ``layer`` from ``a`` (pose, shape), the others from ``b`` (colours, detail)."""
        a, b = torch.broadcast_tensors(self.check(a), self.check(b))
        return mix(a, b, layer)

    def edit(self, code: Tensor, direction: str | Direction, step: Tensor | float) -> Tensor:
        """The code moved along a direction by ``step`` standard deviations σ of the generator's codes.

        ``direction``: a name in :attr:`directions`, or a direction. A single code and steps ``(T,)`` give T codes.
        """
        along = self.direction(direction) if isinstance(direction, str) else direction
        along.check_fits(self.teacher)
        if along.scale <= 0:
            raise InputError(
                f"the direction {along.name!r} has no scale σ to step by; move the code with its own move()"
            )
        steps = torch.as_tensor(step, dtype=code.dtype, device=code.device)
        check_finite("step", steps.reshape(-1))
        return along.move(self.check(code), steps * along.scale)

    def direction(self, name: str) -> Direction:
        """A direction by name; the error lists the known ones."""
        if name not in self.directions:
            known = ", ".join(self.directions) or "none; pass a Direction instead of a name"
            raise UnknownName(
                f"no direction of {self.name!r} is called {name!r}; known: {known}{did_you_mean(name, self.directions)}"
            )
        return self.directions[name]

    def turn(self, code: Tensor, yaw_deg: Degrees) -> Tensor:
        """The code moved to a yaw by the editor. ``yaw_deg``: target angles in degrees, one or ``(B,)``."""
        if self.editor is None:
            raise InputError(f"{self.name!r} has no editor that turns codes (F_yaw); load one with it")
        code = self.check(code)
        return self.editor.move(code, checked_yaw(yaw_deg, len(code)).to(code).deg2rad())

    def check(self, code: Tensor) -> Tensor:
        """A code ``(B, D)`` or ``(B, L, D)`` as ``(B, L, D)`` on the networks' device, checked for shape and NaN."""
        try:
            code = broadcast_code(code, self.num_layers, self.code_dim)
        except InputError as error:
            raise InputError(f"{self.name!r} cannot read this code, perhaps of another generator: {error}") from error
        check_finite("a code", code)
        return code.to(self.teacher.mean_code)


def checked_yaw(yaw_deg: Degrees, count: int) -> Tensor:
    """Yaws ``(count,)`` in degrees, within ±:data:`YAW_LIMIT`."""
    wanted = degrees("yaw_deg", yaw_deg, count)
    farthest = float(wanted[wanted.abs().argmax()])
    if abs(farthest) > YAW_LIMIT:
        raise InputError(f"yaw_deg must lie in −{YAW_LIMIT:g} … {YAW_LIMIT:g} (degrees), got {farthest:g}")
    return wanted
