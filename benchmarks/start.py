"""How long the commands take to start: processor time of a process of its own, cold and warm.

    python benchmarks/start.py [--repeats 3] [--photo FILE] [--only sample] [--against OTHER_CHECKOUT]

Cold is with an empty cache, so that face models are built; warm reads them. ``--against`` measures another checkout in
turn with this one. Each number is the median of the repeats, user and system time, with one thread.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parents[1]
COMMAND = "from faceuv.cli.main import main; raise SystemExit(main({words!r}))"
STUDIO = """
import faceuv.cli.studio
from faceuv.face import build_face_model
from faceuv.studio import HeadSource, Studio
from faceuv.studio.wishes import Wish
studio = Studio(HeadSource(build_face_model("MakeHuman")))
studio.shown("", Wish("seed", seed=18))
"""
FIRST = """
import faceuv
faceuv.head({photo!r}, texture_size=512)
"""


def cases(photo: Path | None, folder: str) -> dict[str, tuple[str, tuple[bool, ...]]]:
    """Name → the program, and whether it is measured cold, warm or both."""

    def command(*words: str) -> str:
        return COMMAND.format(words=list(words))

    found = {
        "import faceuv": ("import faceuv", (False,)),
        "faceuv list": (command("list"), (False,)),
        "faceuv sample --num 1": (command("sample", "--num", "1", "--out", f"{folder}/sample"), (True, False)),
        'faceuv.load("heads_64")': ('import faceuv; faceuv.load("heads_64")', (False,)),
        'faceuv.load("heads_64").sample(seed=7)': (
            'import faceuv; faceuv.load("heads_64").sample(seed=7)', (True, False),
        ),
        "the studio's first person": (STUDIO, (True, False)),
    }  # fmt: skip
    if photo is not None:
        words = ("head", str(photo), "--out", f"{folder}/head", "--overwrite")
        found["faceuv head, MakeHuman without hair"] = (
            command(*words, "--face-model", "MakeHuman", "--hair", "none"),
            (False,),
        )
        found["faceuv head"] = (command(*words), (True, False))
        made = FIRST.format(photo=str(photo))
        found["faceuv.head, a texture of 512²"] = (made, (True, False))
    return found


def seconds(program: str, tree: Path, cache: str) -> float:
    """Processor seconds of a process that runs ``program`` from a checkout with a cache folder."""
    own = {"PYTHONPATH": str(tree), "FACEUV_CACHE": cache, "OMP_NUM_THREADS": "1"}
    program = f"import sys; sys.path.insert(0, {str(tree)!r})\n{program}"  # before the folder that this was called in
    silent = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_WRONLY, 0) for stream in (1, 2)]
    child = os.posix_spawn(sys.executable, [sys.executable, "-c", program], {**os.environ, **own}, file_actions=silent)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"this program failed in {tree}:\n{program}")
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--photo", type=Path, help="measure faceuv head on it")
    parser.add_argument("--only", help="cases whose name has this in it")
    parser.add_argument("--against", type=Path, help="another checkout of faceuv")
    options = parser.parse_args()
    trees = {"s": HERE} if options.against is None else {"other, s": options.against.resolve(), "here, s": HERE}
    print(f"| | {' | '.join(trees)} |\n|---|{'---|' * len(trees)}")
    with tempfile.TemporaryDirectory() as folder:
        warm = {name: f"{folder}/warm{k}" for k, name in enumerate(trees)}
        for name, (program, ways) in cases(options.photo, folder).items():
            if options.only is not None and options.only not in name:
                continue
            for cold in ways:
                taken: dict[str, list[float]] = {tree: [] for tree in trees}
                for round_ in range(options.repeats + (not cold)):  # the first warm one fills the cache
                    for k, (tree, path) in enumerate(trees.items()):
                        cache = f"{folder}/cold{k}_{len(name)}_{round_}" if cold else warm[tree]
                        taken[tree].append(seconds(program, path, cache))
                middle = [statistics.median(values[0 if cold else 1 :]) for values in taken.values()]
                said = f"{name}, {'cold' if cold else 'warm'}" if len(ways) > 1 else name
                print(f"| {said} | {' | '.join(f'{value:.2f}' for value in middle)} |", flush=True)


if __name__ == "__main__":
    main()
