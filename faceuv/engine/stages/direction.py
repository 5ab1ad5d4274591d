"""The stage that finds a direction in latent space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import is_main_process

from faceuv.engine.stages.base import Stage, StageContext, StageResult
from faceuv.registry import DIRECTION_FINDERS, GENERATORS, STAGES


@STAGES.register_module(name="direction")
class DirectionStage(Stage):
    """Finds directions of a generator and leaves ``directions.safetensors``; codes are scored by a mapper.

    Args:
        generator: config.
        finder: config, ``dict(type="svm", score="yaw")``.
        mapper: file of a :class:`~faceuv.models.mappers.CoefficientMapper`, for finders that score by a coefficient.

    The first rank finds, the others wait: it takes seconds.
    """

    neutral = ("finder.batch",)

    def __init__(self, generator: Mapping[str, Any], finder: Mapping[str, Any], mapper: str | None = None) -> None:
        self.generator, self.mapper = dict(generator), mapper
        self.finder = DIRECTION_FINDERS.build(finder)

    def run(self, context: StageContext) -> StageResult:
        """Find them."""
        from faceuv.models.directions import save_directions
        from faceuv.models.mappers import load_mapper

        summary: dict[str, Any] = {}
        if is_main_process():
            device = get_device()
            generator = GENERATORS.build(self.generator).to(device).eval()
            mapper = load_mapper(self.mapper, generator).to(device) if self.mapper is not None else None
            with torch.no_grad():
                found = self.finder.find(generator, mapper)
            save_directions(context.folder / "directions.safetensors", found)
            summary = {"found": len(found), "first": found[0].name, "scale": found[0].scale}
            if found[0].accuracy is not None:
                summary["accuracy"] = found[0].accuracy
        return StageResult(["directions.safetensors"], summary)
