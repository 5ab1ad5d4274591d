"""Reading config files: inheritance from installed packages, custom imports, misspelt keys."""

from __future__ import annotations

import copy
import difflib
import importlib
import importlib.util
import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.config import config as mmengine_config
from mmengine.config.config import DELETE_KEY
from mmengine.fileio.handlers import yaml_handler
from mmengine.runner import Runner

from faceuv.checks import one_line, shown
from faceuv.engine.compat.data_configs import SafeLoader, check_data_config, is_data
from faceuv.errors import FaceUVError, InputError, did_you_mean

# Keys that a runner's config may hold beside the arguments of Runner, and ours.
_MORE_KEYS = {
    "activation_checkpointing", "compile", "custom_imports", "efficient_conv_bn_eval", "find_unused_parameters",
    "model_wrapper_cfg", "runner_type", "sync_bn", "stages",
}  # fmt: skip
RUNNER_KEYS = (set(inspect.signature(Runner.__init__).parameters) - {"self", "cfg"}) | _MORE_KEYS


def is_installed(package: str) -> bool:
    """Whether ``package`` can be imported (MMEngine asks pkg_resources, which setuptools no longer has)."""
    return importlib.util.find_spec(package) is not None


def installed_path(package: str) -> str:
    """The folder of ``package``: wheel, editable install or source folder alike (MMEngine misses the latter two)."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FaceUVError(f"a config inherits from the package {package!r}, which is not installed here")
    return next(iter(spec.submodule_search_locations))


@contextmanager
def _inheritance_from_packages() -> Iterator[None]:
    kept = mmengine_config.is_installed, mmengine_config.get_installed_path, yaml_handler.Loader
    mmengine_config.is_installed, mmengine_config.get_installed_path = is_installed, installed_path
    yaml_handler.Loader = SafeLoader  # MMEngine's own builds any object that a file names
    try:
        yield
    finally:
        mmengine_config.is_installed, mmengine_config.get_installed_path, yaml_handler.Loader = kept


def find_config(name: str | Path) -> Path:
    """A file, or the name of a recipe inside ``faceuv/configs`` (wheels carry them)."""
    path = Path(name)
    if path.is_file():
        return path
    packaged = Path(__file__).parents[2] / "configs"
    recipe = packaged / f"{Path(name).stem}.py"
    if path.suffix in ("", ".py") and path.parent in (Path(), Path("configs")) and recipe.is_file():
        return recipe
    names = sorted(file.stem for file in packaged.glob("*.py") if not file.stem.startswith("_"))
    raise InputError(
        f"no config at {name}; give a file, or one of the recipes of faceuv: {', '.join(names) or 'none'}"
        f"{did_you_mean(path.stem, names)}"
    )


def without_layout(config: Config) -> None:
    """Leave the layout of a config's text to MMEngine's own indentation, which is valid Python.

    A run writes its config three times (log, message hub, work dir); each time MMEngine has yapf break the lines, which
    takes up to half a second.
    """
    config.__dict__["_format_python_code"] = False  # attributes are settings


def load_config(name: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config file, import its ``custom_imports``, apply ``options`` (dotted keys), refuse misspelt keys."""
    path = find_config(name)
    if is_data(path):
        check_data_config(path)
    with _inheritance_from_packages():
        try:
            config = Config.fromfile(str(path), import_custom_modules=False)
        except FaceUVError:
            raise
        except RecursionError as error:
            raise InputError(
                f"cannot read the config {path}: it inherits from itself, or is nested too deep"
            ) from error
        except Exception as error:  # a .py config is code of the user's, and may raise anything
            told = one_line(f"{type(error).__name__}: {error}", 300)
            raise InputError(f"cannot read the config {path}: {told}") from error
    if is_data(path):
        config["default_scope"] = "faceuv"  # another scope would import what a type names
    else:
        _resolve_dotted(config._cfg_dict, path)
    if options:
        _check_options(config, options)
        for key, value in options.items():
            merge_option(config, key, value)
    _import_custom(config, path)
    _check_keys(config, path)
    return config


def _resolve_dotted(config: Any, path: Path) -> None:
    """Classes for the dotted names that MMEngine writes into the configs it dumps. A ``.py`` config is code already."""
    for value in dict.values(config) if isinstance(config, dict) else config:  # what is lazy stays so
        if isinstance(value, (dict, list, tuple)):
            _resolve_dotted(value, path)
    named = dict.get(config, "type") if isinstance(config, dict) else None
    if isinstance(named, str) and named.count(".") > 1:
        module, _, name = named.rpartition(".")
        try:
            config["type"] = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(f"the config {path} names {named!r}, which cannot be imported: {error}") from error


def merge_option(config: Config, key: str, value: Any) -> None:
    """Set one dotted key; a number in it is a place in a list.

    A dict merges into the one that is there, unless it names another ``type`` (or has ``_delete_=True``): settings of
    one part mean nothing to another, so it takes the place of all of them.
    """
    first, *names = key.split(".")
    config[first] = _with(config.get(first), names, copy.deepcopy(value), key, first)


def _with(there: Any, names: list[str], value: Any, key: str, path: str) -> Any:
    """A copy of ``there``, which stands at ``path``, with one entry set; copied because stages may share a dict."""
    if not names:
        return _merged(there, value)
    if there is None:
        there = ConfigDict()
    elif not isinstance(there, (Mapping, list)):
        raise InputError(f"--cfg-options {key}: {path} is {there!r}, which has nothing below it")
    name, *rest = names
    found = _with(_entry(there, name, key), rest, value, key, f"{path}.{name}")
    if isinstance(there, Mapping):
        return ConfigDict({**there, name: found})
    return [found if index == int(name) else entry for index, entry in enumerate(there)]


def _entry(holder: Any, name: str, key: str) -> Any:
    """What stands under a name or a number; None if there is nothing yet."""
    if isinstance(holder, Mapping):
        return holder.get(name)
    if not name.isdecimal() or int(name) >= len(holder):
        raise InputError(f"--cfg-options {key}: {name!r} is no index of a list of {len(holder)}, 0 … {len(holder) - 1}")
    return holder[int(name)]


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(new, dict):
        return ConfigDict(value=new)["value"]  # which wraps the dicts in a list as well
    replaces = new.pop(DELETE_KEY, False) or ("type" in new and new["type"] != _type(old))
    if replaces or not isinstance(old, Mapping):
        return ConfigDict(new)
    merged = ConfigDict(old)
    for name, value in new.items():
        merged[name] = _merged(old.get(name), value)
    return merged


def _type(config: Any) -> Any:
    return config.get("type") if isinstance(config, Mapping) else None


def _import_custom(config: Config, path: Path) -> None:
    """MMEngine does this for old-style configs only; a lazy one (one that imports anything) keeps the key unread."""
    wanted = config.get("custom_imports")
    if not wanted:
        return
    names = wanted.get("imports", []) if isinstance(wanted, Mapping) else wanted
    if not isinstance(names, (str, list, tuple)) or not all(isinstance(name, str) for name in names):
        raise InputError(f"custom_imports of {path} must be dict(imports=['package.module', …]), got {shown(wanted)}")
    for name in [names] if isinstance(names, str) else names:
        try:
            importlib.import_module(name)
        except (ImportError, ValueError) as error:
            raise InputError(
                f"custom_imports of {path} names {name!r}, which cannot be imported: {error}; install its package or"
                f" put its folder on PYTHONPATH (now {os.environ.get('PYTHONPATH') or 'unset'})"
            ) from error


def _check_options(config: Config, options: Mapping[str, Any]) -> None:
    for key in options:
        first = key.split(".", 1)[0]
        if first not in config and first not in RUNNER_KEYS:
            raise InputError(f"--cfg-options {key}: the config has no {first!r}; it has {', '.join(sorted(config))}")


def _check_keys(config: Config, path: Path) -> None:
    """A key that nearly is one of the runner's is misspelt; others are the config's own variables."""
    for key in config:
        if key in RUNNER_KEYS:
            continue
        near = difflib.get_close_matches(key, RUNNER_KEYS - set(config), n=1, cutoff=0.85)
        if near:
            raise InputError(f"{path} sets {key!r}, which nothing reads: did you mean {near[0]!r}?")
