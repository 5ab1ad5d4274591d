"""The documentation is true: every registered component has its row, every link leads somewhere, the README's commands
are the ones that run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from faceuv.cli.main import COMMANDS
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
