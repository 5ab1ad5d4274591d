"""What goes wrong around a studio: no WebGL2, files that are too large or damaged, a server that ends in the middle of
its work, ports, sources and displays; and that memory stays where it is over many changes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser

import numpy as np
import pytest
from browser import Browser, chromium

from faceuv import Face
from faceuv.cli import studio as command
from faceuv.cli.main import main
from faceuv.studio import StudioServer, serving

READY = "window.faceuv && faceuv.ready && !!faceuv.head"


@pytest.fixture
def page(browser, served):
    with browser.page(served.address, size=(900, 500)) as found:
        found.wait(READY)
        yield found
        assert [line for line in found.errors() if "ERR_CONNECTION" not in line] == []


def drop(page, path):
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.call("Input.dispatchDragEvent", type=kind, x=200, y=250, data=data)


def test_a_browser_without_webgl2_is_told(served):
    if chromium() is None:
        pytest.skip("no browser is installed (Debian: apt-get install chromium)")
    with Browser(chromium(), "--disable-3d-apis") as bare, bare.page(served.address) as page:
        page.wait("document.querySelector('#say') && document.querySelector('#say').style.display == 'block'")
        assert "no WebGL2" in page.said()


@pytest.mark.parametrize(
    ("name", "words"), [("photo.jpg", "201 MB; at most 25 MB"), ("scan.glb", "201 MB; at most 200 MB")]
)
def test_a_file_of_200_megabytes_is_refused_in_the_browser(page, tmp_path, name, words):
    path = tmp_path / name
    with path.open("wb") as file:
        file.truncate(201_000_000)
    asked = len(page.requests())
    drop(page, path)
    page.wait("document.querySelector('#say').style.display == 'block'")
    assert words in page.said() and len(page.requests()) == asked
    assert page.run("faceuv.entries.length") == 1


def test_a_damaged_file_leaves_the_person_and_a_good_one_stands_beside(page, model, tmp_path):
    good, bad = tmp_path / "ada.glb", tmp_path / "bad.glb"
    Face.random(9, face_model=model).save(good, texture_size=32)
    bad.write_bytes(good.read_bytes()[:4000])
    drop(page, bad)
    page.wait("document.querySelector('#say').textContent.includes('cut off')")
    assert page.run("[faceuv.entries.length, faceuv.entry.name]") == [1, "seed_0"]
    drop(page, good)
    page.wait("faceuv.entry.name === 'ada'")
    page.click('[data-export="glb"]')  # the studio exports its own people, and says so
    page.wait("document.querySelector('#say').textContent.includes('was dropped')")
    page.click('[data-face="0"]')
    page.wait("faceuv.entry.name === 'seed_0'")
    page.click('[data-who="next"]')
    page.wait("faceuv.entry.name === 'seed_1'")


def test_memory_is_stable_over_500_changes_of_the_studio(page):
    """450 movements of sliders and 50 people, in two halves: the second needs no more than the first."""
    page.call("Emulation.setDeviceMetricsOverride", width=900, height=500, deviceScaleFactor=0.1, mobile=False)
    one = """(async () => { for (let k = 0; k < 250; k++) {
      const s = faceuv.state, names = faceuv.head.names;
      faceuv.remember(); s.weights[names[k % names.length]] = (k % 10) / 10; s.lightYaw = k % 90;
      s.mode = MODES[k % 8];
      if (k % 10 === 0) { s.who = {form: 'seed', seed: k / 10 % 6}; faceuv.settle(); await studio.panels.refresh(); }
      else { faceuv.settle(); if (k % 5 === 0) faceuv.draw(); } } })()"""
    heap, held = [], []
    for _ in range(2):
        page.run(one)
        page.run("faceuv.state.who = {form: 'seed', seed: 0}, studio.panels.refresh()")
        page.call("HeapProfiler.collectGarbage")
        heap.append(page.call("Runtime.getHeapUsage")["usedSize"])
        held.append(page.run("[faceuv.painter.live, faceuv.entries.length, faceuv.past.length]"))
    assert held[0] == held[1] and held[1][1:] == [1, 100]  # one face, a hundred steps of undo
    assert heap[1] - heap[0] < 3e6


def test_hair_is_chosen_by_name_and_taken_back(page):
    page.run("document.querySelector('[data-who=hair]').focus(), 0")
    page.wait("document.querySelectorAll('[data-who=hair] option').length > 15")
    bald = page.face(96).astype(int)
    choose = (
        "(e => { e.value = '%s'; e.dispatchEvent(new Event('change')); })(document.querySelector('[data-who=hair%s]'))"
    )
    page.run(choose % ("crop", ""))
    page.wait("studio.panels.there.hair === 'crop'")
    assert "hair" in page.run("faceuv.painter.meshes.map(m => m.name)")
    dark = page.face(96).astype(int)
    assert np.abs(dark - bald).mean() > 2
    page.run(choose % ("platinum", "_colour"))
    page.wait("studio.panels.there.hair_colour === 'platinum'")
    assert page.face(96)[:40].astype(int).sum() > dark[:40].sum()
    page.key("z", modifiers=2)
    page.key("z", modifiers=2)
    page.wait("!studio.panels.there.hair && !studio.panels.there.hair_colour")


def test_what_the_first_picture_has_not_seen_is_marked(page):
    page.click('[data-mode="seen"]')
    front = page.face(128).astype(int)
    page.run("faceuv.state.yaw = 90, 0")
    side = page.face(128).astype(int)
    wall = side[2, 2]

    def unseen(picture):
        person = np.abs(picture - wall).sum(-1) > 40
        return (picture[..., 0] > picture[..., 1] + 10)[person].mean()

    assert unseen(front) < 0.15 and unseen(side) > 0.3


# ---------------------------------------------------------------- a server that ends


class Command:
    """``faceuv studio`` in a process of its own, whose temporary files lie in ``folder``."""

    def __init__(self, folder, port=0):
        self.folder = folder
        arguments = ["studio", "--face-model", "ProceduralFace", "--no-browser", "--port", str(port)]
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "faceuv", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=os.environ | {"TMPDIR": str(folder), "COLUMNS": "300"},
        )  # fmt: skip
        line = self.process.stdout.readline()
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)", line)[1])

    def working(self):
        return list(self.folder.glob("faceuv-studio-*"))

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that a process can answer")
def test_a_server_that_is_stopped_in_the_middle_of_an_export(browser, tmp_path):
    first = Command(tmp_path)
    with browser.page(f"http://127.0.0.1:{first.port}/", size=(900, 500)) as page:
        page.wait(READY)
        page.click('[data-export="gif"]')
        limit = time.monotonic() + 60
        while not first.working():
            assert time.monotonic() < limit
            time.sleep(0.01)
        assert first.end() == 130
        page.wait("/was stopped.*start it again/i.test(document.querySelector('#say').textContent)")
        assert page.run("!studio.panels.saved")  # no half file
        assert not first.working()  # and nothing left behind
        second = Command(tmp_path, first.port)
        page.click('[data-export="glb"]')
        page.wait("studio.panels.saved?.kind === 'glb'")
        assert second.end() == 130


def test_a_server_that_ends_waits_for_answers_under_way(monkeypatch):
    """Threads that free tensors while the interpreter ends abort the process."""
    under_way, done = threading.Event(), threading.Event()

    def slow(*_):
        under_way.set()
        time.sleep(0.5)
        done.set()
        return b"{}", "application/json"

    monkeypatch.setitem(serving._ACTS, "/face", slow)
    server = StudioServer(None, port=0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    headers = {"X-Faceuv-Page": "a" * 20}
    request = urllib.request.Request(f"{server.address}face", data=b"{}", headers=headers)
    asking = threading.Thread(target=lambda: urllib.request.urlopen(request).read())
    asking.start()
    assert under_way.wait(10) and not done.is_set()
    server.shutdown()
    server.server_close()
    assert done.is_set()
    asking.join()


# ---------------------------------------------------------------- the command


@pytest.fixture
def ended(monkeypatch):
    """Studios of the command end at once."""
    monkeypatch.setattr(StudioServer, "serve_forever", lambda server, *_: None)
    monkeypatch.setattr("faceuv.studio.Studio.prepare", lambda studio: None)


def test_without_a_display_the_address_is_said(ended, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    arguments = ["studio", "--face-model", "ProceduralFace", "--port", "0"]
    monkeypatch.setattr(command, "has_display", lambda: False)
    assert main(arguments) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert not opened and "no browser could be opened here" in said and "ssh -L" in said
    monkeypatch.setattr(command, "has_display", lambda: True)
    assert main(arguments) == 0
    assert len(opened) == 1 and "no browser" not in capsys.readouterr().out


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_a_display_is_known_by_its_variables(monkeypatch):
    for key in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(key, raising=False)
    assert not command.has_display()
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    assert command.has_display()


def test_a_port_in_use_names_the_next_free_one_in_one_line(ended, capsys):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert main(["studio", "--face-model", "ProceduralFace", "--no-browser", "--port", str(port)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and int(re.search(r"--port (\d+)", said)[1]) > port


def test_an_open_host_is_warned_of(ended, capsys):
    assert main(["studio", "--face-model", "ProceduralFace", "--no-browser", "--port", "0", "--host", "0.0.0.0"]) == 0
    assert "everybody in your network" in " ".join(capsys.readouterr().out.split())


def test_compare_needs_a_generator_of_the_same_teacher(capsys):
    assert main(["studio", "--compare", "liftedgan"]) == 2
    assert main(["studio", "quickstart", "--compare", "lifted_cats", "--no-browser"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 2 and "another teacher" in said
    assert main(["studio", "quickstart", "--compare", "liftedgam", "--no-browser"]) == 2
    assert "liftedgan" in capsys.readouterr().err


def test_photographs_of_one_page_are_not_in_the_answers_to_another(browser, served, tmp_path):
    """Two people in two windows: what one sends, the other can neither see nor name."""
    from PIL import Image

    Image.new("RGB", (83, 64)).save(tmp_path / "me.png")
    with browser.page(served.address, size=(900, 500)) as one, browser.page(served.address, size=(900, 500)) as other:
        one.wait(READY)
        other.wait(READY)
        drop(one, tmp_path / "me.png")
        one.wait("faceuv.entry.name === 'photo'")
        who = one.run("JSON.stringify(studio.panels.there)")
        other.run(f"faceuv.state.who = {who}, studio.panels.refresh()")
        other.wait("document.querySelector('#say').textContent.includes('no such photograph')")
        assert other.run("faceuv.entry.name") == "seed_0" and json.loads(who)["form"] == "photo"
