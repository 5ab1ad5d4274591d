"""Pictures: PNG files and labelled contact sheets. Images are ``(3, H, W)`` float RGB in [0, 1], row 0 on top."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from faceuv.checks import check_floating, check_shape
from faceuv.errors import InputError
from faceuv.files.artefacts import atomic_path

WHITE = (1.0, 1.0, 1.0)


def to_bytes(image: Tensor | np.ndarray, name: str = "the image") -> np.ndarray:
    """``(3, H, W)`` floats → ``(H, W, 3)`` uint8, rounded to nearest. Values beyond [0, 1] are clamped (a render may be
    brighter than white); NaN is an error."""
    tensor = torch.from_numpy(image) if isinstance(image, np.ndarray) else image
    check_shape(name, tensor, (3, "H", "W"))
    check_floating(name, tensor)
    if not bool(torch.isfinite(tensor).all()):
        raise InputError(f"{name} holds NaN or infinity; nothing can be written from it")
    levels = tensor.detach().float().clamp(0, 1).mul_(255).round_().to(torch.uint8)
    return levels.permute(1, 2, 0).cpu().numpy()


def encode(image: Tensor | np.ndarray, *, kind: str = "PNG", name: str = "the image") -> bytes:
    """A picture file in memory, ``kind`` ``"PNG"`` or ``"JPEG"`` (quality 92, full colour resolution); the same bytes
    for the same picture."""
    stream = io.BytesIO()
    options = {"quality": 92, "subsampling": 0} if kind == "JPEG" else {}
    Image.fromarray(to_bytes(image, name)).save(stream, kind, **options)
    return stream.getvalue()


def save_png(path: str | Path, image: Tensor) -> Path:
    """Write ``image (3, H, W)`` as an 8-bit PNG, atomically."""
    path = Path(path)
    data = encode(image)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return path


def contact_sheet(
    images: Sequence[Tensor],
    *,
    columns: int | None = None,
    labels: Sequence[str] | None = None,
    margin: int = 4,
    background: tuple[float, float, float] = WHITE,
) -> Tensor:
    """A grid of equally large ``images``, each (3, H, W), row by row → one ``(3, H', W')`` picture on the CPU.

    ``columns`` defaults to a roughly square grid; ``labels`` are written below the pictures, shortened to fit;
    ``margin`` is in pixels, around and between.
    """
    if len(images) == 0:
        raise InputError("a contact sheet needs at least one image")
    if margin < 0 or (columns is not None and columns < 1):
        raise InputError(f"expected margin ≥ 0 and columns ≥ 1, got margin={margin}, columns={columns}")
    if labels is not None and len(labels) != len(images):
        raise InputError(f"expected one label per image: {len(images)} images, {len(labels)} labels")
    pictures = [to_bytes(image, f"image {k}") for k, image in enumerate(images)]
    height, width = pictures[0].shape[:2]
    for k, picture in enumerate(pictures):
        if picture.shape[:2] != (height, width):
            raise InputError(
                f"image {k} is {picture.shape[0]} × {picture.shape[1]}, image 0 {height} × {width}: resize first"
            )
    columns = min(columns or int(np.ceil(np.sqrt(len(pictures)))), len(pictures))
    rows = -(-len(pictures) // columns)
    text_size = max(10, width // 14) if labels is not None else 0
    caption = round(text_size * 1.4)

    paper = tuple(round(255 * min(max(c, 0.0), 1.0)) for c in background)
    ink = (0, 0, 0) if sum(paper) > 3 * 110 else (255, 255, 255)
    size = (margin + columns * (width + margin), margin + rows * (height + caption + margin))
    sheet = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(sheet)
    for k, picture in enumerate(pictures):
        left = margin + (k % columns) * (width + margin)
        top = margin + (k // columns) * (height + caption + margin)
        sheet.paste(Image.fromarray(picture), (left, top))
        if labels is not None:
            font = ImageFont.load_default(text_size)
            text = shorten(labels[k], width, font)
            draw.text((left + width / 2, top + height + caption / 2), text, fill=ink, font=font, anchor="mm")
    return torch.from_numpy(np.array(sheet)).permute(2, 0, 1).float() / 255


def shorten(text: str, width: float, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """``text`` as it is if it is at most ``width`` pixels wide, else its beginning and an ellipsis."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"
