"""Draw the pictures of the documentation: `python tools/docs_pictures.py [--out docs/pictures]`.

They are made by the same code that users call; look at each before it is committed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor

from faceuv import Face
from faceuv.cli.console import console
from faceuv.export import contact_sheet, save_png
from faceuv.face import build_face_model
from faceuv.geometry.lighting import light_names
from faceuv.models.faces import FaceModel
from faceuv.renderers import FaceRenderer
from faceuv.renderers.face import MaskRule

SIZE = 224


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--only", nargs="+", help="some of the pictures, by name")
    args = parser.parse_args()
    model = build_face_model(None)
    chosen = {name: draw for name, draw in PICTURES.items() if args.only is None or name in args.only}
    for name, draw in track(chosen.items(), description="pictures", console=console):
        save_png(args.out / f"{name}.png", draw(model))
    console.print(f"{len(chosen)} pictures in {args.out}")


def grey(face: Face, **pose: float) -> Tensor:
    return face.with_pose(**pose).render_full(SIZE, shape_only=True).image[0].clamp(0, 1)


def mean(model: FaceModel) -> Tensor:
    face = Face.mean(face_model=model)
    yaws = (0.0, 45.0, 90.0)
    pictures = [grey(face, yaw_deg=yaw) for yaw in yaws] + [face.render(SIZE, yaw_deg=yaw) for yaw in yaws]
    return contact_sheet(pictures, columns=6)


def modes(group: str, model: FaceModel) -> Tensor:
    """The first modes at ±2.5 σ: grey for shape, coloured for albedo."""
    pictures, labels = [], []
    base = Face.mean(face_model=model)
    for k in range(6):
        for sigma in (-2.5, 2.5):
            value = torch.zeros_like(base.coefficients.view(group))
            value[0, k] = sigma
            face = Face(base.coefficients.replace(**{group: value}), model, base.renderer)
            pictures.append(face.render(SIZE) if group == "albedo" else grey(face, yaw_deg=-25.0))
            labels.append(f"{model.mode_names[group][k]} {sigma:+.1f}")
    return contact_sheet(pictures, columns=6, labels=labels)


def expressions(model: FaceModel) -> Tensor:
    amounts: dict[str, dict[str, float]] = {
        "rest": {},
        "smile": {"smile": 1.0},
        "jaw_open": {"jaw_open": 1.0},
        "brow_up": {"brow_up": 1.0},
        "blink": {"blink": 1.0},
        "laugh": {"smile": 1.0, "jaw_open": 0.5, "squint": 0.6},
    }
    face = Face.mean(face_model=model)
    faces = [face.with_expression(**amount) for amount in amounts.values()]
    pictures = [f.render(SIZE) for f in faces] + [f.render(SIZE, yaw_deg=40.0) for f in faces]
    return contact_sheet(pictures, columns=len(amounts), labels=[*amounts, *[""] * len(amounts)])


def yaw(model: FaceModel) -> Tensor:
    angles = (-60.0, -30.0, -15.0, 0.0, 15.0, 30.0, 60.0)
    rows = [Face.random(seed, face_model=model) for seed in (3, 11)]
    pictures = [face.render(SIZE, yaw_deg=angle) for face in rows for angle in angles]
    return contact_sheet(pictures, columns=len(angles), labels=[f"{angle:+.0f}°" for angle in angles] * len(rows))


def lights(model: FaceModel) -> Tensor:
    face, names = Face.random(11, face_model=model), light_names()
    pictures = [face.render(SIZE, yaw_deg=10.0, light=name, background=(0.1, 0.1, 0.11)) for name in names]
    return contact_sheet(pictures, columns=5, labels=names)


def masks(model: FaceModel) -> Tensor:
    """A view and its two masks, laid over the albedo map."""
    face = Face.random(5, face_model=model).with_pose(yaw_deg=35.0)
    view = FaceRenderer(model, face.renderer)
    texture = model.albedo_map(face.coefficients.albedo, SIZE, SIZE)
    pictures, labels = [face.render(SIZE)], ["view at +35°"]
    rules: tuple[MaskRule, ...] = ("gradient", "visibility")
    for rule in rules:
        mask = view.view_mask(face.coefficients, size=SIZE, map_size=SIZE, rule=rule)
        pictures.append((texture * (0.15 + 0.85 * mask))[0].clamp(0, 1))
        labels.append(f"{rule} mask")
    return contact_sheet(pictures, columns=3, labels=labels)


def sample(model: FaceModel) -> Tensor:
    return contact_sheet(
        [Face.random(seed, face_model=model).render(SIZE, yaw_deg=12.0) for seed in range(10)], columns=5
    )


PICTURES = {
    "mean": mean,
    "identity_modes": lambda model: modes("identity", model),
    "albedo_modes": lambda model: modes("albedo", model),
    "expressions": expressions,
    "yaw": yaw,
    "lights": lights,
    "masks": masks,
    "sample": sample,
}

if __name__ == "__main__":
    main()
