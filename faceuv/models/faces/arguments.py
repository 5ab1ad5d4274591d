"""The arguments that a face model was built with, kept for the files that name it."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faceuv.checks import shown
from faceuv.errors import InputError

_NAMELESS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.VAR_POSITIONAL)
_SCALARS = (bool, int, float, str, Path)


def arguments_of(model: Any) -> dict[str, Any]:
    """The arguments of the constructor that are not its defaults, as plain JSON values."""
    kept: dict[str, Any] = model.__dict__.get("_arguments", {})
    parameters = inspect.signature(type(model).__init__).parameters
    for name, value in kept.items():
        if name in parameters and parameters[name].kind in _NAMELESS:
            raise InputError(
                f"{type(model).__name__} takes {name} by position only, so that no config can name it: make it an"
                " argument with a name"
            )
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"the argument {name!r} of the face model {type(model).__name__} must be a plain JSON value, to be"
                f" kept in files, got {shown(value)}: give a name, a path or numbers"
            ) from error
    return kept


def _is_default(value: Any, default: Any) -> bool:
    """Whether an argument is the default; arrays are never compared."""
    return value is default or (type(value) is type(default) and isinstance(value, _SCALARS) and value == default)


def remembering(init: Callable[..., None]) -> Callable[..., None]:
    """The constructor ``init``, which also keeps the arguments that it was given, for :func:`arguments_of`."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def constructor(self: Any, *args: Any, **kwargs: Any) -> None:
        if "_arguments" not in self.__dict__:  # the outermost constructor is the one that a config calls
            given = signature.bind(self, *args, **kwargs).arguments
            kept: dict[str, Any] = {}
            for name, value in list(given.items())[1:]:
                parameter = signature.parameters[name]
                if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                    kept |= value
                elif not _is_default(value, parameter.default):
                    kept[name] = str(value) if isinstance(value, Path) else value
            object.__setattr__(self, "_arguments", kept)
        init(self, *args, **kwargs)

    return constructor
