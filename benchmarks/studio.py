"""The studio's speed: from the command to the first face, and updates of the expression and of the light.

    python benchmarks/studio.py            # needs a Chromium; a software rasterizer draws where there is no GPU

Wall times mean little on a busy machine, so seconds of the processor are told beside them. Of an update, "own" is what
the page computes (vertices, buffers, uniforms, controls), "drawing" what the rasterizer takes until all pixels are
there.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "support"))

from browser import Browser, chromium  # type: ignore[import-not-found]  # of the tests, found by the line above

READY = "window.faceuv && faceuv.ready && !!faceuv.head && faceuv.drawn > 0"
SIZE = (760, 500)
UPDATES = 15
UPDATE = """(k => { const gl = faceuv.painter.gl, pixel = new Uint8Array(4), t = performance.now();
  CHANGE;
  faceuv.draw();
  const after = performance.now();
  gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  return [after - t, performance.now() - after]; })"""
CHANGES = {
    "expression": "Object.assign(faceuv.state.weights, {jawOpen: k % 10 / 10, eyeBlinkLeft: k % 5 / 5})",
    "light": "faceuv.state.lightYaw = 9 * k % 180",
}


def processor() -> float:
    """Seconds of the processor that ended children used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    program = chromium()
    if program is None:
        raise SystemExit("this benchmark needs a Chromium (Debian: apt-get install chromium)")
    with Browser(program) as browser:
        begin = time.monotonic()
        server = subprocess.Popen(
            [sys.executable, "-u", "-m", "faceuv", "studio", "--no-browser", "--port", "0"],
            stdout=subprocess.PIPE, text=True, env=os.environ | {"COLUMNS": "200"},
        )  # fmt: skip
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None
        listening = time.monotonic() - begin
        with browser.page(found[0], size=SIZE) as page:
            page.wait(READY, 300)
            first = time.monotonic() - begin
            print(f"address after {listening:.1f} s, first face after {first:.1f} s (wall)", flush=True)
            for name, change in CHANGES.items():
                act = UPDATE.replace("CHANGE", change)
                took = [page.run(f"{act}({k})") for k in range(UPDATES)]
                own, drawing = (sorted(column) for column in zip(*took))
                middle, least = own[UPDATES // 2], own[0]
                print(f"{name}: own {middle:.1f} ms (least {least:.1f}): {1000 / middle:.0f} updates/s;"
                      f" drawing {drawing[UPDATES // 2]:.0f} ms (least {drawing[0]:.0f})", flush=True)  # fmt: skip
            print("drawn by", page.run("(e => faceuv.painter.gl.getParameter(e.UNMASKED_RENDERER_WEBGL))"
                                       "(faceuv.painter.gl.getExtension('WEBGL_debug_renderer_info'))"))  # fmt: skip
        server.terminate()
        server.wait()
        print(f"the server used {processor():.1f} s of the processor; load of this machine {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
