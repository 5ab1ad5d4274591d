"""The contract of landmark detectors: pictures → 68 points of each face, or the reason why there are none."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from faceuv.checks import check_floating, check_shape
from faceuv.data.cutouts import mirror_points
from faceuv.errors import InputError
from faceuv.models.faces.sliding import Contour

COUNT = 68


@dataclass(frozen=True, eq=False)
class Landmarks:
    """The result of a detector for a batch of pictures.

    points   (B, 68, 2)  pixel space of the given pictures, iBUG order: x right, y down, centres at half integers.
                         A face that is cut by the frame has points beyond it. Where no face was found they are finite
                         and mean nothing
    found    (B,) bool   whether there is a face
    score    (B,)        confidence of the detector, in [0, 1]
    reasons  B texts     why there is no face, '' where one was found
    notes    B texts     remarks, for instance that there were two faces; '' mostly
    disagreement (B,)    mean distance between ``points`` and other looks of the detector at the same picture, pixels;
                         NaN where it was not measured
    """

    points: Tensor
    found: Tensor
    score: Tensor
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    disagreement: Tensor | None = None

    def __post_init__(self) -> None:
        sizes = check_shape("landmark points", self.points, ("B", COUNT, 2))
        check_floating("landmark points", self.points)
        check_shape("found", self.found, (sizes["B"],))
        check_shape("score", self.score, (sizes["B"],))
        if self.found.dtype != torch.bool:
            raise InputError(f"found must be bool, got {self.found.dtype}")
        if not self.reasons:
            reasons = tuple("" if found else "no face was found" for found in self.found.tolist())
            object.__setattr__(self, "reasons", reasons)
        if not self.notes:
            object.__setattr__(self, "notes", ("",) * sizes["B"])
        if self.disagreement is None:
            object.__setattr__(self, "disagreement", torch.full_like(self.score, torch.nan))
        check_shape("disagreement", self.looks_apart, (sizes["B"],))
        for name, texts in (("reason", self.reasons), ("note", self.notes)):
            if len(texts) != sizes["B"]:
                raise InputError(f"expected a {name} for each of {sizes['B']} pictures, got {len(texts)}")

    def __len__(self) -> int:
        return len(self.points)

    @property
    def looks_apart(self) -> Tensor:
        """``disagreement``, which is never None once the object exists."""
        assert self.disagreement is not None
        return self.disagreement

    def __getitem__(self, rows: slice | Tensor) -> Landmarks:
        """Some rows, by a slice, by indices or by a mask."""
        chosen = torch.arange(len(self), device=self.points.device)[rows]
        reasons, notes = (tuple(texts[row] for row in chosen.tolist()) for texts in (self.reasons, self.notes))
        return Landmarks(
            self.points[chosen], self.found[chosen], self.score[chosen], reasons, notes, self.looks_apart[chosen]
        )

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Landmarks:
        """Move to ``device``; ``dtype`` applies to all but ``found``."""
        return Landmarks(
            self.points.to(device=device, dtype=dtype),
            self.found.to(device=device),
            self.score.to(device=device, dtype=dtype),
            self.reasons,
            self.notes,
            self.looks_apart.to(device=device, dtype=dtype),
        )

    @classmethod
    def stack(
        cls, rows: Sequence[tuple[Tensor | None, float, str]], like: Tensor, notes: tuple[str, ...] = ()
    ) -> Landmarks:
        """From one ``(points (68, 2) or None, score, reason)`` for each picture; device and dtype as ``like``."""
        points = [like.new_zeros(COUNT, 2) if found is None else found.to(like) for found, _, _ in rows]
        return cls(
            torch.stack(points) if points else like.new_zeros(0, COUNT, 2),
            torch.tensor([found is not None for found, _, _ in rows], dtype=torch.bool, device=like.device),
            like.new_tensor([score for _, score, _ in rows]),
            tuple(reason for _, _, reason in rows),
            notes,
        )


class LandmarkDetector(nn.Module):
    """A detector of one face per picture. A picture without a face is a row with ``found`` False, not an error.

    ``contour`` says where the jaw's points are on a turned head: on the contour that is seen (``"visible"``), or points
    of the head though they be hidden (``"head"``).
    """

    contour: Contour = "visible"

    @abstractmethod
    def detect(self, images: Tensor, names: Sequence[str] | None = None) -> Landmarks:
        """Landmarks of ``images (B, 3, H, W)`` in [0, 1]; ``names`` are the pictures' file names, where they have any.

        Every row depends on its own picture alone.
        """

    def look_again(self, images: Tensor, found: Landmarks, names: Sequence[str] | None = None) -> Landmarks:
        """``found`` with its ``disagreement`` measured on the same pictures; the points stay as they are.

        Here nothing is measured. A detector that can look at a picture in another way overrides this:
        the confidence of a fit then counts how far the looks are apart.
        """
        return found

    def forward(self, images: Tensor, names: Sequence[str] | None = None) -> Landmarks:
        """The same as :meth:`detect`."""
        return self.detect(images, names)


def check_images(images: Tensor, names: Sequence[str] | None = None) -> None:
    """Check the input of a detector."""
    sizes = check_shape("images", images, ("B", 3, "H", "W"))
    check_floating("images", images)
    if min(sizes["H"], sizes["W"]) < 1:
        raise InputError(f"images must have pixels, got {tuple(images.shape)}")
    if names is not None and len(names) != sizes["B"]:
        raise InputError(f"expected a name for each of {sizes['B']} images, got {len(names)}")


def unreadable(images: Tensor) -> Tensor:
    """``(B,)``: pictures with NaN or infinity in them, in which nothing can be found."""
    lowest, highest = images.flatten(1).aminmax(dim=1)  # NaN is both
    return ~(torch.isfinite(lowest) & torch.isfinite(highest))


def look_at_mirrored(
    detector: LandmarkDetector, images: Tensor, found: Landmarks, names: Sequence[str] | None = None
) -> Landmarks:
    """``found`` with its ``disagreement`` from the mirrored pictures; infinite where the mirrored face is missed."""
    other = detector.detect(images.flip(3), names)
    points = mirror_points(other.points - images.shape[3] / 2 * other.points.new_tensor([1.0, 0.0]))
    points = points + images.shape[3] / 2 * points.new_tensor([1.0, 0.0])
    apart = torch.linalg.vector_norm(points - found.points, dim=2).mean(1)
    return replace(found, disagreement=apart.masked_fill(~other.found, torch.inf).masked_fill(~found.found, torch.nan))
