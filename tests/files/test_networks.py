"""The codec of networks: weights and settings in one file, of any kind that a class declares."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import nn

from faceuv.errors import AssetError, FaceUVError
from faceuv.files import networks
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.files.networks import (
    CodeFacts,
    facts_of_shapes,
    file_facts,
    load_network,
    no_code_facts,
    read_header,
    save_network,
    stored,
)
from faceuv.models.directions import Direction, save_directions


@pytest.fixture(autouse=True)
def kinds_of_this_test(monkeypatch):
    """Kinds that a test declares are gone after it."""
    monkeypatch.setattr(networks, "_KINDS", dict(networks._KINDS))
    monkeypatch.setattr(networks, "_OF_SHAPES", dict(networks._OF_SHAPES))


def reader(kind="test_reader", **options):
    @stored(kind, **options)
    class Reader(nn.Module):
        """A network with a matrix, a vector and a buffer, of numbers that half precision rounds."""

        def __init__(self, num_layers: int, code_dim: int = 3, *, depth: int = 1) -> None:
            super().__init__()
            if num_layers < 1:
                raise ValueError(f"num_layers must be positive, got {num_layers}")
            self.num_layers, self.code_dim, self.depth = num_layers, code_dim, depth
            self.matrix = nn.Parameter(torch.full((num_layers, code_dim), 1 / 3))
            self.vector = nn.Parameter(torch.full((code_dim,), 1 / 3))
            self.more = nn.ModuleList(nn.Linear(2, 2) for _ in range(depth - 1))
            self.register_buffer("unit", torch.full((2, code_dim), 1 / 3))
            self.register_buffer("steps", torch.tensor(7))

        def settings(self) -> dict[str, Any]:
            return {"num_layers": self.num_layers, "code_dim": self.code_dim, "depth": self.depth}

    return Reader


def test_weights_settings_and_facts_come_back(tmp_path):
    kind = reader()
    network = kind(4, code_dim=5, depth=2)
    path = save_network(tmp_path / "a.safetensors", network, metadata={"images_seen": 12})
    read = load_network(path, kind)
    assert read.settings() == network.settings()
    for name, value in network.state_dict().items():
        assert torch.equal(read.state_dict()[name], value), name
    assert not read.training and not any(p.requires_grad for p in read.parameters())
    header = read_header(path)
    assert header["kind"] == "test_reader" and header["images_seen"] == 12
    assert header["codes"] == {"num_layers": 4, "code_dim": 5}
    assert file_facts(path) == CodeFacts(num_layers=4, code_dim=5)


ROUNDED = {"all": {"matrix", "vector", "unit"}, "matrices": {"matrix", "unit"}, "parameters": {"matrix", "vector"}}


@pytest.mark.parametrize("policy", ROUNDED)
def test_half_precision_takes_what_the_kind_allows(tmp_path, policy):
    kind = reader(halves=policy)
    path = save_network(tmp_path / "a.safetensors", kind(4), dtype=torch.float16)
    tensors, metadata = load_tensors(path)
    assert {name for name, value in tensors.items() if value.dtype == torch.float16} == ROUNDED[policy]
    assert tensors["steps"].dtype == torch.int64 and metadata["dtype"] == "float16"
    read = load_network(path, kind)
    third = torch.tensor(1 / 3)
    for name in ("matrix", "vector", "unit"):
        value = getattr(read, name)
        assert value.dtype == torch.float32
        expected = third.half().float() if name in ROUNDED[policy] else third
        assert torch.equal(value.detach(), expected.expand_as(value)), name


def test_values_beyond_half_precision_are_refused_before_the_file_changes(tmp_path):
    kind = reader()
    network = kind(4)
    path = save_network(tmp_path / "a.safetensors", network)
    before = path.read_bytes()
    with torch.no_grad():
        network.matrix[1, 1] = 1e6
    with pytest.raises(FaceUVError, match="matrix"):
        save_network(path, network, dtype=torch.float16)
    assert path.read_bytes() == before


def test_one_kind_holds_one_class():
    reader()
    with pytest.raises(TypeError, match=r"files of kind 'test_reader' hold a Reader; choose another kind"):

        @stored("test_reader")
        class Other(nn.Module):
            """Another one."""

    class Nobody(nn.Module):
        """Not stored."""

    with pytest.raises(TypeError, match=r"Nobody is not kept in files: decorate it with @stored"):
        save_network("a.safetensors", Nobody())


def test_a_file_of_another_kind_says_which(tmp_path):
    path = save_network(tmp_path / "a.safetensors", reader("test_a")(2))
    with pytest.raises(AssetError, match=r"test_a"):
        load_network(path, reader("test_b"))


def rewritten(path, **header):
    tensors, metadata = load_tensors(path)
    return save_tensors(path, tensors, {**metadata, **header})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (None, "the settings of its network must be a JSON object, found None"),
        ({}, "no network can be built with its settings .*num_layers"),
        ({"num_layers": 0}, "num_layers must be positive, got 0.*make the file again"),
        ({"num_layers": 4, "nose": 1}, "no network can be built .*nose"),
        ({"num_layers": "four"}, "no network can be built"),
        ({"num_layers": 4, "depth": 2}, r"the tensor more\.0\.weight is missing"),
        ({"num_layers": 5}, r"matrix must have shape \(5, 3\), found \(4, 3\)"),
        ({"num_layers": 10**9, "code_dim": 10**9}, r"matrix must have shape \(1000000000, 1000000000\)"),
        ({"num_layers": 4, "depth": 10**9}, "they ask for more layers than the 4 tensors of the file"),
    ],
)
def test_settings_that_do_not_build_are_an_error_of_the_file(tmp_path, settings, message):
    kind = reader()
    path = rewritten(save_network(tmp_path / "a.safetensors", kind(4)), settings=settings)
    with pytest.raises(AssetError, match=message) as caught:
        load_network(path, kind)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_settings_can_be_prepared(tmp_path):
    kind = reader(prepare=lambda settings: {"num_layers": settings["rows"]})
    path = rewritten(save_network(tmp_path / "a.safetensors", kind(4)), settings={"rows": 4})
    assert load_network(path, kind).num_layers == 4


class TestFacts:
    def test_of_a_network_without_codes(self, tmp_path):
        path = save_network(tmp_path / "a.safetensors", reader(facts=no_code_facts)(4))
        assert read_header(path)["codes"] == {}
        assert file_facts(path).known() == {}

    def test_of_a_file_without_codes_in_its_header(self, tmp_path):
        """As version 0.1 wrote them: the settings say it, if the kind is known."""
        kind = reader()
        path = rewritten(save_network(tmp_path / "a.safetensors", kind(4, code_dim=5)), codes=None)
        assert file_facts(path) == CodeFacts(4, 5)
        assert file_facts(rewritten(path, kind="nobody's")) == CodeFacts()
        assert file_facts(rewritten(path, kind="test_reader", settings=None)) == CodeFacts()

    def test_of_the_shapes_of_tensors(self, tmp_path):
        facts_of_shapes("test_bare", lambda shapes: CodeFacts(*shapes["matrix"]))
        path = save_tensors(tmp_path / "a.safetensors", {"matrix": torch.zeros(6, 8)}, {"kind": "test_bare"})
        assert file_facts(path) == CodeFacts(6, 8)
        vector = torch.zeros(6, 8)
        vector[0, 0] = 1
        path = save_directions(tmp_path / "d.safetensors", [Direction(vector, "a", "a", "by hand", 1.0)])
        assert file_facts(path).known() == {"num_layers": 6, "code_dim": 8}

    def test_are_read_without_the_weights(self, tmp_path):
        """A file whose weights are cut off still says what it is for."""
        path = save_network(tmp_path / "a.safetensors", reader()(4))
        with safe_open(str(path), "pt") as file:
            header = json.loads(file.metadata()["faceuv"])
        assert header == read_header(path)
        content = path.read_bytes()
        start = 8 + int.from_bytes(content[:8], "little")
        path.write_bytes(content[:start] + b"\xff" * (len(content) - start))  # every number is NaN now
        assert file_facts(path) == CodeFacts(4, 3)

    def test_what_is_no_file_of_ours(self, tmp_path):
        with pytest.raises(AssetError, match=r"a\.safetensors does not exist"):
            read_header(tmp_path / "a.safetensors")
        (tmp_path / "b.safetensors").write_bytes(b"nonsense")
        with pytest.raises(AssetError, match=r"b\.safetensors is not a readable safetensors file"):
            file_facts(tmp_path / "b.safetensors")
