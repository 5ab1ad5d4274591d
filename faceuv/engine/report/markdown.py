"""Names and other words of users in Markdown: shown as they are, never read as HTML, as a link or as a table's edge."""

from __future__ import annotations

_MARKS: dict[str, str | int | None] = {mark: f"&#{ord(mark)};" for mark in "<>[]`"}


def plain(text: str) -> str:
    """``text`` in a line or a heading."""
    return " ".join(text.replace("&", "&amp;").translate(str.maketrans(_MARKS)).splitlines())


def plain_cell(text: str) -> str:
    """``text`` in a cell of a table."""
    return plain(text).replace("|", "&#124;")


def code_cell(name: str) -> str:
    """``name`` in a cell as code."""
    return "`" + " ".join(name.replace("`", "'").replace("|", "\\|").splitlines()) + "`"
