"""The times that users meet, of this checkout beside another one: the table of docs/benchmarks.md.

    git worktree add ../faceuv-0.1 efc5ce5                    # version 0.1, for instance
    python benchmarks/before_after.py --against ../faceuv-0.1 [--only fit] [--repeats 3] [--markdown FILE]

Every case is a process of its own with one thread; both checkouts take turns, and medians of processor time are shown,
so that other work on the machine matters little. A case of *start* is the whole process; one of *work* measures itself,
after a call that warms it up; *script* runs a benchmark that both checkouts have, and reads its line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.start import COMMAND
from benchmarks.start import seconds as process_seconds

HERE = Path(__file__).parents[1]
PRELUDE = """
import json, statistics, time
import torch
torch.set_num_threads(1)
def timed(task, items=1):
    task()
    found = []
    for _ in range(5):
        start = time.process_time()
        task()
        found.append(time.process_time() - start)
    print(json.dumps(statistics.median(found) / items))
"""
SYNTHETIC = """
try:
    from faceuv.synthetic import SyntheticFaces
except ImportError:
    from faceuv.data.synthetic import SyntheticFaces
faces = SyntheticFaces(size={size})
timed(lambda: faces.batch(range(8)), 8)
"""
FACE = """
from faceuv import Face
face = Face.random(7, face_model={model!r})
timed(lambda: face.render(256))
"""
GENERATOR = """
import faceuv
generator = faceuv.load({name!r})
codes = generator.codes(range(8))
"""


@dataclass(frozen=True)
class Case:
    """``name (unit)``; a program or the words of a script; ``cold``: with an empty cache."""

    name: str
    unit: Literal["s", "ms"]
    kind: Literal["start", "work", "script"]
    program: str
    line: str = ""  # of a script's output: an expression with one group, the number in ms or s
    cold: bool = False
    new: bool = False  # 0.1 has nothing of the kind


def command(*words: str) -> str:
    return COMMAND.format(words=list(words))


CASES = (
    Case("`import faceuv`", "s", "start", "import faceuv"),
    Case("`faceuv list`", "s", "start", command("list")),
    Case("`faceuv doctor`", "s", "start", command("doctor")),
    Case("procedural face, built", "s", "start",
         "from faceuv.registry import FACE_MODELS; import faceuv; faceuv.Face.mean(face_model='ProceduralFace')",
         cold=True),
    Case('`faceuv.load("quickstart")`', "s", "start", 'import faceuv; faceuv.load("quickstart")'),
    Case("a procedural face rendered at 256²", "ms", "work", FACE.format(model="ProceduralFace")),
    Case("a synthetic face of 64²", "ms", "work", SYNTHETIC.format(size=64)),
    Case("a synthetic face of 128²", "ms", "work", SYNTHETIC.format(size=128)),
    Case("StyleGAN2, a picture of 64²", "ms", "work",
         GENERATOR.format(name="quickstart") + "timed(lambda: generator.teacher.synthesis(codes), 8)"),
    Case("a generated face over its picture, turned", "ms", "work",
         GENERATOR.format(name="quickstart") + "timed(lambda: generator.generate(codes, yaw_deg=20), 8)"),
    Case("a fit of 96², schedule `fast`", "ms", "script", "fit.py --images 16 --published 0",
         r"([\d.]+) s of processor time"),
    Case("StyleFaceUV, a step of 4 pictures", "ms", "script", "train_step.py --clock cpu --threads 1",
         r"step +([\d.]+) ms"),
    Case("StyleFaceUV, a step, views remembered", "ms", "script", "train_step.py --clock cpu --threads 1",
         r"kept +([\d.]+) ms"),
    Case("MakeHuman's head, built", "s", "start", "import faceuv; faceuv.Face.mean(face_model='MakeHuman')", cold=True,
         new=True),
    Case("a whole head rendered at 256²", "ms", "work", FACE.format(model="MakeHuman"), new=True),
    Case("a generated head over its picture, turned", "ms", "work",
         GENERATOR.format(name="heads_64") + "timed(lambda: generator.generate(codes, yaw_deg=20), 8)", new=True),
    Case("`generator.invert`, a picture of 64²", "ms", "work",
         GENERATOR.format(name="inversion_heads_64")
         + "pictures = generator.image(codes)\ntimed(lambda: generator.invert_all(pictures), 8)", new=True),
)  # fmt: skip


def measured(case: Case, tree: Path, folder: str, outputs: dict[tuple[str, Path], str]) -> float:
    """Seconds of one run from a checkout. What a script printed serves all cases that read it."""
    cache = tempfile.mkdtemp(dir=folder) if case.cold else f"{folder}/{'here' if tree == HERE else 'other'}"
    if case.kind == "start":
        return process_seconds(case.program, tree, cache)
    own = {"PYTHONPATH": str(tree), "FACEUV_CACHE": cache, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    words = ["-c", PRELUDE + case.program]
    if case.kind == "script":
        script, *options = case.program.split()
        words = [str(tree / "benchmarks" / script), *options]
    if (case.program, tree) not in outputs:
        outputs[case.program, tree] = output(words, tree, {**os.environ, **own})
    printed = outputs[case.program, tree]
    if case.kind == "work":
        return float(json.loads(printed.strip().splitlines()[-1]))
    found = re.search(case.line, printed)
    if found is None:
        raise SystemExit(f"{case.program} of {tree} printed no line like {case.line!r}:\n{printed}")
    return float(found[1]) / (1000 if " ms" in case.line else 1)


def output(words: list[str], tree: Path, environment: dict[str, str]) -> str:
    """What Python prints that runs ``words`` in the checkout."""
    done = subprocess.run([sys.executable, *words], cwd=tree, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"this failed in {tree}: {words[-1]}\n{done.stderr[-2000:]}")
    return done.stdout


def rows(options: argparse.Namespace) -> Iterator[str]:
    """A line of the table for each case."""
    other: Path = options.against.resolve()
    with tempfile.TemporaryDirectory() as folder:
        shared: list[dict[tuple[str, Path], str]] = [{} for _ in range(options.repeats)]
        for case in CASES:
            if options.only and options.only not in case.name:
                continue
            trees = (HERE,) if case.new else (other, HERE)
            if case.kind == "start" and not case.cold:
                for tree in trees:
                    measured(case, tree, folder, {})  # the first start compiles and fills the cache
            found: dict[Path, list[float]] = {tree: [] for tree in trees}
            for outputs in shared[: 1 if case.kind == "script" else None]:  # a script repeats by itself
                for tree in trees:
                    found[tree].append(measured(case, tree, folder, outputs))
            now, factor = statistics.median(found[HERE]), 1000 if case.unit == "ms" else 1
            cells = ["–", f"{now * factor:.3g} {case.unit}", "–"]
            if not case.new:
                before = statistics.median(found[other])
                cells[0], cells[2] = f"{before * factor:.3g} {case.unit}", f"{before / now:.2f}"
            yield f"| {case.name} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", type=Path, required=True, help="another checkout of faceuv")
    parser.add_argument("--only", help="cases whose name has this in it")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--markdown", type=Path, help="write the table there as well")
    options = parser.parse_args()
    head = ["| | before | now | times as fast |", "|---|---:|---:|---:|"]
    print(f"{platform.machine()}, Python {platform.python_version()}, one thread, processor time", *head, sep="\n")
    lines = []
    for line in rows(options):
        print(line, flush=True)
        lines.append(line)
    if options.markdown is not None:
        options.markdown.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
