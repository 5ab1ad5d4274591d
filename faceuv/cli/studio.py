"""``faceuv studio``: faces in the browser, made by a local server."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

from faceuv.cli.arguments import SEED, whole
from faceuv.cli.console import add_device
from faceuv.errors import InputError

FIRST = 18  # a person of MakeHuman whom the page begins with
TRUNCATION = 0.7  # of the codes that it begins with: likely faces


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("studio", help="see, turn, move and export faces in the browser")
    parser.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="heads (random people, the default), a generator such as quickstart, a work dir, or a .safetensors face",
    )
    parser.add_argument("--seed", type=SEED, help=f"of the first person ({FIRST}; of generators 0)")
    parser.add_argument("--face-model", help="of random people (MakeHuman where it is installed)")
    parser.add_argument(
        "--compare", nargs="+", default=[], metavar="NAME", help="other generators with the same teacher, side by side"
    )
    parser.add_argument("--port", type=whole(0, 65535), default=8090, help="0 takes a free one (8090)")
    parser.add_argument("--host", default="127.0.0.1", help="127.0.0.1: this computer alone (default)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    add_device(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import webbrowser

    from faceuv.cli.console import checked_device, console
    from faceuv.cli.sample import default_model
    from faceuv.studio import GeneratorSource, HeadSource, Studio, StudioServer, open_source
    from faceuv.studio.photographs import HeadsOfPhotographs
    from faceuv.studio.wishes import Wish

    if args.compare and args.source is None:
        raise InputError(
            "--compare stands other generators beside a generator: faceuv studio quickstart --compare NAME"
        )
    device = checked_device(args.device)
    source = open_source(
        args.source,
        face_model=args.face_model,
        default_model=default_model,
        others=tuple(args.compare),
        device=device,
    )
    seed = args.seed if args.seed is not None else FIRST if isinstance(source, HeadSource) else 0
    first = Wish("seed", seed=seed, truncation=TRUNCATION if isinstance(source, GeneratorSource) else 1.0)
    studio = Studio(source, face_of=HeadsOfPhotographs(device), first=first)
    server = StudioServer(studio, host=args.host, port=args.port)
    console.print(f"the studio is at {server.address} (Ctrl+C ends it)", markup=False)
    if not server.is_local:
        console.print(
            f"warning: --host {args.host} lets everybody in your network use the studio, and what they send and"
            " see is not encrypted",
            markup=False,
        )
    preparing = threading.Thread(target=studio.prepare, daemon=True)
    preparing.start()  # while the browser starts
    if not args.no_browser and not (has_display() and webbrowser.open(server.address)):
        console.print(
            "no browser could be opened here: open the address yourself; from another computer, first"
            f" ssh -L {server.port}:127.0.0.1:{server.port} and this computer's name",
            markup=False,
        )
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        server.serve_forever()
    finally:
        signal.signal(signal.SIGTERM, before)
        studio.close()
        server.server_close()
        preparing.join()
    return 0


def has_display() -> bool:
    """Whether a browser can show itself; on Linux without a display, some would fill the terminal."""
    return not sys.platform.startswith("linux") or any(os.environ.get(key) for key in ("DISPLAY", "WAYLAND_DISPLAY"))


def _interrupt(*_: object) -> None:
    """On SIGTERM the studio ends as on Ctrl+C, so that its temporary files are removed."""
    raise KeyboardInterrupt
