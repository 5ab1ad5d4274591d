"""README's picture of random people: seeds 0 to 11, not selected, with the hair that suits them. The first six smile
faintly, as ``faceuv sample`` makes them, the others fully, turned by 25°.

python tools/people_picture.py            # writes docs/pictures/people.jpg; needs faceuv[heads]
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from faceuv import Face
from faceuv.models.faces.everyday import faint_smile

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "people.jpg"
COLUMNS, SIZE, WIDTH = 6, 360, 280  # the columns are as wide as shoulders


def person(seed: int, smile: bool) -> Tensor:
    """``(3, SIZE, WIDTH)``"""
    face = Face.random(seed, face_model="MakeHuman").with_hair(seed=seed)
    face = face.with_expression(torch.zeros(face.face_model.layout.expression), **({} if smile else faint_smile(seed)))
    if smile:
        face = face.with_arkit(mouthSmileLeft=0.8, mouthSmileRight=0.8, cheekSquintLeft=0.5, cheekSquintRight=0.5)
    side = (SIZE - WIDTH) // 2
    print(f"seed {seed}")
    return face.render(SIZE, yaw_deg=25 if smile else -10, light="studio")[:, :, side : SIZE - side]


def main() -> None:
    rows = [torch.cat([person(row * COLUMNS + k, smile=row == 1) for k in range(COLUMNS)], 2) for row in (0, 1)]
    sheet = torch.cat(rows, 1).permute(1, 2, 0)
    Image.fromarray((sheet * 255).round().byte().numpy()).save(PICTURE, quality=90)


if __name__ == "__main__":
    main()
