"""The base of trainings: steps of several optimisers, averaged weights, sample images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.models.base.loss_terms import LossTerms


class BaseMethod(BaseModel):
    """Base class of trainings: ``train_step`` trains, ``sample_images`` shows the state.

    Args:
        losses: the loss terms, see :class:`LossTerms`; each method documents the terms that it knows.
    """

    networks: ClassVar[tuple[str, ...]] = ()
    """Sub-modules that ``train_step`` updates, each by the optimiser of its name; a plan compares them with the config.
    Empty: not known, nothing is compared."""

    critics: ClassVar[tuple[str, ...]] = ("discriminator",)
    """Those of them that only judge others: nothing reads a running average of theirs, and a plan refuses one."""
    exports: ClassVar[tuple[str, ...] | None] = None
    """Names of all files that ``export`` may leave, for a plan to compare with what stages read. None: unknown."""

    @classmethod
    def networks_of(cls, config: Mapping[str, Any]) -> tuple[str, ...]:
        """The :attr:`networks` that are trained by a config of this method."""
        return cls.networks

    def __init__(self, losses: Mapping[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor={"type": "BaseDataPreprocessor"})  # moves a batch to the model's device
        self.losses = LossTerms(losses or {})
        self._counted: dict[str, int] = {}

    def add_counters(self, *names: str) -> None:
        """Add counters that start at 0 and are saved in checkpoints. Read them with :meth:`counted`."""
        for name in names:
            self.register_buffer(name, torch.zeros((), dtype=torch.int64))
            self._counted[name] = 0

    def count(self, name: str, more: int) -> None:
        """Add to a counter."""
        self._counted[name] += more
        getattr(self, name).add_(more)

    def counted(self, name: str) -> int:
        """The value of a counter, without a wait for the device of its buffer."""
        return self._counted[name]

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._counted = {name: int(getattr(self, name)) for name in self._counted}

    @abstractmethod
    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One iteration on the batch ``data``: step every optimiser that is due; returns name → scalar for the log."""

    @abstractmethod
    def sample_images(self, count: int) -> dict[str, Tensor]:
        """Name → images ``(count, 3, H, W)`` in [0, 1] of the state of the training; the same codes at each call."""

    def forward(self, data: Any) -> Any:
        """The prediction for a batch, which validation and test evaluate. A method that is evaluated overrides it."""
        raise TypeError(f"{type(self).__name__} has no forward(data), so it cannot be validated or tested")

    def val_step(self, data: Any) -> Any:
        """The prediction for a batch of the validation loader."""
        return self(self.data_preprocessor(data, False))

    def test_step(self, data: Any) -> Any:
        """The prediction for a batch of the test loader."""
        return self.val_step(data)

    def init_weights(self) -> None:
        """Does nothing: modules initialise their weights when they are built."""
        self._is_init = True

    def averaged(self, name: str) -> nn.Module:
        """The running average of the sub-module ``name`` (hook ``GeneratorEMA``), or the sub-module if none is kept."""
        averages = getattr(self, "ema", None)
        if isinstance(averages, nn.ModuleDict) and name in averages:
            return averages[name]
        return getattr(self, name)

    def update(self, optimizer: Any, terms: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Compute ``terms()`` in the optimiser's precision and step on their sum; returns the terms, detached."""
        with optimizer.optim_context(self):
            computed = terms()
        if not computed:
            raise InputError(f"{type(self).__name__} has no loss term left to train on; see its losses")
        optimizer.update_params(torch.stack([term.float() for term in computed.values()]).sum())
        return {name: term.detach() for name, term in computed.items()}
