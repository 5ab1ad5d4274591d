"""The studio of a generator in a real browser: codes edited, mixed and compared by real events."""

import pytest
from installed import needs_heads
from studio_server import Served

from faceuv import load
from faceuv.models.base.face_generator import list_models
from faceuv.studio import GeneratorSource, Studio
from faceuv.studio.wishes import Wish

READY = "window.faceuv && faceuv.ready && !!faceuv.head"


@pytest.fixture(scope="module")
def served_codes():
    others = {name: load(name) for name in ("liftedgan", "stylerig_64")}
    found = Served(Studio(GeneratorSource(load("quickstart"), others)))
    yield found
    found.stop()


@pytest.fixture
def page(browser, served_codes):
    with browser.page(served_codes.address, size=(1100, 700)) as found:
        found.wait(READY)
        yield found
        assert found.errors() == []


def test_a_direction_moves_the_code_and_a_link_and_undo_know_it(browser, page):
    name = page.run("Object.keys(studio.panels.about.directions)[0]")
    before = page.face(96).astype(int)
    page.slide(f'[data-edit="{name}"]', 0.8)
    page.wait("Object.keys(studio.panels.there.edits || {}).length === 1")
    step = page.run(f"studio.panels.there.edits['{name}']")
    assert 1.5 < step < 3.5
    moved = page.face(96).astype(int)
    assert abs(moved - before).max() > 10
    page.run("faceuv.link(), 0")
    with browser.page(page.run("location.href"), size=(1100, 700)) as other:
        other.wait(READY)
        assert other.run(f"studio.panels.there.edits['{name}']") == step
        assert abs(other.face(96).astype(int) - moved).max() < 3
    page.key("z", modifiers=2)
    page.wait("!Object.keys(studio.panels.there.edits || {}).length")


def test_two_people_are_interpolated_and_their_styles_mixed(browser, page):
    page.click('[data-pin="a"]')
    page.click('[data-who="next"]')
    page.wait("studio.panels.there.seed === 1")
    page.click('[data-pin="b"]')
    page.slide('[data-who="t"]', 0.3)
    page.wait("studio.panels.there.form === 'between'")
    between = page.face(96).astype(int)
    page.slide('[data-who="layer"]', 0.3)
    page.wait("studio.panels.there.form === 'mix'")
    assert 1 <= page.run("studio.panels.there.layer") <= 5
    assert abs(page.face(96).astype(int) - between).max() > 10
    page.run("faceuv.link(), 0")
    with browser.page(page.run("location.href"), size=(1100, 700)) as other:
        other.wait(READY)
        assert other.run("[studio.panels.there, faceuv.state.pins]") == page.run(
            "[studio.panels.there, faceuv.state.pins]"
        )
    page.key("z", modifiers=2)
    page.wait("studio.panels.there.form === 'between'")


def test_methods_stand_side_by_side_and_follow_the_view(page):
    page.click("[data-methods]")
    page.wait("document.querySelectorAll('#methods figure').length > 0")
    names = page.run("[...document.querySelectorAll('#methods figcaption')].map(e => e.textContent)")
    assert names == ["the teacher's picture", "2D: code turned", "linear model", "StyleFaceUV", "LiftedGAN", "StyleRig"]
    pictures = "[...document.querySelectorAll('#methods img')].map(e => e.src)"
    before = page.run(pictures)
    page.drag((300, 200), (420, 200))
    page.wait(f"{pictures}.length === 6 && {pictures}[3] !== {before[3]!r}")
    after = page.run(pictures)
    assert after[0] == before[0]  # the teacher has one picture of a code
    assert all(one != other for one, other in zip(after[1:], before[1:]))
    page.click('[data-who="next"]')
    page.wait(f"{pictures}[0] !== {before[0]!r}")
    page.click("[data-methods]")
    assert page.run("document.querySelector('#methods').hidden")


def test_truncation_and_the_gallery_of_codes(page):
    page.slide('[data-who="truncation"]', 0.25)
    page.wait("studio.panels.there.truncation < 0.5")
    page.click("[data-gallery]")
    page.wait("document.querySelectorAll('[data-seed]').length === 12")
    page.click('[data-seed="3"]')
    page.wait("studio.panels.there.seed === 3 && studio.panels.there.truncation < 0.5")


@needs_heads
def test_generated_heads_have_drawn_detail_that_stays_along_a_slider():
    source = GeneratorSource(load("heads_64"))
    first, second = Wish("seed", seed=2, hair="bald"), Wish("seed", seed=5, hair="bald")
    start, end = (source.face(Wish("between", pair=(first, second), t=t, hair="bald")) for t in (0.0, 0.01))
    assert start.metadata["detail"] == {"size": 512, "seed": 2} == end.metadata["detail"]
    assert float((start.diffuse() - end.diffuse()).abs().mean()) < 0.004  # other pores would make it 0.009
    assert "detail" not in source.generator.sample(2).metadata  # the generator's own faces are as generated


@pytest.mark.parametrize("name", list_models())
def test_every_generator_of_the_zoo_has_faces_and_methods(name):
    studio = Studio(GeneratorSource(load(name)))
    assert studio.shown("page", Wish("seed", seed=2))[4:5] == b"{"
    shown = studio.methods("page", Wish("seed", seed=2), 20.0)
    assert shown[0]["name"] == "the teacher's picture" and len(shown) >= 2
