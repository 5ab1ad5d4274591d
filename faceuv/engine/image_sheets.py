"""Sheets of sample images beside the logs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from torch import Tensor

from faceuv.engine.compat.distributed import unwrapped
from faceuv.engine.compat.randomness import random_state, set_random_state
from faceuv.errors import InputError
from faceuv.registry import HOOKS


@HOOKS.register_module()
class ImageSheets(Hook):
    """Every ``interval`` iterations and at the end writes what ``model.sample_images(count)`` gives as PNG sheets.

    ``samples/<name>_<iteration>.png`` under the work dir, one per name; sent to the log backends that show images, too.
    Training draws the same random numbers with and without.
    """

    priority = "LOW"
    needs = ("sample_images",)

    def __init__(self, interval: int = 1000, count: int = 16, columns: int | None = None) -> None:
        if interval < 1 or count < 1:
            raise InputError(f"expected interval ≥ 1 and count ≥ 1, got {interval} and {count}")
        self.interval, self.count, self.columns = interval, count, columns

    def before_train(self, runner: Any) -> None:
        """Raise at the start if the model has no sample images."""
        model = unwrapped(runner.model)
        if not hasattr(model, "sample_images"):
            raise InputError(f"ImageSheets needs {type(model).__name__}.sample_images(count), which it does not have")

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Write the sheets when due."""
        done = runner.iter + 1
        if is_main_process() and (done % self.interval == 0 or done == runner.max_iters):
            self.write(runner, done)

    def write(self, runner: Any, iteration: int) -> list[Path]:
        """Write the sheets of this moment and return their paths."""
        from faceuv.export.images import contact_sheet, save_png, to_bytes

        model = unwrapped(runner.model)
        kept = random_state()
        was_training = model.training
        model.eval()
        try:
            with torch.no_grad():
                images = model.sample_images(self.count)
        finally:
            model.train(was_training)
            set_random_state(kept)
        named: Mapping[str, Tensor] = images if isinstance(images, Mapping) else {"samples": images}
        paths = []
        for name, batch in named.items():
            sheet = contact_sheet(list(batch.float().cpu()), columns=self.columns)
            paths.append(save_png(Path(runner.work_dir) / "samples" / f"{name}_{iteration:07d}.png", sheet))
            for backend in runner.visualizer._vis_backends.values():
                if type(backend).__name__.startswith("Tensorboard"):
                    backend.add_image(name, to_bytes(sheet), step=iteration)
        return paths
