"""The head models beside each other: what they cost, how people differ, and how well one follows another.

    python benchmarks/heads.py --out heads.md            # also writes heads.json; the tables of docs/heads.md

Times are seconds of processor time of one thread, so that other work on the machine does not change them. Everything
is warm: a model's file, the correspondences and the charts are in the user's cache or in memory, as they are from the
second face on. A model whose data are not on this machine is left out, with a line on standard error.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.timing import seconds
from faceuv import Face
from faceuv.errors import AssetError
from faceuv.files.artefacts import atomic_path
from faceuv.geometry.normals import face_normals, scatter_to_vertices
from faceuv.geometry.rotations import euler_to_matrix
from faceuv.models.faces import FaceModel
from faceuv.models.faces.transfer import Transfer, between
from faceuv.models.faces.transfer.regions import REGIONS, regions
from faceuv.models.faces.transfer.skin import Skin
from faceuv.registry import FACE_MODELS
from faceuv.structures import Coefficients

HEADS = ("ProceduralFace", "ICTFaceKit", "MakeHuman")
AREAS = (*REGIONS, "all")
_MM = 100.0  # per decimetre
_BATCH = 8
_SURE = 0.5  # confidence of a correspondence
_TURN = 1e-3  # radians, of the derivative of a turned face

Row = dict[str, Any]


def costs(name: str, model: FaceModel, repeats: int) -> Row:
    """Size of a model and what it takes to load it, to move it and to draw it."""
    generator = torch.Generator().manual_seed(0)
    people = [model.random_coefficients(generator) for _ in range(_BATCH)]
    identity, expression = (torch.cat([getattr(p, group) for p in people]) for group in ("identity", "expression"))
    table = model.arkit_table()
    return {
        "vertices": len(model.mean),
        "triangles": len(model.faces),
        "identity": model.layout.identity,
        "expressions": model.layout.expression,
        "arkit": len(table.expressible),
        "load_s": seconds(lambda: FACE_MODELS.build(name), repeats),
        "shape_ms": 1e3 * seconds(lambda: model.shape(identity, expression), repeats) / _BATCH,
        "picture_ms": 1e3 * seconds(lambda: _plain(model).render(256), repeats),
    }


def _plain(model: FaceModel) -> Face:
    return Face.random(1, face_model=model, texture_size=None)


def files(model: FaceModel, repeats: int) -> Row:
    """From a seed to a GLB file with 52 morph targets and textures of 1024²: seconds and megabytes."""
    face = Face.random(1, face_model=model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "head.glb"
        face.save(path)  # what a model needs once
        return {
            "sample_s": seconds(lambda: Face.random(2, face_model=model), repeats),
            "write_s": seconds(lambda: face.save(path), repeats),
            "sample_to_glb_s": seconds(lambda: Face.random(3, face_model=model).save(path), repeats),
            "glb_mb": path.stat().st_size / 1e6,
            "quantised_mb": face.save(path, quantised=True).stat().st_size / 1e6,
        }


def face_region(model: FaceModel) -> Tensor:
    """Weights ``(V,)`` that sum to 1: the area of the face without scalp, ears and neck, by the landmarks, the same
    region for all models; skin masks go as far as each model's author let them."""
    skin = Skin.of(model)
    here = torch.from_numpy(skin.of_vertex)
    face = torch.from_numpy(regions(skin) == REGIONS.index("face"))[here.clamp_min(0)] & (here >= 0)
    area = face_normals(model.mean[None], model.faces).norm(dim=2, keepdim=True)
    weight = scatter_to_vertices(area, model.faces, len(model.mean))[0, :, 0].double() * face
    return weight / weight.sum()


def spread(model: FaceModel) -> Row:
    """How people differ from the mean over the face once both are laid on each other, and each identity mode at one
    standard deviation: RMS in mm."""
    weight = face_region(model)
    here = weight > 0
    modes, root = model.identity_basis.double()[here], weight[here].sqrt()[:, None, None]
    own = modes - _fitted(_rigid(model.mean.double()[here]), modes, root)
    sizes = _rms(own.permute(2, 0, 1), weight[here]).sort(descending=True).values
    return {
        "people_mm": float(sizes.square().sum().sqrt()),
        "strongest_mm": float(sizes[0]),
        "tenth_mm": float(sizes[9]),
        "median_mm": float(sizes.median()),
        "weakest_mm": float(sizes[-1]),
    }


def coverage(source: FaceModel, target: FaceModel) -> Row:
    """How well the target's identity modes, with a rigid motion, reproduce the source's: over the face, in mm.

    ``spread_mm``: people of the source. ``fit_mm``: what the best fit leaves of them, with coefficients of any size.
    ``likely_fit_mm``: what is left with coefficients that the target's people have (the transfer's own prior).
    ``best_mode``, ``worst_mode``: the shares of a mode's motion that stay, among modes above a tenth of a millimetre.
    """
    transfer = between(source, target)
    found = transfer.correspondence
    weight = face_region(target) * (found.confidence > _SURE)
    weight = weight / weight.sum()
    here = weight > 0
    seen = _at(source.identity_basis, source, transfer)[here]
    theirs = target.identity_basis.double()[here]
    rigid = _rigid(target.mean.double()[here])
    root = weight[here].sqrt()[:, None, None]
    basis = torch.cat([theirs, rigid], 2)
    left = seen - _fitted(basis, seen, root)
    each = torch.eye(source.layout.identity)
    moved = _transferred(transfer, each) - _transferred(transfer, 0 * each)  # linear but for the models' means
    likely = seen - theirs @ moved.T.to(theirs)
    likely = likely - _fitted(rigid, likely, root)
    own = seen - _fitted(rigid, seen, root)
    size, rest = (_rms(modes.permute(2, 0, 1), weight[here]) for modes in (own, left))
    kept = 1 - (rest / size)[size > 0.1]
    total = {"spread_mm": size, "fit_mm": rest, "likely_fit_mm": _rms(likely.permute(2, 0, 1), weight[here])}
    sums = {name: float(value.square().sum().sqrt()) for name, value in total.items()}
    return {**sums, "best_mode": float(kept.max()), "worst_mode": float(kept.min())}


def _transferred(transfer: Transfer, identity: Tensor) -> Tensor:
    people = Coefficients.zeros(len(identity), transfer.source.layout).replace(identity=identity)
    return transfer.coefficients(people).identity


def _at(basis: Tensor, source: FaceModel, transfer: Transfer) -> Tensor:
    """A basis ``(V, 3, K)`` of the source at the vertices of the target ``(V', 3, K)``, in the target's frame."""
    found = transfer.correspondence
    corners = source.faces[found.face]
    seen = sum(basis[corners[:, k]].double() * found.weights.double()[:, k, None, None] for k in range(3))
    return torch.einsum("ij,vjn->vin", (found.scale * found.rotation).double(), torch.as_tensor(seen))


def _rigid(points: Tensor) -> Tensor:
    """``(V, 3, 6)``: how points move with a translation and a small turn."""
    slides = torch.eye(3, dtype=points.dtype).expand(len(points), 3, 3)
    turns = euler_to_matrix(_TURN * torch.eye(3, dtype=points.dtype))
    turned = (torch.einsum("kij,vj->vik", turns, points) - points[:, :, None]) / _TURN
    return torch.cat([slides, turned], 2)


def _fitted(basis: Tensor, fields: Tensor, root: Tensor) -> Tensor:
    """``fields (V, 3, N)`` as the basis ``(V, 3, K)`` comes closest to them; ``root (V, 1, 1)`` of the weights."""
    a, b = (basis * root).flatten(0, 1), (fields * root).flatten(0, 1)
    gram = a.T @ a
    found = torch.linalg.lstsq(gram, a.T @ b, driver="gelsd").solution
    return torch.einsum("vik,kn->vin", basis, found)


def _rms(offsets: Tensor, weight: Tensor) -> Tensor:
    """Offsets ``(N, V, 3)`` in dm → ``(N,)`` mm, weighted over the vertices."""
    return _MM * (offsets.square().sum(2) @ weight.to(offsets)).sqrt()


def registration(source: FaceModel, target: FaceModel, people: int) -> Row:
    """Distance of the registered surfaces, and people who are transferred there and back, median / 95 % in mm."""
    transfer, back = between(source, target), between(target, source)
    generator = torch.Generator().manual_seed(0)
    identity = torch.cat([source.random_coefficients(generator).identity for _ in range(people)])
    returned = _transferred(back, _transferred(transfer, identity))
    rest = source.mean.new_zeros(people, source.layout.expression)
    face = face_region(source) > 0
    shapes = [source.shape(value, rest)[:, face] for value in (identity, returned)]
    away = _MM * (shapes[1] - shapes[0]).norm(dim=2).flatten()
    size = _MM * (shapes[0] - source.mean[face]).norm(dim=2).flatten()
    return {
        "regions": {name: dict(transfer.errors[name]) for name in AREAS if name in transfer.errors},
        "there_and_back_median_mm": float(away.median()),
        "there_and_back_p95_mm": float(away.quantile(0.95)),
        "spread_median_mm": float(size.median()),
    }


# ---------------------------------------------------------------- tables


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; the first column is text, the others are numbers."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tables(found: Mapping[str, Any]) -> str:
    """The page's tables."""
    models, pairs = found["models"], found["pairs"]
    cost = [
        [
            name,
            *(f"{row[key]:,}" for key in ("vertices", "triangles", "identity", "expressions", "arkit")),
            f"{row['load_s']:.2f}",
            f"{row['shape_ms']:.1f}",
            f"{row['picture_ms']:.0f}",
        ]
        for name, row in models.items()
    ]
    glb = [
        [
            name,
            *(f"{row[key]:.2f}" for key in ("sample_s", "write_s", "sample_to_glb_s")),
            *(f"{row[key]:.1f}" for key in ("glb_mb", "quantised_mb")),
        ]
        for name, row in models.items()
    ]
    keys = ("people_mm", "strongest_mm", "tenth_mm", "median_mm", "weakest_mm")
    people = [[name, *(f"{row[key]:.2f}" for key in keys)] for name, row in models.items()]
    covered = [
        [
            f"{pair['source']} by {pair['target']}",
            *(f"{pair[key]:.2f}" for key in ("spread_mm", "fit_mm", "likely_fit_mm")),
            *(f"{100 * pair[key]:.0f} %" for key in ("best_mode", "worst_mode")),
        ]
        for pair in pairs
    ]
    surfaces = [[f"{pair['source']} → {pair['target']}", *map(_region, pair["regions"].values())] for pair in pairs]
    returned = [
        [
            f"{pair['source']} → {pair['target']} → back",
            f"{pair['there_and_back_median_mm']:.1f} / {pair['there_and_back_p95_mm']:.1f}",
            f"{pair['spread_median_mm']:.1f}",
        ]
        for pair in pairs
    ]
    sections = (
        table(
            ["model", "vertices", "triangles", "identity", "expressions", "ARKit", "load s", "shape ms", "picture ms"],
            cost,
        ),
        table(["model", "sample s", "write s", "sample → GLB s", "GLB MB", "quantised MB"], glb),
        table(["model", "people mm", "strongest mode", "tenth", "median", "weakest"], people),
        table(["people of … by modes of …", "spread mm", "best fit", "likely fit", "best mode", "worst mode"], covered),
        table(["source → target", *AREAS], surfaces),
        table(["people", "there and back mm", "spread mm"], returned),
    )
    return "\n\n".join(sections) + "\n"


def _region(error: Mapping[str, float]) -> str:
    return f"{error['median_mm']:.2f} / {error['p95_mm']:.1f} ({100 * error['share']:.0f} %)"


def main() -> None:
    """Measure the models of this machine and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", nargs="+", default=list(HEADS))
    parser.add_argument("--people", type=int, default=12, help="who are transferred there and back")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, metavar="FILE.md", help="also write the tables, and FILE.json beside them")
    args = parser.parse_args()
    torch.set_num_threads(1)
    models: dict[str, FaceModel] = {}
    for name in args.heads:
        try:
            models[name] = FACE_MODELS.build(name)
        except AssetError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    with torch.no_grad():
        rows = {}
        for name, model in models.items():
            print(f"{name}: costs, files, spread", file=sys.stderr)
            rows[name] = {**costs(name, model, args.repeats), **files(model, args.repeats), **spread(model)}
        pairs = []
        for one, other in permutations(models, 2):
            print(f"{one} → {other}", file=sys.stderr)
            measured = {**coverage(models[one], models[other]), **registration(models[one], models[other], args.people)}
            pairs.append({"source": one, "target": other, **measured})
    found = {"models": rows, "pairs": pairs, "torch": torch.__version__, "people": args.people}
    print(tables(found))
    if args.out is not None:
        for path, text in ((args.out, tables(found)), (args.out.with_suffix(".json"), json.dumps(found, indent=1))):
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
