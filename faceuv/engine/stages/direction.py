"""The stage that finds a direction in latent space."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmengine.device import get_device
from mmengine.dist import barrier, get_rank, get_world_size, is_main_process
from torch import Tensor

from faceuv.engine.stages.base import Stage, StageContext, StageResult
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.registry import DIRECTION_FINDERS, GENERATORS, STAGES

DIRECTIONS_FILE = "directions.safetensors"
KIND = "score_shard"
BATCHES = 4  # per file of scores: what an interruption costs at most, and what ranks share out


@STAGES.register_module(name="direction")
class DirectionStage(Stage):
    """Finds directions of a generator and leaves ``directions.safetensors``; codes are scored by a mapper.

    The scores of the codes are kept in ``scores_000000.safetensors`` …, each written whole or not at all and the same
    for any number of ranks, which share them out; an interrupted stage goes on with the next one, and settings of the
    finder that change no score leave them be. Finding itself takes seconds: the first rank finds, the others wait.

    Args:
        generator: config.
        finder: config, ``dict(type="svm", score="yaw")``.
        mapper: file of the mapper, for finders that score by a coefficient.
    """

    extends: ClassVar[tuple[str, ...]] = (
        "finder.samples", "finder.ratio", "finder.ridge", "finder.regularisation", "finder.layers",
    )  # fmt: skip

    def __init__(self, generator: Mapping[str, Any], finder: Mapping[str, Any], mapper: str | None = None) -> None:
        self.generator, self.mapper = dict(generator), mapper
        self.finder = DIRECTION_FINDERS.build(finder)

    @classmethod
    def small(cls, settings: Mapping[str, Any], runner: Mapping[str, Any]) -> dict[str, Any]:
        """A few hundred codes."""
        finder = dict(settings["finder"])
        for name, most in (("samples", 512), ("batch", 64)):
            if isinstance(finder.get(name), int):
                finder[name] = min(finder[name], most)
        return {**settings, "finder": finder}

    @classmethod
    def leaves(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """The directions, and the scores of codes."""
        return (DIRECTIONS_FILE, "scores_*.safetensors")

    @property
    def scored(self) -> bool:
        """Whether the finder scores codes by a coefficient."""
        return isinstance(getattr(self.finder, "score", None), str)

    def check(self) -> None:
        """A finder that scores needs a mapper."""
        if self.scored and self.mapper is None:
            raise InputError(
                f"the finder scores codes by {self.finder.score!r}: it needs a mapper,"
                ' mapper="{mapper}/mapper.safetensors"'
            )

    def run(self, context: StageContext) -> StageResult:
        """Score and find."""
        from faceuv.models.directions import save_directions
        from faceuv.models.stylefaceuv.mappers import load_mapper

        summary: dict[str, Any] = {}
        device = get_device()
        generator = GENERATORS.build(self.generator).to(device).eval()
        self.finder.check(generator)
        if self.scored:
            assert self.mapper is not None  # see check
            mapper = load_mapper(self.mapper, generator).to(device)
            self._score(generator, self.finder.scorer(mapper), context)
            barrier()
        if is_main_process():
            with torch.no_grad():
                given = {"scores": self._table(context)} if self.scored else {}
                found = self.finder.find(generator, **given)
            save_directions(context.folder / DIRECTIONS_FILE, found)
            summary = {"found": len(found), "first": found[0].name, "scale": found[0].scale}
            if found[0].accuracy is not None:
                summary["accuracy"] = found[0].accuracy
        return StageResult([DIRECTIONS_FILE], summary)

    def _batches(self, number: int) -> range:
        """The batches whose scores are in one file."""
        batches = -(-self.finder.samples // self.finder.batch)
        return range(number * BATCHES, min((number + 1) * BATCHES, batches))

    @property
    def _shards(self) -> range:
        return range(-(-self.finder.samples // (self.finder.batch * BATCHES)))

    @torch.no_grad()
    def _score(self, generator: Any, score: Callable[[Tensor], Tensor], context: StageContext) -> None:
        """Write this rank's share of the missing files."""
        from faceuv.models.base.codes import broadcast_code
        from faceuv.models.directions.sampling import sample_batches

        missing = [number for number in self._shards if self._values(number, context) is None]
        barrier()  # nobody writes before everybody has looked
        share = missing[get_rank() :: get_world_size()]
        codes, began, kept = self.finder.codes, time.monotonic(), []
        wanted = {batch for number in share for batch in self._batches(number)}
        for batch, w in sample_batches(generator, numbers=wanted, **asdict(codes)):
            kept.append(score(broadcast_code(w, generator.num_layers, generator.code_dim)).float().cpu())
            number = batch // BATCHES
            if batch == self._batches(number)[-1]:
                values, kept = torch.cat(kept), []
                save_tensors(_file(context, number), {"values": values}, self._header(number, context))
                done = share.index(number) + 1
                left = (time.monotonic() - began) * (len(share) - done) / done
                context.log(f"scored {done}/{len(share)} files of {BATCHES * codes.batch:,} codes  {left:.0f} s left")

    def _header(self, number: int, context: StageContext) -> dict[str, Any]:
        codes = {**asdict(self.finder.codes), "samples": None}  # more of the same codes keep those that are there
        return {"kind": KIND, "number": number, "run": context.fingerprint, "score": self.finder.score, "codes": codes}

    def _values(self, number: int, context: StageContext) -> Tensor | None:
        """The scores in a file, if it is there and whole."""
        path, batches = _file(context, number), self._batches(number)
        rows = min(batches.stop * self.finder.batch, self.finder.samples) - batches.start * self.finder.batch
        if not path.is_file():
            return None
        try:
            tensors, found = load_tensors(path, kind=KIND)
        except AssetError:
            return None
        same = all(found.get(key) == value for key, value in self._header(number, context).items())
        return tensors["values"] if same and len(tensors["values"]) == rows else None

    def _table(self, context: StageContext) -> Any:
        """All scores, as finders read them."""
        from faceuv.models.directions import ScoreTable

        parts = [self._values(number, context) for number in self._shards]
        lost = [_file(context, number).name for number, part in zip(self._shards, parts) if part is None]
        if lost:
            raise AssetError(
                f"{context.folder} was changed while its stage ran: {', '.join(lost[:3])} is gone; run again"
            )
        values = torch.cat([part for part in parts if part is not None])
        return ScoreTable((self.finder.score,), values[:, None], self.finder.codes)


def _file(context: StageContext, number: int) -> Path:
    return context.folder / f"scores_{number:06d}.safetensors"
