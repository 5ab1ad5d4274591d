"""Make every entry of the zoo again, in the order in which they need each other.

    python tools/rebuild_zoo.py --plan                          # what would be made, and why
    python tools/rebuild_zoo.py --hardware "1 core of …"        # days on a CPU; cut it at any time and start it again
    python tools/rebuild_zoo.py --only liftedgan stylerig_64 --hardware "…"

A step trains by the recipe and writes the entry with its card. It is fresh when it was made from today's recipe and
from today's files of the entries that it needs; all others run. Trainings go on from their last checkpoint.
`WORK/rebuild.json` holds what was made from what.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from faceuv.cli.console import console
from faceuv.engine.checkpoint_hook import resumable
from faceuv.engine.compat.configs import load_config
from faceuv.errors import FaceUVError, InputError
from faceuv.files.artefacts import atomic_path
from faceuv.files.zoo import FOLDER

ROOT = Path(__file__).parents[1]
STATE = "rebuild.json"
LIMITS = "Made by tools/rebuild_zoo.py with the recipe's own lengths; look at the pictures before you trust it."


@dataclass(frozen=True)
class Step:
    """Entries that one run makes: the ``recipes`` in order, then the command ``ship``.

    ``{work}`` is the work dir of the last recipe, ``{works}`` those of all, ``{checkpoint}`` its newest checkpoint.
    """

    entries: tuple[str, ...]
    recipes: tuple[str, ...]
    ship: str
    needs: tuple[str, ...] = ()
    search: bool = False  # the recipe is one of `faceuv direction`

    @property
    def name(self) -> str:
        return self.entries[0]


_CARD = "--hardware {hardware} --limits {limits}"
STEPS = (
    Step(("landmarks",), ("landmarks_synthetic",), "benchmarks/landmarks.py --ship {work} --hardware {hardware}"),
    Step(
        ("landmarks_mixed",),
        ("landmarks_mixed",),
        "benchmarks/landmarks.py --ship {work} --entry landmarks_mixed --hardware {hardware}",
        needs=("landmarks",),
    ),
    Step(("regressor",), ("regressor_synthetic",), "benchmarks/regressor.py --ship {work} --hardware {hardware}"),
    Step(
        ("teacher_64",),
        ("stylegan2_synthetic_start", "stylegan2_synthetic"),
        "tools/export_teacher.py stylegan2_synthetic {checkpoint} --entry teacher_64 --runs {works} " + _CARD,
        needs=("regressor", "landmarks_mixed"),
    ),
    Step(
        ("mapper_64", "stepper_64"),
        ("stepper_64",),
        "benchmarks/mapping.py --ship {work} --hardware {hardware}",
        needs=("teacher_64", "regressor"),
    ),
    Step(
        ("direction_yaw_64",),
        ("direction_yaw_synthetic",),
        "tools/export_direction.py {work} --finder regression --entry direction_yaw_64 " + _CARD,
        needs=("teacher_64", "mapper_64", "regressor"),
        search=True,
    ),
    Step(
        ("quickstart",),
        ("stylefaceuv_64",),
        "tools/export_quickstart.py {work} --entry quickstart " + _CARD,
        needs=("teacher_64", "regressor", "mapper_64", "stepper_64", "direction_yaw_64"),
    ),
    Step(
        ("liftedgan",),
        ("liftedgan_64",),
        "tools/export_lifted.py {work} --entry liftedgan --training 'the recipe whole' " + _CARD,
        needs=("teacher_64", "regressor", "mapper_64", "stepper_64", "quickstart"),
    ),
    Step(
        ("lifted_cats",),
        ("liftedgan_ablations_cats_32",),
        "tools/export_lifted.py {work} --entry lifted_cats --training 'the recipe whole' " + _CARD,
    ),
    Step(
        ("stylerig_64",),
        ("stylerig_64",),
        "tools/export_stylerig.py {work} --entry stylerig_64 " + _CARD,
        needs=("teacher_64", "regressor", "landmarks"),
    ),
    Step(
        ("inversion_64",),
        ("inversion_64",),
        "tools/export_inversion.py {work} --entry inversion_64 " + _CARD,
        needs=("teacher_64", "regressor", "mapper_64", "stepper_64", "direction_yaw_64", "quickstart"),
    ),
    Step(
        ("teacher_heads_64",),
        ("stylegan2_heads_start", "stylegan2_heads"),
        "tools/export_teacher.py stylegan2_heads {checkpoint} --entry teacher_heads_64 --runs {works} " + _CARD,
        needs=("teacher_64", "regressor", "landmarks_mixed"),
    ),
    # one run of the recipe makes two entries: for the second all is trained already
    Step(
        ("regressor_heads_64",),
        ("stylefaceuv_heads_64",),
        "benchmarks/regressor.py --ship {work}/regressor --entry regressor_heads_64 --hardware {hardware}",
        needs=("teacher_heads_64", "landmarks_mixed"),
    ),
    Step(
        ("heads_64",),
        ("stylefaceuv_heads_64",),
        "tools/export_quickstart.py {work} --entry heads_64 " + _CARD,
        needs=("teacher_heads_64", "landmarks_mixed"),
    ),
    Step(
        ("liftedgan_heads_64",),
        ("liftedgan_heads_64",),
        "tools/export_lifted.py {work} --entry liftedgan_heads_64 --title 'whole heads lifted from a teacher' "
        "--training 'the recipe whole' " + _CARD,
        needs=("teacher_heads_64", "regressor_heads_64", "landmarks_mixed", "heads_64"),
    ),
    Step(
        ("stylerig_heads_64",),
        ("stylerig_heads_64",),
        "tools/export_stylerig.py {work} --entry stylerig_heads_64 --recipe stylerig_heads_64 "
        "--study {work}/study/metrics.json " + _CARD,
        needs=("teacher_heads_64", "regressor_heads_64", "landmarks_mixed", "heads_64"),
    ),
    Step(
        ("inversion_heads_64",),
        ("inversion_heads_64",),
        "tools/export_inversion.py {work} --entry inversion_heads_64 " + _CARD,
        needs=("teacher_heads_64", "regressor_heads_64", "heads_64"),
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if everything asked for is fresh in the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, default=Path("work_dirs"), help="default: work_dirs")
    parser.add_argument("--only", nargs="+", metavar="ENTRY", help="these entries (default: all)")
    parser.add_argument("--plan", action="store_true", help="say what would be made, and why")
    parser.add_argument("--hardware", help="for the cards, in words: '1 core of …'")
    args = parser.parse_args(arguments)
    work = args.work_dir.resolve()
    try:
        steps = chosen(args.only)
        if args.hardware is None and not args.plan:
            raise InputError("--hardware says on the cards what the trainings ran on: '1 core of …'")
        for step in steps:
            reason = stale(step, work)
            console.print(f"{', '.join(step.entries):24} {'fresh' if reason is None else f'runs   {reason}'}")
        for step in [] if args.plan else steps:
            if stale(step, work) is not None:  # an earlier step may have changed what it needs
                make(step, work, args.hardware)
    except FaceUVError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def chosen(names: Sequence[str] | None) -> list[Step]:
    """The steps of some entries, in the order of :data:`STEPS`; for None all."""
    known = [entry for step in STEPS for entry in step.entries]
    if unknown := sorted(set(names or ()) - set(known)):
        raise InputError(f"--only knows no {', '.join(unknown)}; there are {', '.join(known)}")
    return [step for step in STEPS if names is None or set(names) & set(step.entries)]


def stale(step: Step, work: Path) -> str | None:
    """Why a step runs; None if it is fresh."""
    if missing := [entry for entry in step.entries if not (FOLDER / entry / "card.md").is_file()]:
        return f"missing: {', '.join(missing)}"
    before = _state(work).get(step.name)
    if before is None:
        return f"not made in {work}"
    found = made_from(step)
    differ = [name for name in found if found[name] != before["made_from"].get(name)]
    return f"changed: {', '.join(differ)}" if differ else None


def made_from(step: Step) -> dict[str, str]:
    """Name → fingerprint of everything that a step's result depends on: recipes, and files of other entries."""
    recipes = {f"configs/{name}.py": _hash([load_config(name).pretty_text.encode()]) for name in step.recipes}
    needs = {}
    for entry in step.needs:
        files = sorted((FOLDER / entry).glob("*.safetensors"))
        needs[entry] = _hash(file.read_bytes() for file in files)
    return {**recipes, **needs}


def make(step: Step, work: Path, hardware: str) -> None:
    """Train and ship one step, and record what it was made from."""
    before = made_from(step)
    folders = [work / name for name in step.recipes]
    for number, (recipe, folder) in enumerate(zip(step.recipes, folders)):
        if step.search:
            run([sys.executable, "-m", "faceuv", "direction", recipe, "--out", str(folder)])
        else:
            again = ["--resume"] if resumable(folder) else []
            # a recipe that follows another one starts with its weights, by its first hook
            start = [f"custom_hooks.0.source={folders[number - 1]}"] if number else []
            options = ["--cfg-options", *start] if start else []
            run([sys.executable, "-m", "faceuv", "train", recipe, "--work-dir", str(folder), *again, *options])
    run([sys.executable, *shipping(step, folders, hardware)])
    state = _state(work)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    state[step.name] = {"when": now, "hardware": hardware, "made_from": before}
    with atomic_path(work / STATE) as temporary:
        temporary.write_text(json.dumps(state, indent=1), encoding="utf-8")


def shipping(step: Step, folders: Sequence[Path], hardware: str) -> list[str]:
    """The words of the command that writes a step's entries."""
    checkpoints = resumable(folders[-1])
    newest = str(checkpoints[0]) if checkpoints else ""
    single = {"hardware": hardware, "limits": LIMITS, "work": str(folders[-1]), "checkpoint": newest}
    words: list[str] = []
    for word in shlex.split(step.ship):
        words += map(str, folders) if word == "{works}" else [word.format(**single)]
    return words


def run(command: Sequence[str]) -> None:
    """One command from the checkout's folder; its output passes through."""
    console.print(f"$ {shlex.join(command)}")
    status = subprocess.run(command, cwd=ROOT).returncode
    if status:
        raise InputError(f"exit status {status} of {shlex.join(command)}; start it again to go on from there")


def _state(work: Path) -> dict[str, dict[str, Any]]:
    path = work / STATE
    if not path.is_file():
        return {}
    try:
        state: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}); delete it to make every entry again") from error
    return state


def _hash(parts: Iterator[bytes] | Sequence[bytes]) -> str:
    total = hashlib.sha256()
    for part in parts:
        total.update(part)
    return total.hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(main())
