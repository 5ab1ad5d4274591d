"""The viewer in a real browser: what it draws, and what people's hands do to it."""

import base64
import html
import io
import json
import struct

import numpy as np
import pytest
import torch
from browser import Browser, chromium
from installed import needs_heads
from PIL import Image

from faceuv import Face
from faceuv.export import Animation
from faceuv.export.glb import glb_bytes
from faceuv.export.page import PageFace, page_html, save_page
from faceuv.face.pictured import BACKGROUND
from faceuv.renderers.surface import draw_surface

SIDE = 256
MEAN, MOST = 2.5, 30.0  # of 255: mean difference of a face's pixels, and what 98 of 100 stay below


def drawn(face, side=SIDE, **changes):
    """Our renderer's picture and mask of the centred face, without gleams, which the viewer computes otherwise."""
    face = face.centred()
    render = draw_surface(face.renderer, face.surface.replace(**changes), size=side, background=BACKGROUND)
    return render.image[0].clamp(0, 1).permute(1, 2, 0).numpy() * 255, render.mask[0, 0].numpy() > 0.5


def difference(page, face):
    """Mean and 98th percentile of |viewer − renderer| over the face's pixels, without gleams."""
    picture, mask = drawn(face)
    page.run("faceuv.state.gloss = false, 0")
    away = np.abs(page.face(SIDE).astype(float) - picture).mean(-1)[mask]
    return away.mean(), np.percentile(away, 98)


def shown(page, number):
    page.run(f"faceuv.choose({number})")
    page.run("faceuv.reset(), 0")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_page_shows_what_our_renderer_draws(page, people, number):
    shown(page, number)
    mean, most = difference(page, people[number])
    assert mean < MEAN and most < MOST
    turned, _ = difference(page, people[number].with_pose(people[number].pose[0][0, 1].rad2deg().item() + 8))
    relit, _ = difference(page, people[number].with_lighting("top"))
    assert turned > 2 * MEAN and relit > 2 * MEAN  # the bound sees a turn of 8° and another light


def relief_of(page, face, side=512):
    """What relief adds to the picture of a face that is grey all over, by our renderer and by the viewer.

    Over its pixels but those where normals that are baked into texels do not follow the mesh, as at ears and lids.
    """
    grey = {"diffuse": torch.full((1, 3, 2, 2), 0.72), "vertex_colours": None}
    picture, mask = drawn(face, side, **grey)
    ours = picture - drawn(face, side, **grey, normal_map=None)[0]
    page.run("Object.assign(faceuv.state, {mode: 'relief', gloss: false, layers: false, relief: true}), 0")
    theirs = page.face(side).astype(float)
    page.run("faceuv.state.relief = false, 0")
    theirs -= page.face(side)
    page.run("Object.assign(faceuv.state, {mode: 'textured', layers: true}), 0")
    mask &= (np.abs(ours).max(-1) < 6) & (np.abs(theirs).max(-1) < 6)
    return ours[mask].ravel(), theirs[mask].ravel()


@needs_heads
def test_a_whole_head_with_eyes_teeth_and_relief_is_what_our_renderer_draws(browser, tmp_path):
    face = Face.random(5, face_model="MakeHuman", texture_size=512, age=80).with_pose(20)
    face = face.with_arkit(jawOpen=0.5, eyeLookInLeft=0.6, eyeLookOutRight=0.6)
    path = save_page(tmp_path / "head.html", [face.on_page(texture_size=512)])
    with browser.page(path) as page:
        page.wait("window.faceuv && faceuv.ready")
        mean, most = difference(page, face)
        assert mean < MEAN and most < MOST
        straight, _ = difference(page, face.with_arkit(eyeLookInLeft=0, eyeLookOutRight=0))
        assert straight > 1.1 * mean  # the eyes look away
        page.run("faceuv.state.relief = false, 0")
        flat, _ = difference(page, face)
        assert flat > 1.05 * mean  # without pores and lines
        ours, theirs = relief_of(page, face)
        assert np.corrcoef(ours, theirs)[0, 1] > 0.7
        assert 0.7 < (ours * theirs).mean() / (ours**2).mean() < 1.3  # as strong in the file as in our pictures
        page.run("faceuv.state.relief = faceuv.state.gloss = true, 0")
        glossy = page.face(SIDE).astype(int)
        for mode in ("wireframe", "seen", "textured"):
            page.run(f"faceuv.state.mode = '{mode}', 0")
            again = page.face(SIDE).astype(int)
        assert np.abs(again - glossy).max() <= 1  # no way of looking leaves anything behind
        page.run("faceuv.state.gloss = false, 0")
        assert (glossy - page.face(SIDE)).max() > 20  # a highlight
        names = page.run("faceuv.painter.meshes.map(m => m.name)")
        assert {"skin", "teeth", "iris_left", "lashes"} <= set(names)


def test_named_lights_are_those_of_the_library(page, people):
    shown(page, 0)
    for light in ("warm", "rim", "flat"):
        page.click(f'[data-light="{light}"]')
        mean, _ = difference(page, people[0].with_lighting(light))
        assert mean < MEAN, light


def test_a_light_that_is_dragged_turns_with_the_hand(page):
    page.click('[data-light="front"]')
    page.run("faceuv.state.mode = 'shape', faceuv.state.yaw = 0, 0")
    before = page.face(64).astype(int)
    page.drag((200, 300), (420, 300), modifiers=8)
    assert page.run("faceuv.state.lightYaw") > 30 and page.run("faceuv.state.yaw") == 0
    after = page.face(64).astype(int)
    left, right = (slice(16, 48), slice(12, 30)), (slice(16, 48), slice(34, 52))
    assert (after - before)[right].mean() > (after - before)[left].mean() + 10  # pulled to the viewer's right


def test_sliders_move_the_face_as_arkit_shapes_do(page, people):
    shown(page, 0)
    page.slide('[data-shape="jawOpen"]', 0.6)
    amount = page.run("faceuv.state.weights.jawOpen")
    assert amount == pytest.approx(0.6, abs=0.06)
    weights = torch.zeros(52)
    moved = people[0].with_arkit(weights).with_arkit(jawOpen=amount)
    mean, most = difference(page, moved)
    assert mean < MEAN and most < MOST
    still, _ = difference(page, people[0].with_arkit(weights))
    assert still > 1.5 * mean


def test_there_is_a_slider_for_each_movement_and_presets_set_them(page, people):
    names = page.run("[...document.querySelectorAll('[data-shape]')].map(e => e.dataset.shape)")
    assert sorted(names) == sorted(people[0].mesh_file().morph_targets)
    page.click('[data-preset="smile"]')
    assert page.run("faceuv.state.weights.mouthSmileLeft") == 0.75
    page.wait("document.querySelector('[data-shape=mouthSmileLeft]').value === '0.75'")  # with the next frame
    page.click('[data-preset="rest"]')
    assert page.run("faceuv.state.weights") == {}


def test_undo_takes_one_gesture_back_and_redo_repeats_it(page):
    start = page.run("faceuv.state.yaw")
    page.drag((200, 300), (300, 300))
    page.click('[data-preset="kiss"]')
    turned = page.run("faceuv.state.yaw")
    assert turned > start + 5
    page.key("z", modifiers=2)
    assert page.run("[faceuv.state.weights.mouthPucker || 0, faceuv.state.yaw]") == [0, turned]
    page.key("z", modifiers=2)
    assert page.run("faceuv.state.yaw") == start
    page.key("z", modifiers=2 | 8)
    assert page.run("faceuv.state.yaw") == turned


def test_keys_turn_zoom_relight_and_choose(page):
    page.run("document.querySelector('canvas').focus(), faceuv.reset(), 0")
    before = page.run("({...faceuv.state})")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "+", "l", "v"):
        page.key(key)
    after = page.run("faceuv.state")
    assert after["yaw"] == before["yaw"] + 10 and after["pitch"] == before["pitch"] + 5
    assert after["zoom"] > before["zoom"] and after["light"] != before["light"] and after["mode"] == "albedo"
    page.key("n")
    page.wait("faceuv.current == 1")
    page.key("p")
    page.wait("faceuv.current == 0")
    page.key("m")
    assert page.run("document.querySelector('#panel').hidden")


def test_the_wheel_zooms(page):
    before = page.face(SIDE).astype(int)
    page.call("Input.dispatchMouseEvent", type="mouseWheel", x=200, y=300, deltaX=0, deltaY=-400)
    page.wait("faceuv.state.zoom > 0.3")
    assert np.abs(page.face(SIDE) - before).mean() > 5


def test_the_list_of_faces_chooses_and_frees_what_was_there(page):
    held = page.run("faceuv.painter.live")
    page.click('[data-face="2"]')
    page.wait("faceuv.current == 2")
    assert page.run("document.querySelector('h1').textContent") == "people: person 2"
    page.click('[data-face="0"]')
    page.wait("faceuv.current == 0")
    assert page.run("faceuv.painter.live") == held


def test_every_way_of_looking_differs_from_the_others(page):
    page.run("faceuv.reset(), 0")
    pictures = []
    for mode in page.run("MODES"):
        page.click(f'[data-mode="{mode}"]')
        pictures.append(page.face(SIDE).astype(int))
    for k, one in enumerate(pictures):
        for j, other in enumerate(pictures[:k]):
            # "relief" is "shape" where a face has no relief, as these have none
            assert np.abs(one - other).mean() > 0.5 or {k, j} == {2, 4}
    page.run("faceuv.reset(), 0")
    page.click('[data-switch="texture"]')
    assert np.abs(page.face(SIDE) - pictures[0]).mean() > 1
    page.click('[data-part="skin"]')
    assert np.ptp(page.face(SIDE), axis=(0, 1)).max() == 0  # nothing left but the wall


def test_memory_is_stable_over_500_changes(browser, page_file):
    with browser.page(page_file, size=(720, 200), ratio=0.1) as page:  # what is painted does not matter
        page.wait("window.faceuv && faceuv.ready")
        many_changes(page)


def many_changes(page):
    names = page.run("faceuv.head.names")
    one = """(async n => { for (let k = 0; k < n; k++) {
      const s = faceuv.state; s.weights[NAMES[k % NAMES.length]] = (k % 10) / 10; s.yaw = k % 50; s.lightYaw = k % 90;
      s.mode = MODES[k % MODES.length]; faceuv.remember(); faceuv.settle(); faceuv.draw();
      if (k % 25 == 0) await faceuv.choose(k / 25 % 3); } })"""
    page.run(f"window.NAMES = {json.dumps(names)}, 0")
    heap, held = [], []
    for _ in range(2):  # 250 each; the first round fills what is kept for good
        for _ in range(5):
            page.run(f"{one}(50)")
        page.call("HeapProfiler.collectGarbage")
        page.run("faceuv.choose(0)")
        heap.append(page.call("Runtime.getHeapUsage")["usedSize"])
        held.append(page.run("faceuv.painter.live"))
    assert held[0] == held[1]
    assert heap[1] - heap[0] < 2e6


def test_touch_turns_with_one_finger_and_zooms_with_two(browser, page_file):
    with browser.page(page_file, size=(390, 780), touch=True) as page:
        page.wait("window.faceuv && faceuv.ready")
        top = "document.querySelector('{}').getBoundingClientRect().top"
        layout = [page.run(top.format(name)) for name in ("#panel", "canvas")]
        assert layout[0] > layout[1] + 300  # the controls lie below the face
        page.touch("touchStart", (120, 200))
        page.touch("touchMove", (200, 200))
        page.touch("touchEnd")
        yaw = page.run("faceuv.state.yaw")
        assert yaw > 15
        page.touch("touchStart", (150, 200), (210, 200))
        page.touch("touchMove", (110, 200), (250, 200))
        page.touch("touchEnd")
        assert page.run("faceuv.state.zoom") > 0.5 and page.run("faceuv.state.yaw") == yaw


def test_the_page_asks_no_network_for_anything(page):
    assert all(address.startswith(("file:", "data:", "blob:")) for address in page.requests())
    assert page.run("fetch('https://example.org').then(() => 'went out', () => 'refused')") == "refused"
    page.browser.events = [e for e in page.browser.events if e["method"] != "Log.entryAdded"]  # the refusal is logged


def test_a_link_brings_the_view_back(browser, page, page_file):
    shown(page, 1)
    page.run("Object.assign(faceuv.state, {yaw: -33, light: 'cool', weights: {jawOpen: 0.3}}), faceuv.link(), 0")
    address = page.run("location.href")
    with browser.page(address) as other:
        other.wait("window.faceuv && faceuv.ready")
        assert other.run("[faceuv.current, faceuv.state.yaw, faceuv.state.light]") == [1, -33, "cool"]
        assert other.run("faceuv.state.weights") == {"jawOpen": 0.3}
    broken = (
        page_file.as_uri() + "#view=" + json.dumps({"face": 99, "state": {"yaw": "x", "mode": "none", "zoom": 1e9}})
    )
    with browser.page(broken) as other:
        other.wait("window.faceuv && faceuv.ready")
        assert other.run("[faceuv.current, faceuv.state.mode, faceuv.state.zoom]") == [2, "textured", 3]
        assert other.errors() == []


# ---------------------------------------------------------------- files that are dropped


def opened(page, data, name="face.glb"):
    """The line that the page says when a file of these bytes is opened."""
    page.run("faceuv.quiet()")
    listed = list(data)
    page.run(f"faceuv.open(new File([new Uint8Array({listed})], {json.dumps(name)}))")
    return page.said()


def small_glb(change=None, binary=b"", **document):
    """A triangle as GLB, changed by ``change(document)``."""
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4").tobytes()
    data = corners + np.array([0, 1, 2, 0], "<u2").tobytes() + binary
    content = {
        "asset": {"version": "2.0"},
        "buffers": [{"byteLength": len(data)}],
        "bufferViews": [{"buffer": 0, "byteLength": 36}, {"buffer": 0, "byteOffset": 36, "byteLength": 6}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"},
            {"bufferView": 1, "componentType": 5123, "count": 3, "type": "SCALAR"},
        ],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "nodes": [{"mesh": 0}],
        **document,
    }
    if change is not None:
        change(content)
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    data += b"\0" * (-len(data) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def test_a_plain_triangle_of_another_program_is_shown(page):
    assert opened(page, small_glb()) == ""
    assert page.run("faceuv.head.parts[0].count") == 3 and page.run("faceuv.entries.length") == 4


DAMAGED = {
    "no glTF": (lambda: b"solid a face" * 4, "binary glTF"),
    "cut off": (lambda: small_glb()[:-20], "cut off"),
    "version": (lambda: b"glTF" + struct.pack("<I", 1) + small_glb()[8:], "glTF 2"),
    "no JSON": (lambda: small_glb().replace(b'{"asset"', b'{{asset" '), "JSON cannot be read"),
    "an index beyond": (lambda: small_glb(lambda d: d["accessors"][0].update(count=2)), "names vertex 2 of 2"),
    "bytes beyond": (lambda: small_glb(lambda d: d["bufferViews"][0].update(byteLength=99999)), "beyond its end"),
    "rows beyond": (lambda: small_glb(lambda d: d["accessors"][0].update(count=9)), "more bytes"),
    "no accessor": (lambda: small_glb(lambda d: d["accessors"].pop()), "accessors[1], which is not there"),
    "extension": (
        lambda: small_glb(extensionsRequired=["KHR_draco_mesh_compression"]), "needs KHR_draco_mesh_compression",
    ),
    "a circle": (lambda: small_glb(nodes=[{"mesh": 0, "children": [1]}, {"children": [0]}]), "contain each other"),
    "no mesh": (lambda: small_glb(meshes=[]), "no mesh"),
    "not finite": (
        lambda: small_glb().replace(np.float32([1, 0, 0]).tobytes(), np.float32([np.nan, 0, 0]).tobytes()), "NaN",
    ),
    "a picture": (
        lambda: small_glb(
            images=[{"bufferView": 0, "mimeType": "image/png"}], textures=[{"source": 0}],
            materials=[{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
            meshes=[{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
        ),
        "picture",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_one_clear_line_and_the_face_stays(page, name):
    before = page.face(64)
    make, words = DAMAGED[name]
    said = opened(page, make())
    assert words in said and said.startswith("face: ") and "\n" not in said
    assert page.run("faceuv.entries.length") == 3
    assert np.array_equal(page.face(64), before)


def test_a_file_that_is_dropped_is_opened(page, people, tmp_path):
    good, bad = tmp_path / "ada.glb", tmp_path / "bad.glb"
    people[2].save(good, texture_size=64)
    bad.write_bytes(good.read_bytes()[:5000])
    for path, words in ((bad, "cut off"), (tmp_path / "notes.txt", "expected a .glb")):
        path.touch()
        drop(page, path)
        page.wait("document.querySelector('#say').style.display == 'block'")
        assert words in page.said()
        page.run("faceuv.quiet()")
    drop(page, good)
    page.wait("faceuv.current == 3")
    assert page.run("faceuv.entry.name") == "ada" and page.said() == ""


def drop(page, path):
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.call("Input.dispatchDragEvent", type=kind, x=200, y=300, data=data)


def test_an_animation_of_the_file_plays(browser, people, tmp_path):
    times = np.array([0.0, 30.0])
    clip = Animation(times, np.array([[0.2], [0.2]]), ("jawOpen",))
    mesh = people[0].mesh_file(texture_size=64).replace(animation=clip)
    path = tmp_path / "clip.html"
    save_page(path, [PageFace("clip", glb_bytes(mesh))])
    with browser.page(path) as page:
        page.wait("window.faceuv && faceuv.ready")
        page.run("document.querySelector('canvas').focus(), 0")
        assert page.run("faceuv.state.weights.jawOpen || 0") < 0.05
        page.key(" ")
        page.wait("Math.abs(faceuv.state.weights.jawOpen - 0.2) < 1e-3")
        page.key(" ")
        assert not page.run("faceuv.playing")
        assert page.errors() == []


def test_a_browser_without_webgl2_gets_a_line(page_file):
    if chromium() is None:
        pytest.skip("no browser is installed (Debian: apt-get install chromium)")
    with Browser(chromium(), "--disable-3d-apis") as bare, bare.page(page_file) as page:
        page.wait("document.querySelector('#say') && document.querySelector('#say').style.display == 'block'")
        assert "no WebGL2" in page.said()


def test_a_notebook_shows_the_viewer_in_its_cell(browser, people, tmp_path):
    cell = people[0]._repr_html_()
    notebook = tmp_path / "notebook.html"
    notebook.write_text(f"<!DOCTYPE html><meta charset='utf-8'><body style='margin:0'>{cell}</body>", encoding="utf-8")
    with browser.page(notebook, size=(700, 480), ratio=1) as page:
        page.wait("document.readyState == 'complete'")
        wall = np.array([219, 222, 227])
        for _ in range(100):
            picture = page.screenshot().astype(int)
            if np.abs(picture[240, 350] - wall).max() > 30:  # skin, in the middle
                break
        assert np.abs(picture[240, 350] - wall).max() > 30
        assert page.errors() == []
    assert html.escape(page_html([])[:100]) in cell and 'sandbox="allow-scripts' in cell


def test_a_rough_picture_of_motion_shows_what_the_whole_one_shows(browser, tmp_path):
    """While something moves, a slow machine draws fewer pixels and lights hair that it keeps; at rest it draws all."""
    face = Face.random(4, face_model={"type": "ProceduralFace", "rows": 70, "columns": 71}).with_hair("bob")
    path = save_page(tmp_path / "bob.html", [face.on_page(texture_size=128)])
    with browser.page(path, size=(720, 400), ratio=1) as page:
        page.wait("window.faceuv && faceuv.ready && faceuv.fine")
        assert page.run("faceuv.painter.software") is True  # the browser of the tests has no graphics card

        def drawn(share):
            data = page.run(f"(faceuv.draw(0, {share}), faceuv.canvas.toDataURL())").split(",")[1]
            return np.array(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB").resize((400, 400))).astype(
                int
            )

        page.run("faceuv.state.gloss = false, 0")
        for change in ("lightYaw = 50", "weights = {jawOpen: 0.6}", "mode = 'albedo'", "mode = 'normals'", "yaw = 30"):
            page.run(f"faceuv.state.{change}, 0")
            for _ in range(3):  # the third lights what the second has kept
                rough = drawn(0.5)
            assert page.run("faceuv.canvas.width") == 200 and page.run("!!faceuv.painter.strands.key")
            whole = drawn(1)
            assert page.run("faceuv.canvas.width") == 400
            assert np.abs(rough - whole).mean() < 4, change
            assert (np.abs(rough - whole).mean(-1) > 60).mean() < 0.02, change
        page.slide('[data-state="lightYaw"]', 0.7)
        page.wait("faceuv.fine && faceuv.canvas.width === 400")  # by itself, a moment later
        assert page.errors() == []
        assert page.run("faceuv.painter.gl.getError()") == 0
