"""``faceuv list``: what is registered, and what the zoo has, with one line about each."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("list", help="the registered components, and the zoo")
    parser.add_argument("kind", nargs="?", help="one kind only: renderers, face_models, losses, …, zoo")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.table import Table
    from rich.text import Text

    from faceuv.cli.console import console
    from faceuv.errors import UnknownName
    from faceuv.files import zoo

    kinds: dict[str, Callable[[], dict[str, str]]] = {
        **components(),
        "zoo": lambda: {entry: zoo.title(entry) for entry in zoo.folders()},
    }
    if args.kind is not None and args.kind not in kinds:
        raise UnknownName(f"no kind of component is called {args.kind!r}; known: {', '.join(kinds)}")
    chosen = kinds if args.kind is None else {args.kind: kinds[args.kind]}
    table = Table(box=None, pad_edge=False)
    for column in ("kind", "type", "is"):
        table.add_column(column, overflow="fold")
    for word, listed in chosen.items():
        summaries = listed()
        for name, summary in summaries.items():
            table.add_row(word, name, summary)
        if not summaries:
            table.add_row(word, Text("—", style="dim"), Text("none yet", style="dim"))
    console.print(table)
    return 0


def components() -> dict[str, Callable[[], dict[str, str]]]:
    """Kind → what lists its parts: the registries where plug-ins are installed, which only an import can ask, else
    faceuv's source."""
    if entry_points(group="faceuv.plugins"):
        from faceuv.registry import all_registries

        return {word: registry.summaries for word, registry in all_registries().items()}
    from faceuv.cli.parts import kinds, summaries

    return {word: partial(summaries, registry) for word, registry in kinds().items()}
