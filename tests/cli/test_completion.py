"""Shell completion, tried in the shells that are installed."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from faceuv.cli.completion import recipes, script
from faceuv.cli.main import COMMANDS, build_parser, main
from faceuv.engine import find_config


def completed(*words):
    """What bash offers for the last of these words."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    line = " ".join(f"'{word}'" for word in ("faceuv", *words))
    code = f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _faceuv; echo ${{COMPREPLY[@]}}"
    done = subprocess.run([bash, "-c", script("bash", build_parser()) + code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.split()


def test_commands_options_figures_and_recipes():
    assert completed("ren") == ["render"]
    assert set(COMMANDS) <= set(completed(""))
    assert completed("render", "--yaw") == ["--yaw-deg"]
    assert completed("generate", "exp") == ["expressions"]
    assert "stylefaceuv_quickstart" in completed("train", "stylefaceuv_q")
    assert completed("convert", "bf") == ["bfm"]
    assert completed("completion", "z") == ["zsh"]
    assert completed("render", "stylefaceuv") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_printed_and_the_shell_takes_it(shell, capsys):
    assert main(["completion", shell]) == 0
    out = capsys.readouterr().out
    assert all(command in out for command in COMMANDS)
    if shutil.which(shell) is not None:
        subprocess.run([shutil.which(shell), "-n"], input=out, text=True, check=True)


def test_every_recipe_that_is_offered_exists():
    for name in recipes():
        find_config(name)
