"""The files around the package: they parse, and what they name exists."""

from __future__ import annotations

import importlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from faceuv.registry import all_registries

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TARGETS = ("install", "lint", "test", "docs", "ci")


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def command_exists(word):
    """Installed beside this Python, on the PATH, or a file of the repository that can be run."""
    beside = Path(sys.executable).parent / word
    return beside.exists() or shutil.which(word) is not None or os.access(ROOT / word, os.X_OK)


def test_the_citation_names_the_library_and_the_paper():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "type", "authors", "license"} <= set(citation)
    assert citation["authors"] == [{"name": "faceuv contributors"}]
    assert citation["license"] == PROJECT["license"]
    (paper,) = citation["references"]
    assert (paper["type"], paper["year"]) == ("conference-paper", 2022)
    assert "StyleFaceUV" in paper["title"]
    assert [author["family-names"] for author in paper["authors"]] == ["Chung", "Zhu", "Shen", "Wu", "Chuang"]


def test_hooks_before_a_commit_are_local_and_their_commands_exist():
    config = yaml.safe_load(read(".pre-commit-config.yaml"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    entries = [hook["entry"] for hook in config["repos"][0]["hooks"]]
    assert [entry.split(" --")[0] for entry in entries] == ["ruff check", "ruff format", "mypy"]
    assert all(command_exists(shlex.split(entry)[0]) for entry in entries)


def test_continuous_integration_runs_ci_run():
    workflow = yaml.safe_load(read(".github/workflows/ci.yml"))
    job = workflow["jobs"]["ci"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    assert ".ci/run" in commands
    assert os.access(ROOT / ".ci/run", os.X_OK)
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert job["strategy"]["matrix"]["python"][0] == oldest
    subprocess.run(["bash", "-n", ROOT / ".ci/run"], check=True)


@pytest.mark.parametrize("target", TARGETS)
def test_the_makefile_has_five_targets(target):
    make = shutil.which("make")
    if make is None:
        pytest.skip("make is not installed")
    text = read("Makefile")
    assert re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE).group(1).split() == list(TARGETS)
    done = subprocess.run([make, "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"`make {target}`" in read("CONTRIBUTING.md")
    for line in done.stdout.splitlines():
        word = shlex.split(line)[0].removeprefix(".venv/bin/")
        assert command_exists(word), f"make {target} runs {word}, which does not exist"


def test_issue_forms_have_what_github_asks_for():
    forms = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*_*.yml"))
    assert len(forms) == 2
    for path in forms:
        form = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert form["name"] and form["description"], path
        names = [field["id"] for field in form["body"]]
        assert len(set(names)) == len(names)
        assert all(field["type"] in ("textarea", "input", "dropdown", "checkboxes") for field in form["body"])
        assert all(field["attributes"]["label"] for field in form["body"])


def test_the_dockerfile_copies_files_that_exist_and_starts_our_command():
    lines = read("Dockerfile").splitlines()
    copied = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    assert {"pyproject.toml", "faceuv"} <= set(copied)
    for name in copied:
        assert (ROOT / name).exists(), f"Dockerfile copies {name}, which does not exist"
    assert {PROJECT["readme"], *PROJECT["license-files"]} <= set(copied)  # the build needs them
    (extras,) = re.findall(r'pip install "\.\[([\w,]+)\]"', "\n".join(lines))
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    (entry,) = [line for line in lines if line.startswith("ENTRYPOINT")]
    assert yaml.safe_load(entry.removeprefix("ENTRYPOINT ")) == ["faceuv"]
    assert "faceuv" in PROJECT["scripts"]


@pytest.mark.parametrize(
    "page", ["CONTRIBUTING.md", "SECURITY.md", "docs/install.md", ".github/PULL_REQUEST_TEMPLATE.md"]
)
def test_pages_for_contributors_name_what_exists(page):
    text = read(page)
    for target in re.findall(r"\]\(([^)#\s]+)\)", text):
        if not target.startswith("https://"):
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}, which does not exist"
    for extras in re.findall(r"\.\[([\w,]+)\]", text):
        assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"]), f"{page}: no extra {extras}"
    for name in re.findall(r"pytest (tests/\S+)", text):
        assert (ROOT / name).exists(), f"{page} runs {name}, which does not exist"
    for target in re.findall(r"`make (\w+)`", text):
        assert target in TARGETS, f"{page}: make has no target {target}"


def test_the_contributing_page_names_classes_registries_and_folders_that_exist():
    text = read("CONTRIBUTING.md")
    rows = re.findall(r"^\| an? (.+?) \| (.+?) \| `(\w+)` \| `(faceuv/\S+)` \|$", text, re.MULTILINE)
    assert len(rows) == 6
    from faceuv import registry

    for what, base, kind, folder in rows:
        assert getattr(registry, kind) in all_registries().values(), f"{what}: no registry {kind}"
        assert (ROOT / folder).is_dir(), f"{what}: no folder {folder}"
        for dotted in re.findall(r"`(faceuv\.[\w.]+)`", base):
            module, name = dotted.rsplit(".", 1)
            assert hasattr(importlib.import_module(module), name), f"{what}: {dotted} does not exist"
    for path in re.findall(r"`(faceuv/[\w/]+\.py)`", text):
        assert path == "faceuv/losses/mine.py" or (ROOT / path).exists(), f"CONTRIBUTING.md names {path}"


def test_the_reading_path_names_files_that_exist_and_is_short():
    text = read("CONTRIBUTING.md")
    section = text.split("<!-- reading-path: start -->")[1].split("<!-- reading-path: end -->")[0]
    for path in re.findall(r"`((?:faceuv|configs)/[\w/]+\.py)`", section):
        assert (ROOT / path).exists(), f"the reading path names {path}, which does not exist"


def test_the_install_page_lists_every_extra():
    text = read("docs/install.md")
    listed = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    assert listed == set(PROJECT["optional-dependencies"])
