"""What a start does not import: PyTorch's compiler and MMEngine's trainings take seconds and are for trainings."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest

SLOW = {"torch._dynamo", "sympy", "torch.distributed.fsdp", "mmengine.model", "sklearn", "kornia", "lpips"}
"""Of people who make, edit and look at faces."""
CONVERTERS = {"faceuv.models.faces.bfm2009.convert", "faceuv.models.faces.flame.convert"}
SOLVERS = {"scipy.spatial", "scipy.sparse", "scipy.optimize", "scipy.interpolate"}


def imported(code: str) -> set[str]:
    """The modules that a program imports beside torch's own, in a process of its own."""
    listed = "print(json.dumps(sorted(set(sys.modules) - own)))"
    program = f"import sys, json, torch; own = set(sys.modules)\n{code}\n{listed}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_all_networks_of_the_zoo_are_read_without_the_compiler():
    code = """
from pathlib import Path
import faceuv.models.readers
from faceuv.files import networks, zoo
from faceuv.registry import FACE_GENERATORS
FACE_GENERATORS.names()
files = [path for entry in zoo.folders().values() for path in sorted(Path(entry).glob("*.safetensors"))]
kinds = {path: networks.read_header(path).get("kind") for path in files}
read = [networks.read_network(path) for path in files if kinds[path] in networks._KINDS]
assert len({type(network) for network in read}) > 7, read
"""
    found = imported(code)
    assert "faceuv.models.liftedgan.generator" in found
    assert not found & SLOW


def test_a_generator_of_heads_is_loaded_without_the_compiler_and_trainings():
    found = imported("import faceuv\nfaceuv.load('heads_64')")
    assert "faceuv.models.stylefaceuv.generator" in found
    assert not found & (SLOW | CONVERTERS)


def test_generators_and_the_studio_import_no_solvers():
    code = "import faceuv.cli.studio, faceuv.studio\nfrom faceuv.registry import FACE_GENERATORS, FACE_MODELS\n"
    found = imported(code + "FACE_GENERATORS.names(), FACE_MODELS.names()")
    assert {"faceuv.models.faces.flame.model", "faceuv.models.inversion.generator"} <= found
    assert not found & (SLOW | CONVERTERS | SOLVERS | {"faceuv.synthetic.studio", "faceuv.models.inversion.world"})


@pytest.mark.parametrize("package", ["base", "readers", "stylefaceuv", "liftedgan", "stylerig", "inversion"])
def test_trainings_are_there_when_asked_for(package):
    module = importlib.import_module(f"faceuv.models.{package}")
    assert all(hasattr(module, name) for name in module.__all__)
    with pytest.raises(AttributeError, match=f"module 'faceuv.models.{package}' has no attribute 'nothing'"):
        _ = module.nothing
