"""The stage that draws codes once: pictures, face masks and landmarks, for trainings that need no generator."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmengine.device import get_device
from mmengine.dist import barrier, get_rank, get_world_size, is_main_process

from faceuv.data.drawn import KIND, DrawnShard, as_levels, drawn_files, drawn_name, face_mask, mixed_codes_at
from faceuv.engine.stages.base import Stage, StageContext, StageResult
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors
from faceuv.registry import GENERATORS, LANDMARK_DETECTORS, STAGES

PAPER_COUNT = 50_000


@STAGES.register_module(name="pictures")
class PicturesStage(Stage):
    """Samples codes that mix up to ``most`` samples, draws them, finds their landmarks; leaves
    ``drawn_000000.safetensors`` …, which :class:`~faceuv.data.drawn.DrawnCodes` reads.

    Sample i is a function of the seed and i. A shard is written whole or not at all; an interrupted stage goes on with
    the next one. A picture without a face is a row with its reason.

    Args:
        generator: config.
        detector: config of a landmark detector.
        count: how many codes.
        most: largest number of samples that a code is mixed from; 1 mixes nothing.
        seed: of the codes.
        truncation: ψ of the samples.
        batch: pictures at a time.
        shard: samples per file, what an interruption costs at most.
    """

    neutral: ClassVar[tuple[str, ...]] = ("batch",)

    def __init__(
        self,
        generator: Mapping[str, Any],
        detector: Mapping[str, Any] | str,
        *,
        count: int = PAPER_COUNT,
        most: int = 5,
        seed: int = 0,
        truncation: float = 1.0,
        batch: int = 32,
        shard: int = 512,
    ) -> None:
        for name, value in (("count", count), ("most", most), ("batch", batch), ("shard", shard)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
        self.generator, self.detector = dict(generator), detector
        self.count, self.most, self.seed, self.truncation = count, most, seed, truncation
        self.batch, self.shard = batch, shard

    @classmethod
    def leaves(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Shards of pictures."""
        return ("drawn_*.safetensors",)

    @classmethod
    def samples_of(cls, settings: Mapping[str, Any]) -> int:
        """As many as codes; pictures without a face are known afterwards."""
        return int(settings.get("count", PAPER_COUNT))

    @property
    def shards(self) -> int:
        """How many files there will be."""
        return -(-self.count // self.shard)

    def rows(self, number: int) -> range:
        """The samples of one shard."""
        return range(number * self.shard, min((number + 1) * self.shard, self.count))

    def run(self, context: StageContext) -> StageResult:
        """Write this rank's share of the missing shards."""
        missing = [number for number in range(self.shards) if not self._whole(number, context)]
        barrier()  # nobody writes before everybody has looked
        share = missing[get_rank() :: get_world_size()]
        if share:
            device = get_device()
            generator = GENERATORS.build(self.generator).to(device).eval()
            detector = LANDMARK_DETECTORS.build(self.detector).to(device).eval()
            began, total = time.monotonic(), sum(len(self.rows(number)) for number in share)
            done = 0
            for number in share:
                done += self._write(number, generator, detector, context)
                speed = done / max(time.monotonic() - began, 1e-9)
                context.log(f"drawn {done}/{total}  {speed:.3g} pictures/s  {(total - done) / speed:.0f} s left")
        barrier()
        return self._result(context)

    @torch.no_grad()
    def _write(self, number: int, generator: Any, detector: Any, context: StageContext) -> int:
        rows = self.rows(number)
        codes = mixed_codes_at(generator, rows, seed=self.seed, most=self.most, truncation=self.truncation)
        images, points, found, reasons = [], [], [], []
        for code in codes.split(self.batch):
            picture = generator.synthesis(code).clamp(0, 1)
            if not bool(torch.isfinite(picture).all()):
                raise InputError("the generator makes pictures with NaN; its weights are damaged: load them again")
            seen = detector.detect(picture)
            images.append(as_levels(picture).cpu())
            points.append(seen.points.float().cpu())
            found.append(seen.found.cpu())
            reasons += list(seen.reasons)
        size, landmarks, ok = images[0].shape[-1], torch.cat(points), torch.cat(found)
        masks = torch.zeros(len(rows), 1, size, size, dtype=torch.uint8)
        if bool(ok.any()):
            masks[ok] = face_mask(landmarks[ok], size).to(torch.uint8)
        shard = DrawnShard(
            index=torch.arange(rows.start, rows.stop),
            codes=codes.float().cpu(),
            images=torch.cat(images),
            masks=masks,
            landmarks=landmarks / size,
            ok=ok,
            reasons=reasons,
            metadata={"run": context.fingerprint, "seed": self.seed, "most": self.most, "truncation": self.truncation},
        )
        shard.save(context.folder / drawn_name(number))
        return len(rows)

    def _whole(self, number: int, context: StageContext) -> bool:
        """Whether a shard of this run is there with all of its rows."""
        path = context.folder / drawn_name(number)
        if not path.is_file():
            return False
        try:
            tensors, metadata = load_tensors(path, kind=KIND)
        except AssetError:
            return False
        return metadata.get("run") == context.fingerprint and tensors["index"].tolist() == list(self.rows(number))

    def _result(self, context: StageContext) -> StageResult:
        names = [path.name for path in drawn_files(context.folder)]
        summary: dict[str, Any] = {"codes": self.count}
        if is_main_process():
            reasons = Counter(reason for name in names for reason in _failed(context.folder / name))
            summary |= {"without a face": sum(reasons.values()), "reasons": dict(reasons.most_common(20))}
        return StageResult(names, summary)


def _failed(path: Path) -> list[str]:
    _, metadata = load_tensors(path, kind=KIND)
    return list(metadata.get("failed", {}).values())
