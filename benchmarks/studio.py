"""The studio's speed: from the command to the first face, and updates while a slider is dragged by real mouse events.

    python benchmarks/studio.py            # needs a Chromium; a rasterizer in software draws where there is no GPU
    python benchmarks/studio.py --size 1280 800

An update is a picture that the graphics card (or the rasterizer) has ended: the page gives out no commands for another
before. Wall times mean little on a busy machine, so seconds of the processor stand beside them.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from browser import Browser, Page, chromium  # type: ignore[import-not-found]  # of the tests, found by the line above

READY = "window.faceuv && faceuv.ready && !!faceuv.head && faceuv.drawn > 0"
SIZE = (1000, 700)
SECONDS = 4.0
SLIDERS = {"expression": '[data-shape="jawOpen"]', "light": '[data-state="lightYaw"]', "turn": '[data-state="yaw"]'}
OWN = """(() => { const took = []; for (let k = 0; k < 30; k++) { const t = performance.now();
  CHANGE; faceuv.head.set(faceuv.state.weights); faceuv.painter.update(); faceuv.view(); faceuv.panel.refresh();
  took.push(performance.now() - t); } return took.sort((a, b) => a - b)[15]; })()"""
CHANGES = {"expression": "faceuv.state.weights.jawOpen = k % 10 / 10", "light": "faceuv.state.lightYaw = 9 * k % 180"}
WHOLE = """(() => { const { gl } = faceuv.painter, t = performance.now(); faceuv.draw();
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); return performance.now() - t; })()"""
STAGES = """(e => ({page: performance.getEntriesByType('navigation')[0].responseEnd, asked: e.requestStart,
  answered: e.responseEnd, bytes: e.encodedBodySize, began: performance.timeOrigin / 1000, first: window.firstPicture}))
  (performance.getEntriesByType('resource').find(e => e.name.endsWith('/face')))"""
WATCH = """(() => { let before; const look = () => { const { faceuv: app } = window;
  if (!app?.painter.head) before = app?.drawn ?? 0;
  if (app?.drawn > before && !app.pace.busy) window.firstPicture = performance.now();
  else setTimeout(look, 4); }; look(); })()"""
TICKS = os.sysconf("SC_CLK_TCK")


def processor(numbers: Iterable[int]) -> float:
    """Seconds of the processor that some processes used."""
    used = 0
    for number in numbers:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used / TICKS


def family(root: int) -> list[int]:
    """A process and those that come from it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [root]
    for one in found:
        found += [number for number, parent in parents.items() if parent == one]
    return found


def dragged(page: Page, selector: str, browser: Browser) -> None:
    """Updates a second while the mouse drags a slider to and fro."""
    left, top, width, height = page.place(selector)
    y = top + height / 2
    page.mouse("mouseMoved", left + width / 2, y, button="none")
    page.mouse("mousePressed", left + width / 2, y, held=1)
    for k in range(12):  # the pace finds out how fine a picture may be
        page.mouse("mouseMoved", left + width * (0.3 + 0.03 * k), y, held=1)
        page.wait("!faceuv.pace.busy && !faceuv.asked")
    drawn, used, begin = page.run("faceuv.drawn"), processor(family(browser.process.pid)), time.monotonic()
    k = 0
    while time.monotonic() < begin + SECONDS:
        place = abs((k / 40) % 2 - 1)
        page.mouse("mouseMoved", left + 8 + place * (width - 16), y, held=1)
        k += 1
    seconds = time.monotonic() - begin
    updates, share = page.run("[faceuv.drawn, faceuv.pace.share]")
    updates -= drawn
    used = processor(family(browser.process.pid)) - used
    page.mouse("mouseReleased", left + width / 2, y)
    print(f"{selector}: {updates / seconds:.1f} updates/s at {share:g} of the canvas's sides;"
          f" {1000 * used / max(updates, 1):.0f} ms of the processor each", flush=True)  # fmt: skip
    page.wait("faceuv.fine && !faceuv.pace.busy", 120)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, help="of the window")
    parser.add_argument("source", nargs="*", help="of the studio")
    given = parser.parse_args()
    program = chromium()
    if program is None:
        raise SystemExit("this benchmark needs a Chromium (Debian: apt-get install chromium)")
    with Browser(program) as browser:
        begin, now = time.monotonic(), time.time()
        server = subprocess.Popen(
            [sys.executable, "-u", "-m", "faceuv", "studio", *given.source, "--no-browser", "--port", "0"],
            stdout=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None
        listening = time.monotonic() - begin
        used = processor([server.pid])
        with browser.page("about:blank", size=tuple(given.size)) as page:
            page.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
            page.go(found[0])
            page.wait(f"{READY} && !!window.firstPicture", 300)
            server_used, browser_used = processor([server.pid]), processor(family(browser.process.pid))
            page.wait("faceuv.fine && !faceuv.pace.busy", 300)
            whole = time.monotonic() - begin
            at = page.run(STAGES)
            start = at["began"] - now
            first = start + at["first"] / 1000
            print(f"address after {listening:.1f} s ({used:.1f} s of the processor), page read after"
                  f" {start + at['page'] / 1000:.1f} s, face asked {start + at['asked'] / 1000:.1f} s, answered"
                  f" {start + at['answered'] / 1000:.1f} s ({at['bytes'] / 1e6:.1f} MB), first picture {first:.1f} s,"
                  f" whole picture {whole:.1f} s")  # fmt: skip
            print(f"until the first picture the server used {server_used:.1f} s of the processor, the browser"
                  f" {browser_used:.1f} s")  # fmt: skip
            print("drawn by", page.run("(e => faceuv.painter.gl.getParameter(e.UNMASKED_RENDERER_WEBGL))"
                                       "(faceuv.painter.gl.getExtension('WEBGL_debug_renderer_info'))"),
                  "on a canvas of", page.run("faceuv.canvas.width + ' x ' + faceuv.canvas.height"))  # fmt: skip
            for name, change in CHANGES.items():
                print(f"{name}: the page's own work {page.run(OWN.replace('CHANGE', change)):.1f} ms")
            print(f"a whole picture: {min(page.run(WHOLE) for _ in range(3)):.0f} ms", flush=True)
            for selector in SLIDERS.values():
                dragged(page, selector, browser)
        server.terminate()
        server.wait()
    print(f"load of this machine {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
