"""What faceuv registers, read from its source: ``faceuv list`` need not import torch and every part.

A part registers itself by a decorator, ``@RENDERERS.register_module(name="mine")``; a test compares what is read here
with what the registries say.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
_DECORATOR = "register_module"


@cache
def kinds() -> dict[str, str]:
    """The words of ``all_registries()`` and the registries' variables: ``{"renderers": "RENDERERS", …}``."""
    for node in ast.walk(_parsed(PACKAGE / "registry.py")):
        if isinstance(node, ast.FunctionDef) and node.name == "all_registries":
            (table,) = (found for found in ast.walk(node) if isinstance(found, ast.Dict))
            return {ast.literal_eval(key): ast.unparse(value) for key, value in zip(table.keys, table.values) if key}
    raise AssertionError("faceuv/registry.py has no all_registries()")


def summaries(registry: str) -> dict[str, str]:
    """Name → first paragraph of the docstring, of the parts in the registry of this variable; sorted by name."""
    return dict(sorted(_everything().get(registry, {}).items()))


@cache
def _everything() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if f".{_DECORATOR}(".encode() in path.read_bytes():
            for registry, name, summary in _registered(_parsed(path)):
                found.setdefault(registry, {})[name] = summary
    return found


def _registered(tree: ast.Module) -> Iterator[tuple[str, str, str]]:
    for node in tree.body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            continue
        for decorator in node.decorator_list:
            call = decorator.func if isinstance(decorator, ast.Call) else None
            if not (isinstance(call, ast.Attribute) and call.attr == _DECORATOR and isinstance(decorator, ast.Call)):
                continue
            named = [ast.literal_eval(word.value) for word in decorator.keywords if word.arg == "name"]
            names = named[0] if named else node.name
            doc = " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())
            for name in [names] if isinstance(names, str) else names:
                yield ast.unparse(call.value), name, doc


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_bytes(), str(path))
