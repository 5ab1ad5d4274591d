"""A headless Chromium for tests, driven over its debugging pipe: pages, real mouse, key and touch events, pictures."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless=new", "--no-sandbox", "--no-first-run", "--disable-dev-shm-usage", "--disable-background-networking",
    "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--remote-debugging-pipe",
    "--js-flags=--expose-gc", "--enable-precise-memory-info", "--hide-scrollbars",
)  # fmt: skip
SECONDS = 90


def chromium() -> str | None:
    """The program, if this machine has it."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = chromium()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed (Debian: apt-get install chromium)")
    with Browser(program) as found:
        yield found


_PLACE = """async (selector) => {
  const drawn = () => new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done));
    setTimeout(done, 300); // pages in the background draw nothing
  });
  const look = () => {
    const element = document.querySelector(selector);
    for (let p = element; p; p = p.parentElement) if (p.tagName == 'DETAILS') p.open = true;
    element.scrollIntoView({ block: 'center' });
    const b = element.getBoundingClientRect();
    return [b.left, b.top, b.width, b.height];
  };
  for (let before = look(), k = 0; ; k++) {
    await drawn();
    const now = look();
    if (k > 20 || now.every((value, axis) => value === before[axis])) return now;
    before = now;
  }
}"""


class Browser:
    """One process; pages are opened in it."""

    def __init__(self, program: str, *options: str) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="faceuv-browser-", ignore_cleanup_errors=True)
        (theirs_in, self._out), (self._in, theirs_out) = os.pipe(), os.pipe()

        def pipes() -> (
            None
        ):  # the browser reads 3 and writes 4; high copies first, so that neither overwrites the other
            high = [os.dup2(theirs_in, 203), os.dup2(theirs_out, 204)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            [program, *OPTIONS, *options, f"--user-data-dir={self.folder.name}", "about:blank"],
            preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._number, self._rest = 0, b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError, TimeoutError, RuntimeError):
            self.call("Browser.close")
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self._in)
        os.close(self._out)
        self.folder.cleanup()

    def call(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """One command of the debugging protocol and its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        data = json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0"
        while data:
            data = data[os.write(self._out, data) :]
        limit = time.monotonic() + SECONDS
        while True:
            answer = self._next(limit, method)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def _next(self, limit: float, what: str) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not select.select([self._in], [], [], max(limit - time.monotonic(), 0))[0]:
                raise TimeoutError(f"the browser did not answer {what} within {SECONDS} s")
            piece = os.read(self._in, 1 << 20)
            if not piece:
                raise RuntimeError(f"the browser ended during {what}")
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        return json.loads(line)

    @contextlib.contextmanager
    def page(self, address: str | Path, *, size: tuple[int, int] = (900, 600), touch: bool = False,
             ratio: float = 0.5) -> Iterator[Page]:  # fmt: skip
        """A page of its own window; ``size`` is width and height, ``ratio`` the pixels of its screen in one of them: a
        half is laid out as one is, and the software rasterizer has a quarter to paint."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        width, height = size
        page.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=touch
        )
        if touch:
            page.call("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=5)
        page.go(address)
        try:
            yield page
        finally:
            self.call("Target.closeTarget", targetId=target)
            self.call("Target.disposeBrowserContext", browserContextId=context)


class Page:
    """A page: scripts run in it, and events come to it as from a person's hands."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.browser, self.session = browser, session

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self.browser.call(method, self.session, **parameters)

    def go(self, address: str | Path) -> None:
        """Open an address or a file."""
        self.call("Page.navigate", url=address.resolve().as_uri() if isinstance(address, Path) else address)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression, awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = 60) -> None:
        """Until the expression, awaited, is true."""
        limit = time.monotonic() + seconds
        while not self.run(f"Promise.resolve({script}).then(Boolean)"):
            if time.monotonic() > limit:
                raise TimeoutError(f"not true within {seconds} s: {script}; the page says {self.said()!r}")
            time.sleep(0.05)

    def said(self) -> str:
        """The line that the page shows to its reader, if any."""
        return self.run("(b => b && b.style.display == 'block' ? b.textContent : '')(document.querySelector('#say'))")

    def errors(self) -> list[str]:
        """What went wrong on the page: exceptions, and lines of the console's level error."""
        found = []
        for event in self.browser.events:
            if event.get("sessionId") != self.session:
                continue
            if event["method"] == "Runtime.exceptionThrown":
                details = event["params"]["exceptionDetails"]
                found.append(details.get("exception", {}).get("description", details["text"]))
            elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
                found.append(event["params"]["entry"]["text"])
        return found

    def requests(self) -> list[str]:
        """Addresses that the page asked for, beside itself."""
        own = [event for event in self.browser.events if event.get("sessionId") == self.session]
        return [e["params"]["request"]["url"] for e in own if e["method"] == "Network.requestWillBeSent"]

    def place(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element, scrolled into view with the folds around it opened, once what
        was done before has been drawn and the element stands still: a label that grows moves all below it."""
        box = self.run(f"({_PLACE})({json.dumps(selector)})")
        return tuple(box)

    def mouse(self, kind: str, x: float, y: float, *, button: str = "left", held: int = 0, modifiers: int = 0) -> None:
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button=button, buttons=held, clickCount=1,
                  modifiers=modifiers)  # fmt: skip

    def click(self, selector: str) -> None:
        left, top, width, height = self.place(selector)
        x, y = left + width / 2, top + height / 2
        self.mouse("mouseMoved", x, y, button="none")
        self.mouse("mousePressed", x, y, held=1)
        self.mouse("mouseReleased", x, y)

    def drag(self, start: tuple[float, float], end: tuple[float, float], *, modifiers: int = 0, steps: int = 5) -> None:
        self.mouse("mouseMoved", *start, button="none")
        self.mouse("mousePressed", *start, held=1, modifiers=modifiers)
        for k in range(1, steps + 1):
            x, y = (a + (b - a) * k / steps for a, b in zip(start, end))
            self.mouse("mouseMoved", x, y, held=1, modifiers=modifiers)
        self.mouse("mouseReleased", *end, modifiers=modifiers)

    def slide(self, selector: str, share: float) -> None:
        """Press a slider at a share of its length."""
        left, top, width, height = self.place(selector)
        x, y = left + 8 + share * (width - 16), top + height / 2
        self.mouse("mouseMoved", x, y, button="none")
        self.mouse("mousePressed", x, y, held=1)
        self.mouse("mouseReleased", x, y)

    def key(self, key: str, *, modifiers: int = 0) -> None:
        text = {"text": key} if len(key) == 1 and not modifiers else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, modifiers=modifiers, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, modifiers=modifiers)

    def touch(self, kind: str, *points: tuple[float, float]) -> None:
        where = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(points)]
        self.call("Input.dispatchTouchEvent", type=kind, touchPoints=where)

    def screenshot(self) -> np.ndarray:
        """``(H, W, 3)`` uint8."""
        return picture(self.call("Page.captureScreenshot", format="png")["data"])

    def face(self, side: int) -> np.ndarray:
        """The viewer's picture ``(side, side, 3)`` uint8."""
        return picture(self.run(f"faceuv.picture({side})").split(",")[1])


def picture(data: str) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
