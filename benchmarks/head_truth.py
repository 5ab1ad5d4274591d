"""Heads from one photograph against the truth: held-out synthetic people of every head model, whose four other views
the library never sees, beside simpler ways to make a head.

    python benchmarks/head_truth.py --heads ICTFaceKit MakeHuman ProceduralFace --people 50 50 12 --work out/head_truth
    python benchmarks/head_truth.py --work out/head_truth --people 0 0 0 --table head_truth.md    # of those measured

Each person is photographed from about the front; ±30° and ±60° are hidden, in the light of the photograph. Every
person's numbers are a file of the folder ``--work``: a run that was stopped goes on with the person it was at, and the
table is of all that are there. People are drawn by seeds from ``--seed`` on, which nothing was tuned on.

Rows: ``one`` is what ``faceuv head`` makes; ``mean texture`` the same shape with the mean albedo of the model; ``mirror
only`` the texture where the photograph or its other side shows it, the mean albedo elsewhere; ``lit`` without
delighting; ``three`` one head of three photographs (front and ±25°, which are near the hidden ±30°).

Columns: pose, landmarks, shape and form as in ``benchmarks/head.py``; expression: mean error of the ARKit amounts that
the model can express; albedo on skin that the photograph shows, the same after one factor for each channel (even), and
elsewhere (unseen); ±30° and ±60°, pictures: mean absolute error inside the outline of the true head with its hair, both
heads laid on each other by the middle of their landmarks; identity: distance of dlib's public network between the true
head and the made one in the same view, with known landmarks, and the share of heads that are nearest to their own
person among all people of the model. Without the extra ``recognition`` (dlib) these columns are left out. Medians over
people, except shares.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import faceuv
from benchmarks.head import WALLS, ZOOM, albedo_errors, measured
from faceuv.errors import InputError, MissingDependency
from faceuv.evaluation import distance
from faceuv.face import Face
from faceuv.files.artefacts import atomic_path, read_json
from faceuv.geometry.projection import pose
from faceuv.models.faces import FaceModel
from faceuv.models.faces.arkit import NAMES
from faceuv.models.faces.charts import on_parts
from faceuv.models.faces.hair import COLOURS, STYLES
from faceuv.models.faces.hair.choice import BALD
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.photo import PhotoHead, PhotoHeads
from faceuv.registry import MODELS
from faceuv.structures import UVMaps

HIDDEN = (-60.0, -30.0, 30.0, 60.0)
LIGHTS = ("studio", "left", "right", "warm")
MORE = ((25.0, 4.0), (-25.0, -4.0))  # yaw and pitch of the second and third photograph
ROWS = ("one", "mean texture", "mirror only", "lit", "three")
_BACK = (0.5, 0.5, 0.5)
_SHAPED = ("pose", "landmarks", "shape", "form", "expression")  # what rows that share a fit share
_CODE = ("photo", "fitting", "models/faces/hair")


def person_of(model: FaceModel, seed: int, number: int, texture: int) -> tuple[Face, Face, str]:
    """A person without and with hair, and the light of their photographs."""
    bare = Face.random(seed, face_model=model, renderer="torch", texture_size=texture)
    light = LIGHTS[number % len(LIGHTS)]
    style, colour = [*STYLES, BALD][7 * number % (len(STYLES) + 1)], list(COLOURS)[5 * number % len(COLOURS)]
    whole = model.joint_weights is not None
    return bare, bare.with_hair(style, colour=colour, density=0.6) if whole else bare, light


def photographed(person: Face, size: int, number: int, generator: torch.Generator) -> tuple[list[Tensor], list[Face]]:
    """Three photographs ``(3, size, size)`` with a little noise, and the posed person in each."""
    yaw, pitch = ((2 * torch.rand(2, generator=generator) - 1) * torch.tensor([12.0, 6.0])).tolist()
    pictures, posed = [], []
    for k, (own_yaw, own_pitch) in enumerate([(yaw, pitch), *MORE]):
        view = person.with_pose(yaw_deg=own_yaw, pitch_deg=own_pitch)
        image = _far(view).render_full(size, background=WALLS[(number + k) % len(WALLS)]).image[0]
        pictures.append((image + 0.01 * torch.randn(image.shape, generator=generator)).clamp(0, 1))
        posed.append(view)
    return pictures, posed


def _far(face: Face) -> Face:
    """The face before a camera that shows hair and shoulders."""
    renderer = copy.copy(face.renderer)
    renderer.camera = replace(renderer.camera, focal=renderer.camera.focal * ZOOM)
    return replace(face, renderer=renderer)


def hidden_view(face: Face, yaw: float, size: int, middle: Tensor | None = None) -> tuple[Face, Tensor, Tensor, Tensor]:
    """The face turned, its picture ``(3, S, S)``, its outline ``(S, S)`` and the middle of its landmarks ``(3,)``,
    which is laid on ``middle`` if one is given."""
    turned = _far(face.with_pose(yaw_deg=yaw, pitch_deg=0.0, roll_deg=0.0).placed(torch.zeros(1, 3)))
    model, own = turned.face_model, turned.coefficients
    assert model is not None and own is not None
    points = model.shape(own.identity, own.expression)[:, model.landmarks]
    here = pose(points, own.rotation, own.translation)[0].mean(0)
    if middle is not None:
        turned = turned.placed((middle - here)[None])
    drawn = turned.render_full(size, background=_BACK)
    return turned, drawn.image[0].clamp(0, 1), drawn.mask[0, 0], here


def variants(made: PhotoHead, lit: PhotoHead | None) -> dict[str, Face]:
    """The rows that one photograph gives."""
    face, model, texture = made.face, made.face.face_model, made.texture
    assert model is not None
    side = texture.diffuse.shape[-1]
    mean = model.albedo_map(torch.zeros_like(texture.coefficients.albedo), side, side)[0].clamp(0, 1)
    total = torch.where(on_parts(model, side, "skin"), (texture.seen + texture.mirrored).clamp(0, 1), 1.0)
    found = {
        "one": face,
        "mean texture": face.with_maps(UVMaps(diffuse=mean[None])),
        "mirror only": face.with_maps(UVMaps(diffuse=(total * texture.diffuse + (1 - total) * mean)[None])),
    }
    return found if lit is None else {**found, "lit": lit.face}


def measured_person(
    maker: PhotoHeads, network: Any, seed: int, number: int, options: argparse.Namespace
) -> dict[str, Any]:
    """All numbers of one person: row → column → number, and the features of the network."""
    model = maker.face_model
    bare, worn, light = person_of(model, seed, number, options.texture_size)
    generator = torch.Generator().manual_seed(seed)
    pictures, posed = photographed(worn.with_lighting(light), options.size, number, generator)
    record: dict[str, Any] = {"failed": {}, "rows": {}, "features": {}}
    truth = bare.diffuse(options.texture_size)
    heads: dict[str, PhotoHead] = {}
    for name, number_of in (("one", 1), ("three", 3)):
        try:
            got = (
                maker.of(pictures[0], "0", most=1)[0]
                if number_of == 1
                else maker.of_person(pictures, [str(k) for k in range(number_of)])
            )
        except InputError as error:  # a person who is not found is a result
            got = str(error)
        if isinstance(got, str):
            record["failed"][name] = got
        else:
            heads[name] = got
    if "one" not in heads:
        return record
    seen = heads["one"].texture.seen[0] > 0.5
    maker.lit = True
    try:
        lit = maker._head(heads["one"].shots, "face")
    finally:
        maker.lit = False
    faces = variants(heads["one"], lit if isinstance(lit, PhotoHead) else None)
    if "three" in heads:
        faces["three"] = heads["three"].face
    expressible = torch.tensor([name in model.arkit_table().expressible for name in NAMES])
    true_amounts = worn.arkit_weights().weights[0, expressible]
    for name, face in faces.items():
        head = heads["three"] if name == "three" else heads["one"]
        values = measured(head, int(head.shots[0].source), posed, truth, options.size, seen)
        values |= albedo_errors(model, replace(face, hair=None).diffuse(options.texture_size), truth, seen)  # no roots
        values["expression"] = float((face.arkit_weights().weights[0, expressible] - true_amounts).abs().mean())
        record["rows"][name] = values
    true_features = record["features"]["truth"] = {}
    for yaw in HIDDEN:
        view, picture, outline, middle = hidden_view(posed[0], yaw, options.view_size)
        points = _seen_points(model, view, options.view_size)
        true_features[str(yaw)] = _features(network, picture, points)
        for name, face in faces.items():
            made_view, own, _, _ = hidden_view(face, yaw, options.view_size, middle)
            away = ((own - picture).abs().mean(0) * outline).sum() / outline.sum()
            record["rows"][name][f"picture {yaw}"] = float(away)
            points = _seen_points(model, made_view, options.view_size)
            record["features"].setdefault(name, {})[str(yaw)] = _features(network, own, points)
    return record


def _seen_points(model: FaceModel, view: Face, size: int) -> Tensor:
    return LandmarkTruth(model, view.renderer.camera)(view.coefficients, size)[0]


def _features(network: Any, picture: Tensor, points: Tensor) -> list[float]:
    return [] if network is None else [round(value, 6) for value in network(picture[None], points)[0].tolist()]


def identities(records: list[dict[str, Any]], name: str, yaws: tuple[float, ...]) -> tuple[float, float, float]:
    """Median distance to the own person, share of heads that are nearest to it, and the median distance of different
    people, in views ``yaws``; NaN without features."""
    own, nearest, others = [], [], []
    for yaw in (str(yaw) for yaw in yaws):
        known = [record["features"] for record in records if record["features"].get(name, {}).get(yaw)]
        if not known:
            return (float("nan"),) * 3
        heads, people = (
            torch.tensor([features[of][yaw] for features in known], dtype=torch.float32) for of in (name, "truth")
        )
        apart = torch.cdist(heads, people)
        own += distance(heads, people).tolist()
        nearest += (apart.argmin(1) == torch.arange(len(known))).tolist()
        different = ~torch.eye(len(known), dtype=torch.bool)
        others += torch.cdist(people, people)[different].tolist()
    return statistics.median(own), statistics.mean(nearest), statistics.median(others) if others else float("nan")


def table(folder: Path, heads: list[str]) -> list[str]:
    """The lines of the table of all records in a folder."""
    columns = ["pose °", "landmarks %", "shape mm", "form mm", "expression", "albedo", "even", "unseen", "±30°", "±60°"]
    known = {head: [_record(path) for path in sorted(folder.glob(f"{head}_[0-9]*.json"))] for head in heads}
    recognised = any(record["features"].get("one", {}).get("30.0") for records in known.values() for record in records)
    columns += ["identity ±30°", "±60°", "nearest ±30°", "±60°"] if recognised else []
    lines = [
        f"| head | what | people | {' | '.join(columns)} | failed |",
        "| --- | --- |" + " ---: |" * (len(columns) + 2),
    ]
    notes = []
    for head, records in known.items():
        for name in ROWS:
            rows = [record["rows"][name] for record in records if name in record["rows"]]
            if not rows:
                continue
            one = name in ("one", "three")

            def median(*keys: str, rows: list[dict[str, float]] = rows) -> float:
                return statistics.median(statistics.mean(row[key] for key in keys) for row in rows)

            cells = [f"{median(key):.{places}f}" if one else "" for key, places in zip(_SHAPED, (1, 1, 1, 1, 3))]
            cells += [f"{median(key):.3f}" for key in ("albedo_seen", "albedo_even", "albedo_rest")]
            cells += [f"{median(f'picture {-yaw}', f'picture {yaw}'):.3f}" for yaw in (30.0, 60.0)]
            if recognised:
                found = [identities(records, name, (-yaw, yaw)) for yaw in (30.0, 60.0)]
                cells += [f"{own:.2f}" for own, _, _ in found] + [f"{share:.0%}" for _, share, _ in found]
            failed = sum(name in record["failed"] for record in records) if one else ""
            lines.append(f"| {head} | {name} | {len(rows)} | {' | '.join(cells)} | {failed} |")
        if records and recognised:
            apart = [identities(records, "one", (-yaw, yaw))[2] for yaw in (30.0, 60.0)]
            notes.append(f"{head}: different people are {apart[0]:.2f} (±30°) and {apart[1]:.2f} (±60°) apart, median")
    return [*lines, "", *notes]


def _record(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(path)
    return found


def _code() -> str:
    """A hash of the code that makes heads: numbers of two versions are not mixed."""
    digest = hashlib.sha256(Path(__file__).read_bytes() + Path(__file__).with_name("head.py").read_bytes())
    for folder in _CODE:
        for file in sorted((Path(faceuv.__file__).parent / folder).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def _network() -> Any:
    try:
        return MODELS.build({"type": "DlibIdentity"})
    except MissingDependency as error:
        print(f"identity is left out: {error}", flush=True)
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", nargs="+", default=["ICTFaceKit", "MakeHuman", "ProceduralFace"])
    parser.add_argument("--people", type=int, nargs="+", default=[50, 50, 12], help="of each head")
    parser.add_argument("--seed", type=int, default=20_000, help="of the first person")
    parser.add_argument("--size", type=int, default=384, help="of the photographs, pixels")
    parser.add_argument("--view-size", type=int, default=256, help="of the hidden views, pixels")
    parser.add_argument("--texture-size", type=int, default=256)
    parser.add_argument("--work", type=Path, default=Path("out/head_truth"), help="where each person's numbers lie")
    parser.add_argument("--table", type=Path, help="where the table goes, besides the screen")
    options = parser.parse_args()
    if len(options.people) != len(options.heads):
        parser.error(f"--people takes a number for each of {len(options.heads)} heads, got {len(options.people)}")
    network = _network()
    settings = {name: getattr(options, name) for name in ("seed", "size", "view_size", "texture_size")}
    settings |= {"code": _code(), "identity": network is not None}
    options.work.mkdir(parents=True, exist_ok=True)
    makers: dict[str, PhotoHeads] = {}
    asked = [(k, head) for k in range(max(options.people)) for head, n in zip(options.heads, options.people) if k < n]
    begun, done = time.monotonic(), 0
    for at, (k, head) in enumerate(asked):
        path = options.work / f"{head}_{k:04d}.json"
        if path.exists():
            before = _record(path)["settings"]
            if before != settings:
                other = ", ".join(name for name in settings if before.get(name) != settings[name])
                raise SystemExit(f"{path} was made with another {other}: choose another --work, or delete the folder")
            continue
        maker = makers.setdefault(head, PhotoHeads(head, texture_size=options.texture_size))
        with torch.no_grad():
            record = measured_person(maker, network, options.seed + k, k, options)
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps({"settings": settings, **record}), encoding="utf-8")
        done += 1
        left = (time.monotonic() - begun) / done * (len(asked) - at - 1) / 60
        failed = "".join(f", {name} failed" for name in record["failed"])
        print(f"{at + 1} of {len(asked)}: {head} {k}{failed}; at most {left:.0f} minutes left", flush=True)
    lines = table(options.work, options.heads)
    print("\n".join(lines), flush=True)
    if options.table is not None:
        options.table.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
