"""Put a lifted teacher into the zoo.

    python tools/export_lifted.py WORK --entry liftedgan --training "…" --limits "…" --hardware "…"

WORK is the work dir of a LiftedGAN recipe, or the folder of its stage. Writes `lifting.safetensors` (float16), and
`generator.json`, which refers to the zoo's teacher or keeps its config; pictures; and the model card, whose numbers are
measured here from the files as written, against the truth of codes that no training saw.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

from faceuv.errors import AssetError, FaceUVError, InputError
from faceuv.evaluation.lifted_errors import lifted_errors
from faceuv.export import save_png
from faceuv.figures import FigureStyle, interpolation_strip, light_grid, mixing_grid, yaw_strip
from faceuv.files import zoo
from faceuv.files.cards import write_card
from faceuv.models.base.parts import check_reference
from faceuv.models.liftedgan import LiftedGANGenerator
from faceuv.models.liftedgan.sheets import lifted_sheet
from faceuv.registry import MODELS
from faceuv.synthetic.studio import Studio

LIMIT_MB = 8
TEACHERS: dict[str, dict[str, Any] | None] = {
    "zoo:teacher_64/generator.safetensors": None,
    "zoo:teacher_heads_64/generator.safetensors": {
        "face_model": {"type": "MakeHuman", "verbose": False},
        "world": "calm",
    },
}
"""Teachers of the zoo → settings of the studio that drew their pictures; None: the procedural face."""
SEEDS = range(6)
TEXT = """A LiftedGAN, trained by `faceuv` on a teacher of `faceuv`; no data and no weights of others. Made by
`tools/export_lifted.py`. `faceuv.load('{entry}')` reads it.

Seeds {first} to {last}, nothing chosen: the teacher's picture, the render, the neutral picture, albedo, depth, the
shape in grey from the front and at 40°, renders at −40°, −20°, 20° and 40°:

![sheet](sheet.png)

![yaw](yaw.png)

![lights](lights.png)

![between](between.png)

Styles of some on others, whose pose stays:

![styles](styles.png)

**Limits.** {limits} The Fréchet distances are in the space of a discriminator with random weights: they are no FID.
What each number is, `faceuv.evaluation.lifted_errors` says.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--entry", default="liftedgan", help="name of the zoo's entry")
    parser.add_argument("--title", default="faces lifted from a teacher's codes")
    parser.add_argument("--hardware", required=True, help="in words: '1 core of …'")
    parser.add_argument("--limits", required=True, help="what it does badly, after a look at the pictures")
    parser.add_argument("--training", required=True, help="recipe and iterations, in words")
    parser.add_argument("--truncation", type=float, default=0.7, help="of the pictures")
    parser.add_argument("--count", type=int, default=256, help="codes that are measured")
    parser.add_argument("--out", type=Path, default=zoo.FOLDER, help="the zoo's folder")
    args = parser.parse_args()
    trained = LiftedGANGenerator.load(args.work)
    trained.name = args.entry
    folder = args.out / args.entry
    refer = references(trained)
    trained.save(folder, refer=refer, half=True)
    megabytes = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e6
    if megabytes > LIMIT_MB:
        raise InputError(f"{megabytes:.1f} MB of weights, more than the {LIMIT_MB} MB that an entry may have")
    kept = LiftedGANGenerator.load(folder)
    pictures(kept, folder, args.truncation)
    network = {
        "type": "StyleGAN2Discriminator", "size": kept.size, "channel_base": 16 * kept.size, "channel_max": 64,
    }  # fmt: skip
    features = MODELS.build({"type": "DiscriminatorFeatures", "network": network, "seed": 0})
    settings = TEACHERS.get(refer.get("teacher", ""))
    errors = lifted_errors(
        kept, features, count=args.count, studio=None if settings is None else Studio(size=kept.size, **settings)
    )
    write_card(
        args.entry,
        f"{args.entry}: {args.title}",
        {
            "recipe": args.training,
            "files": "`generator.json`, `lifting.safetensors` (averaged weights, float16)",
            "size": f"{megabytes:.2f} MB",
            "codes": f"L = {kept.num_layers}, D = {kept.code_dim}",
            "hardware": args.hardware,
            "torch": torch.__version__,
            f"Means over {args.count} codes that no training saw": errors,
        },
        TEXT.format(entry=args.entry, first=SEEDS[0], last=SEEDS[-1], limits=args.limits),
        folder=folder,
    )
    print(f"wrote {folder}: {megabytes:.2f} MB")
    return 0


def references(generator: LiftedGANGenerator) -> dict[str, str]:
    """The zoo's teacher, where that is the generator's."""
    for teacher in TEACHERS if "teacher" in generator.parts() else ():
        try:
            check_reference("teacher", teacher, generator.networks(), generator.directions)
        except (InputError, AssetError):
            continue
        return {"teacher": teacher}
    return {}


def pictures(generator: LiftedGANGenerator, folder: Path, truncation: float) -> None:
    """The card's pictures."""
    code = generator.codes(SEEDS, truncation=truncation)
    sheet = lifted_sheet(
        generator.drawer, generator.lifted(code), generator.image(code), generator.space, generator.views
    )
    save_png(folder / "sheet.png", torch.cat(list(sheet), 1))
    style = FigureStyle(size=64, truncation=truncation)
    save_png(folder / "yaw.png", yaw_strip(generator, list(SEEDS), yaws=(-45, -30, -15, 0, 15, 30, 45), style=style))
    save_png(folder / "lights.png", light_grid(generator, list(SEEDS)[:3], style=style))
    save_png(folder / "between.png", interpolation_strip(generator, 0, 1, style=style))
    save_png(folder / "styles.png", mixing_grid(generator, [0, 1, 2], [3, 4, 5], style=style))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FaceUVError as error:
        sys.exit(f"error: {error}")
