"""A user without HOME and without an entry in the list of users, as in many containers."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from faceuv.home import have_a_home

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the home folder is found in another way")
NOBODY = """
import os, pwd, sys
for name in ("HOME", "FACEUV_CACHE", "XDG_CACHE_HOME", "FACEUV_ASSETS", "XDG_DATA_HOME"):
    os.environ.pop(name, None)
def nobody(*_): raise KeyError("no such user")
pwd.getpwuid = nobody
"""


def run(code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", NOBODY + code, str(tmp_path / "out")],
        capture_output=True, text=True, timeout=300, env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture
def nobody(monkeypatch, tmp_path):
    import pwd

    def unknown(*_):
        raise KeyError("no such user")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setenv("HOME", "set so that it is put back")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path / f"faceuv-home-{os.getuid()}"


def test_the_library(tmp_path):
    out = run("from faceuv import Face\nprint(tuple(Face.random(seed=1).render(16).shape))", tmp_path)
    assert out == "(3, 16, 16)\n"
    assert (tmp_path / f"faceuv-home-{os.getuid()}" / ".cache" / "faceuv").is_dir()


def test_the_command_line(tmp_path):
    code = """
from faceuv.cli.main import main
for words in (["list", "renderers"], ["sample", "--num", "1", "--size", "32", "--face-model", "ProceduralFace",
                                      "--out", sys.argv[1]]):
    assert main(words) == 0
main(["doctor"])
"""
    run(code, tmp_path)
    assert (tmp_path / "out" / "sheet.png").is_file()


def test_a_home_is_left_as_it_is(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    have_a_home()
    assert os.environ["HOME"] == "/somewhere"


def test_the_folder_is_private_and_kept(nobody):
    for _ in range(2):
        os.environ.pop("HOME", None)
        have_a_home()
        assert os.environ["HOME"] == str(nobody)
    assert stat.S_IMODE(nobody.stat().st_mode) == 0o700


@pytest.mark.parametrize("made", ["open", "link"])
def test_a_folder_that_others_can_write_is_not_taken(nobody, tmp_path, made):
    if made == "open":
        nobody.mkdir()
        nobody.chmod(0o777)
    else:
        (tmp_path / "elsewhere").mkdir(0o700)
        nobody.symlink_to(tmp_path / "elsewhere")
    have_a_home()
    assert os.environ["HOME"] != str(nobody)
    assert os.environ["HOME"].startswith(str(nobody.parent / "faceuv-home-"))
