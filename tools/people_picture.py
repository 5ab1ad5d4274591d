"""README's first picture: the random people of seeds 0 to 5, not selected, with the hair that suits them, at rest
and smiling at 25°.

python tools/people_picture.py            # writes docs/pictures/people.jpg; needs faceuv[heads]
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from faceuv import Face

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "people.jpg"
SEEDS, SIZE, WIDTH = range(6), 360, 280  # the columns are as wide as shoulders


def main() -> None:
    columns = []
    for seed in SEEDS:
        face = Face.random(seed, face_model="MakeHuman").with_hair(seed=seed)
        rest = face.with_expression(torch.zeros(face.face_model.layout.expression))
        smiling = rest.with_arkit(mouthSmileLeft=0.8, mouthSmileRight=0.8, cheekSquintLeft=0.5, cheekSquintRight=0.5)
        views = [rest.render(SIZE, yaw_deg=-10, light="studio"), smiling.render(SIZE, yaw_deg=25, light="studio")]
        side = (SIZE - WIDTH) // 2
        columns.append(torch.cat(views, 1)[:, :, side : SIZE - side])
        print(f"seed {seed}")
    sheet = torch.cat(columns, 2).permute(1, 2, 0)
    Image.fromarray((sheet * 255).round().byte().numpy()).save(PICTURE, quality=90)


if __name__ == "__main__":
    main()
