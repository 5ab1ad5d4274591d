"""``faceuv head`` against the truth: synthetic people photographed under different poses and lights, one photograph
against several of the same person.

    python benchmarks/head.py --heads ICTFaceKit MakeHuman --people 6 --photographs 1 3 --out head.md

Shape: the skin's vertices at rest, after a rigid alignment; form: with a common scale as well. Pose: the angle between
the true and the fitted rotation in the best photograph. Landmarks: those of the fitted head against the true ones in
it, as a share of the distance between the outer corners of the eyes. Albedo: the skin's texels in [0, 1], where the
first photograph shows them; even: after one factor for each channel, which skin and light share; unseen: all other.
Hair: the people wear styles and colours by turns. Identity, with ``--identity DlibIdentity`` or another network of
persons: the distance of its features between the first photograph and the head, from the front and turned by 30°.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.evaluation import IdentityFeatures, distance
from faceuv.face import Face
from faceuv.geometry.rotations import euler_to_matrix
from faceuv.geometry.uv import bake
from faceuv.models.faces import FaceModel
from faceuv.models.faces.hair import COLOURS, STYLES
from faceuv.models.faces.hair.choice import BALD
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.photo import PhotoHead, PhotoHeads
from faceuv.registry import MODELS
from faceuv.structures import Coefficients

VIEWS = ((0.0, 0.0, "studio"), (30.0, 4.0, "left"), (-30.0, -4.0, "right"), (12.0, 8.0, "warm"), (-50.0, 0.0, "studio"))
WALLS = ((0.55, 0.58, 0.62), (0.78, 0.78, 0.8), (0.25, 0.33, 0.25), (0.40, 0.30, 0.24))
LENGTHS = {
    **dict.fromkeys(("medium", "bob"), "chin"),
    **dict.fromkeys(("fringe", "long", "wavy"), "long"),
    **dict.fromkeys(("curls", "afro"), "wide"),
    BALD: "bald",
}  # all others look short from the front
ZOOM = 0.62  # focal length of the photographs' camera, in that of the fit: hair and shoulders are in the picture


@dataclass
class Row:
    """What one number of photographs gives, over the people."""

    numbers: dict[str, list[float]] = field(default_factory=dict)
    failed: int = 0

    def add(self, **values: float) -> None:
        for name, value in values.items():
            self.numbers.setdefault(name, []).append(value)

    def median(self, name: str) -> float:
        known = [value for value in self.numbers.get(name, []) if value == value]
        return statistics.median(known) if known else float("nan")


def photographs(person: Face, size: int, number: int, seed: int) -> tuple[list[Tensor], list[Face]]:
    """Pictures ``(3, size, size)`` with a little noise, and the posed person in each."""
    generator = torch.Generator().manual_seed(seed)
    pictures, posed = [], []
    for k, (yaw, pitch, light) in enumerate(VIEWS[:number]):
        view = person.with_pose(yaw_deg=yaw, pitch_deg=pitch).with_lighting(light)
        far = copy.copy(view.renderer)
        far.camera = replace(far.camera, focal=far.camera.focal * ZOOM)
        image = replace(view, renderer=far).render_full(size, background=WALLS[(seed + k) % len(WALLS)]).image[0]
        pictures.append((image + 0.01 * torch.randn(image.shape, generator=generator)).clamp(0, 1))
        posed.append(view)
    return pictures, posed


def measured(
    made: PhotoHead, first: int, posed: list[Face], truth: Tensor, size: int, seen: Tensor
) -> dict[str, float]:
    """Errors of one head; ``first`` is the photograph that its coefficients are of, ``truth (3, T, T)`` the albedo,
    ``seen (T, T)`` bool what the first photograph shows."""
    model = made.face.face_model
    true, own = posed[first].coefficients, made.texture.coefficients
    assert model is not None and true is not None
    rest = torch.zeros_like(true.expression)
    theirs, ours = (model.shape(c.identity, rest)[0][model.skin_mask] for c in (true, own))
    theirs, ours = theirs - theirs.mean(0), ours - ours.mean(0)
    left, _, right = torch.linalg.svd(ours.T @ theirs)
    ours = ours @ (left @ right)
    scale = (ours * theirs).sum() / ours.square().sum()
    turn = euler_to_matrix(true.rotation)[0].T @ euler_to_matrix(own.rotation)[0]
    angle = torch.rad2deg(torch.arccos(((turn.trace() - 1) / 2).clamp(-1, 1)))
    camera = posed[first].renderer.camera
    points, eyes = LandmarkTruth(model, replace(camera, focal=camera.focal * ZOOM))(true, size)
    found, _ = LandmarkTruth(model, camera)(Coefficients(own.data, model.layout), 256)
    place = made.found.window.to_picture(found[0].double(), 256)
    away = (place - points[0].double()).norm(dim=1).mean() / eyes[0]
    return {
        "shape": float((ours - theirs).norm(dim=1).mean() * 100),
        "form": float((ours * scale - theirs).norm(dim=1).mean() * 100),
        "pose": float(angle),
        "landmarks": float(away) * 100,
        "confidence": made.confidence,
        **albedo_errors(model, made.texture.diffuse, truth, seen),
    }


def albedo_errors(model: FaceModel, diffuse: Tensor, truth: Tensor, seen: Tensor) -> dict[str, float]:
    """Mean absolute differences of two maps ``(3, T, T)`` on skin that is ``seen (T, T)`` bool, and elsewhere."""
    side = truth.shape[-1]
    skin = bake(model.skin_mask.float()[None, :, None], model.chart(side, side))[0, 0] > 0.9
    factor = truth[:, skin].median(1).values / diffuse[:, skin].median(1).values.clamp_min(1e-3)
    plain = (diffuse - truth).abs().mean(0)
    scaled = (diffuse * factor[:, None, None] - truth).abs().mean(0)
    return {
        "albedo_seen": float(plain[skin & seen].mean()),
        "albedo_rest": float(plain[skin & ~seen].mean()),
        "albedo_even": float(scaled[skin & seen].mean()),
    }


def recognised(network: IdentityFeatures, photograph: Tensor, made: PhotoHead, size: int) -> dict[str, float]:
    """How far the head is from the photograph to a network of persons, NaN where it finds no face."""
    face = made.face.centred().with_lighting("studio")
    views = {"person": (0.0,), "person_30": (-30.0, 30.0)}
    person = network(photograph[None])
    found = {}
    for name, yaws in views.items():
        pictures = torch.stack([face.with_pose(yaw_deg=yaw, pitch_deg=0, roll_deg=0).render(size) for yaw in yaws])
        found[name] = float(distance(network(pictures), person.expand(len(yaws), -1)).mean())
    return found


def people(model: FaceModel, count: int, texture: int) -> list[tuple[Face, Face, str, str]]:
    """Persons without and with hair, its style and colour."""
    found = []
    styles, colours = [*STYLES, BALD], list(COLOURS)
    for k in range(count):
        person = Face.random(500 + k, face_model=model, renderer="torch", texture_size=texture)
        style, colour = styles[7 * k % len(styles)], colours[5 * k % len(colours)]
        found.append((person, person.with_hair(style, colour=colour, density=0.6), style, colour))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", nargs="+", default=["ICTFaceKit", "MakeHuman"])
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--photographs", type=int, nargs="+", default=[1, 3], help=f"of each, at most {len(VIEWS)}")
    parser.add_argument("--size", type=int, default=384, help="of the photographs, pixels")
    parser.add_argument("--texture-size", type=int, default=256)
    parser.add_argument("--times", type=int, nargs="*", default=[512, 1024], help="texture sizes that are timed")
    parser.add_argument("--identity", help="a network of persons by its registered name: DlibIdentity")
    parser.add_argument("--out", type=Path, help="where the table goes, besides the screen")
    options = parser.parse_args()
    columns: tuple[str, ...] = (
        "head",
        "photographs",
        "shape mm",
        "form mm",
        "pose °",
        "landmarks %",
        "albedo",
        "even",
        "unseen",
    )
    network: Any = None if options.identity is None else MODELS.build({"type": options.identity})
    columns += () if network is None else ("person", "person 30°")
    lines = [
        f"| {' | '.join((*columns, 'confidence', 'failed'))} |",
        f"| --- | {' | '.join(['---:'] * (len(columns) + 1))} |",
    ]
    more = []
    print("\n".join(lines), flush=True)
    seen = torch.zeros(0, dtype=torch.bool)
    for name in options.heads:
        maker = PhotoHeads(name, texture_size=options.texture_size)
        rows = {number: Row() for number in options.photographs}
        right, asked, unsure, colours = 0, 0, 0, []
        for k, (bare, worn, style, colour) in enumerate(people(maker.face_model, options.people, options.texture_size)):
            pictures, posed = photographs(worn, options.size, max(options.photographs), k)
            assert bare.maps is not None and bare.maps.diffuse is not None
            for number, row in rows.items():
                made: PhotoHead | str
                try:
                    if number == 1:
                        made = maker.of(pictures[0], "0", most=1)[0]
                    else:
                        made = maker.of_person(pictures[:number], [str(j) for j in range(number)])
                except InputError as error:  # a person who is not found is a result
                    made = str(error)
                if isinstance(made, str):
                    row.failed += 1
                    continue
                first = int(made.shots[0].source)
                seen = made.texture.seen[0] > 0.5 if number == min(rows) else seen
                values = measured(made, first, posed, bare.maps.diffuse[0], options.size, seen)
                if network is not None:
                    values |= recognised(network, pictures[first], made, options.size)
                row.add(**values)
                if number == 1:
                    hair = (made.face.metadata or {})["photo"]["hair"]
                    asked += 1
                    unsure += hair["style"] is None
                    right += hair["style"] is not None and _length(hair["style"]) == _length(style)
                    if made.face.hair is not None and style != BALD:
                        goal = torch.tensor(COLOURS[colour])
                        colours.append(float((torch.tensor(made.face.hair.rgb) - goal).abs().mean()))
        for number, row in rows.items():
            cells = [f"{row.median(key):.1f}" for key in ("shape", "form", "pose", "landmarks")]
            cells += [f"{row.median(key):.3f}" for key in ("albedo_seen", "albedo_even", "albedo_rest")]
            if network is not None:
                cells += [f"{row.median(key):.3f}" for key in ("person", "person_30")]
            lines.append(f"| {name} | {number} | {' | '.join(cells)} | {row.median('confidence'):.2f} | {row.failed} |")
            print(lines[-1], flush=True)
        shade = f"{statistics.median(colours):.3f}" if colours else "none"
        more.append(f"{name}, hair: length right {right} of {asked}, unsure {unsure}, colour error {shade} (median)")
        picture = photographs(people(maker.face_model, 1, 256)[0][1], options.size, 1, 0)[0][0]
        for size in options.times:
            maker.texture_size = size
            maker.of(picture, "warm", most=1)
            start = time.process_time()
            maker.of(picture, "timed", most=1)
            more.append(f"{name}, texture of {size}²: {time.process_time() - start:.1f} s of processor time, warm")
        print("\n".join(more[-1 - len(options.times) :]), flush=True)
    if options.out is not None:
        options.out.write_text("\n".join([*lines, "", *more]) + "\n", encoding="utf-8")


def _length(style: str) -> str:
    return LENGTHS.get(style, "short")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
