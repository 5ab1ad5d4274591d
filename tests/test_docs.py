"""The documentation is true: every registered component has its row, every link leads somewhere, the README's commands
are the ones that run."""

from __future__ import annotations

import importlib
import importlib.util
import re
from pathlib import Path

import pytest

from faceuv.cli.main import COMMANDS
from faceuv.evaluation.meanings import PICTURES, TRUTH, TURNED, unmet
from faceuv.registry import all_registries

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_every_component_has_a_row():
    text = (ROOT / "docs" / "components.md").read_text(encoding="utf-8")
    for kind, registry in all_registries().items():
        for name in registry.names():
            if registry.get(name).__module__.startswith("faceuv."):
                assert f"| `{name}` |" in text, f"{kind}: {name} has no row in docs/components.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}, which does not exist"


def test_the_readme_names_every_command():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"faceuv {command}" in text, f"README.md does not mention `faceuv {command}`"


def test_no_requirement_names_a_package_that_is_not_its_authors():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    required = [
        line for line in lines if re.match(r'\s*(\w+\s*=\s*\[)?\s*"', line) and not line.strip().startswith("#")
    ]
    for line in required:
        if "ignore_missing_imports" in line or ".*" in line:
            continue
        assert not re.search(r'"(drtk|pytorch3d|nvdiffrast)\b', line, re.IGNORECASE), line


def reference_paths():
    pages = sorted((ROOT / "docs" / "reference").glob("*.md"))
    return [
        path for page in pages for path in re.findall(r"^::: (\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    ]


@pytest.mark.parametrize("path", reference_paths())
def test_the_reference_names_modules_that_exist(path):
    module = importlib.import_module(path)
    listed = getattr(module, "__all__", [])
    assert all(hasattr(module, name) for name in listed)
    assert module.__doc__, f"{path} is a page of the reference and has no docstring"


def test_every_room_with_public_names_is_in_the_reference():
    """A folder whose ``__init__`` lists public names; not the command line's, nor parts of engine and files."""
    known, missing = set(reference_paths()), []
    for init in sorted((ROOT / "faceuv").rglob("__init__.py")):
        name = ".".join(init.parent.relative_to(ROOT).parts)
        own_page = name == "faceuv" or name.startswith(
            ("faceuv.engine.", "faceuv.files.", "faceuv.cli", "faceuv.configs", "faceuv.zoo")
        )
        inner = any(name.startswith(f"{path}.") for path in known)
        if "__all__" in init.read_text(encoding="utf-8") and not own_page and not inner and name not in known:
            missing.append(name)
    assert not missing, f"no page under docs/reference shows {missing}"


def test_the_navigation_has_every_page_once_in_five_groups():
    import yaml

    class Loader(yaml.SafeLoader):
        """Python names of MkDocs' extensions stay text."""

    Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)
    nav = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)["nav"]
    assert [next(iter(group)) for group in nav] == ["Start", "Guides", "Methods", "Reference", "Lab notes"]
    entries = [entry for group in nav for entry in next(iter(group.values()))]
    listed = [entry if isinstance(entry, str) else next(iter(entry.values())) for entry in entries]
    assert len(set(listed)) == len(listed)
    docs = ROOT / "docs"
    assert set(listed) == {page.relative_to(docs).as_posix() for page in docs.rglob("*.md")}


def test_the_first_screen_of_getting_started_shows_a_face():
    first = (ROOT / "docs" / "start.md").read_text(encoding="utf-8").splitlines()[:12]
    assert any(line.startswith("![") for line in first)


def test_links_that_leave_the_site_become_paths():
    spec = importlib.util.spec_from_file_location("site_links", ROOT / "tools" / "site_links.py")
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    text = "[card](../faceuv/zoo/quickstart/card.md) [a](fitting.md#x) [`LICENSE`](../LICENSE) ![p](../x.png)"
    assert hook.outside_links(text, "zoo.md") == (
        "card (`faceuv/zoo/quickstart/card.md`) [a](fitting.md#x) `LICENSE` ![p](../x.png)"
    )
    assert hook.outside_links("[a](../zoo.md) [b](../../README.md#x)", "notes/a.md") == "[a](../zoo.md) b (`README.md`)"


def test_the_page_of_the_report_says_what_every_measure_needs():
    """Every row of the table in the code, by the words of the table in docs/report.md."""
    text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
    table = text[text.index("### What a measure needs") :]
    rows = [row.strip("| ").split(" | ") for row in table.splitlines() if row.startswith("| ")]
    needs = {name: words for cell, words in rows for name in re.findall(r"`([^`]+)`", cell)}
    for name, meaning in {**PICTURES, **TURNED, **{f"…_{name}": row for name, row in TRUTH.items()}}.items():
        written = needs["…_albedo_…" if "albedo" in name else name]
        wanted = (unmet(meaning.needs, ()) or "needs pictures").removeprefix("needs ")
        assert written.split(";")[0].split(" (")[0] == wanted, name


def test_the_plugin_page_shows_the_package_as_it_is():
    spec = importlib.util.spec_from_file_location("docs_files", ROOT / "tools" / "docs_files.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    page = tool.PAGE.read_text(encoding="utf-8")
    assert tool.updated(page) == page, "run python tools/docs_files.py"
    names = {path.name for path in tool.shown()}
    assert {
        "pyproject.toml",
        "__init__.py",
        "faces.py",
        "subject.py",
        "relief.py",
        "card.md",
        "generator.json",
    } <= names
    drifted = page.replace("class ReliefNetwork", "class Relief")
    assert drifted != page == tool.updated(drifted)


def test_the_plugin_page_has_a_section_for_each_row_of_its_table():
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(an? [^\]]+)\]\(#([^)]+)\) \|", text, re.MULTILINE)
    sections = re.findall(r"^### (An? .+)$", text, re.MULTILINE)
    assert sorted(name.lower() for name, _ in rows) == sorted(section.lower() for section in sections)
    assert all(anchor == name.lower().replace(" ", "-") for name, anchor in rows)
    assert len(rows) == 16
