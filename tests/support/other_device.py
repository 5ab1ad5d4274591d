"""A device that is not the CPU, on machines that have no other: it finds tensors that meet on two devices.

Tensors of ``phantom:0`` are CPU tensors in disguise. Every operation on them is refused where a GPU would refuse it: a
tensor of the CPU among tensors of the device (a single number, an index and the source of a copy are allowed), a
generator of another device. Every moment at which a GPU would have to wait for its results is counted.

::

    with other_device() as device:
        network.to(device)(torch.rand(2, 3, device=device))
    assert device.waits == {}
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

NAME = "phantom"
_WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique2", "unique_consecutive", "equal"}
# the CPU tensor among their arguments is where the data come from, or go to
_COPIES = {"copy_", "_to_copy", "_copy_from"}
_INDEXED = {"index", "index_put_", "index_put", "_unsafe_index", "_index_put_impl_"}


class _Disguised(torch.Tensor):
    """A CPU tensor, ``inner``, that says it is on the other device."""

    inner: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> _Disguised:
        strided = inner.layout == torch.strided  # a sparse matrix has no strides; from outside it looks dense
        shape = {"strides": inner.stride(), "storage_offset": inner.storage_offset()} if strided else {}
        return torch.Tensor._make_wrapper_subclass(cls, inner.size(), dtype=inner.dtype, device=f"{NAME}:0", **shape)

    def __init__(self, inner: torch.Tensor) -> None:
        self.inner = inner

    def tolist(self) -> Any:
        """As of any tensor of a device: wait, then copy."""
        return self.to("cpu").tolist()

    def __repr__(self) -> str:
        return f"{self.inner!r} on {NAME}"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {}, Counter())


class _Mode(TorchDispatchMode):
    def __init__(self, waits: Counter[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {}, self.waits)


class _Backend:
    """What torch asks the module of a device for."""

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def device_count() -> int:
        return 1

    @staticmethod
    def _is_in_bad_fork() -> bool:
        return False

    @staticmethod
    def manual_seed_all(seed: int) -> None:
        """Its random numbers are the CPU's."""

    @staticmethod
    def get_amp_supported_dtype() -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


class OtherDevice(str):
    """``"phantom:0"``, to be given wherever a device is; ``waits`` counts, by place in our code, what would wait."""

    waits: Counter[str]


@contextmanager
def other_device() -> Iterator[OtherDevice]:
    """Let the device exist within the block."""
    if torch._C._get_privateuse1_backend_name() != NAME:
        torch.utils.backend_registration._setup_privateuseone_for_python_backend(NAME, _Backend())
    device = OtherDevice(f"{NAME}:0")
    device.waits = Counter()
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(
        True
    )  # torch.tensor(…, device=…) is then made on the CPU and moved, as seen here
    try:
        with _Mode(device.waits):
            yield device
    finally:
        torch._C._set_only_lift_cpu_tensors(before)


def _run(func: Any, args: Any, kwargs: dict[str, Any], waits: Counter[str]) -> Any:
    name = func._schema.name.removeprefix("aten::")
    tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, torch.Tensor)]
    ours = [value for value in tensors if isinstance(value, _Disguised)]
    target = kwargs.get("device")
    there = bool(ours) if target is None else torch.device(target).type == NAME
    if ours and name not in _COPIES:
        strangers = [value for value in tensors if not isinstance(value, _Disguised) and value.ndim > 0]
        by_index = name in _INDEXED and isinstance(args[0], _Disguised)
        if strangers and not by_index:
            shapes = [tuple(value.shape) for value in strangers]
            raise RuntimeError(f"{name}: expected all tensors on one device, found {NAME}:0 and cpu {shapes}")
        if strangers:
            waits[_place(f"{name} with an index of the CPU")] += 1
    generator = kwargs.get("generator")
    if generator is not None and there and generator.device.type != NAME:
        raise RuntimeError(f"{name}: expected a '{NAME}' generator but found '{generator.device.type}'")
    masked = name in _INDEXED and any(
        t.dtype in (torch.bool, torch.uint8) for t in tree_flatten(args[1])[0] if t is not None
    )
    leaves = bool(ours) and name == "_to_copy" and not there
    leaves = leaves or (name == "copy_" and not isinstance(args[0], _Disguised) and isinstance(args[1], _Disguised))
    if ours and (name in _WAITS or masked or leaves):
        waits[_place(name)] += 1

    own = {id(value.inner): value for value in ours}
    plain = {**kwargs, "device": torch.device("cpu")} if target is not None else kwargs
    result = func(*tree_map(_inner, args), **tree_map(_inner, plain))

    def disguise(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or isinstance(value, _Disguised) or not there:
            return value
        return own.get(id(value)) if id(value) in own else _Disguised(value)

    return None if result is None else tree_map(disguise, result)


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, _Disguised) else value


def _place(what: str) -> str:
    """The innermost line of the package that asked for it."""
    for frame, line in traceback.walk_stack(None):  # innermost first, and without reading the sources
        file = frame.f_code.co_filename.replace("\\", "/")
        if "/faceuv/" in file and "/tests/" not in file:
            return f"{file.rpartition('/faceuv/')[2]}:{line} {what}"
    return what
