"""The page as a file: its size, what it holds, the command that makes it, and what is wrong with its input."""

import base64
import gzip
import json
import re
import struct
from pathlib import Path

import pytest

from faceuv import Face
from faceuv.cli.main import main
from faceuv.errors import InputError
from faceuv.export.glb import glb_bytes
from faceuv.export.page import PageFace, page_html, save_page, viewer_size
from faceuv.models.faces.arkit import NAMES

DOCS = Path(__file__).parents[3] / "docs"


def data_of(page):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def glbs_of(page):
    blocks = re.findall(r'<script type="application/octet-stream" id="(face-\d+|code)">(.*?)</script>', page, re.DOTALL)
    return {name: gzip.decompress(base64.b64decode(text)) for name, text in blocks}


def test_the_viewer_is_small_and_names_no_address():
    assert viewer_size() <= 60_000
    page = page_html([])
    code = glbs_of(page)["code"].decode()
    assert "class Painter" in code
    assert not re.findall(r"https?://|//cdn|import\s*\(|<link|src=\"", page + code)


def test_the_head_of_the_documentation_is_small_and_moves():
    path = DOCS / "live" / "head.html"
    page = path.read_text(encoding="utf-8")
    assert path.stat().st_size <= 1_000_000 and not re.findall(r"https?://", page)
    glb = glbs_of(page)["face-0"]
    (size,) = struct.unpack("<I", glb[12:16])
    (mesh,) = json.loads(glb[20 : 20 + size])["meshes"]
    assert sorted(mesh["extras"]["targetNames"]) == sorted(NAMES)
    assert "live/head.html" in (DOCS / "page.md").read_text(encoding="utf-8")


def test_faces_are_kept_bit_for_bit_and_a_title_is_only_text(people):
    mesh = people[0].mesh_file(texture_size=32)
    glb = glb_bytes(mesh)
    page = page_html([PageFace("</script><b>", glb)], title="<b>&</b>")
    assert glbs_of(page).keys() == {"face-0", "code"} and glbs_of(page)["face-0"] == glb
    assert data_of(page)["faces"][0]["name"] == "</script><b>"
    assert "<title>&lt;b&gt;&amp;&lt;/b&gt;</title>" in page and "</script><b>" not in page
    assert page == page_html([PageFace("</script><b>", glb)], title="<b>&</b>")


def test_a_face_comes_with_its_pose_light_and_frame(people):
    entry = people[2].on_page("c", texture_size=32, picture=16).entry()
    assert entry["view"] == {"yaw": -30.0, "pitch": 0.0, "roll": 0.0, "light": "left"} and "light" not in entry
    assert entry["picture"].startswith("data:image/jpeg;base64,")
    own = people[0].with_lighting(people[0].coefficients.lighting + 0.1).on_page(texture_size=32).entry()
    assert own["view"]["light"] == "own" and len(own["light"]) == 27
    whole = people[0].centred().render_full(64).mask[0, 0] > 0.5
    assert entry["frame"]["distance"] > 10 and whole.any()


def test_save_writes_a_page(people, tmp_path):
    path = people[0].save(tmp_path / "ada.html", texture_size=32)
    page = path.read_text(encoding="utf-8")
    assert data_of(page)["title"] == "ada" and glbs_of(page).keys() == {"face-0", "code"}


def test_the_command_reads_files_and_folders(people, tmp_path, capsys):
    folder = tmp_path / "faces"
    people[0].save(folder / "a.safetensors")
    people[0].save(folder / "a.glb", texture_size=32)
    people[2].save(folder / "b.glb", texture_size=32)
    out = tmp_path / "out.html"
    assert main(["page", str(folder), str(folder / "b.glb"), "--out", str(out), "--texture-size", "32"]) == 0
    entries = data_of(out.read_text(encoding="utf-8"))["faces"]
    assert [entry["name"] for entry in entries] == ["a", "b", "b"]
    assert "frame" in entries[0] and "frame" not in entries[1]  # of the two files of a, the one that knows more
    assert "3 faces" in capsys.readouterr().out.replace("\n", " ")


def test_random_faces_by_seed(tmp_path):
    out = tmp_path / "seeds.html"
    options = ["--seeds", "3", "4", "--face-model", "ProceduralFace", "--texture-size", "64"]
    assert main(["page", *options, "--out", str(out)]) == 0
    entries = data_of(out.read_text(encoding="utf-8"))["faces"]
    assert [entry["name"] for entry in entries] == ["seed 3", "seed 4"] and all("picture" in e for e in entries)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "a page needs faces"),
        (["notes.txt"], ".safetensors or .glb"),
        (["empty"], "holds no face"),
        (["broken.glb"], "binary glTF"),
        (["none.glb"], "none.glb does not exist"),
        (["good.glb", "--out", "page.txt"], ".html"),
    ],
)
def test_wrong_input_is_one_line(arguments, words, people, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.glb").write_bytes(b"not a mesh")
    (tmp_path / "good.glb").write_bytes(glb_bytes(people[0].mesh_file(texture_size=16)))
    assert main(["page", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_a_page_that_no_browser_opens_is_refused(people, tmp_path, monkeypatch):
    from faceuv.export.page import building

    monkeypatch.setattr(building, "MOST_BYTES", 70_000)
    with pytest.raises(InputError, match="fewer faces"):
        save_page(tmp_path / "big.html", [people[0].on_page(texture_size=64)])
    assert not list(tmp_path.iterdir())


def test_a_surface_without_coefficients_goes_on_a_page(people):
    face = Face.of_surface(people[0].surface, metadata={"from": "a scan"})
    entry = face.on_page("scan").entry()
    assert entry["frame"]["reach"] > 1
