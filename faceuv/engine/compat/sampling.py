"""A sampler that can seek, and the training loop that uses it.

MMEngine resumes an iteration-based run by drawing and throwing away every batch that was trained on: hours, late in a
long run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sized
from typing import Any

import torch
from mmengine.dist import get_dist_info, sync_random_seed
from mmengine.runner import IterBasedTrainLoop
from torch.utils.data import Sampler

from faceuv.errors import InputError
from faceuv.registry import DATA_SAMPLERS, LOOPS


@DATA_SAMPLERS.register_module(name=["SeekableSampler", "InfiniteSampler"])
class SeekableSampler(Sampler[int]):
    """Endless sample indices, pass after pass, whose position can be set.

    The order of pass e is a function of (seed, e) alone. Positions are shared out rank by rank, so that one step of W
    ranks sees what one process sees in a batch W times as large.

    Args:
        dataset: anything with a length.
        shuffle: a new order every pass; without it samples come in their own order, at no cost for huge datasets.
        seed: of the order; drawn from NumPy's generator and shared by all ranks when not given.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None) -> None:
        self.size = len(dataset)
        if self.size == 0:
            raise InputError("the dataset is empty: there is nothing to sample from")
        self.shuffle = shuffle
        self.rank, self.world_size = get_dist_info()
        self.seed = int(sync_random_seed()) if seed is None else int(seed)
        self.position = 0  # of all ranks together

    def seek(self, position: int) -> None:
        """Continue with sample number ``position`` of the whole sequence of all ranks."""
        self.position = position

    def __iter__(self) -> Iterator[int]:
        order, current = None, -1
        position = self.position + self.rank
        while True:
            epoch, index = divmod(position, self.size)
            if not self.shuffle:
                yield index
            else:
                if epoch != current:
                    order, current = self._order(epoch), epoch
                assert order is not None
                yield int(order[index])
            position += self.world_size

    def __len__(self) -> int:
        """Samples of this rank in one pass (a data loader asks for it)."""
        return -(-self.size // self.world_size)

    def _order(self, epoch: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed((self.seed * 1_000_003 + epoch) % 2**63)
        return torch.randperm(self.size, generator=generator)


class _Batches:
    """Batches of a loader without end. It starts at once, because starting draws from the random generators: MMEngine
    and its fork differ in when they do, and a resumed run must not."""

    def __init__(self, loader: Any) -> None:
        self.loader, self.epoch = loader, 0
        self.iterator = iter(loader)

    def __next__(self) -> Any:
        try:
            return next(self.iterator)
        except StopIteration:
            self.epoch += 1
            if hasattr(self.loader.sampler, "set_epoch"):
                self.loader.sampler.set_epoch(self.epoch)
            self.iterator = iter(self.loader)
            return next(self.iterator)


@LOOPS.register_module(name="IterBasedTrainLoop")
class SeekingTrainLoop(IterBasedTrainLoop):
    """Iteration-based training that resumes in the data: seeks where the sampler can, replays where it cannot."""

    dataloader_iterator: Any
    resumed_data: dict[str, int] | None = None
    """What :meth:`data_state` gave when the checkpoint was saved; set by the runner on resume."""
    _first_iter = 0
    _first_position = 0

    def data_state(self, done: int) -> dict[str, int]:
        """Seed and position of the sampler after ``done`` iterations, for the checkpoint; empty if it cannot seek."""
        sampler = self.dataloader.sampler
        if not hasattr(sampler, "seek"):
            return {}
        drawn = (done - self._first_iter) * self.dataloader.batch_size * self.runner.world_size
        return {"seed": sampler.seed, "size": sampler.size, "position": self._first_position + drawn}

    def run(self) -> Any:
        """Launch training."""
        try:
            return self._run()
        finally:
            # now, not when the garbage collector comes across it: workers that lose their queues first are waited for,
            # five seconds each, in the middle of whatever runs then
            del self.dataloader_iterator
            self.dataloader._iterator = None  # where persistent workers live

    def _run(self) -> Any:
        runner = self.runner
        runner.call_hook("before_train")
        runner.call_hook("before_train_epoch")
        self._seek()
        runner.restore_randomness()  # last: seeking, replaying and starting workers draw from the generators
        while self._iter < self._max_iters and not self.stop_training:
            runner.model.train()
            self.run_iter(next(self.dataloader_iterator))
            self._decide_current_val_interval()
            due = self._iter % self.val_interval == 0 or self._iter == self._max_iters
            if runner.val_loop is not None and self._iter >= self.val_begin and due:
                runner.val_loop.run()
        runner.call_hook("after_train_epoch")
        runner.call_hook("after_train")
        return runner.model

    def _seek(self) -> None:
        if self._iter == 0:
            self.dataloader_iterator = _Batches(self.dataloader)
            return
        sampler = self.dataloader.sampler
        if not hasattr(sampler, "seek"):
            self.runner.logger.info(
                f"{type(sampler).__name__} cannot seek: replaying {self._iter} batches (SeekableSampler would not)"
            )
            self.dataloader_iterator = _Batches(self.dataloader)
            for _ in range(self._iter):
                next(self.dataloader_iterator)
            return
        data = self.resumed_data or {}
        batch = self.dataloader.batch_size * self.runner.world_size
        self._first_iter = self._iter
        self._first_position = data.get("position", self._iter * batch)
        if "seed" in data:
            sampler.seed = data["seed"]
        if data.get("size", sampler.size) != sampler.size:
            self.runner.logger.warning(
                f"the dataset holds {sampler.size} samples, {data['size']} when the checkpoint was saved: the order of"
                " samples differs from here on"
            )
        sampler.seek(self._first_position)
        self.dataloader_iterator = _Batches(self.dataloader)
