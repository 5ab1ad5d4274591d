"""Draw the pictures of docs/appearance.md on a head whose albedo is the library's own:

python tools/appearance_pictures.py --face-model ICTFaceKit [--out docs/pictures] [--only people]
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from PIL import Image
from rich.progress import track
from torch import Tensor

from faceuv import Face
from faceuv.cli.console import console
from faceuv.export import contact_sheet
from faceuv.export.images import to_bytes
from faceuv.models.faces.appearance import EYE_COLOURS, appearance_maps
from faceuv.models.faces.appearance.eyes import eye_texture, named_eye_colour
from faceuv.models.faces.appearance.modes import NAMES, Person
from faceuv.models.faces.gloss import glossy, with_gloss
from faceuv.renderers import draw_surface
from faceuv.structures import Camera

BACKGROUND = (0.82, 0.83, 0.85)
_FOCAL = 1015.0 / 256.0
# Name → the landmarks in whose middle a close-up looks, and how near.
CLOSE = {"eye": (range(42, 48), 4.2), "mouth": (range(48, 60), 3.4), "cheek": ((42, 47, 54), 3.2)}


def person(seed: int, face: Face, size: int) -> Face:
    """A neutral random person of the model of ``face``."""
    drawn = Face.random(seed, face_model=face.face_model, renderer=face.renderer, texture_size=None)
    own = drawn.coefficients
    assert own is not None
    neutral = Face(own.replace(expression=torch.zeros_like(own.expression)), drawn.face_model, drawn.renderer)
    return neutral.with_detail(seed, size)


def view(face: Face, size: int, *, yaw_deg: float, light: str, zoom: float, at: Tensor) -> Tensor:
    """``(3, size, size)``: the face around the point ``at (3,)`` of the turned head, ``zoom`` times as large."""
    turned = face.with_pose(yaw_deg=yaw_deg).with_lighting(light)
    surface = turned.surface
    moved = torch.tensor([[-float(at[0]), -float(at[1]), 0.0]])
    camera = Camera(focal=_FOCAL * zoom)
    surface = surface.replace(translation=moved, camera=camera)
    drawn = draw_surface(face.renderer, surface, size=size, background=BACKGROUND)
    if face.face_model is not None and glossy(face.face_model):
        drawn = with_gloss(drawn, surface, face.face_model, camera, getattr(face.maps, "roughness", None))
    return drawn.image[0].clamp(0, 1)


def row(face: Face, size: int) -> list[Tensor]:
    """Front, 30°, 85° and close-ups of eye, mouth and cheek."""
    middle = torch.tensor([0.0, 0.1, 0.0])
    pictures = [
        view(face, size, yaw_deg=yaw, light=light, zoom=0.82, at=middle)
        for yaw, light in ((0.0, "studio"), (30.0, "left"), (85.0, "warm"))
    ]
    marks = face.vertices()[face.face_model.landmarks]
    for landmarks, zoom in CLOSE.values():
        at = marks[list(landmarks)].mean(0)
        pictures.append(view(face, size, yaw_deg=0.0, light="studio", zoom=zoom, at=at))
    return pictures


def people(face: Face, seeds: list[int], size: int, texture: int) -> Tensor:
    pictures = [picture for seed in track(seeds, description="people", console=console)
                for picture in row(person(seed, face, texture), size)]  # fmt: skip
    return contact_sheet(pictures, columns=3 + len(CLOSE))


def complexions(face: Face, size: int, texture: int) -> Tensor:
    """Melanin from −2 to 2.6 deviations (columns), less and more blood (rows), of one person."""
    model = face.face_model
    assert model is not None
    pictures = []
    for blood in (-1.2, 1.2):
        for melanin in (-2.0, -1.0, 0.0, 1.0, 1.8, 2.6):
            values = torch.zeros(1, len(NAMES))
            values[0, NAMES.index("melanin")], values[0, NAMES.index("blood")] = melanin, blood
            made = Face.mean(face_model=model, renderer=face.renderer).with_maps(
                appearance_maps(model, values, 5, texture, age=28)
            )
            pictures.append(view(made, size, yaw_deg=15.0, light="studio", zoom=1.0, at=torch.tensor([0.0, 0.1, 0.0])))
    return contact_sheet(pictures, columns=6)


def eyes(size: int) -> Tensor:
    """Every named eye colour."""
    span = (torch.arange(size) + 0.5) / size * 3.0 - 1.5
    y, x = torch.meshgrid(-span, span, indexing="ij")
    distance, angle = torch.hypot(x, y).flatten(), torch.atan2(y, x).flatten()
    calm = Person(torch.zeros(len(NAMES)))
    pictures, names = [], []
    for k, name in enumerate(EYE_COLOURS):
        generator = torch.Generator().manual_seed(k)
        drawn = eye_texture(distance, angle, named_eye_colour(name), calm, generator)
        pictures.append(drawn.T.reshape(3, size, size))
        names.append(name)
    return contact_sheet(pictures, columns=math.ceil(len(names) / 3), labels=names)


def save_jpeg(path: Path, image: Tensor) -> None:
    Image.fromarray(to_bytes(image)).save(path, quality=88)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face-model", default="ICTFaceKit")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--only", nargs="+", choices=("people", "complexions", "eyes"))
    parser.add_argument("--seeds", nargs="+", type=int, default=[10, 13, 15, 24])
    parser.add_argument("--size", type=int, default=200, help="of one picture")
    parser.add_argument("--texture", type=int, default=2048)
    args = parser.parse_args()
    wanted = args.only or ("people", "complexions", "eyes")
    args.out.mkdir(parents=True, exist_ok=True)
    if "eyes" in wanted:
        save_jpeg(args.out / "appearance_eyes.jpg", eyes(150))
    if "people" in wanted or "complexions" in wanted:
        face = Face.mean(face_model=args.face_model)
        if "people" in wanted:
            save_jpeg(args.out / "appearance_people.jpg", people(face, args.seeds, args.size, args.texture))
        if "complexions" in wanted:
            save_jpeg(args.out / "appearance_complexions.jpg", complexions(face, args.size, min(args.texture, 1024)))


if __name__ == "__main__":
    main()
