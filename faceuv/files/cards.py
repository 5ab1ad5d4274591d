"""Model cards, generated from measured numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faceuv.errors import InputError
from faceuv.files.artefacts import atomic_path
from faceuv.files.zoo import CARD, FOLDER
from faceuv.version import __version__

_DIGITS = 3  # significant ones


def write_card(
    entry: str, title: str, facts: Mapping[str, Any], text: str, *, folder: str | Path | None = None
) -> Path:
    """Write ``card.md`` of a zoo entry: the title, the text, and the facts as tables.

    A fact is a number, a text or a list; a mapping of facts becomes a table of its own under its name. NaN and infinity
    are refused: a card that says them was written from a failed measurement.

    Args:
        folder: of the card, by default the entry's in the installed zoo.
    """
    plain = {name: value for name, value in facts.items() if not isinstance(value, Mapping)}
    tables = {name: value for name, value in facts.items() if isinstance(value, Mapping)}
    lines = [f"# {title}", "", text.strip(), ""]
    lines += _table({**plain, "faceuv": __version__})
    for name, table in tables.items():
        lines += [f"## {name}", "", *_table(table)]
    path = (Path(folder) if folder is not None else FOLDER / entry) / CARD
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
    return path


def _table(facts: Mapping[str, Any]) -> list[str]:
    return ["| | |", "|---|---|", *(f"| {_cell(name)} | {_cell(value)} |" for name, value in facts.items()), ""]


def _cell(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_cell(item) for item in value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InputError(f"a card holds finite numbers, got {value}: the measurement failed")
        return f"{value:.{_DIGITS}g}" if abs(value) < 10**_DIGITS else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return str(value).replace("|", "\\|").replace("\n", " ")
