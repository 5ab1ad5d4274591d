"""The values of ``--cfg-options``: Python literals, ``dict(type=…)``, and bare words where no quotes are needed."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from faceuv.errors import InputError

DEEPEST = 32
"""How many brackets may be open at once."""

_CLOSING = {"[": "]", "(": ")", "{": "}"}
_BOOLS = {"true": True, "false": False}


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """``["model.width=8", "tags=[a, b]", "model.loss=dict(type='L1', weight=2)"]`` → a dict with dotted keys."""
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not all(key.split(".")):
            raise InputError(f"--cfg-options takes key=value pairs, got {pair!r}")
        options[key] = parse_value(value, key)
    return options


def parse_value(text: str, key: str = "value") -> Any:
    """One value as a user types it.

    Numbers, ``None``, ``True``, quoted strings, lists, tuples, ``{'a': 1}`` and ``dict(a=1)``, nested at will. A word
    without quotes is a string, commas between words make a list (``a,b`` is ``["a", "b"]``), quotes keep them
    (``"'a,b'"`` on a shell's command line).
    """
    parser = _Parser(text.strip(), key)
    values = [parser.value("")]
    while parser.take(","):
        if parser.at_end:
            break
        values.append(parser.value(""))
    if not parser.at_end:
        raise parser.error(f"{parser.rest!r} follows a complete value")
    return values if len(values) > 1 or parser.text.endswith(",") else values[0]


class _Parser:
    """Reads ``text`` from left to right."""

    def __init__(self, text: str, key: str) -> None:
        self.text, self.key, self.place, self.depth = text, key, 0, 0

    @property
    def rest(self) -> str:
        return self.text[self.place :]

    @property
    def at_end(self) -> bool:
        return self.place >= len(self.text)

    def error(self, what: str) -> InputError:
        return InputError(
            f"--cfg-options {self.key}: cannot read {self.text[:200]!r}: {what}. Expected a Python literal, such as"
            " 0.5, None, [1, 2], \"'a string'\" or \"dict(type='Name', size=8)\""
        )

    def take(self, wanted: str) -> bool:
        """Pass over white space and ``wanted``, if that comes next."""
        while not self.at_end and self.text[self.place].isspace():
            self.place += 1
        found = self.text.startswith(wanted, self.place)
        self.place += len(wanted) if found else 0
        return found

    def value(self, ends: str) -> Any:
        """The next value; a bare word goes on until a comma or one of ``ends``."""
        self.take("")
        if self.at_end:
            if self.depth:
                raise self.error("a bracket is not closed")
            return ""
        if self.text[self.place] in "'\"":
            return self._quoted()
        if self.text.startswith("dict(", self.place):
            self.place += len("dict(")
            return self._nested(self._keywords)
        if self.text[self.place] in "[(":
            opening = self.text[self.place]
            self.place += 1
            return self._nested(lambda: self._items(_CLOSING[opening]))
        if self.text[self.place] == "{":
            found = self._braces(ends)
            if found is not None:
                return found
        return self._word(ends)

    def _nested(self, read: Any) -> Any:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"more than {DEEPEST} brackets are open")
        found = read()
        self.depth -= 1
        return found

    def _quoted(self) -> str:
        quote, end = self.text[self.place], self.place + 1
        while end < len(self.text) and self.text[end] != quote:
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise self.error(f"the quote {quote} is not closed")
        literal, self.place = self.text[self.place : end + 1], end + 1
        try:
            return str(ast.literal_eval(literal))
        except (ValueError, SyntaxError) as error:
            raise self.error(f"{literal} is no string ({error})") from error

    def _items(self, closing: str) -> Any:
        """What stands in a list or a tuple; ``(x)`` is x, as in Python."""
        found: list[Any] = []
        comma = False
        while not self.take(closing):
            if found and not comma:
                raise self.error(f"expected a comma or {closing!r} before {self.rest[:40]!r}" if not self.at_end
                                 else f"{closing!r} is missing")  # fmt: skip
            if self.take(","):
                raise self.error("a value is missing before a comma")
            found.append(self.value(closing))
            comma = self.take(",")
        if closing == "]":
            return found
        return found[0] if len(found) == 1 and not comma else tuple(found)

    def _keywords(self) -> dict[str, Any]:
        """What stands in ``dict(…)``."""
        return self._pairs("=", ")")

    def _braces(self, ends: str) -> dict[Any, Any] | None:
        """``{'a': 1}``; None for what only begins so, such as ``{mapper}/mapper.safetensors``."""
        kept = self.place, self.depth
        self.place += 1
        try:
            found: dict[Any, Any] = self._nested(lambda: self._pairs(":", "}"))
            self.take("")
            if self.at_end or self.text[self.place] in f",{ends}":
                return found
        except InputError:
            pass  # not a dict: a word with braces
        self.place, self.depth = kept
        return None

    def _pairs(self, sign: str, closing: str) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        comma = True
        while not self.take(closing):
            if not comma:
                raise self.error(f"expected a comma or {closing!r} before {self.rest[:40]!r}" if not self.at_end
                                 else f"{closing!r} is missing")  # fmt: skip
            name = self.value(f"{sign}{closing}")
            named = isinstance(name, str) and (name.isidentifier() or sign == ":")
            if not (named or (sign == ":" and isinstance(name, int))) or not self.take(sign):
                raise self.error(f"expected name{sign}value, got {name!r}")
            if name in found:
                raise self.error(f"{name!r} is given twice")
            found[name] = self.value(closing)
            comma = self.take(",")
        return found

    def _word(self, ends: str) -> Any:
        """A word without quotes: a number, None, a bool, or a string."""
        begin, brackets = self.place, ""
        while not self.at_end:
            letter = self.text[self.place]
            if brackets and letter == brackets[-1]:
                brackets = brackets[:-1]
            elif not brackets and (letter == "," or letter in ends):
                break
            elif letter in _CLOSING:
                brackets += _CLOSING[letter]
            self.place += 1
        word = self.text[begin : self.place].strip()
        if word == "None":
            return None
        if word.lower() in _BOOLS:
            return _BOOLS[word.lower()]
        for number in (int, float):
            try:
                return number(word)
            except ValueError:
                continue
        if not word and self.depth:
            raise self.error("a value is missing")
        return word
