"""The ``faceuv`` command: one parser, one sub-command per module of this package.

A sub-command is a module with ``add_parser(subparsers)`` that sets ``run`` as its default, and ``run(args) -> int``.
What bad input raises is one clear line on stderr and exit code 2; ``--debug`` shows the traceback. A command that ran
and has nothing good to show (no picture fitted, a training that diverged) ends with exit code 1. Bugs are tracebacks.
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Sequence

from faceuv.cli.arguments import Parser
from faceuv.errors import FaceUVError
from faceuv.files.assets import MissingAssets
from faceuv.version import __version__

COMMANDS = (
    "sample",
    "render",
    "page",
    "studio",
    "generate",
    "animate",
    "fit",
    "invert",
    "head",
    "convert",
    "transfer",
    "train",
    "test",
    "direction",
    "list",
    "zoo",
    "doctor",
    "completion",
)


def build_parser(commands: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser with the named sub-commands."""
    parser = Parser(
        prog="faceuv", description="Textured, displaced, posable 3D faces from stylecodes and coefficients."
    )
    parser.add_argument("--version", action="version", version=f"faceuv {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in commands:
        # `list` is a fine word for a command and a poor name for a module
        module = importlib.import_module(f"faceuv.cli.{'listing' if command == 'list' else command}")
        module.add_parser(subparsers)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    _speak_any_encoding()
    words = sys.argv[1:] if argv is None else argv
    debug = "--debug" in words
    command = next((word for word in words if not word.startswith("-")), None)
    try:
        # the other commands' modules are not imported for this one
        args = build_parser((command,) if command in COMMANDS else COMMANDS).parse_args(argv)
        return int(args.run(args) or 0)
    except KeyboardInterrupt:
        print("faceuv: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        sys.stderr.close()
        return 0
    except Exception as error:
        told = in_words(error)
        if told is None or debug:
            raise
        print(f"faceuv: error: {told}", file=sys.stderr)
        return 1 if isinstance(error, ArithmeticError) else 2


def in_words(error: Exception) -> str | None:
    """What is wrong with the input that raised ``error``, in one line (a list of missing files has several); None for
    what only a bug can raise."""
    if isinstance(error, MissingAssets):
        return str(error)
    if isinstance(error, (FaceUVError, OSError)):
        return " ".join(str(error).split())
    told = " ".join(str(error).split())[:300]
    if isinstance(error, MemoryError) or any(words in told for words in _NO_MEMORY):
        return (
            f"there is not enough memory for this ({told or 'out of memory'}): ask for a smaller size, count or batch"
        )
    if isinstance(error, ValueError) and "embedded null" in told:
        return f"a path holds a zero byte ({told}): give another path"
    if isinstance(error, RuntimeError) and "home directory" in told:
        return f"a path begins with ~ and names no user of this machine ({told}): give the whole path"
    return None


_NO_MEMORY = (
    "can't allocate memory", "CUDA out of memory", "Unable to allocate", "Storage size calculation overflowed",
    "Invalid buffer size", "array is too big",
)  # fmt: skip


def _speak_any_encoding() -> None:
    """Print ``?`` for what the encoding of stdout or stderr lacks (cp1252 has no arrow, no encoding has the bytes of
    a file name that is no text), instead of a crash."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def run_tool(command: str) -> None:
    """The body of ``tools/<command>.py``: the same command without its name."""
    sys.exit(main([command, *sys.argv[1:]]))
