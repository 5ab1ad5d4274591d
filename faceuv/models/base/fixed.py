"""Frozen networks: inside other modules, or for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from torch import nn

from faceuv.errors import InputError

M = TypeVar("M", bound=nn.Module)


class Fixed(nn.Module, Generic[M]):
    """A frozen network inside another module: it moves to a device with it, but is neither trained, averaged nor saved.

    Checkpoints of a method then hold the networks that it trains, without the teacher, the face model or VGG.
    ``fixed.network`` is the network, in evaluation mode and without gradients of its own.
    """

    _network: M

    def __init__(self, network: M) -> None:
        super().__init__()
        if not isinstance(network, nn.Module):
            raise InputError(f"a frozen part of a training must be a torch.nn.Module, got {type(network).__name__}")
        # past nn.Module's own bookkeeping, which would list its parameters
        object.__setattr__(self, "_network", network.eval().requires_grad_(False))

    @property
    def network(self) -> M:
        """The network itself."""
        return self._network

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Fixed[M]:
        super()._apply(fn, recurse)
        self.network._apply(fn, recurse)
        return self

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.network(*args, **kwargs)


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
