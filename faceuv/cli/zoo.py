"""``faceuv zoo``: the entries of the zoo with their sizes and licences; the card of one."""

from __future__ import annotations

import argparse


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("zoo", help="the zoo's weights: sizes, licences, cards")
    parser.add_argument("entry", nargs="?", metavar="ENTRY", help="print the card of this one")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.table import Table

    from faceuv.cli.console import console
    from faceuv.files import zoo
    from faceuv.files.licences import zoo_licences

    if args.entry is not None:
        print(zoo.card(args.entry).rstrip())
        return 0
    table = Table(box=None, pad_edge=False)
    for column in ("entry", "is", "MB", "licence", "commercial use"):
        table.add_column(column, overflow="fold", justify="right" if column == "MB" else "left")
    total = 0.0
    for (entry, folder), known in zip(zoo.folders().items(), zoo_licences(), strict=True):
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        table.add_row(entry, zoo.title(entry), f"{size:.1f}", known["licence"], known["commercial"])
        total += size
    console.print(table)
    console.print(f"{total:.1f} MB in all; faceuv zoo ENTRY prints its card", markup=False)
    return 0
