"""Files of blend shapes per frame → animations → films."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from faceuv.animation import ARKitAnimation, animated, not_shown, read_animation, save_animation
from faceuv.cli.main import main
from faceuv.errors import AssetError, FaceUVError, InputError
from faceuv.face import Face
from faceuv.models.faces.arkit import NAMES

PASCAL = [name[0].upper() + name[1:] for name in NAMES]
ANGLES = [f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll")]


def column(name: str) -> int:
    return NAMES.index(name)


def live_link(path, frames=4, codes=None, **amounts):
    """A table as Live Link Face writes it; ``amounts``: name → one value per frame."""
    lines = [",".join(["Timecode", "BlendshapeCount", *PASCAL, *ANGLES])]
    for k in range(frames):
        values = [amounts.get(name, [0.0] * frames)[k] for name in (*NAMES, *ANGLES)]
        code = codes[k] if codes else f"14:03:52:{28 + k:02d}.207"
        lines.append(",".join([code, "61", *(str(value) for value in values)]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def face():
    return Face.random(3, face_model={"type": "ProceduralFace", "rows": 97, "columns": 81})


def test_live_link_face(tmp_path):
    path = live_link(tmp_path / "take.csv", jawOpen=[0, 0.1, 0.2, 0.3], mouthSmileLeft=[0.5] * 4,
                     HeadYaw=[0.2] * 4, HeadPitch=[0.1] * 4, HeadRoll=[-0.3] * 4)  # fmt: skip
    animation = read_animation(path)
    assert len(animation) == 4 and animation.named == NAMES
    assert animation.times.tolist() == pytest.approx([k / 48 for k in range(4)])  # frame 31: the smallest rate is 48
    assert animation.weights[:, column("jawOpen")].tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
    assert animation.weights[:, column("mouthSmileRight")].abs().sum() == 0
    assert animation.head[0].tolist() == pytest.approx([0.1, 0.2, -0.3])  # pitch, yaw, roll
    faster = read_animation(path, fps=60)
    assert faster.times.tolist() == pytest.approx([k / 60 for k in range(4)])


def test_timecodes_pass_seconds_midnight_and_repeat(tmp_path):
    codes = ["23:59:59:58.0", "23:59:59:59.0", "00:00:00:00.0", "00:00:00:00.0"]
    animation = read_animation(live_link(tmp_path / "a.csv", codes=codes, jawOpen=[0.1, 0.2, 0.3, 0.4]))
    assert animation.times.tolist() == pytest.approx([0, 1 / 60, 2 / 60])
    assert animation.weights[:, column("jawOpen")].tolist() == pytest.approx([0.1, 0.2, 0.4])  # the last of a moment


def test_a_plain_table(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text("time,jawOpen,eyeBlink_L\n0,0,1\n0.5,1,0\n1.5,0,0\n")
    animation = read_animation(path)
    assert animation.named == ("jawOpen", "eyeBlinkLeft") and animation.head is None
    assert animation.times.tolist() == [0, 0.5, 1.5]
    steady = animation.at(4)
    assert len(steady) == 7
    assert steady.weights[:, column("jawOpen")].tolist() == pytest.approx([0, 0.5, 1, 0.75, 0.5, 0.25, 0])
    path.write_text("jawOpen\n0\n0.5\n")
    assert read_animation(path, fps=10).times.tolist() == pytest.approx([0, 0.1])


def a2f(**changes):
    data = {"exportFps": 30, "trackPath": "a.wav", "numPoses": 2, "numFrames": 3,
            "facsNames": ["jawOpen", "mouthPucker"], "weightMat": [[0, 0.1], [0.5, 0.2], [1.2, -0.1]]}  # fmt: skip
    return json.dumps({key: value for key, value in (data | changes).items() if value is not None})


def test_audio2face(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(a2f())
    animation = read_animation(path)
    assert animation.times.tolist() == pytest.approx([0, 1 / 30, 2 / 30])
    assert animation.weights[:, column("jawOpen")].tolist() == pytest.approx([0, 0.5, 1.0])
    assert animation.limited == 2  # 1.2 and -0.1
    path.write_text(a2f(exportFps=None))
    assert read_animation(path, fps=15).times.tolist() == pytest.approx([0, 1 / 15, 2 / 15])


BAD_JSON = [
    (a2f(exportFps=0), "fps must be within"),
    (a2f(exportFps=None), "lacks exportFps"),
    (a2f(exportFps="fast"), "fps must be a finite number"),
    (a2f(facsNames=None), "lacks facsNames"),
    (a2f(weightMat=None), "lacks weightMat"),
    (a2f(facsNames=["jawOpne", "mouthPucker"]), "'jawOpne' is not one of ARKit's 52 blend shapes; did you mean"),
    (a2f(numFrames=7), "numFrames says 7, but there are 3"),
    (a2f(numPoses=52), "numPoses says 52, but there are 2"),
    (a2f(weightMat=[[0, 0.1], [0.5], [1, 0]]), "frame 1 of weightMat must have 2 numbers, got 1"),
    (a2f(weightMat=[[0, "x"], [0, 0], [0, 0]]), "frame 0: mouthPucker must be an amount"),
    (a2f(weightMat=[[0, math.nan], [0, 0], [0, 0]]), "frame 0: mouthPucker must be an amount"),
    (a2f(weightMat=[[0, 45], [0, 0], [0, 0]]), "frame 0: mouthPucker must be an amount"),
    (a2f(weightMat=[], numFrames=0), "weightMat must be a list of 1"),
    (a2f(facsNames=["jawOpen", "jawOpen"]), "jawOpen stands in two columns"),
    ("[1, 2]", "expected an object"),
    ("{", "not readable as JSON"),
]


@pytest.mark.parametrize(("text", "said"), BAD_JSON, ids=range(len(BAD_JSON)))
def test_bad_json_is_one_line(tmp_path, text, said):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(FaceUVError, match=said) as caught:
        read_animation(path)
    assert "\n" not in str(caught.value) and "bad.json" in str(caught.value)


HEADER = ",".join(["Timecode", "BlendshapeCount", *PASCAL])
ZEROS = ",".join(["0"] * 52)
BAD_CSV = [
    ("Timecode,BlendshapeCount,JawOpen\n0:0:0:0,61,0\n", "Live Link Face's table lacks eyeBlinkLeft, eyeLookDownLeft"),
    ("jawOpen,mouthPucker\n0,0\n0\n", "row 3 has 1 columns, the header 2"),
    ("jawOpen\nnan\n", "row 2: jawOpen must be a finite number, got 'nan'"),
    ("jawOpen,mouthPucker\n0,\n", "row 2: mouthPucker must be a finite number, got ''"),
    ("jawOpen\n45\n", "row 2: jawOpen is 45; amounts go from 0 to 1"),
    ("jawOpen\n", "at least one row of numbers"),
    ("", "at least one row of numbers"),
    ("jawOpne\n0\n", "did you mean 'jawOpen'"),
    ("time,seconds\n0,0\n", "no column is a blend shape"),
    ("jawOpen,JawOpen\n0,0\n", "stands twice in the header"),
    ("time,jawOpen\n1,0\n1,0\n", "the times of an animation must rise; frame 1"),
    ("jawOpen,HeadYaw\n0,0\n", "the head's angles come together"),
    ("jawOpen,HeadYaw,HeadPitch,HeadRoll\n0,35,0,0\n", "radians, got 35: are they degrees"),
    (f"{HEADER}\n1:2:3,61,{ZEROS}\n", "the timecode must read HH:MM:SS:FF"),
    (f"{HEADER}\n0:0:2:5,61,{ZEROS}\n0:0:1:5,61,{ZEROS}\n", "row 3: its timecode is earlier"),
    (f"{HEADER}\n0:0:2:299,61,{ZEROS}\n", "counts 300 frames in a second; say the rate"),
]


@pytest.mark.parametrize(("text", "said"), BAD_CSV, ids=range(len(BAD_CSV)))
def test_bad_csv_is_one_line(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(FaceUVError, match=said) as caught:
        read_animation(path)
    assert "\n" not in str(caught.value) and "bad.csv" in str(caught.value)


def test_other_bad_files(tmp_path):
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00jaw")
    for name in ("binary.csv", "absent.csv", "absent.json", "film.bvh"):
        with pytest.raises(AssetError) as caught:
            read_animation(tmp_path / name)
        assert "\n" not in str(caught.value)
    good = tmp_path / "good.csv"
    good.write_text("jawOpen\n0\n")
    with pytest.raises(InputError, match="fps must be within"):
        read_animation(good, fps=0)


def test_faces_move_as_the_animation_says(face):
    rows = torch.tensor([[0.0, 0.0], [0.5, 0.3]])
    head = torch.tensor([[0.0, 0.0, 0.0], [0.1, 0.4, 0.0]])
    animation = ARKitAnimation.of(["jawOpen", "tongueOut"], rows, fps=10, head=head)
    first, second = animated(face, animation)
    names, full = face.face_model.mode_names["expression"], face.face_model.metadata["full_expression"]
    assert first.coefficients.expression[0, names.index("jaw_open")] == 0
    assert second.coefficients.expression[0, names.index("jaw_open")] == pytest.approx(0.5 * full["jaw_open"])
    smile = names.index("smile_left")  # not in the animation: stays the face's own
    assert second.coefficients.expression[0, smile] == face.coefficients.expression[0, smile]
    assert second.pose[0][0].tolist() == pytest.approx([0.1, 0.4, 0.0], abs=1e-6)
    assert not_shown(face, animation) == {"tongueOut": pytest.approx(0.3)}
    still = list(animated(face, animation, head=False))[1]
    assert not still.pose[0].any()


def test_a_film(tmp_path, face):
    animation = ARKitAnimation.of(["jawOpen"], torch.tensor([[0.0], [1.0], [0.0]]), fps=2)
    path = save_animation(tmp_path / "film.gif", face, animation, fps=4, size=48)
    with Image.open(path) as film:
        assert film.n_frames == 5  # 1 s at 4 frames per second, both ends
        closed = film.convert("RGB").tobytes()
        film.seek(2)
        assert film.convert("RGB").tobytes() != closed
    with pytest.raises(InputError, match=r"ends in \.gif, \.mp4, \.glb"):
        save_animation(tmp_path / "film.avi", face, animation)


def _glb(path):
    """The JSON of a GLB, and a function that reads an accessor of floats."""
    data = path.read_bytes()
    length = int.from_bytes(data[12:16], "little")
    found, binary = json.loads(data[20 : 20 + length]), data[28 + length :]

    def numbers(index):
        accessor = found["accessors"][index]
        view = found["bufferViews"][accessor["bufferView"]]
        width = {"SCALAR": 1, "VEC4": 4}[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        return np.frombuffer(binary, np.float32, accessor["count"] * width, start).reshape(-1, width)

    return found, numbers


def test_a_mesh_that_moves(tmp_path, face):
    rows = torch.tensor([[0.0, 0.0], [0.5, 1.0], [0.25, 0.0]])
    animation = ARKitAnimation.of(["jawOpen", "eyeBlinkLeft"], rows, times=torch.tensor([0.0, 0.5, 2.0]))
    started = face.with_arkit(jawOpen=0.8)
    found, numbers = _glb(save_animation(tmp_path / "moving.glb", started, animation))
    (moving,) = found["animations"]
    (channel,) = moving["channels"]
    assert channel["target"]["path"] == "weights"
    sampler = moving["samplers"][channel["sampler"]]
    assert numbers(sampler["input"])[:, 0].tolist() == pytest.approx([0, 0.5, 2.0])
    names = found["meshes"][0]["extras"]["targetNames"]
    weights = numbers(sampler["output"]).reshape(3, len(names))
    assert weights[:, names.index("jawOpen")].tolist() == pytest.approx([0, 0.5, 0.25])
    assert weights[:, names.index("eyeBlinkLeft")].tolist() == pytest.approx([0, 1, 0])
    assert found["meshes"][0]["weights"][names.index("jawOpen")] == 0  # not added to the face's own open mouth
    with pytest.raises(InputError, match="needs its morph targets"):
        save_animation(tmp_path / "still.glb", face, animation, blend_shapes=False)


def test_the_command(tmp_path, monkeypatch, capsys, face):
    monkeypatch.chdir(tmp_path)
    face.save("face.safetensors")
    live_link(tmp_path / "take.csv", jawOpen=[0, 0.3, 0.6, 1.0], tongueOut=[0, 0, 0, 0.4])
    assert main(["animate", "face.safetensors", "take.csv", "--out", "film.gif", "--size", "32", "--fps", "24"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "cannot show tongueOut (up to 0.40)" in said and "2 frames" in said
    assert (tmp_path / "film.gif").is_file()
    live_link(tmp_path / "turn.csv", jawOpen=[0, 0.3, 0.6, 1.0], HeadYaw=[0, 0.1, 0.2, 0.3])
    assert main(["animate", "face.safetensors", "turn.csv", "--out", "moving.glb"]) == 0
    assert "no joint for it" in " ".join(capsys.readouterr().out.split())
    assert len(_glb(tmp_path / "moving.glb")[0]["animations"]) == 1
    for words, line in (
        (["animate", "face.safetensors", "take.csv", "--out", "film.avi"], "--out must end in"),
        (["animate", "face.safetensors", "absent.csv", "--out", "a.gif"], "no such file"),
        (["animate", "absent.safetensors", "take.csv", "--out", "a.gif"], "absent.safetensors"),
        (["animate", "no_such_generator", "take.csv", "--out", "a.gif"], "no_such_generator"),
        (["animate", "face.safetensors", "take.csv", "--out", "a.gif", "--fps", "0"], "--fps"),
        (["animate", "face.safetensors", "take.csv", "--out", "a.gif", "--source-fps", "12"], "fps=12"),
    ):
        assert main(words) == 2
        errors = capsys.readouterr().err.strip()
        assert line in errors and "\n" not in errors, errors
        assert not (tmp_path / "a.gif").exists()
