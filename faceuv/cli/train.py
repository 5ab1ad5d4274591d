"""``faceuv train``: run the training or the stages of a config."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from faceuv.cli.arguments import whole
from faceuv.cli.console import add_device

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``train`` to the command line."""
    parser = subparsers.add_parser("train", help="train what a config describes")
    add_config_arguments(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="CHECKPOINT",
        help="go on where the run was interrupted: the newest readable checkpoint of the work dir (also: auto), or this"
        " one",
    )
    parser.add_argument("--load-from", metavar="CHECKPOINT", help="begin a new training with the weights of this one")
    parser.add_argument(
        "--print-config", action="store_true", help="print the whole config, with its options, and stop"
    )
    parser.add_argument("--amp", action="store_true", help="mixed precision (bfloat16; float16 on GPUs without it)")
    stages = parser.add_argument_group("stages", "a config with stages=[…] runs what is missing or stale, in order")
    stages.add_argument("--plan", action="store_true", help="show which stages would run, and why; run nothing")
    stages.add_argument("--verify", action="store_true", help="read every finished output and compare it with its hash")
    stages.add_argument("--clean", action="store_true", help="delete earlier versions (NAME.previous.1 …) and stop")
    stages.add_argument(
        "--no-rehearsal",
        action="store_true",
        help="do not run every stage on a few samples first, which finds what would fail later",
    )
    stages.add_argument("--stage", metavar="NAME", help="this stage only")
    stages.add_argument("--from", dest="start", metavar="NAME", help="this stage and those after it")
    parser.set_defaults(run=run)


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that ``train`` and ``test`` share."""
    parser.add_argument("config", metavar="CONFIG", help="a config file, or the name of a recipe of faceuv")
    parser.add_argument("--work-dir", metavar="D", help="where everything is written (default: work_dirs/NAME)")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="K=V",
        help="change the config: model.size=8 train_cfg.max_iters=9",
    )
    parser.add_argument(
        "--launcher",
        choices=("none", "pytorch", "slurm", "mpi"),
        default="none",
        help="how several processes were started (pytorch: torchrun)",
    )
    add_device(parser, default=None)
    parser.add_argument(
        "--seed", type=whole(0, 2**32 - 1), metavar="S", help="of all randomness (default: the config's, else 0)"
    )


def run(args: argparse.Namespace) -> int:
    """Train."""
    from faceuv.cli.console import work_on
    from faceuv.engine import clean_stages, load_config, parse_options, train, train_stages
    from faceuv.errors import InputError

    config = load_config(args.config, parse_options(args.cfg_options))
    if args.print_config:
        print(config.pretty_text, end="")
        return 0
    work_on(args.device)
    common = dict(work_dir=args.work_dir, amp=args.amp, launcher=args.launcher, seed=args.seed)
    if config.get("stages") is not None:
        if args.load_from is not None:
            raise InputError(
                f"--load-from {args.load_from}: {args.config} has stages, and each names in its config what it starts"
                " with, such as uv.model.uv_generator.weights=FILE or the hook WarmStart; leave --load-from out"
            )
        if isinstance(args.resume, str) and args.resume != "auto":
            raise InputError(
                f"--resume {args.resume}: {args.config} has stages, and each resumes by itself; leave --resume out"
            )
        if args.clean:
            clean_stages(config, work_dir=args.work_dir)
            return 0
        chosen = dict(only=args.stage, start=args.start, plan_only=args.plan, verify=args.verify)
        chosen["rehearsal"] = not args.no_rehearsal
        train_stages(config, **chosen, **common)
        return 0
    if args.stage or args.start or args.verify or args.clean:
        raise InputError(
            f"--stage, --from, --verify and --clean are for configs with stages=[…]; {args.config} is one training"
        )
    if args.plan:
        print(f"{args.config}: one training, {config.get('train_cfg')}; no stages")
        return 0
    train(config, resume=args.resume, load_from=args.load_from, **common)
    return 0
