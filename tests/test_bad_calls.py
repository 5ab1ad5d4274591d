"""A table of bad arguments of the API: each gives one line, an error of ours, and nothing half-written.

Rows are added here when something is found that ends in a traceback, a hang or a wrong picture.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from refusal import check_refused

import faceuv
from faceuv.structures import Camera, Coefficients, UVMaps

NAN, INF = float("nan"), float("inf")
HUGE = 10**30


@pytest.fixture(scope="module")
def face():
    from faceuv import Face

    return Face.random(1)


API: dict[str, Callable[[Any], Any]] = {
    "seed of text": lambda face: type(face).random("7"),
    "seed of null": lambda face: type(face).random(None),
    "seed of a fraction": lambda face: type(face).random(1.5),
    "seed of NaN": lambda face: type(face).random(NAN),
    "seed of a bool": lambda face: type(face).random(True),
    "negative seed": lambda face: type(face).random(-1),
    "seed beyond 64 bits": lambda face: type(face).random(1 << 64),
    "huge seed": lambda face: type(face).random(HUGE),
    "seed of a list": lambda face: type(face).random([1]),
    "unknown face model": lambda face: type(face).random(1, face_model="Nobody"),
    "face model of a number": lambda face: type(face).mean(face_model=3),
    "face model of a list": lambda face: type(face).mean(face_model=["ProceduralFace"]),
    "unknown renderer": lambda face: type(face).mean(renderer="nobody"),
    "renderer of a number": lambda face: type(face).mean(renderer=3),
    "renderer with a strange setting": lambda face: type(face).mean(renderer={"type": "torch", "smaples": 2}),
    "renderer with samples of text": lambda face: type(face).mean(renderer={"type": "torch", "samples": "2"}),
    "size of a fraction": lambda face: face.render(1.5),
    "size of null": lambda face: face.render(None),
    "size of text": lambda face: face.render("64"),
    "size of a bool": lambda face: face.render(True),
    "size 0": lambda face: face.render(0),
    "negative size": lambda face: face.render(-64),
    "size of NaN": lambda face: face.render(NAN),
    "size of three": lambda face: face.render((8, 8, 8)),
    "size of one": lambda face: face.render((8,)),
    "size of a pair with text": lambda face: face.render((8, "8")),
    "huge size": lambda face: face.render(10**6),
    "size beyond 64 bits": lambda face: face.render(HUGE),
    "yaw of NaN": lambda face: face.render(32, yaw_deg=NAN),
    "yaw of infinity": lambda face: face.render(32, yaw_deg=INF),
    "yaw of text": lambda face: face.render(32, yaw_deg="left"),
    "yaw of a huge number": lambda face: face.render(32, yaw_deg=10**400),
    "yaw of a list of two": lambda face: face.render(32, yaw_deg=[1.0, 2.0]),
    "pitch of an object": lambda face: face.with_pose(pitch_deg=object()),
    "unknown light": lambda face: face.render(32, light="nowhere"),
    "light of a number": lambda face: face.render(32, light=3),
    "light of null": lambda face: face.with_lighting(None),
    "light of another shape": lambda face: face.with_lighting(torch.zeros(9)),
    "light of NaN": lambda face: face.with_lighting(torch.full((3, 9), NAN)),
    "light of whole numbers": lambda face: face.with_lighting(torch.zeros(3, 9).long()),
    "background of NaN": lambda face: face.render(32, background=(NAN, 0.0, 0.0)),
    "background of infinity": lambda face: face.render(32, background=(INF, 0.0, 0.0)),
    "background of text": lambda face: face.render(32, background="white"),
    "background of two": lambda face: face.render(32, background=(0.0, 1.0)),
    "background of another size": lambda face: face.render(32, background=torch.zeros(1, 3, 8, 8)),
    "unknown movement": lambda face: face.with_expression(smlie=1.0),
    "movement of NaN": lambda face: face.with_expression(smile=NAN),
    "movement of text": lambda face: face.with_expression(smile="much"),
    "movement of null": lambda face: face.with_expression(smile=None),
    "expression of another size": lambda face: face.with_expression(torch.zeros(3)),
    "expression of NaN": lambda face: face.with_expression(torch.full((64,), NAN)),
    "expression of a list": lambda face: face.with_expression([0.0] * 64),
    "expression of text": lambda face: face.with_expression("smile"),
    "maps of a tensor": lambda face: face.with_maps(torch.zeros(1, 3, 4, 4)),
    "interpolation with nothing": lambda face: face.interpolate(None, 0.5),
    "interpolation with NaN": lambda face: face.interpolate(face, NAN),
    "interpolation with text": lambda face: face.interpolate(face, "half"),
    "a turntable without frames": lambda face: list(face.turntable(0, 16)),
    "a turntable of a fraction": lambda face: list(face.turntable(1.5, 16)),
    "a turntable of null": lambda face: list(face.turntable(None, 16)),
    "a turntable to NaN": lambda face: list(face.turntable(2, 16, yaw_deg=NAN)),
    "diffuse of size 0": lambda face: face.diffuse(0),
    "diffuse of a fraction": lambda face: face.diffuse(1.5),
    "diffuse of text": lambda face: face.diffuse("big"),
    "a missing file": lambda face: type(face).load("nowhere.safetensors"),
    "a file of null": lambda face: type(face).load(None),
    "a folder": lambda face: type(face).load("."),
    "coefficients of text": lambda face: Coefficients("data"),
    "coefficients of a list": lambda face: Coefficients([[0.0] * 257]),
    "coefficients of a negative batch": lambda face: Coefficients.zeros(-1),
    "coefficients of a fraction": lambda face: Coefficients.zeros(1.5),
    "coefficients of text as a batch": lambda face: Coefficients.zeros("2"),
    "an unknown group": lambda face: face.coefficients.view("nose"),
    "an unknown group replaced": lambda face: face.coefficients.replace(nose=torch.zeros(1, 3)),
    "a group of text": lambda face: face.coefficients.replace(rotation="left"),
    "a group of a list": lambda face: face.coefficients.replace(rotation=[0.0, 0.0, 0.0]),
    "maps of text": lambda face: UVMaps("data"),
    "a camera at NaN": lambda face: Camera(distance=NAN),
    "a camera at infinity": lambda face: Camera(distance=INF),
    "an infinite focal length": lambda face: Camera(focal=INF),
    "a focal length of 0": lambda face: Camera(focal=0.0),
    "a focal length of text": lambda face: Camera(focal="wide"),
    "a near plane of NaN": lambda face: Camera(near=NAN),
    "a seed of codes beyond 64 bits": lambda face: quickstart().sample(1 << 64),
    "a seed of codes of text": lambda face: quickstart().sample("1"),
    "a negative seed of codes": lambda face: quickstart().sample(-1),
    "truncation of NaN": lambda face: quickstart().sample(1, truncation=NAN),
    "truncation of infinity": lambda face: quickstart().sample(1, truncation=INF),
    "truncation of text": lambda face: quickstart().sample(1, truncation="some"),
    "an unknown generator": lambda face: faceuv.load("nobody"),
    "a generator of null": lambda face: faceuv.load(None),
    "a generator of a number": lambda face: faceuv.load(3),
}


@functools.cache
def quickstart() -> Any:
    return faceuv.load("quickstart")


@pytest.mark.parametrize("call", API.values(), ids=API)
def test_api(face, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_refused(lambda: call(face), tmp_path, limit=2000)  # an unknown movement lists the known ones


SAVES: dict[str, Callable[[Any], Any]] = {
    "an unknown suffix": lambda face: face.save("a.txt"),
    "no suffix": lambda face: face.save("a"),
    "a folder": lambda face: face.save("folder.glb"),
    "below a file": lambda face: face.save("file/a.glb"),
    "a path of null": lambda face: face.save(None),
    "an animation of an unknown suffix": lambda face: face.save_turntable("a.txt", frames=2, size=32),
    "no frames per second": lambda face: face.save_turntable("a.gif", frames=2, size=32, fps=0),
    "NaN frames per second": lambda face: face.save_turntable("a.gif", frames=2, size=32, fps=NAN),
    "infinite frames per second": lambda face: face.save_turntable("a.gif", frames=2, size=32, fps=INF),
    "a film that never moves": lambda face: face.save_turntable("a.mp4", frames=2, size=32, fps=0.0001),
    "frames per second of text": lambda face: face.save_turntable("a.gif", frames=2, size=32, fps="fast"),
    "no frames": lambda face: face.save_turntable("a.gif", frames=0, size=32),
    "metadata that is no JSON": lambda face: replace(face, metadata={"a": object()}).save("a.safetensors"),
}


@pytest.mark.parametrize("call", SAVES.values(), ids=SAVES)
def test_saving(face, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.glb").mkdir()
    (tmp_path / "file").write_text("a file")
    check_refused(lambda: call(face), tmp_path)


GOOD: dict[str, Callable[[Any], Any]] = {
    "a seed of numpy": lambda face: type(face).random(np.int64(3), face_model=face.face_model),
    "a seed of numpy, unsigned": lambda face: type(face).random(np.uint8(3), face_model=face.face_model),
    "a seed of torch": lambda face: type(face).random(torch.tensor(3), face_model=face.face_model),
    "a size of numpy": lambda face: face.render(np.int64(32)),
    "a pair of numpy": lambda face: face.render((np.int32(16), np.int64(24))),
    "a yaw of numpy": lambda face: face.render(16, yaw_deg=np.float32(20)),
    "a movement of numpy": lambda face: face.with_expression(smile=np.float64(0.5)),
    "frames of numpy": lambda face: list(face.turntable(np.int64(2), 16)),
    "a background of numpy": lambda face: face.render(16, background=np.zeros(3)),
}


@pytest.mark.parametrize("call", GOOD.values(), ids=GOOD)
def test_numbers_of_numpy_are_numbers(face, call):
    call(face)


def test_whole_turns_are_no_turn(face):
    """Also a billion degrees: 280 of them, for 2,777,777 whole turns."""
    plain = face.render(32, yaw_deg=280.0 - 360)
    torch.testing.assert_close(face.render(32, yaw_deg=1e9), plain, atol=2e-3, rtol=0)
    torch.testing.assert_close(face.render(32, yaw_deg=np.float64(-360.0 * 1e6 - 80)), plain, atol=2e-3, rtol=0)


def test_homes_of_nobody(tmp_path, monkeypatch):
    from faceuv import Face
    from faceuv.files.assets import asset_folders
    from faceuv.files.cache import cache_dir

    nobody = "~nobody_of_this_name"
    for variable, ask in (
        ("FACEUV_ASSETS", asset_folders),
        ("FACEUV_CACHE", cache_dir),
        ("FACEUV_CACHE", lambda: Face.random(1)),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(variable, f"{nobody}/x")
            assert nobody in check_refused(ask, tmp_path)
    assert nobody in check_refused(lambda: faceuv.load(f"{nobody}/generator"), tmp_path)
