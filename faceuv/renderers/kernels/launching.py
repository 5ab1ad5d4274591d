"""Starting warp without its banner, and launching its kernels on torch's tensors without a copy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import warp as wp
from torch import Tensor

from faceuv.files.cache import cache_dir

_streams: dict[tuple[int, int], Any] = {}


@contextmanager
def quietly() -> Iterator[None]:
    """Warp says nothing but errors; the user's own setting comes back afterwards."""
    # older releases have a switch in place of a level
    name, value = ("log_level", wp.LOG_ERROR) if hasattr(wp.config, "log_level") else ("quiet", True)
    before = getattr(wp.config, name)
    setattr(wp.config, name, value)
    try:
        yield
    finally:
        setattr(wp.config, name, before)


def start() -> None:
    """Start warp, with compiled kernels in our cache folder, unless the program has started it or named a folder."""
    if wp.config.kernel_cache_dir is None and "WARP_CACHE_PATH" not in os.environ:
        wp.config.kernel_cache_dir = str(cache_dir() / "warp")
    with quietly(), _without_warning_of_no_driver():
        wp.init()


@contextmanager
def _without_warning_of_no_driver() -> Iterator[None]:
    """On a machine without CUDA its library writes so, below Python's stderr; what fails is raised all the same."""
    if torch.cuda.is_available():
        yield
        return
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def launch(kernel: Any, size: Sequence[int], arguments: Sequence[Any], device: torch.device) -> None:
    """Run ``kernel`` over ``size`` threads with tensors and numbers, on torch's current stream of ``device``.

    Tensors are contiguous; a kernel that takes vectors sees a last axis of 2 or 3 numbers as one vector.
    """
    if 0 in size:
        return
    given = [
        _array(value, argument.type) if isinstance(value, Tensor) else value
        for value, argument in zip(arguments, kernel.adj.args)
    ]
    with quietly():  # it tells when it loads or compiles kernels
        if device.type == "cuda":
            wp.launch(kernel, tuple(size), given, stream=_stream(device))
        else:
            wp.launch(kernel, tuple(size), given, device="cpu")


def _array(tensor: Tensor, wanted: Any) -> Any:
    return wp.from_torch(tensor.detach(), dtype=wanted.dtype, requires_grad=False, return_ctype=True)


def _stream(device: torch.device) -> Any:
    """Torch's current stream as warp's."""
    stream = torch.cuda.current_stream(device)
    key = (stream.device_index, stream.cuda_stream)
    if key not in _streams:
        _streams[key] = wp.stream_from_torch(stream)
    return _streams[key]


start()
