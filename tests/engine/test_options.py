"""What ``--cfg-options`` takes: every literal, words without quotes, and one line for what cannot be read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from faceuv.engine import load_config, parse_options
from faceuv.errors import InputError

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7", 7),
        ("-5", -5),
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ("None", None),
        ("True", True),
        ("false", False),
        ("word", "word"),
        ("two words", "two words"),
        ("x=y", "x=y"),
        ("'7'", "7"),
        ("'a,b'", "a,b"),
        ('"it\'s, so"', "it's, so"),
        (r"'a\'b\n'", "a'b\n"),
        ("a,b", ["a", "b"]),
        ("a,", ["a"]),
        ("[]", []),
        ("()", ()),
        ("{}", {}),
        ("[a, 1, None]", ["a", 1, None]),
        ("(1)", 1),
        ("(1,)", (1,)),
        ("('original',)", ("original",)),
        ("(a,(b,[c]))", ("a", ("b", ["c"]))),
        ("dict()", {}),
        ("dict(type='InceptionFeatures')", {"type": "InceptionFeatures"}),
        ("dict(type=InceptionFeatures, size=8)", {"type": "InceptionFeatures", "size": 8}),
        ("dict(x=1, y=2,)", {"x": 1, "y": 2}),
        ("dict(a=[1, dict(b=(2,))], c='x, y')", {"a": [1, {"b": (2,)}], "c": "x, y"}),
        ("{'a': 1, 64: [2]}", {"a": 1, 64: [2]}),
        ("{mapper}/mapper.safetensors", "{mapper}/mapper.safetensors"),
        ("dict(path={mapper}/a.b, n=2)", {"path": "{mapper}/a.b", "n": 2}),
        ("{fits}", "{fits}"),
        ("{a: 1}/x", "{a: 1}/x"),
        ("zoo:teacher_64/generator.safetensors", "zoo:teacher_64/generator.safetensors"),
        ("f(1,2)", "f(1,2)"),
        ("", ""),
    ],
)
def test_values(text, value):
    found = parse_options([f"key={text}"])["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dict(x=1", r"'\)' is missing"),
        ("dict(x=", "a bracket is not closed"),
        ("[1, 2", "']' is missing"),
        ("[1 , , 2]", "a value is missing before a comma"),
        ("['a' 'b']", "expected a comma or ']' before"),
        ("dict(1=2)", "expected name=value, got 1"),
        ("dict(a.b=2)", "expected name=value, got 'a.b'"),
        ("dict(a=1, a=2)", "'a' is given twice"),
        ("dict(a)", "expected name=value, got 'a'"),
        ("'abc", "the quote ' is not closed"),
        ("[1].png", "'.png' follows a complete value"),
        ("(" * 40, "more than 32 brackets are open"),
        ("dict(a=" * 5000, "more than 32 brackets are open"),
    ],
)
def test_what_cannot_be_read_is_one_line(text, message):
    with pytest.raises(InputError, match=f"--cfg-options model.key: .*{message}.*Expected a Python literal") as caught:
        parse_options([f"model.key={text}"])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("pair", ["model", "=1", ".a=1", "a..b=1", "a.=1"])
def test_pairs(pair):
    with pytest.raises(InputError, match="takes key=value pairs, got"):
        parse_options([pair])


CONFIG = """
shared = dict(type="A", size=4, inner=dict(x=1))
model = dict(type="M", part=shared, file="x.pt", nothing=None)
other = dict(type="M", part=shared)
hooks = [dict(type="H", interval=5), dict(type="K")]
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CONFIG)
    return lambda *pairs: load_config(path, parse_options(pairs))


class TestMerging:
    def test_a_dict_merges_into_one_of_its_type(self, config):
        assert config("model.part=dict(size=8)").model.part == {"type": "A", "size": 8, "inner": {"x": 1}}
        assert config("model.part=dict(type=A, inner=dict(y=2))").model.part.inner == {"x": 1, "y": 2}

    def test_a_dict_of_another_type_takes_its_place(self, config):
        assert config("model.part=dict(type=B, depth=1)").model.part == {"type": "B", "depth": 1}
        assert config("model.file=dict(type=B)").model.file == {"type": "B"}
        assert config("model.nothing.type=B").model.nothing == {"type": "B"}

    def test_what_two_stages_share_changes_in_one(self, config):
        found = config("model.part.size=9")
        assert (found.model.part.size, found.other.part.size, found.shared.size) == (9, 4, 4)

    def test_places_in_lists(self, config):
        assert [one.get("interval") for one in config("hooks.0.interval=7").hooks] == [7, None]
        with pytest.raises(InputError, match="'2' is no index of a list of 2, 0 … 1"):
            config("hooks.2.interval=7")

    def test_later_ones_build_on_earlier_ones(self, config):
        assert config("model.part=dict(type=B)", "model.part.depth=3").model.part == {"type": "B", "depth": 3}

    def test_nothing_lies_below_a_string(self, config):
        with pytest.raises(InputError, match="--cfg-options model.file.x: model.file is 'x.pt', which has nothing"):
            config("model.file.x=1")


def documented():
    """Every option that a page of the docs writes out: (config, pair)."""
    found = []
    for page in DOCS.glob("*.md"):
        for config, words in re.findall(
            r"faceuv train (?:configs/)?(\w+)(?:\.py)? --cfg-options ([^`\n#]+)", page.read_text()
        ):
            found += [(config, pair) for pair in shlex.split(words) if "=" in pair]
    ffhq = (DOCS / "ffhq.md").read_text()
    for words in re.findall(r"`((?:[a-z_]+\.)+[a-z_]+=[^`]+)`", ffhq):
        found += [("stylefaceuv_ffhq", pair) for pair in shlex.split(words) if "…" not in pair]
    return found


def test_the_options_of_the_docs_are_taken():
    pairs = documented()
    assert any(pair.startswith("report.features=dict(") for _, pair in pairs)
    assert any(pair.startswith("uv.model.discriminator=dict(") and "," in pair for _, pair in pairs)
    assert len(pairs) >= 8
    for recipe, pair in pairs:
        options = parse_options([pair])
        (key, value), found = next(iter(options.items())), load_config(recipe, options)
        for name in key.split("."):
            found = found[name]
        assert found == value, pair
