"""What the commands print on streams of all kinds, and paths that look like rich's markup."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from faceuv.cli.main import main


def command(*words: str, **options) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COLUMNS": "200", **options.pop("env", {})}
    return subprocess.run(
        [sys.executable, "-m", "faceuv", *words], capture_output=True, timeout=300, env=environment, **options
    )


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_an_encoding_without_arrows(encoding, tmp_path):
    """As every redirect has on Windows. One process for both commands: starting it is what takes time."""
    environment = {**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": f"{encoding}:strict"}
    words = ["train", "no_such_recipe→", "--work-dir", str(tmp_path)]
    both = f"from faceuv.cli.main import main; print(main({words!a}), main(['list']))"
    done = subprocess.run([sys.executable, "-c", both], capture_output=True, timeout=300, env=environment)
    assert done.returncode == 0 and done.stdout.split()[-2:] == [b"2", b"0"], done.stderr
    assert b"no config at no_such_recipe?" in done.stderr and done.stderr.count(b"\n") == 1, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="closes a stream as POSIX shells do")
@pytest.mark.parametrize("closed", [(1,), (2,), (1, 2)])
def test_closed_streams(closed):
    done = command("list", "renderers", preexec_fn=lambda: [os.close(stream) for stream in closed])
    assert done.returncode == 0, done.stderr
    failed = command("list", "nothing", preexec_fn=lambda: [os.close(stream) for stream in closed])
    assert failed.returncode == 2, failed.stderr


def test_square_brackets_are_text(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (
        main(["sample", "--num", "1", "--size", "32", "--face-model", "ProceduralFace", "--out", "o[/b]x[final]"]) == 0
    )
    assert "o[/b]x[final]" in capsys.readouterr().out
    assert (tmp_path / "o[/b]x[final]" / "sheet.png").is_file()


def test_the_install_line_is_whole(capsys):
    main(["doctor"])
    out = capsys.readouterr().out
    assert '"faceuv[' in out and "\\[" not in out
