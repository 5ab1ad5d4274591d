"""The report's pages: which rows there are, what a cell says, and that names are escaped."""

from __future__ import annotations

import re

import torch

from faceuv.engine.report.page import best_of, groups, html_page, markdown_page
from faceuv.evaluation.meanings import meaning


def number(value, samples=4):
    return {"value": value, "error": None, "samples": samples}


def report(**changes):
    """Two subjects: one with numbers, one without a surface."""
    entries = {
        "a<b>": {"about": "the first", "metrics": {"l1": number(0.2), "scene_depth": number(0.5)}, "not_measured": {}},
        "b": {
            "about": "the second",
            "metrics": {"l1": number(0.1)},
            "not_measured": {"scene_depth": "needs a surface"},
        },
    }
    names = ("l1", "scene_depth", "scene_normal_deg", "texels")
    return {
        "title": "a <title>",
        "protocol": {"pictures": 4, "curve": 2, "truth": 3, "seed": 1, "truncation": 1.0, "far_deg": 45.0},
        "spaces": {"distances": "means", "identity": "corners"},
        "subjects": entries,
        "floor": {"metrics": {"frechet_means": {"value": 0.25}}},
        "yaw_deg": [-30.0, 30.0],
        "meanings": {name: meaning(name).record() for name in names},
        "device": "cpu",
        "seconds": 1.0,
        "files": {"a<b>": "0123456789abcdef"},
        "figures": ["curves", "yaw_0"],
        "faces": [],
        **changes,
    }


def test_rows_are_what_somebody_has_or_lacks_for_a_reason():
    assert groups(report()) == {
        "Reconstruction of the teacher's pictures": ["l1"],
        "Against the scene of the latent": ["scene_depth"],
    }
    lacking = report()
    lacking["subjects"]["b"]["not_measured"]["texels"] = "needs coefficients"
    assert groups(lacking)["Turned faces"] == ["texels"]
    assert "| `texels` ↓ | – | not measured: needs coefficients | of full scale | 0 |" in markdown_page(lacking)


def test_the_best_is_bold_where_there_are_two_to_compare():
    assert best_of(report(), "l1") == {"b"} and best_of(report(), "scene_depth") == set()
    words = markdown_page(report())
    assert "| `l1` ↓ | 0.2 | **0.1** | of full scale | 4 |" in words
    assert "| `scene_depth` ↓ | 0.5 | not measured: needs a surface |  | 4 |" in words


def test_the_page_is_whole_and_names_are_escaped():
    picture = torch.rand(3, 8, 8)
    page = html_page(report(), {"curves": picture, "yaw_0": picture})
    assert "a &lt;title&gt;" in page and "<title>a <title>" not in page and "a<b>" not in page
    assert "<td class=skipped>not measured: needs a surface</td>" in page and "<td class=best>0.1</td>" in page
    assert page.count("data:image/png") == 1 and page.count("data:image/jpeg") == 1
    for tag in ("table", "tr", "td", "figure", "dl", "ul"):
        assert len(re.findall(rf"<{tag}[ >]", page)) == page.count(f"</{tag}>"), tag


def test_faces_are_linked_where_there_are_any():
    assert "## Faces" not in markdown_page(report())
    assert "[faces/face_0.glb](faces/face_0.glb)" in markdown_page(report(faces=["faces/face_0.glb"]))
    assert 'href="faces/face_0.glb"' in html_page(report(faces=["faces/face_0.glb"]), {})
    seen = report(faces=["faces/face_0.glb"], viewer="faces/faces.html")
    assert 'href="faces/faces.html"' in html_page(seen, {}) and "(faces/faces.html)" in markdown_page(seen)


def test_names_are_no_html_no_links_and_no_columns_in_markdown():
    named = report(title="<img src=x> & co")
    named["subjects"]["p|q [x](javascript:y)"] = named["subjects"].pop("a<b>") | {"about": "a <script>"}
    named["subjects"]["b"]["not_measured"]["scene_depth"] = "needs <i>"
    named["meanings"]["loss<u>|`"] = meaning("l1").record()
    named["subjects"]["b"]["metrics"]["loss<u>|`"] = number(0.3)
    page = markdown_page(named)
    outside_code = re.sub(r"`[^`\n]*`", "", page)
    assert "<" not in outside_code and "](javascript" not in page
    assert "# &#60;img src=x&#62; &amp; co" in page and "a &#60;script&#62;" in page
    assert "| b | p&#124;q &#91;x&#93;(javascript:y) | unit | faces |" in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {6}
    assert r"`loss<u>\|'` ↓" in page
