"""Put a direction into the zoo: `python tools/export_direction.py OUT --finder regression --entry direction_yaw_64`.

OUT is the folder that `faceuv direction` wrote to. The card's figures are those of its quality.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from faceuv.cli.console import console
from faceuv.errors import AssetError, InputError
from faceuv.files.cards import write_card
from faceuv.files.zoo import FOLDER, PREFIX
from faceuv.models.directions import Direction

FILE = "direction.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="where faceuv direction wrote to")
    parser.add_argument("--finder", required=True, help="whose direction")
    parser.add_argument("--entry", required=True, help="name of the zoo's entry")
    parser.add_argument("--score", default="yaw")
    parser.add_argument("--config", default="direction_yaw_synthetic", help="the recipe that was run")
    parser.add_argument("--hardware", required=True, help="in words: '1 core of …'")
    parser.add_argument("--limits", required=True, help="what it does badly, after a look at the strip")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="the zoo's folder")
    args = parser.parse_args()

    record_file = args.out / f"quality_{args.score}.json"
    if not record_file.is_file():
        raise AssetError(f"{record_file} does not exist; run faceuv direction {args.config} --out {args.out} first")
    record = json.loads(record_file.read_text(encoding="utf-8"))
    if args.finder not in record["finders"]:
        raise InputError(f"{record_file} has no finder {args.finder!r}; it has {', '.join(record['finders'])}")
    own, generator = record["finders"][args.finder], record["generator"]
    for key in ("generator", "source", "judge"):
        part = record.get(key, record["source"])
        if not str(part.get("path", "")).startswith(PREFIX):
            raise InputError(
                f"the {key} was {_named(part)}; a direction of the zoo is found with parts of the zoo, so that anybody"
                " can find it again"
            )
    folder = args.folder / args.entry
    direction = Direction.load(args.out / f"{args.score}_{args.finder}.safetensors")
    measured = {key: own[key] for key in ("correlation", "pooled_correlation")}
    kept = {**direction.metadata, "generator": generator["path"], "measured": measured}  # what its test needs
    replace(direction, metadata=kept).save(folder / FILE)
    shutil.copyfile(args.out / f"strip_{args.score}_{args.finder}.png", folder / "strip.png")
    shutil.copyfile(args.out / f"quality_{args.score}.png", folder / "quality.png")
    card = write_card(
        args.entry,
        f"The {args.score} direction of {_named(record['generator'])}",
        facts(record, direction, args),
        text(args),
        folder=folder,
    )
    console.print(f"wrote {folder / FILE} and {card}")


def facts(record: Mapping[str, Any], direction: Direction, args: argparse.Namespace) -> dict[str, Any]:
    """What the card says in tables: the shipped direction, and every finder beside it."""
    own = record["finders"][args.finder]
    unit = next(key for key in own if key.endswith("_per_sigma")).removesuffix("_per_sigma")
    return {
        "config": f"`configs/{args.config}.py`, finder `{args.finder}`",
        "found for": _named(record["generator"]),
        "codes scored": record["codes"]["samples"],
        "scored by": _named(record["source"]),
        "measured by": f"{_named(record.get('judge', record['source']))}, {own['faces']} faces that no finder saw",
        "time of the finder": f"{own['seconds']:.1f} s without the scoring, {args.hardware}",
        "σ in W+": direction.scale,
        f"{unit} per σ": own[f"{unit}_per_sigma"],
        **{
            f"Finder {name}": {
                "correlation of step and score, all faces": one["pooled_correlation"],
                "correlation of step and score, within a face": one["correlation"],
                f"{unit} per σ": one[f"{unit}_per_sigma"],
                **{f"{drift} per {unit}": value for drift, value in one[f"drift_per_{unit}"].items()},
            }
            for name, one in record["finders"].items()
        },
    }


def text(args: argparse.Namespace) -> str:
    """The words of the card."""
    return f"""
`{FILE}`: steps along it move the {args.score} of a face; the strip shows −3σ to 3σ, the figure every finder.

```python
from faceuv import zoo
from faceuv.models.directions import Direction

direction = Direction.load(zoo.path("{args.entry}", "{FILE}"))
code = direction.move(code, 2 * direction.scale)
```

Limits: {args.limits} A drift is what the judge reads, its own errors included: a judge that reads another identity in a
turned face makes identity drift.

![strip](strip.png)

![quality](quality.png)
"""


def _named(config: Any) -> str:
    if not isinstance(config, Mapping):
        return str(config)
    return f"`{config['path']}`" if "path" in config else str(config["type"])


if __name__ == "__main__":
    main()
