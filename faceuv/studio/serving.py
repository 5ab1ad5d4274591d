"""The studio's HTTP server: its page, and answers to that page alone."""

from __future__ import annotations

import errno
import ipaddress
import json
import re
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from faceuv.errors import FaceUVError, InputError, shown
from faceuv.export.page.building import SCRIPTS, document, lights, shortened
from faceuv.studio.answering import EXPORTS, Studio
from faceuv.studio.photographs import MOST_BYTES
from faceuv.studio.wishes import Look, Wish, number, read_json

LOCAL = "127.0.0.1"
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; connect-src 'self'"
)
MOST_JSON = 4_000_000
PATIENCE = 60.0  # seconds that a client may be silent in the middle of what it sends
FAREWELL = 10.0  # seconds that an ending server waits for answers under way
PORTS = 50  # that are tried for a free one, to name it
_PAGE_NAME = re.compile(r"[A-Za-z0-9_-]{16,64}")


class StudioServer(ThreadingHTTPServer):
    """Serves a studio at ``host:port``; ``port`` 0 takes a free one."""

    daemon_threads = True
    allow_reuse_address = sys.platform != "win32"

    def __init__(self, studio: Studio, *, host: str = LOCAL, port: int = 8090) -> None:
        self.studio, self.host = studio, host
        self._answering: list[threading.Thread] = []
        self._noting = threading.Lock()
        try:
            super().__init__((host, port), Handler)
        except (TypeError, UnicodeError) as error:  # a zero byte, or a part of more than 63 letters
            raise InputError(f"the studio cannot listen at {shown(host)}: {error}") from error
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise InputError(f"the studio cannot listen at {host}:{port}: {error.strerror or error}") from error
            free = next_free(host, port)
            raise InputError(f"port {port} is in use; the next free one is {free}: --port {free}") from error
        self.port = int(self.server_address[1])
        self.is_local = is_loopback(host)

    @property
    def address(self) -> str:
        """Where a browser on this machine finds it."""
        host = LOCAL if self.host in ("", "0.0.0.0", "::") else self.host
        return f"http://{host}:{self.port}/"

    def answers(self) -> None:
        """Note that this thread computes an answer: ``server_close`` waits for it."""
        with self._noting:
            alive = [thread for thread in self._answering if thread.is_alive()]
            self._answering = [*alive, threading.current_thread()]

    def server_close(self) -> None:
        """Stop listening, and wait for answers under way: a process that ends while one of its threads frees tensors
        aborts."""
        super().server_close()
        limit = time.monotonic() + FAREWELL
        for thread in self._answering:
            thread.join(max(0.0, limit - time.monotonic()))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no error of the server."""
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            traceback.print_exc()


class Handler(BaseHTTPRequestHandler):
    """One request. Pages identify themselves by a name of their own, which no other site can send."""

    server: StudioServer
    server_version, sys_version = "faceuv", ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        if not self._from_here():
            return
        if self.path.partition("?")[0] != "/":
            self._refuse(HTTPStatus.NOT_FOUND, "the studio has one page: /")
            return
        self._send(studio_page(self.server.studio).encode(), "text/html; charset=utf-8")

    def do_POST(self) -> None:
        if not self._from_here():
            return
        act = _ACTS.get(self.path)
        page = self.headers.get("X-Faceuv-Page", "")
        if act is None or not _PAGE_NAME.fullmatch(page):
            self._refuse(HTTPStatus.NOT_FOUND, "the studio does not know this request: reload its page")
            return
        try:
            data = self._body(MOST_BYTES if self.path == "/photograph" else MOST_JSON)
            if data is None:
                return
            self.server.answers()
            body, kind = act(self.server.studio, page, data)
        except FaceUVError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, " ".join(str(error).split()))
        except Exception:
            traceback.print_exc()
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "the studio failed; its terminal shows why")
        else:
            self._send(body, kind)

    def _body(self, most: int) -> bytes | None:
        """What was sent, unless it is too long: then it is not read."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "a request says how long it is")
            return None
        if int(length) > most:
            said = f"{int(length) / 1e6:.0f} MB were sent; at most {most / 1e6:.0f} MB are read"
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, said)
            return None
        data = self.rfile.read(int(length))
        if len(data) < int(length):
            self.close_connection = True
            return None
        return data

    def _from_here(self) -> bool:
        """Whether the request is for this server and from its own page: another site's page, or another name that
        points at this machine, gets nothing."""
        host = self.headers.get("Host", "")
        own = {f"{name}:{self.server.port}" for name in ("127.0.0.1", "localhost", "[::1]", self.server.host)}
        origin = self.headers.get("Origin")
        if (self.server.is_local and host not in own) or (origin is not None and origin != f"http://{host}"):
            self._refuse(HTTPStatus.FORBIDDEN, f"the studio answers its own page alone: {self.server.address}")
            return False
        return True

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True
        self._send(json.dumps({"error": why}).encode(), "application/json", status)

    def _send(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a terminal full of requests hides what matters."""


_Answer = tuple[bytes, str]


def _json(value: Any) -> _Answer:
    return json.dumps(value).encode(), "application/json"


def _face(studio: Studio, page: str, data: bytes) -> _Answer:
    return studio.shown(page, Wish.read(read_json(data).get("who"))), "application/octet-stream"


def _gallery(studio: Studio, page: str, data: bytes) -> _Answer:
    return _json(studio.gallery(page, Wish.read(read_json(data).get("who"))))


def _methods(studio: Studio, page: str, data: bytes) -> _Answer:
    given = read_json(data)
    return _json(studio.methods(page, Wish.read(given.get("who")), number("yaw", given.get("yaw", 0), -180, 180)))


def _export(studio: Studio, page: str, data: bytes) -> _Answer:
    given = read_json(data)
    kind = str(given.get("kind"))[:16]
    look = Look.read(given.get("look", {}))
    return studio.export(page, Wish.read(given.get("who")), look, kind, given.get("animation")), EXPORTS[kind]


def _photograph(studio: Studio, page: str, data: bytes) -> _Answer:
    return _json({"photo": studio.photograph(page, data)})


_ACTS: Mapping[str, Callable[[Studio, str, bytes], _Answer]] = {
    "/face": _face, "/gallery": _gallery, "/methods": _methods, "/export": _export, "/photograph": _photograph,
}  # fmt: skip


def studio_page(studio: Studio) -> str:
    """The page: the viewer with the studio's panels."""
    own = shortened(files(__package__).joinpath("studio.js").read_text(encoding="utf-8"))
    data = {"title": "faceuv studio", "bare": False, "lights": lights(), "faces": [], "studio": studio.about()}
    blocks = [f"<script>(()=>{{{own}}})()</script>"]
    return document("faceuv studio", POLICY, data, SCRIPTS, blocks)


def next_free(host: str, port: int) -> int:
    """The first port after ``port`` that nobody listens at."""
    for candidate in range(port + 1, min(port + 1 + PORTS, 65536)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as one:
            try:
                one.bind((host, candidate))
            except OSError:
                continue
            return candidate
    raise InputError(f"ports {port} … {port + PORTS} are in use; give another with --port")


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
