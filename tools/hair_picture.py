"""The picture of docs/hair.md: every style by name on one woman and one man of MakeHuman, from 30° and from behind.

python tools/hair_picture.py            # writes docs/pictures/hair_styles.jpg; needs faceuv[heads]
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from rich.progress import track

from faceuv import Face
from faceuv.cli.console import console
from faceuv.export import contact_sheet
from faceuv.export.images import to_bytes
from faceuv.models.faces.hair import STYLES

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "hair_styles.jpg"
SIZE, COLUMNS = 150, 5
# Of men in this picture; the others are shown on the woman.
MEN = ("buzz", "crew", "crop", "short", "parted", "swept", "receding", "balding", "coils")
COLOURS = ("dark brown", "chestnut", "black", "dark blond", "auburn", "brown", "blond")


def main() -> None:
    people = {}
    for gender, seed in (("female", 9), ("male", 6)):
        face = Face.random(seed, face_model="MakeHuman", gender=gender, age=32, texture_size=512)
        people[gender] = face.with_expression(torch.zeros(face.face_model.layout.expression))
    tiles = []
    for k, style in enumerate(track(STYLES, description="styles", console=console)):
        face = people["male" if style in MEN else "female"].with_hair(style, colour=COLOURS[k % len(COLOURS)], seed=k)
        views = [face.render(SIZE, yaw_deg=yaw, light="studio") for yaw in (30, 160)]
        tiles.append(torch.cat(views, 2))
    sheet = contact_sheet(tiles, columns=COLUMNS, labels=list(STYLES))
    Image.fromarray(to_bytes(sheet)).save(PICTURE, quality=86)


if __name__ == "__main__":
    main()
