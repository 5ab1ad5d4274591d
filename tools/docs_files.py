"""Copies the files of the sample plug-in into docs/plugins.md, between two markers; a test compares them.

python tools/docs_files.py
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "plugins.md"
PACKAGE = ROOT / "tests" / "plugin_package"
BEGIN, END = "<!-- files: begin -->", "<!-- files: end -->"
_LANGUAGE = {".py": "py", ".toml": "toml", ".json": "json", ".md": "markdown"}


def shown() -> list[Path]:
    """The files, the declaration first."""
    files = [path for path in PACKAGE.rglob("*") if path.suffix in _LANGUAGE and "__pycache__" not in path.parts]
    return sorted(files, key=lambda path: (path.name != "pyproject.toml", len(path.parts), path.as_posix()))


def listing() -> str:
    """All files as fenced blocks, each under its path."""
    parts = []
    for path in shown():
        fence = "````" if path.suffix == ".md" else "```"
        name = path.relative_to(PACKAGE).as_posix()
        text = path.read_text(encoding="utf-8").rstrip("\n")
        parts.append(f"`{name}`\n\n{fence}{_LANGUAGE[path.suffix]}\n{text}\n{fence}\n")
    return "\n".join(parts)


def updated(page: str) -> str:
    """The page with the files as they are now."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{PAGE} has no lines {BEGIN} and {END}; put them where the files belong")
    return f"{before}{BEGIN}\n\n{listing()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
