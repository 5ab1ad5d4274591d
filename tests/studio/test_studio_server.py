"""The studio without a browser: wishes, answers, files, and what a stranger may not do."""

import http.client
import io
import json
import socket
import struct
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from faceuv import Face, load
from faceuv.cli.main import main
from faceuv.errors import FaceUVError, InputError
from faceuv.models.faces.arkit import NAMES
from faceuv.studio import GeneratorSource, HeadSource, Studio, StudioServer, open_source
from faceuv.studio.answering import looking
from faceuv.studio.photographs import MOST_BYTES, MOST_PIXELS, check_photograph
from faceuv.studio.serving import is_loopback
from faceuv.studio.wishes import Look, Wish

PAGE, OTHER = "page-of-one-person-1", "page-of-another-one-2"


def ask(served, path, body=None, *, page=PAGE, method="POST", headers=None):
    """Status and body of a request."""
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=120)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Length": str(len(data))} if method == "POST" else {}
    connection.request(method, path, data if method == "POST" else None,
                       given | {"X-Faceuv-Page": page} | (headers or {}))  # fmt: skip
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


def seed(number, **more):
    return {"form": "seed", "seed": number, **more}


def opened(body):
    """Entry and document of an answer with a face."""
    (length,) = struct.unpack("<I", body[:4])
    entry, glb = json.loads(body[4 : 4 + length]), body[4 + length :]
    (size,) = struct.unpack("<I", glb[12:16])
    return entry, json.loads(glb[20 : 20 + size])


def png(width=64, height=64, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(stream, kind)
    return stream.getvalue()


# ---------------------------------------------------------------- faces


def test_a_wish_becomes_the_face_of_its_seed_at_rest(served, model):
    status, body = ask(served, "/face", {"who": seed(7)})
    entry, document = opened(body)
    assert status == 200 and entry["view"]["light"] == "studio"
    assert document["nodes"][0]["extras"]["seed"] == 7 and max(document["meshes"][0]["weights"]) == 0
    face = served.studio.face(PAGE, Wish("seed", seed=7))
    assert torch.equal(face.coefficients.identity, Face.random(7, face_model=model).coefficients.identity)


def test_between_two_people_lies_their_mean(served):
    pair = [seed(1), seed(2)]
    wish = Wish.read({"form": "between", "pair": pair, "t": 0.5})
    middle = served.studio.face(PAGE, wish).coefficients.identity
    ends = [served.studio.face(PAGE, Wish.read(one)).coefficients.identity for one in pair]
    assert torch.allclose(middle, (ends[0] + ends[1]) / 2, atol=1e-6)
    assert ask(served, "/face", {"who": {"form": "between", "pair": pair, "t": 0.5}})[0] == 200


def test_the_gallery_has_the_next_people(served):
    status, body = ask(served, "/gallery", {"who": seed(5)})
    found = json.loads(body)
    assert status == 200 and [one["seed"] for one in found] == list(range(5, 17))
    assert len({one["picture"] for one in found}) == 12


def test_traits_of_a_head_that_knows_none_are_an_error(served):
    status, body = ask(served, "/face", {"who": seed(1, traits={"age": 50})})
    assert status == 400 and "no trait 'age'" in json.loads(body)["error"]


@pytest.fixture(scope="module")
def generator():
    return load("quickstart")


def test_a_generator_edits_mixes_and_shows_its_methods(generator):
    source = GeneratorSource(generator)
    about = Studio(source).about()
    assert about["mixing"] and about["layers"] == generator.num_layers and about["truncation"]
    a, b = generator.codes([1, 2]).split(1)
    first, second = Wish("seed", seed=1), Wish("seed", seed=2)
    assert torch.equal(source.code(first), a)
    mixed = source.code(Wish("mix", pair=(first, second), layer=3))
    assert torch.equal(mixed[:, :3], a[:, :3]) and torch.equal(mixed[:, 3:], b[:, 3:])
    for name in about["directions"]:
        moved = source.code(Wish("seed", seed=1, edits=((name, 2.0),)))
        assert torch.allclose(moved, generator.edit(a, name, 2.0))
    pictures = source.pictures(first, 30.0)
    assert torch.equal(pictures["the teacher's picture"], generator.image(a)[0])
    assert len(pictures) >= 3 and all(p.ndim == 3 and p.shape[0] == 3 for p in pictures.values())
    names = [name for name in pictures if name not in ("the teacher's picture", "linear model")]
    assert all(not torch.equal(pictures[name], source.pictures(first, -30.0)[name]) for name in names)


# ---------------------------------------------------------------- files


def test_exports_are_the_face_as_it_is_shown(served, tmp_path):
    look = {"weights": {"jawOpen": 0.7}, "yaw": 20}
    for kind in ("glb", "safetensors", "png", "html", "obj"):
        status, body = ask(served, "/export", {"who": seed(3), "look": look, "kind": kind})
        assert status == 200, body
        (tmp_path / f"face.{kind}").write_bytes(body)
    face = Face.load(tmp_path / "face.safetensors")
    assert face.arkit_weights().weights[0, NAMES.index("jawOpen")].item() == pytest.approx(0.7, abs=0.02)
    assert face.pose[0][0, 1].rad2deg().item() == pytest.approx(20, abs=1e-3)
    assert (tmp_path / "face.glb").read_bytes()[:4] == b"glTF" and b"<!DOCTYPE" in (tmp_path / "face.html").read_bytes()
    assert {"face.obj", "face.mtl"} <= set(zipfile.ZipFile(tmp_path / "face.obj").namelist())
    picture = np.array(Image.open(tmp_path / "face.png")).astype(int)
    shown = looking(served.studio.face(PAGE, Wish("seed", seed=3)), Look.read(look)).render(1024, centred=True)
    assert np.abs(picture - shown.permute(1, 2, 0).numpy() * 255).max() < 2


def test_a_recording_becomes_an_animation_of_the_file(served):
    rows = [{"jawOpen": k / 10} for k in range(10)]
    tape = {"times": [k / 30 for k in range(10)], "weights": rows}
    status, body = ask(served, "/export", {"who": seed(3), "kind": "glb", "animation": tape})
    (size,) = struct.unpack("<I", body[12:16])
    assert status == 200 and json.loads(body[20 : 20 + size])["animations"][0]["name"] == "studio"
    for broken in (
        {"times": [0, 0], "weights": rows[:2]},
        {"times": [0], "weights": []},
        {"times": [0], "weights": [{}]},
    ):
        assert ask(served, "/export", {"who": seed(3), "kind": "glb", "animation": broken})[0] == 400


# ---------------------------------------------------------------- photographs


def test_a_photograph_belongs_to_the_page_that_sent_it(served, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    name = json.loads(ask(served, "/photograph", png(width=77))[1])["photo"]
    wish = {"who": {"form": "photo", "photo": name}}
    status, body = ask(served, "/face", wish)
    assert status == 200 and opened(body)[1]["nodes"][0]["extras"]["seed"] == 77
    status, body = ask(served, "/face", wish, page=OTHER)
    assert status == 400 and "no such photograph" in json.loads(body)["error"]
    between = {"who": {"form": "between", "pair": [wish["who"], seed(1)], "t": 0.3}}
    assert ask(served, "/face", between)[0] == 200
    assert ask(served, "/face", between, page=OTHER)[0] == 400
    assert not list(tmp_path.iterdir())  # nothing stays on the disk


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GIF89a" + bytes(50), "expected a photograph"),
        (b"\x89PNG" + bytes(50), "cannot be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "expected a photograph"),
        (b"", "begins as none"),
    ],
)
def test_what_is_no_photograph_is_one_line(served, data, words):
    status, body = ask(served, "/photograph", data)
    assert status == 400 and words in json.loads(body)["error"] and "\n" not in json.loads(body)["error"]


def test_a_photograph_of_too_many_pixels_is_not_decoded():
    header = png(8, 8)
    side = int(MOST_PIXELS**0.5) + 1
    import zlib

    ihdr = b"IHDR" + struct.pack(">II", side, side) + header[24:29]
    bomb = header[:12] + ihdr + struct.pack(">I", zlib.crc32(ihdr)) + header[33:]
    with pytest.raises(InputError, match="megapixels"):
        check_photograph(bomb)


def test_an_upload_that_is_too_long_is_refused_before_it_is_read(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as line:
        head = f"POST /photograph HTTP/1.1\r\nHost: 127.0.0.1:{served.port}\r\nX-Faceuv-Page: {PAGE}\r\n"
        line.sendall(f"{head}Content-Length: 200000000\r\n\r\n".encode())
        said = line.recv(65536).decode()
    assert " 413 " in said.splitlines()[0] and MOST_BYTES == 25_000_000
    assert ask(served, "/face", {"who": seed(7)})[0] == 200  # the others go on


# ---------------------------------------------------------------- strangers


def test_another_site_or_name_gets_nothing(served):
    port = served.port
    assert ask(served, "/", method="GET")[0] == 200
    for headers in ({"Host": f"evil.example:{port}"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        assert ask(served, "/", method="GET", headers=headers)[0] == 403
        assert ask(served, "/face", {"who": seed(1)}, headers=headers)[0] == 403
    assert ask(served, "/face", {"who": seed(1)}, page="")[0] == 404
    assert ask(served, "/face", {"who": seed(1)}, page="short")[0] == 404
    assert ask(served, "/face", {"who": seed(1)}, headers={"Origin": f"http://127.0.0.1:{port}"})[0] == 200
    for path in ("/../etc/passwd", "/studio.js", "/%2e%2e/x", "/face"):
        assert ask(served, path, method="GET")[0] == 404


WRONG = [
    None, [], "x", {}, {"who": None}, {"who": {"form": "code"}}, {"who": seed(-1)}, {"who": seed(1.5)},
    {"who": seed(True)},
    {"who": seed(10**30)}, {"who": seed(1, truncation="a")}, {"who": seed(1, truncation=float("inf"))},
    {"who": seed(1, traits={"x" * 100: 1})}, {"who": seed(1, edits={"../x": 1})}, {"who": {"form": "photo"}},
    {"who": {"form": "photo", "photo": "../../x"}}, {"who": {"form": "between", "pair": [seed(1)]}},
    {"who": {"form": "mix", "pair": [seed(1), seed(2)]}}, {"who": seed(1, truncation=-0.5)},
    {"who": seed(1, truncation=2.5)}, {"who": {"form": "between", "pair": [seed(1), seed(2)], "t": -0.1}},
]  # fmt: skip


@pytest.mark.parametrize("body", WRONG)
def test_wrong_wishes_are_one_line(served, body):
    status, answer = ask(served, "/face", body)
    assert status == 400, answer
    assert "\n" not in json.loads(answer)["error"]


def test_what_is_no_json_and_what_is_too_deep_is_one_line(served):
    assert ask(served, "/face", b"\xff\xfe")[0] == 400
    assert ask(served, "/face", b"[" * 100_000)[0] == 400
    deep = seed(1)
    for _ in range(6):
        deep = {"form": "between", "pair": [deep, deep], "t": 0.5}
    assert ask(served, "/face", {"who": deep})[0] == 400
    assert ask(served, "/export", {"who": seed(1), "kind": "../x"})[0] == 400


# ---------------------------------------------------------------- the command


def test_a_port_in_use_names_the_next_free_one(served, capsys):
    with pytest.raises(InputError, match=rf"port {served.port} is in use; the next free one is \d+: --port"):
        StudioServer(served.studio, port=served.port)


def test_an_unknown_source_lists_the_known_ones(capsys):
    assert main(["studio", "quikstart"]) == 2
    said = capsys.readouterr().err
    assert "quickstart" in said and "heads" in said and said.count("\n") == 1
    with pytest.raises(FaceUVError):
        open_source("none.safetensors", default_model=lambda: "ProceduralFace")


def test_sources_by_name(tmp_path, model):
    path = Face.random(2, face_model=model).save(tmp_path / "ada.safetensors")
    saved = open_source(str(path), default_model=lambda: "ProceduralFace")
    assert saved.about() == {"title": "ada", "seeds": False}
    assert isinstance(open_source(None, default_model=lambda: "ProceduralFace"), HeadSource)
    with pytest.raises(FaceUVError):
        open_source(str(tmp_path), default_model=lambda: "ProceduralFace")


def test_only_this_machine_is_local():
    assert is_loopback("127.0.0.1") and is_loopback("localhost") and is_loopback("::1")
    assert not is_loopback("0.0.0.0") and not is_loopback("192.168.0.3") and not is_loopback("")
