"""Put a trained rig into the zoo: `python tools/export_stylerig.py WORK_DIR --entry stylerig_64 --hardware …`.

WORK_DIR is that of the recipe `stylerig_64`, or of `--recipe`. Writes the mapper and RigNet (float16),
`generator.json`, which names the zoo's teacher, pictures and the model card. Numbers on the card are read from the
records of the stages and, if given, from the `metrics.json` of a stage `rig_study`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from faceuv.engine.stages.record import Record
from faceuv.export import save_png
from faceuv.figures import FigureStyle, yaw_strip
from faceuv.figures.rig_sheets import rig_mixing_grid, transfer_grid
from faceuv.files import zoo
from faceuv.files.cards import write_card
from faceuv.models.stylerig import StyleRigGenerator

LIMIT_MB = 6
TARGETS, SOURCES = (1, 2, 3), (4, 5, 6)
TEACHERS = {  # recipe → the zoo's teacher
    "stylerig_64": "zoo:teacher_64/generator.safetensors",
    "stylerig_heads_64": "zoo:teacher_heads_64/generator.safetensors",
}
SHOWN = {"yaw": "yaw_deg", "pose": "pose_deg", "expression": "expression_percent", "light": "light_percent"}
EXAMPLE = """```python
generator = faceuv.load("{entry}")
a, b = generator.codes([1, 4]).split(1)
picture = generator.image(generator.transfer(a, b, ["pose", "light"]))
picture = generator.generate(a, yaw_deg=20, pitch_deg=-5)
```"""


def main() -> None:
    """Write the entry."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--entry", default="stylerig_64", help="name of the zoo's entry")
    parser.add_argument("--recipe", default="stylerig_64", choices=list(TEACHERS), help="of the work dir")
    parser.add_argument("--study", type=Path, help="metrics.json of a rig_study")
    parser.add_argument("--hardware", required=True, help="in words")
    parser.add_argument("--limits", required=True, help="what it does badly, after a look at the pictures")
    parser.add_argument("--out", type=Path, default=zoo.FOLDER, help="the zoo's folder")
    args = parser.parse_args()

    rig = StyleRigGenerator.load(args.work / "rig")
    rig.name, rig.metadata = args.entry, {"config": args.recipe}
    folder = rig.save(args.out / args.entry, refer={"teacher": TEACHERS[args.recipe]}, half=True)
    megabytes = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e6
    if megabytes > LIMIT_MB:
        raise SystemExit(f"{megabytes:.1f} MB of weights, more than the {LIMIT_MB} MB that this entry may have")
    kept, style = StyleRigGenerator.load(folder), FigureStyle(size=64)
    save_png(folder / "transfer.png", transfer_grid(kept, TARGETS, SOURCES, style=style))
    save_png(folder / "mixing.png", rig_mixing_grid(kept, TARGETS, SOURCES[:1], style=style))
    save_png(folder / "yaw.png", yaw_strip(kept, TARGETS, yaws=(-45, -30, -15, 0, 15, 30, 45), style=style))
    text = "\n\n".join(
        [
            "Trained by `faceuv` on pictures that a teacher of `faceuv` makes; no data and no weights of others. Made"
            " by `tools/export_stylerig.py`.",
            EXAMPLE.format(entry=args.entry),
            "Pose, expression and light of a source, singly and at once; nothing chosen:",
            "![transfer](transfer.png)",
            "Rows copied, beside the rig:",
            "![mixing](mixing.png)",
            "Sliders of the yaw, the teacher's own picture on the left:",
            "![yaw](yaw.png)",
            f"**Limits.** {args.limits}",
        ]
    )
    facts: dict[str, Any] = {
        "config": f"`configs/{args.recipe}.py`",
        "files": "`generator.json`, `mapper.safetensors`, `rig.safetensors` (float16)",
        "teacher": TEACHERS[args.recipe],
        "size of the weights": f"{megabytes:.1f} MB",
        "codes": f"L = {kept.num_layers}, D = {kept.code_dim}",
        "hardware": args.hardware,
        "controls": list(kept.controls),
    }
    for stage in ("dfr", "mapper", "rig"):
        record = Record.read(args.work / stage)
        if record is None:
            continue
        summary = record.summary
        reader = "regressor" if stage == "mapper" else "mapper"
        facts[f"{stage}, held-out codes, read by the {reader}"] = {
            name: value for name, value in summary.items() if isinstance(value, (int, float))
        }
    if args.study is not None:
        study = json.loads(args.study.read_text(encoding="utf-8"))
        for edit, name in SHOWN.items():
            found = study["editors"]["rig"][edit]["metrics"]
            facts[f"transfer of the {edit}, {study['pairs']} pairs, read by the regressor"] = {
                name: found[name]["value"],
                "without an edit": found[f"{name}_unedited"]["value"],
                "identity, cosine": found["identity"]["value"],
            }
        facts["mouths, transfer of the expression: what is reached of what is asked"] = {
            f"{name}, {word}": value
            for name, one in study["editors"]["rig"]["expression"]["mouth"].items()
            for word, value in one.items()
        }
    write_card(
        args.entry, f"{args.entry}: pose, expression and light of a 64² teacher's faces", facts, text, folder=folder
    )
    print(f"wrote {folder}, {megabytes:.1f} MB")


if __name__ == "__main__":
    main()
