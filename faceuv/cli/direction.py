"""``faceuv direction``: find directions of a score by several methods, and measure and draw their effects."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceuv.cli.console import add_device

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from faceuv.engine.direction_study import DirectionStudy, Found
    from faceuv.evaluation.direction_quality import DirectionQuality

_COLUMNS = {"identity_mm": "identity mm", "expression_mm": "expression mm", "albedo": "albedo", "light": "light"}


def add_parser(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``direction`` to the command line."""
    parser = subparsers.add_parser("direction", help="find directions of a score, with strips and a quality figure")
    parser.add_argument("config", metavar="CONFIG", help="a config file, or the name of a recipe of faceuv")
    parser.add_argument("--work-dir", metavar="D", help="where the scores are kept (default: work_dirs/NAME)")
    parser.add_argument("--out", metavar="D", help="where directions and pictures are written (default: the work dir)")
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="K=V", help="change the config: score=pitch codes.samples=50000"
    )
    add_device(parser, default=None)
    parser.add_argument("--plan", action="store_true", help="show what would be done, and whether all is there")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Score, find, measure, draw."""
    from mmengine.device import get_device

    from faceuv.cli.console import console, work_on
    from faceuv.engine import load_config, parse_options
    from faceuv.engine.direction_study import build_study, find_all, measure, score_all, write_all
    from faceuv.files.artefacts import check_writable

    work_on(args.device)
    config = load_config(args.config, parse_options(args.cfg_options)).to_dict()
    work_dir = Path(args.work_dir or config.get("work_dir") or Path("work_dirs") / Path(args.config).stem)
    out = Path(args.out) if args.out else work_dir
    study = build_study(config, work_dir, device=get_device())
    for line in _plan(study, out):
        console.print(line)
    if args.plan:
        return 0
    check_writable(work_dir)
    check_writable(out)
    with _Progress() as report:
        table = score_all(study, report)
    if table.unscored:
        console.print(f"{table.unscored:,} of {len(table.values):,} codes could not be scored and are left out")
    with console.status("finding directions"):
        found = find_all(study, table)
    with console.status("moving faces"):
        qualities = measure(study, found, table)
    console.print(_table(study, found, qualities))
    with console.status("drawing strips"):
        paths = write_all(study, found, qualities, out)
    console.print(f"wrote {', '.join(path.name for path in paths)} to {out}")
    return 0


def _plan(study: DirectionStudy, out: Path) -> list[str]:
    from faceuv.models.directions import ScoreTable

    there = len(ScoreTable.load(study.scores_file).values) if study.scores_file.exists() else 0
    generator, codes = study.generator, study.codes
    kept = f", {min(there, codes.samples):,} of them are there" if there else ""
    described = {key: _short(value) for key, value in study.described.items()}
    finders = [
        f"{name} (orthogonal to {', '.join(planned.aside)})" if planned.aside else name
        for name, planned in study.finders.items()
    ]
    return [
        f"score      {study.score}",
        f"generator  {described['generator']}, codes ({generator.num_layers}, {generator.code_dim})",
        f"source     {described['source']} scores {codes.samples:,} codes{kept}",
        f"judge      {described.get('judge', described['source'])} measures {study.quality.faces} faces at"
        f" {len(study.quality.steps)} steps",
        f"finders    {', '.join(finders)}",
        f"output     {out}",
    ]


def _short(config: Any) -> str:
    if not isinstance(config, Mapping):
        return str(config)
    return f"{config['type']} {config['path']}" if "path" in config else str(config["type"])


class _Progress:
    """A bar while codes are scored, on a terminal; else a line at the start and at the end."""

    def __enter__(self) -> Any:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from faceuv.cli.console import console

        columns = (TextColumn("codes scored"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=console, disable=not console.is_terminal)
        self.task = self.bar.add_task("codes", total=None)
        self.bar.start()
        return lambda done, wanted: self.bar.update(self.task, completed=done, total=wanted)

    def __exit__(self, *error: object) -> None:
        self.bar.stop()


def _table(study: DirectionStudy, found: Mapping[str, Found], qualities: Mapping[str, DirectionQuality]) -> Any:
    from rich.table import Table

    unit = next(iter(qualities.values())).unit.name
    table = Table(
        box=None, pad_edge=False, title=f"{study.score}: correlation of step and score, and what else moves per {unit}"
    )
    shown = [name for name in _COLUMNS if any(name in quality.drift for quality in qualities.values())]
    of_drift = (_COLUMNS[name] for name in shown)
    columns = ("component", "accuracy", "all faces", "one face", f"{unit} per σ", *of_drift, "s")
    for column in ("finder", *columns):
        table.add_column(column, justify="left" if column == "finder" else "right")
    for name, quality in qualities.items():
        one = found[name]
        component = one.direction.metadata.get("component")
        table.add_row(
            name,
            "" if component is None else str(component),
            "" if one.direction.accuracy is None else f"{one.direction.accuracy:.4f}",
            f"{quality.pooled:.4f}",
            f"{quality.correlation:.4f}",
            f"{quality.slope:.3g}",
            *(f"{quality.drift[key]:.3g}" if key in quality.drift else "" for key in shown),
            f"{one.seconds:.1f}",
        )
    return table
