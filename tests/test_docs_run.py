"""README and docs run: every Python block, every `faceuv …` line.

The blocks of a page run in order in one namespace, in an empty folder. A block with ``read_base`` is a config and is
loaded as one. ``<!-- not run: why -->`` before a block says that it needs files that nobody may pass on, or hours.
"""

from __future__ import annotations

import ast
import re
import shlex
import textwrap
from pathlib import Path

import pytest
import torch

from faceuv.cli.main import COMMANDS, build_parser, main
from faceuv.engine import find_config, load_config
from faceuv.errors import InputError
from faceuv.registry import all_registries

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"(?:<!-- not run: (.+?) -->\n)?^([ ]*)```(\w*)\n(.*?)^[ ]*```$", re.DOTALL | re.MULTILINE)
MOST_NOT_RUN = 6


def name_of(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page, *languages):
    """(line, code, why it is not run) of the fenced blocks."""
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        if found.group(3) in languages:
            yield text[: found.start(4)].count("\n") + 1, textwrap.dedent(found.group(4)), found.group(1)


@pytest.mark.parametrize("page", [page for page in PAGES if any(blocks(page, "python"))], ids=name_of)
def test_every_python_block_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    registered = {kind: set(registry.names()) for kind, registry in all_registries().items()}
    state = torch.random.get_rng_state()
    try:
        for line, code, why in blocks(page, "python"):
            if why:
                ast.parse(code)
                continue
            try:
                if "read_base" in code:
                    file = tmp_path / f"config_{line}.py"
                    file.write_text(code, encoding="utf-8")
                    load_config(str(file))
                else:
                    exec(compile(code, f"{name_of(page)}:{line}", "exec"), names)
            except Exception as error:
                pytest.fail(f"{name_of(page)}, the block at line {line}: {type(error).__name__}: {error}")
    finally:
        torch.random.set_rng_state(state)
        for kind, registry in all_registries().items():  # examples register parts; they go with the page
            for name in set(registry.names()) - registered[kind]:
                del registry._module_dict[name]


def test_few_blocks_are_not_run_and_each_says_why():
    skipped = [(name_of(page), line, why) for page in PAGES for line, _, why in blocks(page, "python") if why]
    assert len(skipped) <= MOST_NOT_RUN, skipped
    assert all(re.search(r"\b(needs|takes)\b", why) for _, _, why in skipped)


def written(page):
    """(line, text) of every `faceuv …` line: in fenced blocks, and in code spans of one command."""
    text = page.read_text(encoding="utf-8")
    for line, code, _ in [*blocks(page, "bash", "", "text")]:
        for row, content in enumerate(code.splitlines()):
            for part in re.split(r"&&|\|(?=\s)", content.split("  #")[0].removeprefix("$ ")):
                found = re.match(r"\s*(?:python -m |torchrun .*? -m |docker run .*? )?faceuv (.*)", part)
                if found and "import" not in part.split()[1:2]:
                    yield line + row, found.group(1)
    prose = BLOCK.sub(lambda found: "\n" * found.group().count("\n"), text)
    for span in re.finditer(r"`(?:python -m )?faceuv ([^`]+)`", prose):
        yield prose[: span.start()].count("\n") + 1, " ".join(span.group(1).split())


LINES = [(name_of(page), line, text) for page in PAGES for line, text in written(page)]


def parsed(text):
    """What the parser makes of a line; None for a synopsis, whose options are looked up one by one."""
    words = shlex.split(text.replace("…", "").replace("FIGURE", "all"), comments=True)
    if not words or words[0].startswith("-") or words[0] == "COMMAND":
        return None
    assert words[0] in COMMANDS, f"no command is called {words[0]!r}"
    if "[" in text or "…" in text or len(words) == 1:
        help_text = subparser(words).format_help()
        for option in re.findall(r"--[\w-]+", text):
            assert re.search(rf"{option}(?![\w-])", help_text), f"faceuv {words[0]} has no option {option}"
        return None
    try:
        return build_parser().parse_args(words)
    except (InputError, SystemExit):
        pytest.fail(f"faceuv {text}: the parser refuses it")


def subparser(words):
    """The parser of the command, and of its part where it has parts (``convert flame``)."""
    parser = build_parser()
    for word in words:
        chosen = [a.choices for a in parser._actions if isinstance(a.choices, dict) and word in a.choices]
        if not chosen:
            break
        parser = chosen[0][word]
    return parser


@pytest.mark.parametrize(("page", "line", "text"), LINES, ids=lambda value: str(value)[:60])
def test_every_command_line_is_one_that_the_parser_takes(page, line, text):
    args = parsed(text)
    config = getattr(args, "config", None)
    if config and config != "CONFIG" and not config.startswith("my_"):
        if config.startswith("configs/"):
            assert (ROOT / config).exists(), f"{page}:{line} names {config}"
        else:
            find_config(config)


def test_there_are_lines_to_check():
    assert len(LINES) > 60
    assert {text.split()[0] for _, _, text in LINES} >= set(COMMANDS)


QUICK = sorted({text for _, _, text in LINES if text in ("list", "doctor") or
                (text.endswith(" --plan") and "CONFIG" not in text and "ffhq" not in text)})  # fmt: skip


@pytest.mark.parametrize("text", QUICK)
def test_the_quick_ones_run(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(text)) == 0
    assert capsys.readouterr().out


def scripts(text):
    """(file, options) of every `python tools/….py` and `python -m tools.…` line; a \\ goes on in the next line."""
    for found in re.finditer(
        r"python3? (-m )?((?:tools|benchmarks|examples)[\w./]+)([^\n`#]*)", text.replace("\\\n", " ")
    ):
        name = found[2].replace(".", "/") + "/__main__.py" if found[1] else found[2]
        yield name, re.findall(r"--[a-z][\w-]*", found[3])


SCRIPTS = [(name_of(page), *found) for page in PAGES for found in scripts(page.read_text(encoding="utf-8"))]


@pytest.mark.parametrize(("page", "name", "options"), SCRIPTS)
def test_scripts_are_there_and_have_the_options(page, name, options):
    code = (ROOT / name).read_text(encoding="utf-8")
    assert all(f'"{option}"' in code for option in options), (page, name, options)


def test_there_are_scripts_to_check():
    assert len(SCRIPTS) > 20 and any(options for _, _, options in SCRIPTS)


def test_a_wrong_line_is_found():
    with pytest.raises(AssertionError, match="no command is called 'rendre'"):
        parsed("rendre face.safetensors")
    with pytest.raises(pytest.fail.Exception, match="the parser refuses"):
        parsed("render face.safetensors --yaw 30 --out a.png --lihgt left")
    with pytest.raises(AssertionError, match="no option --resum"):
        parsed("train CONFIG [--resum]")
