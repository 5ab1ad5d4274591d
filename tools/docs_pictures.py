"""Draw the pictures of the documentation: `python tools/docs_pictures.py [--out docs/pictures]`.

They are made by the same code that users call; look at each before it is committed. Those of generated faces alone,
with other faces: `python tools/docs_pictures.py --only generated --seeds 1 2 3 4`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from rich.progress import track
from torch import Tensor

from faceuv import Face
from faceuv.cli.console import console
from faceuv.export import contact_sheet, save_png, save_video
from faceuv.face import build_face_model
from faceuv.figures import (
    FigureStyle,
    edit_strip,
    expression_grid,
    interpolation_strip,
    light_grid,
    mixing_grid,
    turntable,
    yaw_strip,
)
from faceuv.geometry.lighting import light_names
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.models.faces.face_renderer import MaskRule
from faceuv.models.stylefaceuv.behind import Behind
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator

SIZE = 224
SMALL = FigureStyle(size=128)

Drawn = Tensor | Iterator[Tensor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    parser.add_argument("--only", nargs="+", help="some of the pictures, by name or by its first letters")
    parser.add_argument("--generator", default="heads_64", help="of the generated faces")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4], help="of the generated faces")
    args = parser.parse_args()
    chosen = {name for name in (*PICTURES, *GENERATED) if name.startswith(tuple(args.only or [""]))}
    jobs: list[tuple[str, Callable[[], Drawn]]] = []
    if chosen & set(PICTURES):
        model = build_face_model(None)
        jobs += [(name, partial(draw, model)) for name, draw in PICTURES.items() if name in chosen]
    if chosen & set(GENERATED):
        generator = StyleFaceUVGenerator.load(args.generator)
        jobs += [(name, partial(draw, generator, args.seeds)) for name, draw in GENERATED.items() if name in chosen]
    for name, job in track(jobs, description="pictures", console=console):
        drawn = job()
        if isinstance(drawn, Tensor):
            save_png(args.out / f"{name}.png", drawn)
        else:
            save_video(args.out / f"{name}.gif", drawn, fps=12)
    console.print(f"{len(jobs)} pictures in {args.out}")


def grey(face: Face, **pose: float) -> Tensor:
    return face.with_pose(**pose).centred().render_full(SIZE, shape_only=True).image[0].clamp(0, 1)


def mean(model: FaceModel) -> Tensor:
    face = Face.mean(face_model=model)
    yaws = (0.0, 45.0, 90.0)
    pictures = [grey(face, yaw_deg=yaw) for yaw in yaws] + [
        face.render(SIZE, yaw_deg=yaw, centred=True) for yaw in yaws
    ]
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
            pictures.append(face.render(SIZE, centred=True) if group == "albedo" else grey(face, yaw_deg=-25.0))
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
    pictures = [f.render(SIZE, centred=True) for f in faces] + [
        f.render(SIZE, yaw_deg=40.0, centred=True) for f in faces
    ]
    return contact_sheet(pictures, columns=len(amounts), labels=[*amounts, *[""] * len(amounts)])


def yaw(model: FaceModel) -> Tensor:
    angles = (-60.0, -30.0, -15.0, 0.0, 15.0, 30.0, 60.0)
    rows = [Face.random(seed, face_model=model) for seed in (3, 11)]
    pictures = [face.render(SIZE, yaw_deg=angle, centred=True) for face in rows for angle in angles]
    return contact_sheet(pictures, columns=len(angles), labels=[f"{angle:+.0f}°" for angle in angles] * len(rows))


def lights(model: FaceModel) -> Tensor:
    face, names = Face.random(11, face_model=model), light_names()
    pictures = [
        face.render(SIZE, yaw_deg=10.0, light=name, background=(0.1, 0.1, 0.11), centred=True) for name in names
    ]
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
        [Face.random(seed, face_model=model).render(SIZE, yaw_deg=12.0, centred=True) for seed in range(10)], columns=5
    )


def edits(generator: StyleFaceUVGenerator, seeds: Sequence[int]) -> Tensor:
    """Along the first direction that is not the yaw, which has a strip of its own; if there is no other, along it."""
    others = [direction for name, direction in generator.directions.items() if name != "yaw"]
    return edit_strip(generator, seeds[:2], (others or list(generator.directions.values()))[0], style=SMALL)


def behind(generator: StyleFaceUVGenerator, seeds: Sequence[int]) -> Tensor:
    """A row per seed: far turns over the teacher's picture as it is, and with its own face taken away."""
    ways: tuple[Behind, ...] = ("picture", "filled")
    shown = [(yaw, way) for yaw in (-60.0, 60.0) for way in ways]
    pictures = [
        generator.generate(generator.codes(seed), yaw_deg=yaw, size=SMALL.size, behind=way)[0]
        for seed in seeds
        for yaw, way in shown
    ]
    labels = [f"{yaw:+.0f}°, {way}" for yaw, way in shown] + [""] * (len(pictures) - len(shown))
    return contact_sheet(pictures, columns=len(shown), labels=labels)


def around(generator: StyleFaceUVGenerator, seeds: Sequence[int]) -> Tensor:
    """A row per seed: the head alone, all the way around."""
    yaws = (0.0, 45.0, 90.0, 135.0, 180.0, -90.0)
    faces = [generator.sample(seed=seed) for seed in seeds]
    pictures = [face.render(SMALL.size, yaw_deg=yaw, centred=True) for face in faces for yaw in yaws]
    labels = [f"{yaw:+.0f}°" for yaw in yaws] + [""] * (len(pictures) - len(yaws))
    return contact_sheet(pictures, columns=len(yaws), labels=labels)


def haired(generator: StyleFaceUVGenerator, seeds: Sequence[int]) -> Tensor:
    """Two heads a row, as ``faceuv sample`` writes them: with detail, and hair in the colour of the map."""
    yaws = (-35.0, 0.0, 35.0)
    faces = [generator.sample(seed=seed).with_detail(seed, 1024).with_hair(seed=seed) for seed in seeds]
    pictures = [face.render(200, yaw_deg=yaw, centred=True) for face in faces for yaw in yaws]
    return contact_sheet(pictures, columns=2 * len(yaws))


def swing(generator: StyleFaceUVGenerator, seeds: Sequence[int]) -> Iterator[Tensor]:
    return turntable(generator, seeds, frames=24, style=replace(SMALL, over="studio"))


PICTURES: dict[str, Callable[[FaceModel], Tensor]] = {
    "mean": mean,
    "identity_modes": lambda model: modes("identity", model),
    "albedo_modes": lambda model: modes("albedo", model),
    "expressions": expressions,
    "yaw": yaw,
    "lights": lights,
    "masks": masks,
    "sample": sample,
}
GENERATED: dict[str, Callable[[StyleFaceUVGenerator, Sequence[int]], Drawn]] = {
    "generated_yaw": lambda generator, seeds: yaw_strip(generator, seeds, style=SMALL),
    "generated_behind": behind,
    "generated_around": around,
    "generated_hair": haired,
    "generated_interpolation": lambda generator, seeds: interpolation_strip(generator, *seeds[:2], style=SMALL),
    "generated_lights": lambda generator, seeds: light_grid(generator, seeds, style=SMALL),
    "generated_expressions": lambda generator, seeds: expression_grid(generator, seeds, style=SMALL),
    "generated_mixing": lambda generator, seeds: mixing_grid(generator, seeds[:2], seeds[2:], style=SMALL),
    "generated_edits": edits,
    "generated_turntable": swing,
}

if __name__ == "__main__":
    main()
