"""Optimiser wrappers: mixed precision on any device, gradients averaged over ranks, one optimiser per sub-module.

MMEngine's AMP wrapper asserts a GPU, and none of its wrappers averages gradients; its only constructor makes a single
optimiser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper as MMEngineOptimWrapper
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn
from torch.optim import Optimizer

from faceuv.engine.compat.distributed import average_gradients, unwrapped
from faceuv.errors import InputError
from faceuv.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS

PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def amp_precision() -> str:
    """What ``--amp`` means here: bfloat16, except on GPUs that lack it (float16 there)."""
    return "float16" if torch.cuda.is_available() and not torch.cuda.is_bf16_supported() else "bfloat16"


@OPTIM_WRAPPERS.register_module()
class OptimWrapper(MMEngineOptimWrapper):
    """Steps one optimiser: autocast to ``precision`` on the device at hand, gradients averaged over ranks.

    Args:
        optimizer: the optimiser.
        precision: "float32" (no autocast), "bfloat16", or "float16" (GPU only; the loss is scaled).
        accumulative_counts, clip_grad: as MMEngine's.
    """

    _inner_count: int

    def __init__(
        self,
        optimizer: Optimizer,
        precision: str = "float32",
        accumulative_counts: int = 1,
        clip_grad: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(optimizer, accumulative_counts, dict(clip_grad) if clip_grad else None)
        if precision not in PRECISIONS:
            raise InputError(f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}")
        self.precision = precision
        self.device_type = self._parameters()[0].device.type
        if precision == "float16" and self.device_type != "cuda":
            raise InputError(f"float16 training needs a GPU, the model is on the {self.device_type}: use bfloat16")
        self.scaler = torch.amp.GradScaler(self.device_type, enabled=precision == "float16")

    def _parameters(self) -> list[nn.Parameter]:
        return [parameter for group in self.optimizer.param_groups for parameter in group["params"]]

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast to the precision while the losses are computed."""
        dtype = PRECISIONS[self.precision]
        with (
            super().optim_context(model),
            torch.autocast(self.device_type, dtype=dtype or torch.bfloat16, enabled=dtype is not None),
        ):
            yield

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Backward of the (scaled) loss."""
        self.scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Average over ranks, unscale, clip, step. Averaged first, so that an overflow stops all ranks' steps alike."""
        average_gradients(self._parameters())
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's state, the loss scale, and the place in an accumulation."""
        state = super().state_dict()
        return {**state, "scaler": self.scaler.state_dict(), "inner_count": self._inner_count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The inverse of :meth:`state_dict`."""
        state = dict(state_dict)
        scaler = state.pop("scaler", None)
        if scaler and self.scaler.is_enabled():
            self.scaler.load_state_dict(scaler)
        self._inner_count = state.pop("inner_count", self._inner_count)
        super().load_state_dict(state)


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class OptimizerPerModule:
    """One optimiser wrapper for each named sub-module of the method.

    ::

        optim_wrapper = dict(
            constructor="OptimizerPerModule",
            generator=dict(optimizer=dict(type="Adam", lr=1e-3)),
            discriminator=dict(optimizer=dict(type="Adam", lr=1e-3), precision="bfloat16"),
        )

    ``rates=dict(mapping=0.01)`` beside an optimiser multiplies its learning rate for the parameters below that part.
    """

    def __init__(self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None) -> None:
        if paramwise_cfg is not None:
            raise InputError("OptimizerPerModule takes no paramwise_cfg: name the sub-modules instead")
        if not optim_wrapper_cfg:
            raise InputError("OptimizerPerModule needs an entry for each sub-module to train")
        self.wrappers = optim_wrapper_cfg

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Build the wrappers for ``model``."""
        method = unwrapped(model)
        children = dict(method.named_children())
        built = {}
        for name, config in self.wrappers.items():
            if name not in children:
                raise InputError(
                    f"optim_wrapper names {name!r}, which {type(method).__name__} has no sub-module for; it has"
                    f" {', '.join(sorted(children))}"
                )
            if "optimizer" not in config:
                raise InputError(f"optim_wrapper.{name} needs an 'optimizer', got {sorted(config)}")
            groups = _groups(name, children[name], config["optimizer"], config.get("rates") or {})
            optimizer = OPTIMIZERS.build({**config["optimizer"], "params": groups})
            rest = {key: value for key, value in config.items() if key not in ("optimizer", "rates")}
            built[name] = OPTIM_WRAPPERS.build({"type": "OptimWrapper", **rest, "optimizer": optimizer})
        return OptimWrapperDict(**built)


def _groups(
    name: str, module: nn.Module, optimizer: Mapping[str, Any], rates: Mapping[str, float]
) -> list[nn.Parameter] | list[dict[str, Any]]:
    """The parameters, apart from each other where their learning rates differ."""
    trained = {path: p for path, p in module.named_parameters() if p.requires_grad}
    if not rates:
        return list(trained.values())
    groups = []
    for part, rate in rates.items():
        own = [path for path in trained if path == part or path.startswith(f"{part}.")]
        if not own:
            parts = ", ".join(sorted({path.split(".")[0] for path in trained}))
            raise InputError(f"optim_wrapper.{name}.rates names {part!r}, which has no parameters; {name} has {parts}")
        groups.append({"params": [trained.pop(path) for path in own], "lr": optimizer["lr"] * rate})
    return [{"params": list(trained.values())}, *groups]
