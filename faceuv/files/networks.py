"""One codec for networks: the weights and the constructor's settings in one safetensors file.

A network class registers itself, so that a file can be read by its kind alone::

    @stored("coefficient_mapper")
    class CoefficientMapper(nn.Module):
        def settings(self) -> dict[str, Any]: ...      # the arguments that build one of the same shape

The header keeps ``kind``, ``settings``, and ``codes``: what the file says about the generator that it is, or is for
(:class:`CodeFacts`). A plan compares these facts without loading any weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import torch
from torch import Tensor, nn

from faceuv.checks import one_line, shown
from faceuv.errors import AssetError
from faceuv.files.artefacts import check_storable, load_tensors, parse_json, save_tensors

N = TypeVar("N", bound=nn.Module)
Precision = Literal["all", "matrices", "parameters"]


@dataclass(frozen=True)
class CodeFacts:
    """The facts about a generator in the header of a file.

    num_layers  L of the codes
    code_dim    D of the codes
    size        side of the generator's images in pixels
    """

    num_layers: int | None = None
    code_dim: int | None = None
    size: int | None = None

    def known(self) -> dict[str, int]:
        """The facts that the file states."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class StoredKind:
    """How networks of one kind are stored in files.

    name       the ``kind`` in the header
    network    the class that is built from the settings
    facts      settings → facts about the generator
    halves     which tensors take the precision of ``save_network``: all, those with two axes or more, or parameters
               but not buffers (which carry units)
    prepare    settings as JSON keeps them → the constructor's arguments
    """

    name: str
    network: type[nn.Module]
    facts: Callable[[Mapping[str, Any]], CodeFacts]
    halves: Precision
    prepare: Callable[[Mapping[str, Any]], dict[str, Any]]


_KINDS: dict[str, StoredKind] = {}


def _code_facts(settings: Mapping[str, Any]) -> CodeFacts:
    return CodeFacts(settings.get("num_layers"), settings.get("code_dim"))


def no_code_facts(settings: Mapping[str, Any]) -> CodeFacts:
    """The facts of networks that read no codes: none."""
    return CodeFacts()


Shapes = Mapping[str, tuple[int, ...]]
_OF_SHAPES: dict[str, Callable[[Shapes], CodeFacts]] = {}


def facts_of_shapes(kind: str, facts: Callable[[Shapes], CodeFacts]) -> None:
    """Registers a reader of facts from the shapes of tensors, for files of ``kind`` without ``codes``."""
    _OF_SHAPES[kind] = facts


def stored(
    kind: str,
    *,
    facts: Callable[[Mapping[str, Any]], CodeFacts] = _code_facts,
    halves: Precision = "all",
    prepare: Callable[[Mapping[str, Any]], dict[str, Any]] = dict,
) -> Callable[[type[N]], type[N]]:
    """Class decorator: networks of this class are kept in files of ``kind``; see :class:`StoredKind`."""

    def register(network: type[N]) -> type[N]:
        if kind in _KINDS and _KINDS[kind].network.__qualname__ != network.__qualname__:
            raise TypeError(f"files of kind {kind!r} hold a {_KINDS[kind].network.__name__}; choose another kind")
        _KINDS[kind] = StoredKind(kind, network, facts, halves, prepare)
        return network

    return register


def kind_of(network: type[nn.Module]) -> StoredKind:
    """The :class:`StoredKind` of a network class; a class that is not :func:`stored` is an error."""
    for kind in _KINDS.values():
        if kind.network is network:
            return kind
    raise TypeError(f"{network.__name__} is not kept in files: decorate it with @stored('…')")


def save_network(
    path: str | Path,
    network: nn.Module,
    *,
    dtype: torch.dtype = torch.float32,
    metadata: Mapping[str, Any] | None = None,
) -> Path:
    """Write one network to a safetensors file with its settings, atomically.

    Args:
        dtype: ``torch.float16`` halves the file; it is read back into float32. Values beyond its range are refused.
        metadata: anything else to keep: data, images seen, licence.
    """
    kind = kind_of(type(network))
    settings = cast(Any, network).settings()
    buffers = {name for name, _ in network.named_buffers()}
    tensors = {
        name: _stored_tensor(kind, value, dtype, is_buffer=name in buffers)
        for name, value in network.state_dict().items()
    }
    check_storable(path, tensors, dtype)
    kept = {
        "kind": kind.name,
        "settings": settings,
        "codes": kind.facts(settings).known(),
        "dtype": str(dtype).removeprefix("torch."),
    }
    return save_tensors(path, tensors, {**(metadata or {}), **kept})


def _stored_tensor(kind: StoredKind, value: Tensor, dtype: torch.dtype, *, is_buffer: bool) -> Tensor:
    keeps = not value.is_floating_point()
    keeps |= kind.halves == "matrices" and value.ndim < 2
    keeps |= kind.halves == "parameters" and is_buffer
    return value.detach().to("cpu", value.dtype if keeps else dtype).contiguous()


def load_network(path: str | Path, network: type[N]) -> N:
    """Read a network of this class, in float32, in evaluation mode and without gradients of its weights."""
    return cast(N, _load(path, kind_of(network)))


def read_network(path: str | Path) -> nn.Module:
    """Read the network of a file of any registered kind; the module of its class must have been imported."""
    found = read_header(path).get("kind")
    if found not in _KINDS:
        raise AssetError(f"{path} holds a {found!r}; networks that can be read are {', '.join(sorted(_KINDS))}")
    return _load(path, _KINDS[str(found)])


def _load(path: str | Path, kind: StoredKind) -> nn.Module:
    tensors, metadata = load_tensors(path, kind=kind.name)
    with network_settings(path, metadata.get("settings")) as settings:
        arguments = kind.prepare(settings)
    return build_network(path, kind.network, arguments, tensors)


def build_network(
    path: str | Path, cls: Callable[..., N], settings: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> N:
    """The network that a file's settings and weights make, in its own precision; frozen, for evaluation.

    A tensor that is missing or of another shape is an error that names it, found before memory is taken: a file of
    some bytes can ask for a network of any size.
    """
    with network_settings(path, settings):
        for name, value in shapes_of(cls, settings, len(tensors)).items():
            if name not in tensors:
                raise AssetError(f"{path}: the tensor {name} is missing")
            if tensors[name].shape != value.shape:
                raise AssetError(
                    f"{path}: {name} must have shape {tuple(value.shape)}, found {tuple(tensors[name].shape)}"
                )
        network = cls(**settings)
    own = network.state_dict()
    network.load_state_dict({name: tensors[name].to(value.dtype) for name, value in own.items()})
    return network.eval().requires_grad_(False)


@contextmanager
def network_settings(path: str | Path, settings: Any) -> Iterator[Mapping[str, Any]]:
    """Settings from a file; settings that the constructor refuses are an error of the file."""
    if not isinstance(settings, Mapping):
        raise AssetError(f"{path}: the settings of its network must be a JSON object, found {shown(settings)}")
    try:
        yield settings
    except AssetError:
        raise
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError, RuntimeError) as error:
        raise AssetError(
            f"{path}: no network can be built with its settings {shown(settings, 200)} ({one_line(error)}); make"
            " the file again"
        ) from error


def shapes_of(cls: Callable[..., nn.Module], settings: Mapping[str, Any], at_most: int) -> dict[str, Tensor]:
    """The state of ``cls(**settings)`` without its memory; more than ``at_most`` parameters are an error."""
    made = 0

    def count(*_: Any) -> None:
        nonlocal made
        made += 1
        if made > at_most:
            raise ValueError(f"they ask for more layers than the {at_most} tensors of the file")

    hook = nn.modules.module.register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"):
            return dict(cls(**settings).state_dict())
    finally:
        hook.remove()


def read_header(path: str | Path) -> dict[str, Any]:
    """The metadata of a safetensors file of ours; no weights are read."""
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise AssetError(f"{path} does not exist")
    try:
        with safe_open(str(path), framework="pt") as file:
            text = (file.metadata() or {}).get("faceuv", "{}")
    except (SafetensorError, OSError, ValueError) as error:
        raise AssetError(f"{path} is not a readable safetensors file ({error}): write it again") from error
    found = parse_json(text, f"the metadata of {path}", nan=True)
    if not isinstance(found, dict):
        raise AssetError(f"{path}: its faceuv metadata must be a JSON object, got a {type(found).__name__}")
    return found


def file_facts(path: str | Path) -> CodeFacts:
    """The facts that a file states about its generator; empty for files without facts."""
    header = read_header(path)
    codes = header.get("codes")
    if isinstance(codes, Mapping):
        return CodeFacts(**{name: value for name, value in codes.items() if name in CodeFacts.__dataclass_fields__})
    # files of version 0.1 keep settings alone, or nothing
    kind, settings = str(header.get("kind")), header.get("settings")
    if kind in _OF_SHAPES:
        return _OF_SHAPES[kind](_shapes(path))
    known = _KINDS.get(kind)
    return known.facts(settings) if known is not None and isinstance(settings, Mapping) else CodeFacts()


def _shapes(path: str | Path) -> dict[str, tuple[int, ...]]:
    """Name → shape of every tensor of a safetensors file; no weights are read."""
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (not a dict)
