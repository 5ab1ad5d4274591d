"""Configs in YAML and JSON are data: nothing that they name is imported or run."""

from __future__ import annotations

import json

import pytest

from faceuv.cli.main import main
from faceuv.engine import load_config
from faceuv.errors import FaceUVError, InputError, UnknownName
from faceuv.registry import all_registries

PLAIN = {"model": {"type": "MyMethod", "weight": 2.0}, "train_cfg": {"max_iters": 10}, "tags": ["a", {"b": None}]}
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi")
)
BAD: dict[str, tuple[str, str]] = {
    "a call in YAML": (".yaml", "model: !!python/object/apply:os.system ['touch TRACE']"),
    "a call deep in YAML": (".yml", "model: {type: X, a: [1, !!python/object/apply:os.system ['touch TRACE']]}"),
    "a new object": (".yaml", "model: !!python/object/new:os.system ['touch TRACE']"),
    "a name": (".yaml", "model: !!python/name:os.system"),
    "a module": (".yaml", "model: !!python/module:antigravity"),
    "a dotted type": (".yaml", "model: {type: os.system, command: touch TRACE}"),
    "a dotted type in JSON": (".json", json.dumps({"model": {"type": "os.system", "command": "touch TRACE"}})),
    "a dotted type in a list": (".json", json.dumps({"custom_hooks": [{"type": "subprocess.run"}]})),
    "a type in another scope": (".json", json.dumps({"model": {"type": "system", "_scope_": "os"}})),
    "another default scope": (".json", json.dumps({"default_scope": "mmengine", "model": {"type": "os"}})),
    "a type that begins with ours": (".json", json.dumps({"model": {"type": "faceuv.os.system"}})),
    "imports": (".json", json.dumps({"custom_imports": ["antigravity"]})),
    "imports as MMEngine writes them": (
        ".yaml",
        "custom_imports: {imports: [antigravity], allow_failed_imports: true}",
    ),
    "code as its base": (".yaml", "_base_: code.py"),
    "code as one of its bases": (".yaml", "_base_: [good.yaml, ../code.py]"),
    "a base that does it": (".yaml", "_base_: call.yaml"),
    "itself as its base": (".yaml", "_base_: config.yaml"),
    "a base that is not there": (".json", json.dumps({"_base_": "nowhere.json"})),
    "a base of a number": (".json", json.dumps({"_base_": 3})),
    "aliases that unfold to billions": (".yaml", LAUGHS),
    "an alias to itself": (".yaml", "a: &a [*a]"),
    "deep nesting": (".yaml", "a: " + "[" * 3000 + "]" * 3000),
    "deep nesting in JSON": (".json", '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"),
    "a list": (".yaml", "[1, 2]"),
    "nothing": (".yaml", ""),
    "a number": (".json", "3"),
    "half a file": (".json", '{"model": '),
    "half a YAML": (".yaml", "model: {type: [X"),
    "tabs": (".yaml", "model:\n\t- x"),
    "keys of numbers": (".yaml", "model: {1: 2}"),
    "bytes that are no text": (".yaml", "\udcff\udcfe"),
    "NaN": (".json", '{"model": NaN}'),
}


def write(folder, suffix, text):
    path = folder / f"config{suffix}"
    path.write_bytes(text.replace("TRACE", str(folder / "trace")).encode("utf-8", "surrogateescape"))
    (folder / "code.py").write_text(f"open({str(folder / 'trace')!r}, 'w')\n")
    (folder.parent / "code.py").write_text(f"open({str(folder / 'trace')!r}, 'w')\n")
    (folder / "good.yaml").write_text("tags: [a]\n")
    (folder / "call.yaml").write_text(f"a: !!python/object/apply:os.system ['touch {folder / 'trace'}']\n")
    return path


@pytest.mark.parametrize(("suffix", "text"), BAD.values(), ids=BAD)
def test_what_would_run_code_or_never_end_is_refused(tmp_path, suffix, text):
    folder = tmp_path / "folder"
    folder.mkdir()
    path = write(folder, suffix, text)
    with pytest.raises(InputError) as caught:
        load_config(path)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500 + 5 * len(str(tmp_path)), message
    assert not (folder / "trace").exists()


def test_a_plan_runs_nothing_either(tmp_path, capsys):
    path = write(tmp_path, ".yaml", BAD["a call in YAML"][1])
    assert main(["train", str(path), "--plan"]) != 0
    assert not (tmp_path / "trace").exists()
    assert "YAML tag" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_plain_values_are_read(tmp_path, suffix):
    path = tmp_path / f"config{suffix}"
    path.write_text(json.dumps({**PLAIN, "_base_": "base.yaml"}), encoding="utf-8")  # JSON is YAML
    (tmp_path / "base.yaml").write_text("launcher: none\ntrain_cfg: {type: EpochBasedTrainLoop, max_iters: 3}\n")
    config = load_config(path)
    assert config.model == PLAIN["model"] and config.tags == PLAIN["tags"] and config.launcher == "none"
    assert config.train_cfg == {"type": "EpochBasedTrainLoop", "max_iters": 10}
    assert config.default_scope == "faceuv"


def test_mmengines_loader_is_as_it_was_afterwards(tmp_path):
    from mmengine.fileio.handlers import yaml_handler

    before = yaml_handler.Loader
    (tmp_path / "c.yaml").write_text("tags: [a]\n")
    load_config(tmp_path / "c.yaml")
    assert yaml_handler.Loader is before


@pytest.mark.parametrize(
    "name", ["os.system", "os", "antigravity", "subprocess.run", "torch.hub.load", "faceuv.os.system"]
)
def test_no_registry_imports_a_name(name):
    """Neither ours nor what passes through MMEngine's."""
    for registry in all_registries().values():
        with pytest.raises(UnknownName):
            registry.get(name)
        with pytest.raises(FaceUVError):
            registry.build({"type": name})


def test_names_of_mmengine_are_found(tmp_path):
    registries = all_registries()
    assert registries["hooks"].get("EMAHook") is registries["hooks"].get("mmengine.EMAHook")
    assert registries["models"].get("BaseDataPreprocessor").__module__.startswith("mmengine")


def test_a_python_config_may_name_classes_by_their_modules(tmp_path):
    """As the configs do that MMEngine writes beside a training."""
    path = tmp_path / "dumped.py"
    path.write_text("hooks = [dict(type='mmengine.hooks.EMAHook', momentum=0.1)]\n")
    from mmengine.hooks import EMAHook

    assert load_config(path).hooks[0].type is EMAHook
    path.write_text("hooks = [dict(type='mmengine.hooks.Nothing')]\n")
    with pytest.raises(InputError, match=r"names 'mmengine.hooks.Nothing', which cannot be imported"):
        load_config(path)
