"""The device that the parts run on: its settings, precision, memory and time."""

from __future__ import annotations

import datetime
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch

from faceuv.version import __version__
from tools.gpu.wheels import KitError

T = TypeVar("T")


@dataclass
class Machine:
    """A device, and since when the run has been going.

    ``toy`` makes every part small, so that it runs on a CPU within seconds.
    """

    device: torch.device
    toy: bool = False
    start: float = field(default_factory=time.monotonic)

    @classmethod
    def choose(cls, name: str | None, *, toy: bool = False) -> Machine:
        """``"cuda"`` unless another device is named; with fast settings for training."""
        device = torch.device(name or "cuda")
        if device.type == "cuda":
            if not torch.cuda.is_available():
                raise KitError(
                    f"no GPU: torch {torch.__version__} finds no CUDA device; --device cpu --toy runs at toy size"
                )
            if device.index is None:
                device = torch.device("cuda", torch.cuda.current_device())
            torch.cuda.set_device(device)
            # trying every algorithm for every shape took 80 s of a short run and won 6% of a step
            torch.backends.cudnn.benchmark = False
            # convolutions in TF32; matrix products stay as they are, in float32: geometry and fits need them exact
            torch.backends.cudnn.allow_tf32 = True
        elif device.type != "cpu":
            raise KitError(f"--device is cuda or cpu, got {name}")
        return cls(device, toy)

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def precision(self) -> str:
        """``"bfloat16"`` where the GPU computes in it, else ``"float32"``."""
        native = self.on_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
        return "bfloat16" if native else "float32"

    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.start

    def free_gib(self) -> float:
        """Memory that is free on the GPU; without one, infinite: a toy fits."""
        return torch.cuda.mem_get_info(self.device)[0] / 2**30 if self.on_gpu else float("inf")

    def wait(self) -> None:
        """Until the device has done everything."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def timed(self, call: Callable[[], T]) -> tuple[float, T]:
        """Seconds of a call, the device's work included."""
        self.wait()
        start = time.perf_counter()
        result = call()
        self.wait()
        return time.perf_counter() - start, result

    def shrinking(self, what: str, size: int, least: int, call: Callable[[int], T]) -> tuple[int, T]:
        """``call(size)``, with half the size whenever memory does not suffice; the size that did, and the result."""
        while True:
            try:
                return size, call(size)
            except torch.OutOfMemoryError as error:
                if size // 2 < least:
                    raise KitError(
                        f"{what}: even {size} do not fit the {self.free_gib():.1f} GiB that are free on the GPU; end"
                        " what else runs there, or choose a smaller --size"
                    ) from error
            torch.cuda.empty_cache()
            print(f"{what}: {size} do not fit the GPU's memory, trying {size // 2}", flush=True)
            size //= 2

    def fastest(self, what: str, sizes: Sequence[int], seconds: Callable[[int], float]) -> int:
        """The one of the rising ``sizes`` that does most per second by ``seconds(size)`` of a step.

        A larger size must gain a quarter, and the first that does not, or does not fit the memory, ends the search.
        Small steps are bound by the launches of their kernels: twice the size then takes hardly longer.
        """
        chosen, best = sizes[0], 0.0
        for size in sizes:
            try:
                rate = size / seconds(size)
            except torch.OutOfMemoryError:
                torch.cuda.empty_cache()
                rate = 0.0
            if best and rate < 1.25 * best:
                break
            chosen, best = size, rate
        if best:
            print(f"{what}: {chosen}, {best:.0f} a second", flush=True)
        return chosen

    def facts(self) -> dict[str, Any]:
        """What a result is worth little without."""
        found: dict[str, Any] = {
            "device": platform.processor() or platform.machine(),
            "when": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "torch": torch.__version__,
            "python": sys.version.split()[0],
            "faceuv": __version__,
            "threads": torch.get_num_threads(),
            "precision": self.precision,
            "toy": self.toy,
        }
        if self.on_gpu:
            properties = torch.cuda.get_device_properties(self.device)
            found |= {
                "device": properties.name,
                "memory_gib": round(properties.total_memory / 2**30, 1),
                "free_gib": round(self.free_gib(), 1),
                "capability": f"{properties.major}.{properties.minor}",
                "cuda": torch.version.cuda,
            }
        return found
