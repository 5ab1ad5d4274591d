"""``faceuv test``: evaluate a checkpoint as a config describes."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceuv.cli.train import add_config_arguments

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``test`` to the command line."""
    parser = subparsers.add_parser("test", help="evaluate a checkpoint as a config describes")
    add_config_arguments(parser)
    parser.add_argument("checkpoint", metavar="CKPT", help="a checkpoint that training wrote, or weights it exported")
    parser.add_argument(
        "--stage",
        metavar="NAME",
        help="with stages=[…]: the one that evaluates (default: the checkpoint's own)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Test, print the metrics, and write them to ``metrics.json`` in the work dir (of a stage: in ``test/NAME``)."""
    from faceuv.cli.console import work_on
    from faceuv.engine import completed, evaluate, evaluate_stage, load_config, parse_options
    from faceuv.engine.compat.checkpoints import check_checkpoint
    from faceuv.errors import InputError

    work_on(args.device)
    config = load_config(args.config, parse_options(args.cfg_options))
    if config.get("stages") is None and args.stage is not None:
        raise InputError(f"--stage is for configs with stages=[…]; {args.config} is one training")
    check_checkpoint(args.checkpoint)
    config = completed(config, work_dir=args.work_dir, launcher=args.launcher, seed=args.seed)
    common = dict(work_dir=args.work_dir, launcher=args.launcher, seed=args.seed)
    if config.get("stages") is not None:
        folder, metrics = evaluate_stage(config, args.checkpoint, only=args.stage, **common)
    else:
        folder, metrics = Path(config.work_dir), evaluate(config, args.checkpoint, **common)
    if int(os.environ.get("RANK", 0)) == 0:
        _tell(metrics, folder, args.checkpoint)
    return 0


def _tell(metrics: dict[str, Any], folder: Path, checkpoint: str) -> None:
    """Print the numbers; write them, unless a report has already."""
    from faceuv.files.artefacts import atomic_path

    path = folder / "metrics.json"
    if not (folder / "report.html").is_file():
        with atomic_path(path) as temporary:
            record = {"checkpoint": checkpoint, "metrics": metrics}
            temporary.write_text(json.dumps(record, indent=2, default=float), encoding="utf-8")
    for name, value in metrics.items():
        print(f"{name:<32} {value:.6g}" if isinstance(value, (int, float)) else f"{name:<32} {value}")
    print(f"wrote {path}")
