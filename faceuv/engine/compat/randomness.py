"""Random states: saved with every checkpoint, and not changed by validation.

MMEngine saves none, so that a resumed run draws other numbers than the one that was interrupted.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop

from faceuv.registry import HOOKS


def random_state() -> dict[str, Any]:
    """The states of this process's global generators (Python, NumPy, torch on the CPU and the current GPU)."""
    version, key, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002 (libraries draw from it)
    state = {
        "python": (version, list(key), gauss),
        "numpy": (name, torch.from_numpy(np.asarray(keys, dtype=np.int64)), position, has_gauss, cached),
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Set the global generators to a :func:`random_state`; a GPU's state is used where there is a GPU."""
    version, key, gauss = state["python"]
    random.setstate((version, tuple(key), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())


@HOOKS.register_module()
class KeepRandomState(Hook):
    """Restores the random states after validation, so that training draws the same numbers with and without it.

    Even an iterator over a data loader draws a seed from the global generator; a run resumed after the validation
    would otherwise differ from one that went through it.
    """

    priority = "HIGHEST"

    def __init__(self) -> None:
        self._kept: dict[str, Any] | None = None

    def before_train_epoch(self, runner: Any) -> None:
        """Restore a resumed run's states; the seeking loop does it later, when its workers have started."""
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            runner.restore_randomness()

    def before_val(self, runner: Any) -> None:
        """Remember the state."""
        self._kept = random_state()

    def after_val(self, runner: Any) -> None:
        """Put it back."""
        if self._kept is not None:
            set_random_state(self._kept)
            self._kept = None
