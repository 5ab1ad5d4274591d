"""One picture page of a head: photograph, overlay, views, shape, maps."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.export.images import contact_sheet
from faceuv.photo.making import PhotoHead

_SHOWN = 6  # photographs of one person on the page
YAWS = (-60, -30, 0, 30, 60)
_COLUMNS = 5
_SEEN, _OTHER, _MODEL, _OFF = (0.20, 0.62, 0.35), (0.25, 0.45, 0.80), (0.62, 0.62, 0.62), (1.0, 1.0, 1.0)


def head_page(made: PhotoHead, *, size: int = 320, photograph: bool = True) -> Tensor:
    """A sheet ``(3, H, W)``: the photographs and the head laid over each, views at ±60°, ±30° and the front, the shape,
    the albedo map, and where its colours come from (green: seen, blue: the other side, grey: the model).

    Args:
        size: of each picture.
        photograph: False leaves out the photograph and the overlay, for pages that are published.
    """
    face = made.face
    upright = face.with_pose(0, 0, 0).centred()
    light = None if made.texture.lit else "studio"
    tiles = [upright.render(size, yaw_deg=yaw, light=light) for yaw in YAWS]
    labels = [f"{yaw:+d}°" if yaw else "front" for yaw in YAWS]
    shape = upright.with_lighting("studio").render_full(size, shape_only=True).image[0].clamp(0, 1)
    tiles += [shape, _sized(face.diffuse(), size), _sized(sources(made), size)]
    labels += ["shape", "texture, lit" if made.texture.lit else "albedo", f"seen {made.texture.share:.0%}"]
    if photograph:
        several = len(made.shots) > 1
        shown, named = [], []
        for number, (shot, own) in enumerate(zip(made.shots[:_SHOWN], made.texture.views), 1):
            posed = replace(face, coefficients=own)
            overlay = posed.render_full(shot.square.shape[1], background=shot.square[None]).image[0].clamp(0, 1)
            shown += [_sized(shot.square, size), _sized(overlay, size)]
            doubt = f": {shot.doubt if several else made.doubt}" if (shot.doubt if several else made.doubt) else ""
            named += [f"photograph {number}" if several else "photograph", f"confidence {shot.confidence:.2f}{doubt}"]
        tiles, labels = [*shown, *tiles], [*named, *labels]
    return contact_sheet(tiles, columns=_COLUMNS if photograph else 4, labels=labels)


def sources(made: PhotoHead) -> Tensor:
    """``(3, T, T)``: where each texel's colour comes from."""
    texture = made.texture
    model = made.face.face_model
    assert model is not None
    seen, other = texture.seen, texture.mirrored * (1 - texture.seen)
    colour = [seen.new_tensor(c)[:, None, None] for c in (_SEEN, _OTHER, _MODEL, _OFF)]
    mixed = seen * colour[0] + other * colour[1] + (1 - seen - other) * colour[2]
    return torch.where(model.uv_mask(*seen.shape[1:])[0] > 0, mixed, colour[3])


def _sized(image: Tensor, size: int) -> Tensor:
    down = image.shape[-1] > size
    sized = F.interpolate(image[None], (size, size), mode="bilinear", antialias=down, align_corners=False)
    return sized[0].clamp(0, 1)
