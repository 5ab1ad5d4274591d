"""Whether a config's values are of the types that constructors are annotated with, before anything is built.

A value that cannot be checked (an annotation that names something unknown here, a part that tells nothing of its
arguments) is let through: its constructor decides.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import math
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from torch import Tensor

from faceuv.checks import shown
from faceuv.errors import InputError, did_you_mean

LARGEST = 2**63 - 1
"""Whole numbers beyond 64 bits fit no tensor, seed or counter."""

_NAMES = {int: "a whole number", float: "a number", bool: "True or False", str: "a string", type(None): "None",
          list: "a list", tuple: "a list", dict: "a dict", Path: "a path"}  # fmt: skip


def parameters_of(part: Any) -> dict[str, inspect.Parameter] | None:
    """The settings that a class or function takes; None if it takes any, or does not tell.

    A constructor with ``**kwargs`` hands them to the next one in the order of inheritance, whose settings count too.
    """
    found: dict[str, inspect.Parameter] = {}
    constructors = [one.__dict__["__init__"] for one in part.__mro__[:-1] if "__init__" in one.__dict__] if (
        inspect.isclass(part)
    ) else [part]  # fmt: skip
    for constructor in constructors or [part]:
        try:
            parameters = dict(inspect.signature(constructor).parameters)
        except (ValueError, TypeError):  # something built in, which does not tell
            return None
        open_ended = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
        for name, one in parameters.items():
            if name != "self" and one.kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
                found.setdefault(name, one)
        if not open_ended:
            return found
    return None


def check_arguments(
    part: Any,
    name: str,
    settings: Mapping[str, Any],
    where: str,
    *,
    allowed: Sequence[str] = (),
    complete: bool = False,
) -> None:
    """Raise for a setting that a part does not have, or whose value is of another type than annotated.

    Args:
        part: the class or function.
        name: what the config calls it.
        where: begins the error: ``"the stage 'uv', model.losses.photo"``.
        allowed: settings that whoever builds the part takes out.
        complete: whether a setting without a default that is not there is an error too.
    """
    parameters = parameters_of(part)
    own = [known for known in parameters or {} if known not in allowed]
    needed = [key for key in own if parameters is not None and parameters[key].default is inspect.Parameter.empty]
    if complete and (lacking := [key for key in needed if key not in settings]):
        raise InputError(
            f"{where}: {name} does not set {', '.join(lacking)}; it has {', '.join(settings) or 'nothing'}"
        )
    for key, value in settings.items():
        if key in allowed:
            continue
        if parameters is not None and key not in parameters:
            raise InputError(
                f"{where}: {name} has no setting {key!r}; it has {', '.join(own) or 'none'}"
                f"{did_you_mean(str(key), own)}"
            )
        annotation = _annotation(part, parameters[key]) if parameters is not None else Any
        wrong = mismatch(value, annotation)
        if wrong is not None:
            raise InputError(f"{where}: {name}.{key} must be {wrong}, got {shown(value)}")


def _annotation(part: Any, parameter: inspect.Parameter) -> Any:
    """The type of one argument; Any if there is none, or if it names something that is not known at run time."""
    found = parameter.annotation
    if found is inspect.Parameter.empty:
        return Any
    if not isinstance(found, str):
        return found
    homes = part.__mro__ if inspect.isclass(part) else [part]
    for home in homes:
        module = sys.modules.get(getattr(home, "__module__", ""))
        try:
            return eval(found, {**vars(typing), **vars(collections.abc), **(vars(module) if module else {})})
        except Exception:  # a name that only a type checker imports
            continue
    return Any


def mismatch(value: Any, annotation: Any) -> str | None:
    """What is expected instead of ``value``; None if it fits."""
    if isinstance(value, bool):
        pass
    elif isinstance(value, int) and abs(value) > LARGEST:
        return "within 64 bits"
    elif isinstance(value, float) and not math.isfinite(value) and _wants(annotation, float):
        return "a finite number"
    elif isinstance(value, float) and abs(value) > 3.4e38 and _wants(annotation, float):
        return "within the range of float32"
    return None if _fits(value, annotation) else _words(annotation)


def _wants(annotation: Any, kind: type) -> bool:
    return annotation is Any or annotation is kind or kind in get_args(annotation)


def _fits(value: Any, annotation: Any) -> bool:
    if annotation is Any or isinstance(annotation, (str, typing.TypeVar, typing.ForwardRef)):
        return True
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in arguments)
    if origin is typing.Annotated:
        return _fits(value, arguments[0])
    plain = origin or annotation
    if plain is type(None):
        return value is None
    if plain is bool:
        return isinstance(value, bool)
    if plain is int:
        return _whole(value)
    if plain is float:
        return isinstance(value, float) or _whole(value)
    if plain is str:
        return isinstance(value, str)
    if not inspect.isclass(plain):
        return True
    if issubclass(plain, Path):
        return isinstance(value, (str, Path))
    if value is None or isinstance(value, (bool, int, float)):
        return isinstance(value, plain) or plain is object
    if issubclass(plain, collections.abc.Mapping):
        return isinstance(value, Mapping) and _all_fit(value.values(), arguments[1:2])
    if issubclass(plain, (list, tuple)) or plain in (
        collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection,
    ):  # fmt: skip
        if isinstance(value, str) or not isinstance(value, (list, tuple)):
            return isinstance(value, plain) and not isinstance(value, str) and plain not in (list, tuple)
        if plain is tuple and arguments and arguments[-1] is not Ellipsis:
            return len(value) == len(arguments) and all(map(_fits, value, arguments))
        return _all_fit(value, arguments[:1])
    if issubclass(plain, Tensor):
        return isinstance(value, Tensor)
    if isinstance(value, str):
        return plain.__module__ not in ("builtins", "collections.abc")  # the name of a part, or a file of it
    return True  # a config of a part, or the part itself: its own settings are checked where they stand


def _all_fit(values: Any, arguments: Sequence[Any]) -> bool:
    return all(_fits(value, one) for value in values for one in arguments)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _words(annotation: Any) -> str:
    """A type in words: ``Literal["a", "b"] | None`` → ``'a', 'b' or None``."""
    words = list(dict.fromkeys(_list_words(annotation)))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _list_words(annotation: Any) -> list[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        ordered = sorted(arguments, key=lambda one: one is type(None))
        return [word for one in ordered for word in _list_words(one)]
    if origin is Literal:
        return [repr(one) for one in arguments]
    plain = origin or annotation
    if plain in _NAMES:
        inner = [word for one in arguments if one is not Ellipsis for word in _list_words(one)]
        return [
            f"{_NAMES[plain]} of {' or '.join(dict.fromkeys(inner))}"
            if inner and plain in (list, tuple)
            else _NAMES[plain]
        ]
    if inspect.isclass(plain) and issubclass(plain, collections.abc.Mapping):
        return ["a dict"]
    if plain in (collections.abc.Sequence, collections.abc.Iterable, collections.abc.Collection):
        inner = [word for one in arguments for word in _list_words(one)]
        return [f"a list of {' or '.join(inner)}" if inner else "a list"]
    if dataclasses.is_dataclass(plain):
        return ["a dict"]
    return [getattr(plain, "__name__", str(plain))]
