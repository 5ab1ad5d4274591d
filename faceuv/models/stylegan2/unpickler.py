"""Read NVIDIA's network pickles without running anything that they bring.

A pickle is a program: it may name any function and call it. This reader knows numbers, arrays, tensors and plain
containers. Classes of the libraries that wrote such files become inert :class:`Stub` objects that keep what was stored
in them (the source code embedded in these files among it: kept as text, never run). Every other name is refused.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

from faceuv.errors import AssetError


class Stub:
    """What a pickle stored for an object of a class that is not loaded: constructor arguments and state."""

    qualified_name = ""

    def __new__(cls, *args: Any, **kwargs: Any) -> Stub:
        stub = super().__new__(cls)
        stub.args = args
        stub.kwargs = kwargs
        stub.state = {}
        return stub

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args: tuple[Any, ...] = args
        self.kwargs: dict[str, Any] = kwargs
        self.state: Any = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __repr__(self) -> str:
        return f"<stub of {self.qualified_name}>"


def _storage(data: bytes) -> Any:
    """Stands in for ``torch.storage._load_from_bytes``, which would unpickle without restraint."""
    return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def _parameter(data: torch.Tensor, *_: Any) -> torch.Tensor:
    """Stands in for the rebuilding of parameters: their values are all that is wanted."""
    return data


class _Record(dict[str, Any]):
    """Stands in for a dictionary subclass."""


def _encode(text: str, encoding: str) -> bytes:
    """Stands in for ``_codecs.encode``: how old pickle protocols store bytes."""
    if encoding != "latin1":
        raise AssetError(f"unexpected text encoding {encoding!r} in a pickle")
    return text.encode("latin1")


_PLAIN = (set, frozenset, dict, list, tuple, bytearray, complex, slice, int, float)
_KNOWN: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "_codecs.encode": _encode,
    "dnnlib.util.EasyDict": _Record,
    "dnnlib.EasyDict": _Record,
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": np.dtype,
    "torch.Size": torch.Size,
    "torch.device": torch.device,
    "torch.storage._load_from_bytes": _storage,
    "torch._utils._rebuild_tensor": torch._utils._rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": torch._utils._rebuild_tensor_v2,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    **{f"builtins.{kind.__name__}": kind for kind in _PLAIN},
}
for _core in ("core", "_core"):  # numpy 2 renamed the module; pickles hold either name
    _KNOWN[f"numpy.{_core}.multiarray._reconstruct"] = np.zeros(0).__reduce__()[0]
    _KNOWN[f"numpy.{_core}.multiarray.scalar"] = np.float64(0).__reduce__()[0]
    _KNOWN[f"numpy.{_core}.numeric._frombuffer"] = np.zeros(1).__reduce_ex__(5)[0]
# Packages of the releases that wrote the files; their classes become stubs.
_STUBBED = ("dnnlib.", "torch_utils.", "training.", "torch.nn.modules.")


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, encoding="latin1")
        self._stubs: dict[str, type[Stub]] = {}

    def find_class(self, module: str, name: str) -> Any:
        qualified = f"{'builtins' if module == '__builtin__' else module}.{name}"
        if qualified in _KNOWN:
            return _KNOWN[qualified]
        if module == "torch" and isinstance(found := getattr(torch, name, None), torch.dtype):
            return found
        if qualified.startswith(_STUBBED) and "." not in name:
            if qualified not in self._stubs:
                self._stubs[qualified] = type(name, (Stub,), {"qualified_name": qualified})
            return self._stubs[qualified]
        raise AssetError(
            f"this pickle asks for {qualified}, which no StyleGAN2 file needs: refused, nothing was run."
            " Get the file from its authors again"
        )

    def persistent_load(self, key: Any) -> Any:
        raise AssetError(f"this pickle refers to data outside itself ({str(key)[:60]}); expected a network pickle")


def read_pickle(path: str | Path) -> Any:
    """The contents of a pickle: numbers, containers, numpy arrays, CPU tensors, and :class:`Stub` for the rest."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _Unpickler(file).load()
    except AssetError as error:
        raise AssetError(f"{path}: {error}") from None
    except FileNotFoundError:
        raise AssetError(f"{path} does not exist; expected a StyleGAN2 network pickle") from None
    except Exception as error:  # a damaged pickle can raise anything
        raise AssetError(
            f"{path} is not a readable pickle ({type(error).__name__}: {error}); it may be truncated or of another kind"
        ) from error
