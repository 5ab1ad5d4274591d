"""Fits a stream of picture files in batches. Files that fail are reported, and the others are fitted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from faceuv.data.images import PictureFile, PictureReader
from faceuv.data.window import RULES, Window
from faceuv.errors import AssetError, InputError
from faceuv.fitting.fitter import Fitter
from faceuv.fitting.landmarks.base import Landmarks
from faceuv.fitting.landmarks.precomputed import PrecomputedLandmarks
from faceuv.structures import Coefficients

_ROUNDS = 2  # of framing a face by its landmarks: found small or tilted, they are rough; found in the square, good


@dataclass(frozen=True, eq=False)
class PictureFit:
    """The result for one picture file.

    reason        why there is no fit, '' if there is one
    image         (3, S, S) the square that was fitted, None if the file could not be read
    window        where the square lies in the picture
    landmarks     (68, 2) pixels of the square, None if no face was found
    coefficients  (1, N), None without a fit;  landmark_error, photometric, iterations: as in :class:`Fit`
    note          a remark of the detector, for instance that there were two faces; '' mostly
    outcome       ``fitted``, ``doubtful`` or ``failed``
    confidence    in [0, 1], 0 without a fit;  parts: what each piece of evidence alone says, those that are known
    doubt         why the fit is doubtful, '' if it is not
    """

    file: PictureFile
    reason: str = ""
    image: Tensor | None = None
    window: Window | None = None
    landmarks: Tensor | None = None
    coefficients: Coefficients | None = None
    landmark_error: float = float("nan")
    photometric: float = float("nan")
    iterations: int = 0
    note: str = ""
    outcome: str = "failed"
    confidence: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)
    doubt: str = ""


@dataclass(frozen=True, eq=False)
class _Framed:
    """A picture that could be read, with its square."""

    file: PictureFile
    picture: Tensor
    window: Window
    image: Tensor
    mask: Tensor

    def reframed(self, window: Window, size: int) -> _Framed:
        image, mask = window.cut(self.picture, size)
        return replace(self, window=window, image=image, mask=mask)


def fit_pictures(
    fitter: Fitter,
    files: Iterable[PictureFile],
    *,
    size: int = 256,
    framing: str = "pad",
    batch_size: int = 16,
) -> Iterator[PictureFit]:
    """Fit picture files, in their order; the fit is in the frame of each picture's square of ``size`` pixels.

    Args:
        framing: ``"pad"`` fits the whole picture, squared by repeating its border (what is repeated does not count);
            ``"crop"`` the largest square in its middle; ``"align"`` the square around the face that FFHQ's rule gives:
            right for photographs that are not portraits, because the camera of the fit looks at portraits.
        batch_size: number of pictures in memory at a time.
    """
    if framing not in RULES:
        raise InputError(f"framing must be one of {', '.join(RULES)}, got {framing!r}")
    if size < 32 or batch_size < 1:
        raise InputError(f"expected size ≥ 32 and batch_size ≥ 1, got {size} and {batch_size}")
    if fitter.detector is None:
        raise InputError("fitting pictures takes a detector: Fitter(detector='SyntheticLandmarks')")
    reader = PictureReader()
    for group in _groups(files, batch_size):
        yield from _fit_group(fitter, reader, group, size, framing)


def _groups(files: Iterable[PictureFile], count: int) -> Iterator[list[PictureFile]]:
    group: list[PictureFile] = []
    for file in files:
        group.append(file)
        if len(group) == count:
            yield group
            group = []
    if group:
        yield group


def _fit_group(
    fitter: Fitter, reader: PictureReader, files: Sequence[PictureFile], size: int, framing: str
) -> list[PictureFit]:
    results: dict[PictureFile, PictureFit] = {}
    framed: list[_Framed] = []
    for file in files:
        try:
            picture = reader.read(file)
        except (AssetError, InputError) as error:
            results[file] = PictureFit(file, str(error))
            continue
        height, width = picture.shape[1:]
        window = Window.whole(height, width, "crop" if framing == "crop" else "pad")
        framed.append(_Framed(file, picture, window, *window.cut(picture, size)))
    if framed:
        landmarks = _detect(fitter, framed, size)
        if framing == "align":
            for _ in range(_ROUNDS):
                framed, landmarks = _align(fitter, framed, landmarks, size)
        images = torch.stack([item.image for item in framed])
        landmarks = _look_again(fitter, framed, landmarks, images)
        mask = torch.stack([item.mask for item in framed])
        fit = fitter.fit(images, landmarks, mask=mask).to("cpu")
        landmarks = landmarks.to("cpu")
        parts = {name: values.tolist() for name, values in fit.parts.items()}
        for row, item in enumerate(framed):
            results[item.file] = PictureFit(
                item.file,
                fit.reasons[row],
                item.image,
                item.window,
                landmarks.points[row] if bool(landmarks.found[row]) else None,
                fit.coefficients[row] if bool(fit.ok[row]) else None,
                float(fit.landmark_error[row]),
                float(fit.photometric[row]),
                int(fit.iterations[row]),
                landmarks.notes[row],
                fit.outcomes[row],
                float(fit.confidence[row]),
                {name: values[row] for name, values in parts.items() if not math.isnan(values[row])},
                fit.doubts[row],
            )
    return [results[file] for file in files]


def _detect(fitter: Fitter, framed: Sequence[_Framed], size: int) -> Landmarks:
    """Landmarks in the squares."""
    detector = fitter.detector
    assert detector is not None
    if isinstance(detector, PrecomputedLandmarks):  # they are of the whole files, not of squares
        rows = [detector.detect(item.picture[None], [item.file.path.name]) for item in framed]
        points = torch.cat([item.window.to_window(row.points, size) for item, row in zip(framed, rows)])
        found, score = torch.cat([row.found for row in rows]), torch.cat([row.score for row in rows])
        reasons, notes = (tuple(text for row in rows for text in getattr(row, kind)) for kind in ("reasons", "notes"))
        return Landmarks(points, found, score, reasons, notes)
    images = torch.stack([item.image for item in framed]).to(fitter.face_model.mean.device)
    return detector.detect(images, [item.file.path.name for item in framed])


def _look_again(fitter: Fitter, framed: Sequence[_Framed], landmarks: Landmarks, images: Tensor) -> Landmarks:
    """The landmarks with the disagreement of the detector's other looks at the squares."""
    assert fitter.detector is not None
    device = fitter.face_model.mean.device
    names = [item.file.path.name for item in framed]
    return fitter.detector.look_again(images.to(device), landmarks.to(device), names)


def _align(fitter: Fitter, framed: list[_Framed], landmarks: Landmarks, size: int) -> tuple[list[_Framed], Landmarks]:
    """The squares around the faces, and the landmarks in them: looked for again, for they are larger there."""
    windows = []
    reasons = list(landmarks.reasons)
    for row, item in enumerate(framed):
        window = item.window
        if not reasons[row]:
            try:
                window = Window.aligned(item.window.to_picture(landmarks.points[row].cpu(), size))
            except InputError as error:
                reasons[row] = str(error)
        windows.append(window)
    moved = [item.reframed(window, size) for item, window in zip(framed, windows)]
    again = _detect(fitter, moved, size)
    found = again.found & torch.tensor([not reason for reason in reasons], device=again.found.device)
    kept = tuple(first or second for first, second in zip(reasons, again.reasons))
    # what was seen in the whole picture (a second face) may lie outside the square
    notes = tuple("; ".join(dict.fromkeys(filter(None, both))) for both in zip(landmarks.notes, again.notes))
    return moved, Landmarks(again.points, found, again.score, kept, notes)
