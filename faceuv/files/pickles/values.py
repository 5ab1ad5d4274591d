"""What a pickle may hold beside plain values, and how it is made from what the pickle gives: all of it checked here."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceuv.checks import shown
from faceuv.errors import AssetError

# The element types of numeric arrays. Objects, structures and subarrays, which hold pointers, are not among them.
_DTYPES = frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"))
_OBJECTS = ("O8", "O4")
_EMPTY = 1 << 16  # the largest size beside a 0 in a shape
_ORDERS = ("<", ">", "|", "=")
_STORAGES: dict[str, torch.dtype] = {
    "torch.DoubleStorage": torch.float64,
    "torch.FloatStorage": torch.float32,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
    "torch.storage.UntypedStorage": torch.uint8,
}


class Stub:
    """What a pickle stored for an object of a class that is not loaded: constructor arguments and state."""

    __slots__ = ("args", "kwargs", "qualified_name", "state")

    def __init__(self, qualified_name: str, args: tuple[Any, ...] = (), kwargs: dict[Any, Any] | None = None) -> None:
        self.qualified_name = qualified_name
        self.args = args
        self.kwargs = kwargs or {}
        self.state: Any = {}

    def __repr__(self) -> str:
        return f"<stub of {self.qualified_name}>"


class Record(dict[Any, Any]):
    """Stands in for a dictionary subclass."""


@dataclass(frozen=True)
class Name:
    """A function or class that a pickle names. It is never looked up; :data:`CALLS` says what a call of it means."""

    qualified: str


OBJECT = Name("numpy.object")
"""The element type of an array of objects: a name, never a dtype."""


@dataclass(eq=False)
class Pending:
    """A dtype or an array that its BUILD has yet to complete; ``memo`` lists where the pickle keeps it."""

    dtype: str | None = None
    memo: list[int] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Storage:
    """The numbers of a torch storage, flat."""

    values: Tensor


@dataclass
class Budget:
    """How many bytes the calls of a pickle may still make, beside what lies in the file."""

    left: int

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise AssetError("this pickle makes far more data than it holds: refused; get it from its authors again")


def bad(what: str, value: Any) -> AssetError:
    return AssetError(f"this pickle holds {what} that is not in order: {shown(value)}; get it from its authors again")


def _sizes(value: Any, what: str) -> tuple[int, ...]:
    if not isinstance(value, tuple) or len(value) > 32 or not all(type(n) is int and 0 <= n < 2**48 for n in value):
        raise bad(what, value)
    if 0 in value and max(value) > _EMPTY:  # takes no memory itself, but what is made to fit it would
        raise bad(what, value)
    return value


# ------------------------------------------------------------------------------------------------- numpy


def _dtype(budget: Budget, code: Any, align: Any = 0, copy: Any = 1) -> Pending:
    if code in _OBJECTS if isinstance(code, str) else False:
        return Pending(dtype="O")
    if code not in _DTYPES if isinstance(code, str) else True:
        raise AssetError(
            f"this pickle holds an array of {shown(code)}; only numbers are read ({', '.join(sorted(_DTYPES))}):"
            " refused"
        )
    return Pending(dtype=code)


def built_dtype(pending: Pending, state: Any) -> np.dtype[Any] | Name:
    """The dtype of ``np.dtype.__reduce__``'s state, of which only the byte order may say anything; that of objects
    stays a name, :data:`OBJECT`."""
    plain = isinstance(state, tuple) and 5 <= len(state) <= 9 and state[1] in _ORDERS
    if not plain or any(part is not None for part in state[2:5]):
        raise bad("an element type", state)
    if pending.dtype == "O":
        return OBJECT
    return np.dtype(f"{state[1]}{pending.dtype}")


def _array(budget: Budget, kind: Any, shape: Any, code: Any) -> Pending:
    if kind != Name("numpy.ndarray"):
        raise bad("an array class", kind)
    return Pending()


def built_array(state: Any) -> Any:
    """The array of ``np.ndarray.__reduce__``'s state: (version, shape, dtype, Fortran order, bytes).

    ``np.save`` wraps a dictionary in an array of one object and no axes. That object itself is returned; an array of
    objects is never made, because it would hold pointers.
    """
    if not isinstance(state, tuple) or len(state) != 5:
        raise bad("an array", state)
    _, shape, dtype, fortran, data = state
    if dtype is OBJECT:
        if shape != () or type(data) is not list or len(data) != 1:
            raise bad("an array of objects", (shape, data))
        return data[0]
    return _filled(data, dtype, shape, "F" if fortran else "C")


def _from_buffer(
    budget: Budget, data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None
) -> np.ndarray[Any, Any]:
    if order == "K" and axes is not None:  # the shape in memory, and the order in which its axes are wanted
        axes = _sizes(axes, "an order of axes")
        shape = _sizes(shape, "an array shape")
        if sorted(axes) != list(range(len(shape))):
            raise bad("an order of axes", axes)
        return _filled(data, dtype, shape, "C").transpose(axes)
    if order not in ("C", "F"):
        raise bad("an array order", order)
    return _filled(data, dtype, shape, order)


def _filled(data: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
    shape = _sizes(shape, "an array shape")
    if isinstance(data, str):  # bytes of Python 2
        data = data.encode("latin1")
    if not isinstance(dtype, np.dtype) or not isinstance(data, (bytes, bytearray)):
        raise bad("an array", (shape, dtype, data))
    count = math.prod(shape)
    if count * dtype.itemsize != len(data):
        raise AssetError(
            f"this pickle holds an array of shape {shown(shape)} and {dtype} with {len(data):,} bytes of data; it is"
            " damaged: get it from its authors again"
        )
    if count == 0:
        return np.zeros(shape, dtype)
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _scalar(budget: Budget, dtype: Any, data: Any) -> np.generic:
    value: Any = _filled(data, dtype, (), "C")[()]
    assert isinstance(value, np.generic)
    return value


# ------------------------------------------------------------------------------------------------- torch


def storage_of(key: Any) -> tuple[torch.dtype, int]:
    """Type and count of ``("storage", class, key, device, count, …)``, by which ``torch.save`` refers to data."""
    known = isinstance(key, tuple) and len(key) >= 5 and key[0] == "storage" and isinstance(key[1], Name)
    if not known or key[1].qualified not in _STORAGES or type(key[4]) is not int or key[4] < 0:
        raise bad("a reference to tensor data", key)
    return _STORAGES[key[1].qualified], key[4]


def is_storage_class(qualified: str) -> bool:
    return qualified in _STORAGES


def storage_values(data: memoryview, dtype: torch.dtype, count: int) -> Storage:
    if count * dtype.itemsize != len(data):
        raise AssetError("this pickle holds tensor data that was cut short; get it from its authors again")
    return Storage(torch.frombuffer(bytearray(data), dtype=dtype) if count else torch.empty(0, dtype=dtype))


def _tensor(budget: Budget, storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    if not isinstance(storage, Storage) or type(offset) is not int or offset < 0:
        raise bad("a tensor", (storage, offset))
    size = _sizes(tuple(size) if isinstance(size, (tuple, list)) else size, "a tensor size")
    stride = _sizes(tuple(stride) if isinstance(stride, (tuple, list)) else stride, "a tensor stride")
    values = storage.values
    if len(size) != len(stride):
        raise bad("a tensor", (size, stride))
    if math.prod(size) == 0:
        return values.new_empty(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    if last >= values.numel() or math.prod(size) > values.numel():
        raise bad("a tensor larger than its data", (size, stride, values.numel()))
    return torch.as_strided(values, size, stride, offset)


def _parameter(budget: Budget, data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise bad("a parameter", data)
    return data


# ------------------------------------------------------------------------------------------------- plain containers


def _plain(kind: Callable[..., Any]) -> Callable[..., Any]:
    """A container without arguments or of one list or tuple."""

    def make(budget: Budget, items: Any = ()) -> Any:
        if not isinstance(items, (list, tuple, set, frozenset)):
            raise bad(f"a {kind.__name__}", items)
        budget.spend(64 + 64 * len(items))
        if kind in (set, frozenset):
            for item in items:
                check_key(item)
        return kind(items)

    return make


def _mapping(kind: type[dict[Any, Any]]) -> Callable[..., Any]:
    def make(budget: Budget, items: Any = ()) -> Any:
        pairs = list(items.items()) if isinstance(items, dict) else items
        if not isinstance(pairs, (list, tuple)) or not all(isinstance(p, (list, tuple)) and len(p) == 2 for p in pairs):
            raise bad("a dictionary", items)
        budget.spend(256 + 128 * len(pairs))
        for key, _ in pairs:
            check_key(key)
        return kind(pairs)

    return make


def check_key(key: Any) -> None:
    """Keys are plain: the hash of nested tuples can take for ever."""
    parts = key if isinstance(key, tuple) and len(key) <= 8 else (key,)
    if not all(part is None or type(part) in (str, bytes, bool, int, float) for part in parts):
        raise bad("a dictionary key", key)


def _encode(budget: Budget, text: Any, encoding: Any = "latin1") -> bytes:
    """``_codecs.encode``: how old pickle protocols store bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise bad("encoded bytes", (text, encoding))
    budget.spend(len(text))
    return text.encode("latin1")


def _bytes(budget: Budget) -> bytes:
    return b""


def _bytearray(budget: Budget, data: Any = b"", encoding: Any = "latin-1") -> bytearray:
    if isinstance(data, str):
        data = _encode(budget, data, encoding)
    if not isinstance(data, bytes):  # a number would be a size
        raise bad("a bytearray", data)
    budget.spend(len(data))
    return bytearray(data)


def _complex(budget: Budget, real: Any = 0.0, imaginary: Any = 0.0) -> complex:
    if type(real) not in (int, float) or type(imaginary) not in (int, float):
        raise bad("a complex number", (real, imaginary))
    return complex(real, imaginary)


def _slice(budget: Budget, *ends: Any) -> slice:
    if len(ends) != 3 or not all(end is None or type(end) is int for end in ends):
        raise bad("a slice", ends)
    return slice(*ends)


def _torch_size(budget: Budget, sizes: Any = ()) -> tuple[int, ...]:
    return _sizes(tuple(sizes) if isinstance(sizes, (list, tuple)) else sizes, "a torch.Size")


def _device(budget: Budget, *parts: Any) -> str:
    return ":".join(map(str, parts)) if all(type(part) in (str, int) for part in parts) else "cpu"


# What a call of a name makes. Names that are kept but not called (``int`` as a value) map to None.
CALLS: dict[str, Callable[..., Any] | None] = {
    "collections.OrderedDict": _mapping(OrderedDict),
    "dnnlib.util.EasyDict": _mapping(Record),
    "dnnlib.EasyDict": _mapping(Record),
    "_codecs.encode": _encode,
    "numpy.ndarray": None,
    "numpy.dtype": _dtype,
    "torch.Size": _torch_size,
    "torch.device": _device,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "builtins.set": _plain(set),
    "builtins.frozenset": _plain(frozenset),
    "builtins.list": _plain(list),
    "builtins.tuple": _plain(tuple),
    "builtins.dict": _mapping(dict),
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytearray,
    "builtins.complex": _complex,
    "builtins.slice": _slice,
    "builtins.object": None,
    "builtins.int": None,
    "builtins.float": None,
}
for _core in ("core", "_core"):  # numpy 2 renamed the module; pickles hold either name
    CALLS[f"numpy.{_core}.multiarray._reconstruct"] = _array
    CALLS[f"numpy.{_core}.multiarray.scalar"] = _scalar
    CALLS[f"numpy.{_core}.numeric._frombuffer"] = _from_buffer
