"""Compare finished reports and write the verdict on each claim of the paper into docs/results.md.

    python tools/results.py full=work_dirs/quickstart one_view=work_dirs/one_view no_mask=work_dirs/no_mask \\
        no_displacement=work_dirs/no_displacement --command "faceuv train configs/stylefaceuv_quickstart.py"
"""

from __future__ import annotations

import argparse
import sys

from faceuv.engine.report.results import results_text, write_results
from faceuv.errors import FaceUVError, InputError
from faceuv.evaluation.comparison import read_run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="NAME=FOLDER", help="work dirs or report folders; the first is ours")
    parser.add_argument("--out", default="docs/results.md", metavar="FILE", help="page (default docs/results.md)")
    parser.add_argument("--command", action="append", default=[], metavar="TEXT", help="a command to list; repeatable")
    args = parser.parse_args()
    try:
        pairs = [run.partition("=") for run in args.runs]
        if any(not name or not folder for name, _, folder in pairs) or len({p[0] for p in pairs}) < len(pairs):
            raise InputError(f"reports are given as NAME=FOLDER, each name once; got {' '.join(args.runs)}")
        text = results_text([read_run(name, folder) for name, _, folder in pairs], commands=args.command)
        path = write_results(args.out, text)
        print(f"{text}\nwrote {path}")
    except FaceUVError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
