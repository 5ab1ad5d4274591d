from __future__ import annotations

import textwrap

import pytest
from mmengine.config import Config

from faceuv.engine import find_config, load_config, parse_options
from faceuv.errors import InputError

BASE = """
model = dict(type="Method", losses=dict(photo=dict(type="l1", weight=2.0), percept=dict(type="lpips", weight=0.2)))
train_cfg = dict(max_iters=10)
"""


@pytest.fixture
def write(tmp_path):
    def run(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return path

    return run


@pytest.mark.parametrize("layout", ["flat", "src"])
def test_a_config_inherits_from_a_package_that_only_python_can_find(write, tmp_path, monkeypatch, layout):
    # as an editable install: on the path, in no list of installed distributions
    root = f"{layout}_root/src" if layout == "src" else f"{layout}_root"
    write(f"{root}/{layout}_pack/__init__.py", "")
    write(f"{root}/{layout}_pack/configs/base.py", BASE)
    monkeypatch.syspath_prepend(str(tmp_path / root))
    path = write(
        "mine.py",
        f"""
        from mmengine.config import read_base
        with read_base():
            from {layout}_pack.configs.base import *
        model.merge(dict(losses=dict(photo=dict(weight=5.0), percept=None)))
        """,
    )
    config = load_config(path)
    assert config.model.losses.photo == {"type": "l1", "weight": 5.0}
    assert config.model.losses.percept is None
    assert config.train_cfg.max_iters == 10


def test_mmengine_is_as_it_was_afterwards(write):
    from mmengine.config import config as module

    before = module.get_installed_path
    load_config(write("plain.py", BASE))
    assert module.get_installed_path is before


@pytest.mark.parametrize("lazy", [False, True])
def test_custom_imports_work_in_both_kinds_of_config(write, tmp_path, monkeypatch, lazy):
    name = f"wanted_{lazy}"
    write(f"{name}.py", "imported = []")
    monkeypatch.syspath_prepend(str(tmp_path))
    first = "from mmengine.hooks import IterTimerHook\n" if lazy else ""
    path = write("mine.py", f'{first}custom_imports = dict(imports=["{name}"])\n{BASE}')
    assert Config._is_lazy_import(str(path)) is lazy
    load_config(path)
    import sys

    assert name in sys.modules


def test_a_custom_import_that_is_missing_is_named(write):
    path = write("mine.py", f'custom_imports = dict(imports=["no_such_package"])\n{BASE}')
    with pytest.raises(
        InputError, match=r"custom_imports of .*mine.py names 'no_such_package', which cannot be imported"
    ):
        load_config(path)


def test_a_package_that_is_missing_is_named(write):
    path = write(
        "mine.py", "from mmengine.config import read_base\nwith read_base():\n    from no_pack.base import *\n"
    )
    with pytest.raises(Exception, match=r"inherits from the package 'no_pack', which is not installed"):
        load_config(path)


def test_misspelt_keys_are_errors_and_own_variables_are_not(write):
    with pytest.raises(InputError, match=r"sets 'trian_cfg', which nothing reads: did you mean 'train_cfg'\?"):
        load_config(write("a.py", BASE.replace("train_cfg", "trian_cfg")))
    assert load_config(write("b.py", BASE + "channels = 8\nbatch = 12\n")).channels == 8


def test_a_syntax_error_names_the_file(write):
    with pytest.raises(InputError, match=r"cannot read the config .*broken.py: SyntaxError"):
        load_config(write("broken.py", "model = dict("))


def test_options_are_read_as_python_values_and_checked(write):
    options = parse_options(
        ["train_cfg.max_iters=7", "model.losses.photo.weight=0.5", "model.tags=[a,1]", "seed_name=x=y"]
    )
    assert options == {
        "train_cfg.max_iters": 7,
        "model.losses.photo.weight": 0.5,
        "model.tags": ["a", 1],
        "seed_name": "x=y",
    }
    path = write("a.py", BASE)
    with pytest.raises(
        InputError, match=r"--cfg-options seed_name: the config has no 'seed_name'; it has model, train_cfg"
    ):
        load_config(path, options)
    options.pop("seed_name")
    config = load_config(path, options)
    assert config.train_cfg.max_iters == 7
    assert config.model.losses.percept.weight == 0.2
    with pytest.raises(InputError, match="takes key=value pairs, got 'model'"):
        parse_options(["model"])


def test_an_unknown_config_lists_the_recipes(tmp_path):
    with pytest.raises(InputError, match=r"no config at .*nothing.py; give a file, or one of the recipes of faceuv: "):
        find_config(tmp_path / "nothing.py")


@pytest.mark.parametrize("name", ["stylefaceuv_64.yaml", "stylefaceuv_64.json", "configs/stylefaceuv_64.yml"])
def test_a_file_that_does_not_exist_is_no_recipe(name):
    assert find_config("stylefaceuv_64").name == find_config("configs/stylefaceuv_64.py").name
    with pytest.raises(InputError, match=r"no config at .*stylefaceuv_64.*Did you mean"):
        find_config(name)
