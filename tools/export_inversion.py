"""Put a trained inversion into the zoo: `python tools/export_inversion.py WORK_DIR --entry … --hardware … --limits …`.

WORK_DIR is that of the recipe of the entry's name, or a folder with its generator. Finds the direction of smiles,
writes the encoder and the local branch (float16), the directions, `generator.json`, which names the zoo's other parts,
a picture, and the model card with the numbers of `inversion_study_64` or `inversion_study_heads_64`, if its
`study.json` is given.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.export import save_png
from faceuv.files import zoo
from faceuv.files.cards import write_card
from faceuv.models.base.manifest import find_manifest
from faceuv.models.base.parts import DIRECTIONS
from faceuv.models.directions import Direction, RegressionDirection
from faceuv.models.directions.scores import named_score
from faceuv.models.inversion import InversionGenerator
from faceuv.synthetic import ProceduralGenerator

LIMIT_MB = 10
ROWS = range(2, 6)  # of the code, which carry expressions and little of the pose and of the colours
EXAMPLE = """```python
generator = faceuv.load("{entry}")
face = generator.invert(picture)                 # (3, S, S) in [0, 1], framed as the generator's own pictures
face.edit("smile", 2).turn(30).save("x.glb")
```"""


@torch.no_grad()
def smile(generator: InversionGenerator, samples: int) -> Direction:
    """The direction along which the mapper reads a smile, beside the directions that there are."""

    def score(w: Tensor) -> Tensor:
        return named_score(generator.mapper(w), "movement:smile", generator.face_model)

    others = [direction for name, direction in generator.directions.items() if name != "smile"]
    finder = RegressionDirection(score, samples=samples, ridge=1.0, name="smile", layers=ROWS, orthogonal_to=others)
    return finder.find(generator.teacher)[0]


@torch.no_grad()
def shown(generator: InversionGenerator, seed: int = 17, count: int = 6) -> Tensor:
    """Pictures of drawn faces, nothing chosen; the code alone; with local detail; turned to −25° and 25°; smiling."""
    world = ProceduralGenerator(generator.size, face_model=generator.face_model)
    rng = torch.Generator().manual_seed(seed)
    pictures = world.synthesis(world.sample_codes(count, truncation=0.8, generator=rng)).clamp(0, 1)
    plain, _ = generator.invert_all(pictures, detail=False)
    faces, _ = generator.invert_all(pictures)
    rows = []
    for picture, bare, face in zip(pictures, plain, faces):
        assert bare is not None and face is not None
        views = [face.turn(-25.0), face.turn(25.0), face.edit("smile", 2)]
        rows.append(torch.cat([picture, bare.image(), face.image(), *(view.image() for view in views)], 2))
    sheet = torch.cat(rows, 1)
    return torch.nn.functional.interpolate(sheet[None], scale_factor=2.0, mode="bicubic").clamp(0, 1)[0]


def main() -> None:
    """Write the entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--entry", default="inversion_64", help="name of the zoo's entry, and of its recipe")
    parser.add_argument("--study", type=Path, help="study.json of the stage inversion_study")
    parser.add_argument("--samples", type=int, default=50_000, help="codes from which the direction of smiles is found")
    parser.add_argument("--fact", action="append", default=[], metavar="NAME=TEXT", help="a row of the card")
    parser.add_argument("--hardware", required=True, help="in words")
    parser.add_argument("--limits", required=True, help="what it does badly, after a look at the pictures")
    parser.add_argument("--out", type=Path, default=zoo.FOLDER, help="the zoo's folder")
    args = parser.parse_args()

    generator = InversionGenerator.load(args.work)
    generator.name, generator.metadata = args.entry, {"config": args.entry}
    _, manifest = find_manifest(args.work)
    named = {part: name for part, name in manifest.files.items() if name.startswith(zoo.PREFIX) and part != DIRECTIONS}
    generator.directions["smile"] = smile(generator, args.samples)
    folder = generator.save(args.out / args.entry, refer=named, half=True)
    megabytes = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e6
    if megabytes > LIMIT_MB:
        raise SystemExit(f"{megabytes:.1f} MB of weights, more than the {LIMIT_MB} MB that this entry may have")
    kept = InversionGenerator.load(folder)
    save_png(folder / "inverted.png", shown(kept))
    text = [
        "Trained by `faceuv` on pictures that a generator of `faceuv` draws; no data and no weights of others. Made by"
        " `tools/export_inversion.py`.",
        EXAMPLE.format(entry=args.entry),
        "Pictures of drawn faces that no training saw, nothing chosen; the code alone; with local detail; turned to"
        " −25° and 25°; two standard deviations along `smile`:",
        "![inverted](inverted.png)",
        f"**Limits.** {args.limits}",
    ]
    facts: dict[str, Any] = {
        "config": f"`configs/{args.entry}.py`",
        "files": "`generator.json`, `encoder.safetensors`, `local.safetensors` (averaged weights, float16),"
        " `directions.safetensors`",
        "parts of the zoo": [f"{part}: {name}" for part, name in named.items()],
        "coefficients": f"read by {kept.encoder.regressor or 'the encoder itself'}",
        "size of the weights": f"{megabytes:.1f} MB",
        "codes": f"L = {kept.num_layers}, D = {kept.code_dim}",
        "hardware": args.hardware,
        **dict(fact.split("=", 1) for fact in args.fact),
    }
    if args.study is not None:
        found = json.loads(args.study.read_text(encoding="utf-8"))
        if "likeness" in found:
            seen = found["likeness"]
            facts["identity in the study"] = (
                f"cosines of {seen['network']}: a person's true hidden view {seen['same']:.3f}, other persons"
                f" {seen['others']:.3f} ± {seen['spread']:.3f}"
            )
        for name, rows in found["subjects"].items():
            facts[f"{name}: {found['faces']} drawn faces, mean ± standard error"] = {
                measure: f"{row['mean']:.3g} ± {row['error']:.1g}" for measure, row in rows.items()
            }
    write_card(args.entry, f"{args.entry}: pictures → faces with codes", facts, "\n\n".join(text), folder=folder)
    print(f"wrote {folder}, {megabytes:.1f} MB")


if __name__ == "__main__":
    main()
