"""Types of a runner's settings that belong to no part: processes, backends of distribution, logging, compilation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from faceuv.checks import shown
from faceuv.engine.config_types import check_arguments, mismatch
from faceuv.engine.logs import LogProcessor
from faceuv.errors import InputError, did_you_mean

SETTINGS: dict[str, Any] = {
    "env_cfg": {
        "cudnn_benchmark": bool,
        "mp_cfg": {"mp_start_method": Literal["fork", "spawn", "forkserver"], "opencv_num_threads": int},
        "dist_cfg": dict[str, Any],  # it goes to torch.distributed as it is
        "resource_limit": int,
    },
    "log_level": Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "NOTSET"] | int,
    "log_processor": dict[str, Any],
    "visualizer": dict[str, Any],
    "default_hooks": dict[str, Any],
    "auto_scale_lr": {"enable": bool, "base_batch_size": int},
    "compile": (
        bool,
        {"target": str, "backend": str, "mode": str, "fullgraph": bool, "dynamic": bool, "options": dict[str, Any],
         "disable": bool},
    ),
    "find_unused_parameters": bool,
    "sync_bn": Literal["torch", "mmcv"],
    "model_wrapper_cfg": dict[str, Any],
    "activation_checkpointing": list[str] | str,
    "efficient_conv_bn_eval": list[str] | str,
    "experiment_name": str,
    "default_scope": str,
    "data_preprocessor": dict[str, Any],
    "launcher": Literal["none", "pytorch", "slurm", "mpi"],
}  # fmt: skip
"""Setting → its type, or its own settings, or a type and the settings of a dict in its place; each may also be None."""


def check_runner_settings(config: Mapping[str, Any], where: str) -> None:
    """Raise for the first of :data:`SETTINGS` in ``config`` that has an unknown key or a value of another type."""
    for key, expected in SETTINGS.items():
        if config.get(key) is not None:
            _check(config[key], expected, key, where)
    processor = config.get("log_processor") or {}
    if "type" not in processor:
        check_arguments(LogProcessor, "LogProcessor", processor, f"{where}, log_processor")
    backends = (config.get("visualizer") or {}).get("vis_backends") or []
    if not isinstance(backends, (list, tuple)) or not all(isinstance(one, Mapping) for one in backends):
        raise InputError(f"{where}: visualizer.vis_backends must be a list of dict(type=…), got {shown(backends)}")


def _check(value: Any, expected: Any, key: str, where: str) -> None:
    if isinstance(expected, tuple):
        expected = expected[isinstance(value, Mapping)]
    if not isinstance(expected, dict):
        wrong = mismatch(value, expected)
        if wrong is not None:
            raise InputError(f"{where}: {key} must be {wrong}, got {shown(value)}")
        return
    if not isinstance(value, Mapping):
        raise InputError(f"{where}: {key} must be a dict, got {shown(value)}")
    for name, one in value.items():
        if name not in expected:
            raise InputError(
                f"{where}: {key} has no setting {name!r}; it has {', '.join(expected)}"
                f"{did_you_mean(str(name), list(expected))}"
            )
        if one is not None:
            _check(one, expected[name], f"{key}.{name}", where)
