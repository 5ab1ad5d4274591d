"""README's picture of a head from a photograph: the head that `faceuv head` made, turned, moved and relit.

python tools/photo_picture.py out/head/NAME.safetensors    # writes docs/pictures/photo_head.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from faceuv import Face

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "photo_head.jpg"
SIZE = 320
VIEWS: tuple[tuple[dict[str, float], dict[str, Any]], ...] = (
    ({}, {"yaw_deg": 0}),
    ({}, {"yaw_deg": -30}),
    ({"jaw_open": 0.35, "brow_up": 0.9}, {"yaw_deg": 25}),
    ({"frown": 0.9, "brow_down": 0.8}, {"yaw_deg": -15}),
    ({}, {"yaw_deg": 40, "light": "warm"}),
)
"""Expression and view; an expression takes the smile of the photograph away."""


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    face = Face.load(sys.argv[1])
    calm = face.with_expression(torch.zeros(face.face_model.layout.expression))
    views = [
        (calm.with_expression(**expression) if expression else face).render(SIZE, centred=True, **view)
        for expression, view in VIEWS
    ]
    strip = torch.cat(views, 2).clamp(0, 1).permute(1, 2, 0)
    Image.fromarray((strip * 255).round().byte().numpy()).save(PICTURE, quality=88)


if __name__ == "__main__":
    main()
