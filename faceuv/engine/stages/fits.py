"""The stage that samples codes, generates their images and estimates the coefficients of each."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmengine.device import get_device
from mmengine.dist import all_gather_object, barrier, get_rank, get_world_size, is_main_process
from torch import Tensor

from faceuv.data.codes import FitShard, codes_at, shard_files, shard_name
from faceuv.data.drawn import mixed_codes_at
from faceuv.engine.stages.base import Stage, StageContext, StageResult
from faceuv.engine.stages.record import set_aside
from faceuv.engine.stages.small import FEW
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import save_tensors
from faceuv.fitting.sources import CoefficientSource, Estimates
from faceuv.registry import COEFFICIENT_SOURCES, GENERATORS, STAGES
from faceuv.structures import CoefficientLayout, Coefficients

PAPER_COUNT = 36_000
IMAGES = "images"
_SPREAD = 0.5  # radians of yaw, of the fits of a rehearsal
KEPT = "kept"
"""Below the stage's folder: shards that a smaller ``count`` has no use for, until it is larger again."""


@STAGES.register_module(name="fits")
class FitsStage(Stage):
    """Samples codes, generates their pictures, finds their coefficients; leaves ``fits_000000.safetensors`` ….

    Sample i is a function of the seed and i: the same for any batch size and any number of ranks, and a larger
    ``count`` later keeps what is there; a smaller one moves the shards that are too many to ``kept/``, from where they
    come back. A shard is written whole or not at all; an interrupted stage goes on with the next one. A fit that fails
    is a row with its reason.

    Args:
        generator: config.
        source: config of what turns pictures into coefficients: ``truth``, ``regressor`` or ``fitter``.
        count: how many codes.
        seed: of the codes; apart from the recipe's, so that two stages can sample different ones.
        truncation: ψ of the codes.
        most: largest number of samples that a code is mixed from, as in the stage ``pictures``: a mapper learns rows
            that differ from each other. 1 mixes nothing, and keeps w alone.
        batch: pictures at a time.
        shard: samples per file, what an interruption costs at most.
        keep_images: write the pictures, too, as uint8 ``images_000000.safetensors`` ….
    """

    neutral: ClassVar[tuple[str, ...]] = ("batch",)
    extends: ClassVar[tuple[str, ...]] = ("count",)

    def __init__(
        self,
        generator: Mapping[str, Any],
        source: Mapping[str, Any] | str,
        *,
        count: int = PAPER_COUNT,
        seed: int = 0,
        truncation: float = 1.0,
        most: int = 1,
        batch: int = 32,
        shard: int = 512,
        keep_images: bool = False,
    ) -> None:
        for name, value in (("count", count), ("most", most), ("batch", batch), ("shard", shard)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
        self.generator = dict(generator)
        self.source: CoefficientSource = COEFFICIENT_SOURCES.build(source)
        self.count, self.most, self.seed, self.truncation = count, most, seed, truncation
        self.batch, self.shard, self.keep_images = batch, shard, keep_images

    def check(self) -> None:
        """Whether the source can read this generator."""
        self.source.check(self.generator)

    @classmethod
    def small(cls, settings: Mapping[str, Any], runner: Mapping[str, Any]) -> dict[str, Any]:
        """A few codes."""
        return {**settings, "count": FEW, "batch": FEW, "shard": FEW}

    @classmethod
    def leaves(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """Shards of fits, and of pictures where they are kept."""
        return ("fits_*.safetensors", f"{IMAGES}_*.safetensors")

    @classmethod
    def samples_of(cls, settings: Mapping[str, Any]) -> int:
        """As many as codes; fits that fail are known afterwards."""
        return int(settings.get("count", PAPER_COUNT))

    def rehearse(self, context: StageContext) -> None:
        """Fits that fail are zeros, and yaws are spread: later stages are to be tried, however few of the few succeed,
        and whatever a regressor reads that the rehearsal has trained for one step."""
        self.run(context)
        for path in shard_files(context.folder):
            found = FitShard.load(path)
            known = Coefficients(found.coefficients.nan_to_num(0.0), CoefficientLayout(**found.metadata["layout"]))
            rotation = known.rotation.clone()
            rotation[:, 1] = torch.linspace(-_SPREAD, _SPREAD, len(found))
            data, ok = known.replace(rotation=rotation).data, torch.ones_like(found.ok)
            replace(found, coefficients=data, ok=ok, reasons=[""] * len(found)).save(path)

    @property
    def shards(self) -> int:
        """How many files there will be."""
        return -(-self.count // self.shard)

    def rows(self, number: int) -> range:
        """The samples of one shard."""
        return range(number * self.shard, min((number + 1) * self.shard, self.count))

    def run(self, context: StageContext) -> StageResult:
        """Write this rank's share of the missing shards."""
        if is_main_process():
            self._sort_shards(context)
        barrier()
        missing = [
            number
            for number in range(self.shards)
            if not self._whole(context.folder / shard_name(number), context.fingerprint)
        ]
        barrier()  # nobody writes before everybody has looked
        share = missing[get_rank() :: get_world_size()]
        done, began = 0, time.monotonic()
        if share:
            device = get_device()
            generator = GENERATORS.build(self.generator).to(device).eval()
            self.source.prepare(generator, device)
            began = time.monotonic()
            for number in share:
                done += self._write(number, generator, context)
                context.log(_progress(done, sum(len(self.rows(n)) for n in share), time.monotonic() - began))
        seconds = time.monotonic() - began
        speeds = all_gather_object(done / seconds if done else 0.0)
        barrier()
        return self._result(context, sum(speeds))

    @torch.no_grad()
    def _write(self, number: int, generator: Any, context: StageContext) -> int:
        rows, path = self.rows(number), context.folder / shard_name(number)
        # a whole shard's codes in one go, so that they do not depend on the batch size by a rounding
        codes = self._codes(generator, rows)
        parts, pictures = zip(*self._batches(generator, codes, rows))
        coefficients = torch.cat([part.coefficients.data.float().cpu() for part in parts])
        reasons = [reason for part in parts for reason in part.reasons]
        finite = torch.isfinite(coefficients).all(1).tolist()
        reasons = [
            reason or ("" if good else "its coefficients are not finite") for reason, good in zip(reasons, finite)
        ]
        ok = torch.tensor([not reason for reason in reasons])
        coefficients[~ok] = float("nan")
        names = parts[0].errors
        shard = FitShard(
            index=torch.arange(rows.start, rows.stop),
            codes=codes.float().cpu(),
            coefficients=coefficients,
            ok=ok,
            reasons=reasons,
            errors={name: torch.cat([part.errors[name].float().cpu() for part in parts]) for name in names},
            metadata={
                "num_layers": generator.num_layers,
                "layout": parts[0].coefficients.layout.groups,
                "run": context.fingerprint,
                "seed": self.seed,
                "truncation": self.truncation,
            },
        )
        if self.keep_images:
            kept = {"images": torch.cat(list(pictures))}
            save_tensors(_images_of(path), kept, {"kind": "images"})
        shard.save(path)  # last: its being there says that all of it is
        return len(rows)

    def _codes(self, generator: Any, rows: Sequence[int]) -> Tensor:
        """``(n, D)``, or ``(n, L, D)`` of mixed codes."""
        if self.most == 1:
            return codes_at(generator, rows, seed=self.seed, truncation=self.truncation)
        return mixed_codes_at(generator, rows, seed=self.seed, most=self.most, truncation=self.truncation)

    def _batches(self, generator: Any, codes: Tensor, rows: Sequence[int]) -> Iterator[tuple[Estimates, Tensor | None]]:
        for start, code in zip(range(0, len(codes), self.batch), codes.split(self.batch)):
            images = None
            if self.source.reads_images or self.keep_images:
                images = generator.synthesis(code).clamp(0, 1)
                if not bool(torch.isfinite(images).all()):
                    raise InputError("the generator makes pictures with NaN; its weights are damaged: load them again")
            names = [f"{row:06d}.png" for row in rows[start : start + self.batch]]
            found = self.source.estimate(code, images, names)
            if len(found.coefficients) != len(code) or len(found.reasons) != len(code):
                raise InputError(
                    f"a source must give one row and one reason per code ({len(code)}), got"
                    f" {len(found.coefficients)} and {len(found.reasons)}"
                )
            levels = (images * 255).round().byte().cpu() if images is not None and self.keep_images else None
            yield found, levels

    def _whole(self, path: Path, run: str) -> bool:
        """Whether a shard of this ``run`` is there with all of its rows (the last one has fewer, and grows when
        ``count`` does)."""
        if not path.is_file() or (self.keep_images and not _images_of(path).is_file()):
            return False
        try:
            found = FitShard.load(path)
        except AssetError:
            return False
        rows = self.rows(int(path.stem.rpartition("_")[2]))
        return found.metadata.get("run") == run and found.index.tolist() == list(rows)

    def _sort_shards(self, context: StageContext) -> None:
        """Move shards with samples beyond ``count`` to ``kept/``, and those that are wanted now back from there."""
        folder, kept, run = context.folder, context.folder / KEPT, context.fingerprint
        for path in shard_files(folder):
            if not self._rows_of(path) and not self._samples(path, run):
                context.log(f"{context.name}: {path.name} is not of this run; it is kept as {set_aside(path).name}")
        surplus = [path for path in shard_files(folder) if self._samples(path, run) > len(self._rows_of(path))]
        for path in surplus:
            if self._samples(kept / path.name, run) < self._samples(path, run):
                _move(path, kept)
            else:  # the kept one has these samples and more
                path.unlink()
                _images_of(path).unlink(missing_ok=True)
        back = [
            path
            for number in range(self.shards)
            if not self._whole(path := folder / shard_name(number), run) and self._whole(kept / path.name, run)
        ]
        for path in back:
            _move(kept / path.name, folder)
        if surplus:
            context.log(f"{context.name}: {len(surplus)} shards with samples beyond {self.count} are kept in {kept}")
        if back:
            context.log(f"{context.name}: {len(back)} shards come back from {kept}")

    def _rows_of(self, path: Path) -> range:
        """The samples that a shard should hold now."""
        number = int(path.stem.rpartition("_")[2])
        return self.rows(number) if number < self.shards else range(0)

    def _samples(self, path: Path, run: str) -> int:
        """How many samples of this ``run`` a shard holds, from its first on."""
        if not path.is_file():
            return 0
        try:
            found = FitShard.load(path)
        except AssetError:
            return 0
        begin = int(path.stem.rpartition("_")[2]) * self.shard
        same = found.metadata.get("run") == run and found.index.tolist() == list(range(begin, begin + len(found)))
        return len(found) if same else 0

    def _result(self, context: StageContext, speed: float) -> StageResult:
        folder = context.folder
        outputs = [path.name for path in shard_files(folder)]
        summary: dict[str, Any] = {"codes": self.count}
        if is_main_process():
            reasons = Counter(reason for name in outputs for reason in FitShard.load(folder / name).reasons if reason)
            summary |= {"failed": sum(reasons.values()), "reasons": dict(reasons.most_common(20))}
            for reason, times in reasons.most_common(20):
                context.log(f"{times} of {self.count} fits failed: {reason}")
        if speed:
            summary |= {"images_per_second": speed, "hours_for_36000": PAPER_COUNT / speed / 3600}
        outputs += [path.name for path in sorted(folder.glob(f"{IMAGES}_*.safetensors"))]
        return StageResult(outputs, summary)


def _move(shard: Path, folder: Path) -> None:
    """Move a shard and its pictures; a shard of that name that is there already holds fewer of the same samples."""
    folder.mkdir(exist_ok=True)
    for path in (_images_of(shard), shard):
        if path.is_file():
            path.replace(folder / path.name)


def _images_of(shard: Path) -> Path:
    """The file of a shard's pictures."""
    return shard.with_name(shard.name.replace("fits", IMAGES))


def _progress(done: int, share: int, seconds: float) -> str:
    """A line on progress, speed, time left, and the time for the paper's count, if all ranks are equally fast."""
    ranks = get_world_size()
    speed = done / max(seconds, 1e-9) * ranks
    left, paper = (share - done) * ranks / speed, PAPER_COUNT / speed / 3600
    return (
        f"fits {done * ranks}/{share * ranks}  {speed:.3g} images/s  {left:.0f} s left "
        f" ({PAPER_COUNT:,} would take {paper:.2g} h)"
    )
