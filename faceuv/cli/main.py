"""The ``faceuv`` command: one parser, one sub-command per module of this package.

A sub-command is a module with ``add_parser(subparsers)`` that sets ``run`` as its default, and ``run(args) -> int``.
Errors of faceuv are one line on stderr and exit code 1; ``--debug`` shows the traceback.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from faceuv.errors import FaceUVError
from faceuv.files.assets import MissingAssets
from faceuv.version import __version__

COMMANDS = (
    "sample",
    "render",
    "generate",
    "fit",
    "convert",
    "train",
    "test",
    "direction",
    "list",
    "doctor",
    "completion",
)


def build_parser(commands: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser with the named sub-commands."""
    parser = argparse.ArgumentParser(
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
    _have_a_home()
    args = build_parser().parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except KeyboardInterrupt:
        print("faceuv: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, such as `head`, has gone
        sys.stderr.close()
        return 0
    except (FaceUVError, OSError) as error:
        if args.debug:
            raise
        listed = isinstance(error, MissingAssets)  # which is laid out in lines
        print(f"faceuv: error: {error if listed else ' '.join(str(error).split())}", file=sys.stderr)
        return 1


def _speak_any_encoding() -> None:
    """Print ``?`` for what the encoding of stdout or stderr lacks (cp1252 has no arrow, no encoding has the bytes of
    a file name that is no text), instead of a crash."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _have_a_home() -> None:
    """A user without a home folder (a container's, that is in no list of users) keeps caches among temporary files:
    libraries below fail at import where there is none."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = tempfile.gettempdir()


def run_tool(command: str) -> None:
    """The body of ``tools/<command>.py``: the same command without its name."""
    sys.exit(main([command, *sys.argv[1:]]))
