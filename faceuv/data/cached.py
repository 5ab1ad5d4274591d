"""A dataset of pictures that are drawn once and kept as bytes, for trainings that cost less than the drawing."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import barrier, get_rank, get_world_size
from torch import Tensor
from torch.utils.data import Dataset

from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import atomic_path
from faceuv.files.cache import cache_dir
from faceuv.registry import DATASETS

Report = Callable[[int, int], None]
"""Called with (pictures kept, pictures wanted)."""


@DATASETS.register_module()
class CachedImages(Dataset[dict[str, Tensor]]):
    """The first ``length`` pictures of a dataset, drawn once and kept as bytes; item i is picture i.

    The pictures lie in files of ``chunk``, written atomically: an interrupted filling continues where it stopped, and
    several processes and runs can share a folder. Item i is ``dict(image (3, S, S) uint8, index, …facts)``.

    Args:
        dataset: a dataset with ``batch(indices) → dict(image (B, 3, S, S) in [0, 1])``, or its config; a config is
            only built if something must be drawn.
        length: number of pictures to keep.
        folder: where to keep them; by default in faceuv's cache, under a name made of the dataset's config.
        chunk: pictures per file.
        workers: number of drawing processes; 0 draws in this one (right for a GPU). Needs ``dataset`` to be a config.
        facts: names of facts that ``dataset.facts(indices)`` gives without drawing (``("coefficients",)`` of synthetic
            faces); computed at the start, kept in memory, part of every item.
        check: when pictures are found, draw one again, and raise if it differs from the kept one.
    """

    def __init__(
        self,
        dataset: Any,
        length: int,
        *,
        folder: str | Path | None = None,
        chunk: int = 128,
        workers: int = 0,
        facts: Sequence[str] = (),
        check: bool = True,
    ) -> None:
        for name, value, least in (("length", length, 1), ("chunk", chunk, 1), ("workers", workers, 0)):
            if not isinstance(value, int) or value < least:
                raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")
        config = json.loads(json.dumps(dataset, default=str)) if isinstance(dataset, Mapping) else None
        if config is None and (workers or folder is None):
            raise InputError("workers and a folder of its own name need the dataset as a config, dict(type=…)")
        self._source, self._config = dataset, config
        self.length, self.chunk, self.workers = length, chunk, workers
        self.folder = Path(folder) if folder is not None else cache_dir() / "pictures" / _fingerprint(config, chunk)
        self._chunks: dict[int, np.ndarray] = {}
        self._check_folder()
        if check and any(self.file(number).is_file() for number in range(self.chunks)):
            self._check_pictures()
        self.fill()
        self._facts = self._known(facts) if facts else {}

    @property
    def chunks(self) -> int:
        """How many files there are when all pictures are kept."""
        return -(-self.length // self.chunk)

    def file(self, number: int) -> Path:
        """The file of one chunk: ``(chunk, S, S, 3)`` uint8."""
        return self.folder / f"pictures_{number:06d}.npy"

    def missing(self) -> list[int]:
        """Numbers of the chunks that are still to be drawn."""
        return [number for number in range(self.chunks) if not self.file(number).is_file()]

    def fill(self, report: Report | None = None) -> None:
        """Draw what is missing; with several ranks, each draws its share and waits for the others."""
        share = [number for number in self.missing() if number % get_world_size() == get_rank()]
        if share:
            self._draw(share, report or _progress(self.folder))
        barrier()
        if self.missing():
            raise AssetError(f"{len(self.missing())} files of {self.folder} were not written by another process")

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not -self.length <= index < self.length:
            raise IndexError(f"picture {index} of {self.length}")
        number, row = divmod(index % self.length, self.chunk)
        picture = torch.from_numpy(np.array(self._read(number)[row])).permute(2, 0, 1)
        facts = {name: values[index % self.length] for name, values in self._facts.items()}
        return {"image": picture, "index": torch.tensor(index % self.length), **facts}

    def __getstate__(self) -> dict[str, Any]:
        """For loader processes: they open the files themselves and never draw."""
        return {**self.__dict__, "_chunks": {}, "_source": None}

    def _read(self, number: int) -> np.ndarray:
        if number not in self._chunks:
            path = self.file(number)
            try:
                found = np.lib.format.open_memmap(path, mode="r")  # .npy only; never unpickles
            except (OSError, ValueError) as error:
                raise AssetError(f"{path} cannot be read ({error}); delete it and it is drawn again") from error
            if found.ndim != 4 or found.shape[0] != self.chunk or found.shape[3] != 3 or found.dtype != np.uint8:
                raise AssetError(
                    f"{path} must hold ({self.chunk}, S, S, 3) uint8, found {found.shape} {found.dtype}; delete it"
                )
            self._chunks[number] = found
        return self._chunks[number]

    def _check_folder(self) -> None:
        """Compare the dataset with the one in ``dataset.json``; two datasets must not share a folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path, own = self.folder / "dataset.json", {"dataset": self._config, "chunk": self.chunk}
        if not path.is_file():
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(own, indent=2), encoding="utf-8")
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (ValueError, RecursionError) as error:
            raise AssetError(f"{path} is not JSON ({error}); delete {self.folder} to draw them again") from error
        if found != own:
            raise AssetError(f"{self.folder} holds pictures of {found}, not of {own}; choose another folder")

    def _check_pictures(self) -> None:
        first = next(number for number in range(self.chunks) if self.file(number).is_file())
        index = first * self.chunk
        kept, drawn = self._read(first)[0], _bytes(self._built(), [index])[0]
        # a level or so is rounding (another device or library); a changed world moves whole regions
        if kept.shape != drawn.shape or np.abs(kept.astype(int) - drawn.astype(int)).mean() > 1:
            raise AssetError(
                f"picture {index} in {self.folder} is not what the dataset draws now: the pictures are of another"
                " version. Delete the folder to draw them again, or pass check=False to use them"
            )

    def _built(self) -> Any:
        if isinstance(self._source, Mapping):
            self._source = DATASETS.build(self._source)
        return self._source

    def _known(self, names: Sequence[str]) -> dict[str, Tensor]:
        source = self._built()
        if not hasattr(source, "facts"):
            raise InputError(f"facts={tuple(names)}: {type(source).__name__} has no facts(indices) to ask for them")
        found: dict[str, Tensor] = source.facts(range(self.length))
        if unknown := [name for name in names if name not in found]:
            raise InputError(f"{type(source).__name__} has no facts called {unknown}; it has {', '.join(found)}")
        return {name: found[name].cpu() for name in names}

    def _draw(self, numbers: list[int], report: Report) -> None:
        done = self.chunks - len(self.missing())
        jobs = [(self.file(number), range(number * self.chunk, (number + 1) * self.chunk)) for number in numbers]
        for written in self._written(jobs):
            done += written
            report(min(done * self.chunk, self.length), self.length)

    def _written(self, jobs: list[tuple[Path, range]]) -> Iterable[int]:
        if not self.workers:
            source = self._built()
            yield from (_write(source, job) for job in jobs)
            return
        if self._config is None:  # refused by the constructor; said again for the type checker
            raise InputError("workers need the dataset as a config, dict(type=…)")
        context = multiprocessing.get_context("spawn")  # a fork would inherit the threads' locks
        with ProcessPoolExecutor(self.workers, context, initializer=_start_worker) as pool:
            yield from pool.map(partial(_write_in_worker, self._config), jobs)


def _fingerprint(config: Any, chunk: int) -> str:
    text = json.dumps([config, chunk], sort_keys=True)
    return f"{config.get('type', 'dataset')}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _bytes(source: Any, indices: Iterable[int]) -> np.ndarray:
    """``(B, S, S, 3)`` uint8."""
    images = source.batch(list(indices))["image"]
    levels = (images.float().clamp(0, 1) * 255).round().to(torch.uint8)
    found: np.ndarray = levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return found


def _write(source: Any, job: tuple[Path, range]) -> int:
    path, indices = job
    pictures = _bytes(source, indices)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.save(file, pictures, allow_pickle=False)
    return 1


_built_in_worker: dict[str, Any] = {}


def _start_worker() -> None:
    """One thread for drawing; and no worker outlives a parent that was killed."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _write_in_worker(config: Mapping[str, Any], job: tuple[Path, range]) -> int:
    key = json.dumps(config, sort_keys=True)
    if key not in _built_in_worker:
        _built_in_worker[key] = DATASETS.build(dict(config))
    return _write(_built_in_worker[key], job)


def _progress(folder: Path) -> Report:
    """Lines in the log, at most twenty."""
    from mmengine.logging import MMLogger

    logger = MMLogger.get_current_instance()
    told = [0]

    def report(done: int, wanted: int) -> None:
        if done >= wanted or done - told[0] >= wanted / 20:
            told[0] = done
            logger.info(f"drawn {done} of {wanted} pictures → {folder}")

    return report
