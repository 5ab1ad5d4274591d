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


def looks(face: Face) -> list[tuple[Face, dict[str, Any]]]:
    """The head as it moves, and the views. The photograph's own smile goes before another expression comes."""
    calm = face.with_expression(torch.zeros(face.face_model.layout.expression))
    return [
        (face, {"yaw_deg": 0}),
        (face, {"yaw_deg": -30}),
        (calm.with_expression(jaw_open=0.35, brow_up=0.9), {"yaw_deg": 25}),
        (face.with_arkit(eyeBlinkLeft=1.0), {"yaw_deg": -15}),
        (face, {"yaw_deg": 40, "light": "warm"}),
    ]


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    face = Face.load(sys.argv[1])
    views = [look.render(SIZE, centred=True, **view) for look, view in looks(face)]
    strip = torch.cat(views, 2).clamp(0, 1).permute(1, 2, 0)
    Image.fromarray((strip * 255).round().byte().numpy()).save(PICTURE, quality=88)


if __name__ == "__main__":
    main()
