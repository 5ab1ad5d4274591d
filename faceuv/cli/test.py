"""``faceuv test``: evaluate a checkpoint as a config describes."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from faceuv.cli.train import add_config_arguments

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``test`` to the command line."""
    parser = subparsers.add_parser("test", help="evaluate a checkpoint as a config describes")
    add_config_arguments(parser)
    parser.add_argument("checkpoint", metavar="CKPT", help="a checkpoint that training wrote")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Test, print the metrics, and write them to ``metrics.json`` in the work dir."""
    from faceuv.artefacts import atomic_path
    from faceuv.engine import completed, evaluate, load_config, parse_options

    config = load_config(args.config, parse_options(args.cfg_options))
    config = completed(config, work_dir=args.work_dir, launcher=args.launcher, seed=args.seed)
    metrics = evaluate(config, args.checkpoint, work_dir=args.work_dir, launcher=args.launcher, seed=args.seed)
    if int(os.environ.get("RANK", 0)) == 0:
        path = Path(config.work_dir) / "metrics.json"
        with atomic_path(path) as temporary:
            record = {"checkpoint": args.checkpoint, "metrics": metrics}
            temporary.write_text(json.dumps(record, indent=2, default=float), encoding="utf-8")
        for name, value in metrics.items():
            print(f"{name:<32} {value:.6g}" if isinstance(value, (int, float)) else f"{name:<32} {value}")
        print(f"wrote {path}")
    return 0
