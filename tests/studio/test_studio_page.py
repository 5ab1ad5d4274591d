"""The studio in a real browser: real events, two people at once, a server that ends and comes back."""

import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from installed import needs_heads
from PIL import Image
from studio_server import Served

from faceuv import Face
from faceuv.export.video import save_video
from faceuv.face import build_face_model
from faceuv.studio import HeadSource, Studio

READY = "window.faceuv && faceuv.ready && !!faceuv.head"
GIF_BYTES = 3_000_000


@pytest.fixture
def page(browser, served):
    with browser.page(served.address, size=(1000, 600)) as found:
        found.wait(READY)
        yield found
        assert [line for line in found.errors() if "ERR_CONNECTION" not in line and "status of 4" not in line] == []


def person(page, seed):
    page.wait(f"studio.panels.shown?.seed === {seed} && faceuv.entry.name === 'seed_{seed}'")


def test_the_first_person_is_there_and_next_brings_another(page, model):
    assert page.run("faceuv.head.metadata.seed") == 0
    page.click('[data-preset="smile"]')
    page.click('[data-who="next"]')
    person(page, 1)
    assert page.run("faceuv.state.weights.mouthSmileLeft") == 0.75  # the expression stays with the next person
    page.run("faceuv.state.gloss = false, 0")
    face = Face.random(1, face_model=model, texture_size=64)
    face = face.with_expression(torch.zeros_like(face.coefficients.expression))
    face = face.with_arkit(page.run("Object.fromEntries(Object.entries(faceuv.state.weights))"))
    render = face.centred().render_full(200)
    away = np.abs(page.face(200) - render.image[0].clamp(0, 1).permute(1, 2, 0).numpy() * 255).mean(-1)
    assert away[render.mask[0, 0].numpy() > 0.5].mean() < 3


def test_undo_brings_back_the_person_before(page):
    page.click('[data-who="next"]')
    person(page, 1)
    page.click("canvas")
    page.key("n")
    person(page, 2)
    page.key("z", modifiers=2)
    person(page, 1)
    page.key("z", modifiers=2)
    person(page, 0)
    page.key("z", modifiers=2 | 8)
    person(page, 1)


def test_a_face_between_two_pinned_ones(page):
    page.click('[data-pin="a"]')
    page.click('[data-who="next"]')
    person(page, 1)
    page.click('[data-pin="b"]')
    page.slide('[data-who="t"]', 0.25)
    page.wait("faceuv.entry.name === 'between'")
    assert page.run("faceuv.state.who.t") == pytest.approx(0.25, abs=0.05)
    assert page.run("faceuv.state.who.pair.map(p => p.seed)") == [0, 1]


def test_a_link_brings_person_expression_and_view_back(browser, served, page):
    page.click('[data-who="next"]')
    person(page, 1)
    page.run("Object.assign(faceuv.state, {yaw: 21, light: 'rim', weights: {jawOpen: 0.4}}), faceuv.link(), 0")
    with browser.page(page.run("location.href"), size=(1000, 600)) as other:
        other.wait(READY)
        person(other, 1)
        assert other.run("[faceuv.state.yaw, faceuv.state.light, faceuv.state.weights.jawOpen]") == [21, "rim", 0.4]


def test_two_people_at_once_have_their_own_states(browser, served, page):
    with browser.page(served.address, size=(1000, 600)) as other:
        other.wait(READY)
        other.click('[data-who="next"]')
        person(other, 1)
        other.slide('[data-shape="jawOpen"]', 0.8)
        assert page.run("[faceuv.state.who.seed, faceuv.state.weights.jawOpen || 0]") == [0, 0]
        assert page.run("studio.panels.shown.seed") == 0


def test_a_photograph_that_is_dropped_becomes_a_face(page, tmp_path):
    picture = tmp_path / "me.jpg"
    Image.new("RGB", (91, 64)).save(picture)
    data = {"items": [], "files": [str(picture)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.call("Input.dispatchDragEvent", type=kind, x=200, y=300, data=data)
    page.wait("faceuv.entry.name === 'photo' && faceuv.head.metadata.seed === 91")
    assert page.run("document.querySelector('h1').textContent") == "a head from a photograph"
    page.run("faceuv.open(new File([new Uint8Array(26e6)], 'large.jpg', {type: 'image/jpeg'}))")
    assert "26 MB; at most 25 MB" in page.said()
    page.run("faceuv.open(new File([new Uint8Array(2000)], 'broken.png', {type: 'image/png'}))")
    page.wait("document.querySelector('#say').textContent.includes('expected a photograph')")
    assert page.run("faceuv.entry.name") == "photo"  # what was there stays
    page.click('[data-pin="a"]')
    page.click('[data-who="next"]')
    person(page, 1)
    assert page.run("document.title") == "people of ProceduralFace"
    page.click('[data-pin="b"]')
    page.slide('[data-who="t"]', 0.25)
    page.wait("faceuv.entry.name === 'between'")
    assert page.run("document.title") == "between a photograph and seed 1"


def test_the_gallery_and_an_export(page):
    page.click("[data-gallery]")
    page.wait("document.querySelectorAll('[data-seed]').length === 12")
    page.click('[data-seed="5"]')
    person(page, 5)
    page.click('[data-export="glb"]')
    page.wait("studio.panels.saved?.kind === 'glb' && studio.panels.saved.size > 10000")


def test_every_button_of_export_saves_its_file(page, tmp_path):
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    for kind in ("obj", "png", "gif"):
        page.click(f'[data-export="{kind}"]')
        page.wait(f"studio.panels.saved?.kind === '{kind}'")
        saved = tmp_path / f"{page.run('faceuv.entry.name')}.{'zip' if kind == 'obj' else kind}"
        limit = time.monotonic() + 20
        while not saved.exists() and time.monotonic() < limit:
            time.sleep(0.05)
        assert saved.stat().st_size == page.run("studio.panels.saved.size")
        if kind == "obj":
            with zipfile.ZipFile(saved) as files:
                assert {"face.obj", "face.mtl"} <= set(files.namelist()) and files.testzip() is None
        else:
            with Image.open(saved) as picture:
                assert (picture.width, getattr(picture, "n_frames", 1)) == {"png": (1024, 1), "gif": (256, 24)}[kind]


@needs_heads
def test_sliders_of_age_and_gender_bring_such_a_person(browser):
    served = Served(Studio(HeadSource(build_face_model("MakeHuman"), texture_size=32)))
    try:
        with browser.page(served.address) as page:
            page.wait(READY)
            page.run("faceuv.state.hidden = ['hair'], 0")  # less to draw
            for name, share, low, high in (("age", 0.1, 5, 20), ("gender", 0.02, 0, 0.1)):
                page.slide(f'[data-trait="{name}"]', share)
                page.wait(f"(t => t >= {low} && t <= {high})(faceuv.entry.traits.{name})")
                assert low <= page.run(f"studio.panels.shown.traits.{name}") <= high
            assert page.run("faceuv.entry.traits.age") < 20  # the age that was chosen stays
            assert page.errors() == []
    finally:
        served.stop()


def test_a_recording_is_saved_as_a_moving_glb(page):
    page.click("[data-record]")
    page.slide('[data-shape="jawOpen"]', 0.7)
    page.wait("studio.panels.tape.times.length > 3")
    page.click("[data-record]")
    page.wait("studio.panels.saved?.kind === 'glb'")


@pytest.mark.parametrize("size", [(1000, 600), (390, 844)])
def test_what_is_deep_in_the_panel_does_not_scroll_the_face_away(browser, served, size):
    """Focus and scrolling move the panel: the page itself has nothing to scroll, whatever is unfolded."""
    with browser.page(served.address, size=size) as page:
        page.wait(READY)
        page.place("[data-record]")
        page.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.run("document.documentElement.scrollHeight") == size[1]
        page.run("document.querySelector('[data-photo]').focus(), 0")
        assert page.run("[scrollY, document.querySelector('canvas').getBoundingClientRect().top]") == [0, 0]


def test_sliders_of_expression_and_light_need_no_server(page):
    """Twenty updates a second on two cores: what an update computes, without the software rasterizer of a machine that
    has no graphics card."""
    milliseconds = page.run("""(() => { const t = performance.now(); for (let k = 0; k < 200; k++) {
      faceuv.state.weights.jawOpen = (k % 10) / 10; faceuv.state.weights.mouthSmileLeft = (k % 7) / 7;
      faceuv.state.lightYaw = k % 90; faceuv.head.set(faceuv.state.weights); faceuv.view(); faceuv.panel.refresh(); }
      return (performance.now() - t) / 200; })()""")
    assert milliseconds < 50
    before = len(page.requests())
    page.slide('[data-shape="jawOpen"]', 0.5)
    page.slide('[data-state="lightYaw"]', 0.7)
    assert len(page.requests()) == before


def test_a_server_that_ends_is_said_and_its_return_goes_on(page, served):
    served.stop()
    try:
        page.click('[data-export="glb"]')
        page.wait("document.querySelector('#say').textContent.includes('does not answer')")
        page.slide('[data-shape="jawOpen"]', 0.5)  # what is there can still be moved
        assert page.run("faceuv.state.weights.jawOpen") > 0.3
        page.click('[data-who="next"]')
        page.wait("document.querySelector('#say').textContent.includes('does not answer')")
    finally:
        served.start()
    person(page, 1)  # by itself, when the server is back
    page.click('[data-export="glb"]')
    page.wait("studio.panels.saved?.kind === 'glb'")


def test_a_phone_has_room_for_face_and_controls(browser, served):
    with browser.page(served.address, size=(390, 844), touch=True, ratio=3) as page:
        page.wait(READY)
        assert page.run("[innerWidth, document.documentElement.scrollWidth]") == [390, 390]
        assert page.run("[...document.querySelectorAll('body *')].every(e => e.getBoundingClientRect().right <= 391)")
        assert page.run("document.querySelector('canvas').getBoundingClientRect().height") > 400
        assert page.run("document.querySelector('[data-preset=smile]').getBoundingClientRect().height") >= 38
        page.touch("touchStart", (120, 200))
        page.touch("touchMove", (200, 200))
        page.touch("touchEnd")
        yaw = page.run("faceuv.state.yaw")
        page.touch("touchStart", (150, 200), (210, 200))
        page.touch("touchMove", (110, 200), (250, 200))
        page.touch("touchEnd")
        assert yaw > 15 and page.run("faceuv.state.zoom") > 0.5 and page.run("faceuv.state.yaw") == yaw
        left, top, width, height = page.place('[data-shape="jawOpen"]')
        for kind, share in (("touchStart", 0.05), ("touchMove", 0.3), ("touchMove", 0.7)):
            page.touch(kind, (left + share * width, top + height / 2))
        page.touch("touchEnd")
        assert page.run("faceuv.state.weights.jawOpen") == pytest.approx(0.7, abs=0.08)
        assert page.errors() == []


def test_the_recording_of_the_documentation(browser, served, tmp_path):
    """A few seconds of the studio as GIF; ``FACEUV_STUDIO=http://… FACEUV_STUDIO_GIF=docs/pictures/studio.gif`` takes
    it from a studio that runs already."""
    address = os.environ.get("FACEUV_STUDIO", served.address)
    out = Path(os.environ.get("FACEUV_STUDIO_GIF", tmp_path / "studio.gif"))
    frames = []
    with browser.page(address, size=(780, 500), ratio=1) as page:
        page.wait(READY)
        start = page.run("studio.panels.there.seed")

        def look(count=1):
            page.wait("faceuv.fine && !faceuv.pace.busy")  # the whole picture, not the rough one of motion
            frames.extend([torch.from_numpy(page.screenshot()).permute(2, 0, 1).float() / 255] * count)

        look(2)
        for end in (330, 170, 250):  # to one side, to the other, and to the front
            page.drag((250, 250), (end + 20 * (end == 250), 250), steps=2)
            look()
        page.run("faceuv.state.yaw = 20, faceuv.changed(), 0")
        for name in ("smile", "surprise", "wink", "rest"):
            page.click(f'[data-preset="{name}"]')
            look(2)
        page.click('[data-light="warm"]')
        look()
        page.drag((200, 250), (330, 250), modifiers=8, steps=2)
        look(2)
        page.click('[data-who="next"]')
        page.wait(f"studio.panels.there.seed === {start + 1}")
        page.run("document.querySelector('#panel').scrollTop = 0, faceuv.quiet(), 0")
        page.wait("new Promise(requestAnimationFrame)")
        look(3)
        page.run("faceuv.state.yaw = -40, 0")
        page.click('[data-mode="seen"]')
        look(2)
    save_video(out, frames, fps=2.5)
    assert 20_000 < out.stat().st_size <= GIF_BYTES
    assert (frames[0] - frames[-1]).abs().mean() > 0.001
