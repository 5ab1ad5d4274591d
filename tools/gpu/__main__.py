"""The parts that want a GPU: see ``tools/gpu/run.sh`` and ``docs/gpu.md``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tools.gpu.wheels import KitError, check, unpack

PARTS = ("smoke", "teacher", "bench")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/gpu/run.sh", description=__doc__)
    parser.add_argument("parts", nargs="+", choices=PARTS, metavar="PART", help=f"one or more of {', '.join(PARTS)}")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results: at most 8 files of 16 MiB")
    parser.add_argument("--wheels", type=Path, help="folder with .whl files of packages that are missing here")
    parser.add_argument("--device", help="cuda (default) or cpu")
    parser.add_argument("--toy", action="store_true", help="toy size, for a CPU")
    parser.add_argument("--seconds", type=float, help="time for each part (default: 60, 460 and 170)")
    parser.add_argument(
        "--face-model",
        help="heads to draw: a name such as MakeHuman, or a file of FaceModel.save (default: the procedural face)",
    )
    of_teacher = parser.add_argument_group("teacher")
    of_teacher.add_argument("--size", type=int, default=128, help="side of its pictures (default 128)")
    of_teacher.add_argument(
        "--batch", type=int, help="pictures a step (default: the fastest of 64, 128 and 256; less if memory is short)"
    )
    of_teacher.add_argument("--count", type=int, default=65_536, help="pictures to learn from (default 65,536)")
    of_teacher.add_argument("--world", default="calm", help="of the synthetic faces (default calm)")
    of_teacher.add_argument("--pictures", type=Path, help="a .npy file that keeps the drawn pictures for another run")
    of_teacher.add_argument(
        "--pairs", type=float, default=0.3, help="share of the training time on pairs (default 0.3)"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the parts one after the other; 0 if all went well."""
    options = parse(arguments)
    try:
        if options.wheels is not None:
            unpack(options.wheels)
        check()
        from tools.gpu.folder import Folder
        from tools.gpu.machine import Machine

        folder = Folder(options.out)
        worst = 0
        for part in options.parts:
            machine = Machine.choose(options.device, toy=options.toy)
            print(f"== {part}: {machine.facts()}", flush=True)
            worst = max(worst, run(part, machine, folder, options))
            print(f"== {part}: {machine.seconds():.0f} s", flush=True)
        return worst
    except KitError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 2


def run(part: str, machine: object, folder: object, options: argparse.Namespace) -> int:
    """One part; imported only now, so that a part's trouble is its own."""
    import importlib

    module = importlib.import_module(f"tools.gpu.{part}")
    status: int = module.run(machine, folder, options)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
