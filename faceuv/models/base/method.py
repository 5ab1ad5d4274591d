"""The base of methods: named loss terms, steps of several optimisers, averaged weights, sample images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.registry import LOSSES


class LossTerms(nn.Module):
    """Loss terms by name, each with its weight: ``dict(photo=dict(type="photometric", weight=10.0), …)``.

    Names let a derived config change one term (``losses=dict(photo=dict(weight=5.0))``) or switch it off
    (``losses=dict(photo=None)``).
    """

    def __init__(self, terms: Mapping[str, Any]) -> None:
        super().__init__()
        self.weights: dict[str, float] = {}
        self.terms = nn.ModuleDict()
        for name, config in terms.items():
            if config is None:
                continue
            if not isinstance(config, Mapping):
                raise InputError(f"losses.{name} must be dict(type=…, weight=…), got {config!r}")
            self.weights[name] = float(config.get("weight", 1.0))
            self.terms[name] = LOSSES.build({key: value for key, value in config.items() if key != "weight"})

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> dict[str, Tensor]:
        """Name → weighted scalar of every term."""
        return {name: self.term(name, pred, target) for name in self.terms}

    def term(self, name: str, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """The weighted scalar of one term."""
        weighted: Tensor = self.weights[name] * self.terms[name](pred, target)
        return weighted

    def per_image(self, name: str, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """The weighted values ``(B,)`` of one term, for methods that weigh images differently."""
        loss: Any = self.terms[name]
        weighted: Tensor = self.weights[name] * loss.per_image(pred, target)
        return weighted


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


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Within this context gradients pass through ``modules``, and none is computed for their weights."""
    trained = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
