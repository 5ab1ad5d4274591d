"""Codes that mix several samples, drawn once: pictures, face masks and landmarks, their files and their dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import safe_open
from torch import Tensor
from torch.utils.data import Dataset

from faceuv.checks import check_shape
from faceuv.data.codes import latents_at, split_rows
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.registry import DATASETS
from faceuv.synthetic.seeds import combine

KIND = "drawn_codes"
_MIXING = 101  # the stream of the random numbers that mix samples
Split = Literal["train", "val", "all"]


@torch.no_grad()
def mixed_codes_at(
    generator: Any, indices: Sequence[int], *, seed: int, most: int = 5, truncation: float = 1.0
) -> Tensor:
    """Codes ``(B, L, D)`` of the samples ``indices``, each mixed from one to ``most`` samples of the generator.

    The number of samples is even over 1 … ``most``; every row of the code is that of one of them, drawn evenly. Each
    code is a function of its index and the seed, whatever the batch.
    """
    if isinstance(most, bool) or not isinstance(most, int) or most < 1:
        raise InputError(f"most must be a whole number of at least 1, the samples of a code, got {most!r}")
    rng, layers = torch.Generator(), generator.num_layers
    index = torch.as_tensor(list(indices), dtype=torch.int64)
    latents = latents_at(generator, [int(i) * most + k for i in index for k in range(most)], seed=seed)
    w = generator.mapping(latents.to(generator.mean_code.device)).unflatten(0, (len(index), most))
    if truncation != 1:
        w = generator.mean_code + truncation * (w - generator.mean_code)
    chosen = []
    for number in combine(combine(torch.tensor([seed]), _MIXING), index).tolist():
        rng.manual_seed(int(number))
        count = int(torch.randint(1, most + 1, (1,), generator=rng))
        chosen.append(torch.randint(0, count, (layers,), generator=rng))
    rows = torch.stack(chosen).to(w.device)
    return w.gather(1, rows[..., None].expand(-1, -1, w.shape[2])).contiguous()


def face_mask(landmarks: Tensor, size: int) -> Tensor:
    """``(B, 1, size, size)`` in {0, 1}: pixels whose centre lies within the convex hull of ``landmarks (B, 68, 2)``,
    pixels. Jaw, cheeks and brows are its border: no forehead, no hair above it, no ears."""
    from scipy.spatial import ConvexHull

    check_shape("landmarks", landmarks, ("B", 68, 2))
    line = torch.arange(size, dtype=torch.float64) + 0.5
    centres = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1).flatten(0, 1)
    masks = []
    for points in landmarks.double().cpu():
        planes = torch.from_numpy(ConvexHull(points.numpy()).equations)  # normal · x + offset ≤ 0 inside
        inside = (centres @ planes[:, :2].T + planes[:, 2] <= 0).all(1)
        masks.append(inside.view(1, size, size))
    return torch.stack(masks).to(landmarks)


@dataclass(frozen=True, eq=False)
class DrawnShard:
    """A run of drawn codes.

    index      ``(n,)`` int64, sample numbers
    codes      ``(n, L, D)``
    images     ``(n, 3, S, S)`` uint8
    masks      ``(n, 1, S, S)`` uint8 in {0, 1}: the hull of the landmarks
    landmarks  ``(n, 68, 2)`` in units of the image's side
    ok         ``(n,)`` bool, whether a face was found
    reasons    why none was found, ``""`` where one was
    metadata   ``seed``, ``most``, ``run``, …
    """

    index: Tensor
    codes: Tensor
    images: Tensor
    masks: Tensor
    landmarks: Tensor
    ok: Tensor
    reasons: Sequence[str]
    metadata: Mapping[str, Any]

    def save(self, path: str | Path) -> Path:
        """Write a safetensors file, atomically."""
        names = ("index", "codes", "images", "masks", "landmarks", "ok")
        tensors = {name: getattr(self, name).detach().cpu().contiguous() for name in names}
        failed = {str(row): reason for row, reason in enumerate(self.reasons) if reason}
        return save_tensors(path, tensors, {**self.metadata, "kind": KIND, "failed": failed})


def drawn_name(number: int) -> str:
    """The file of shard ``number``."""
    return f"drawn_{number:06d}.safetensors"


def drawn_files(folder: str | Path) -> list[Path]:
    """The shards of a folder, in order."""
    return sorted(Path(folder).glob("drawn_*.safetensors"))


@DATASETS.register_module()
class DrawnCodes(Dataset[dict[str, Tensor]]):
    """Codes with their pictures, face masks and landmarks, as the ``pictures`` stage left them; pictures in which no
    face was found are left out.

    Item: ``dict(code (L, D), image (3, S, S) uint8, mask (1, S, S) uint8, landmarks (68, 2), index)``, landmarks in
    units of the image's side. Codes and landmarks are in memory; pictures and masks are read from the files.

    Args:
        folder: of the ``pictures`` stage.
        split: ``"train"``, ``"val"`` or ``"all"``.
        held_out: n: every n-th sample belongs to ``"val"``.
        limit: largest number of items; None: all.
    """

    def __init__(
        self, folder: str | Path, *, split: Split = "all", held_out: int = 10, limit: int | None = None
    ) -> None:
        if split not in ("train", "val", "all") or held_out < 2:
            raise InputError(f"expected split train, val or all and held_out ≥ 2, got {split!r} and {held_out}")
        self.folder = Path(folder)
        self._files = drawn_files(self.folder)
        if not self._files:
            raise AssetError(f"{self.folder} holds no pictures (drawn_000000.safetensors …); run the stage 'pictures'")
        parts: list[dict[str, Tensor]] = []
        self.metadata: Mapping[str, Any] = {}
        for number, file in enumerate(self._files):
            tensors, found = load_tensors(file, kind=KIND)
            self.metadata = self.metadata or found
            if found.get("run") != self.metadata.get("run"):
                raise AssetError(f"{file} and {self._files[0].name} are of two runs; run the stage 'pictures' again")
            index, count = tensors["index"], len(tensors["index"])
            held = index % held_out == 0
            chosen = tensors["ok"] & {"train": ~held, "val": held, "all": torch.ones_like(held)}[split]
            where = torch.stack([torch.full((count,), number), torch.arange(count)], 1)
            kept = {"index": index, "codes": tensors["codes"], "landmarks": tensors["landmarks"], "where": where}
            parts.append({name: value[chosen].clone() for name, value in kept.items()})
        joined = {name: torch.cat([part[name] for part in parts])[:limit] for name in parts[0]}
        if not len(joined["index"]):
            raise AssetError(f"{self.folder} holds no picture with a face for the split {split!r}")
        self.index, self.codes, self.landmarks = joined["index"], joined["codes"], joined["landmarks"]
        self._where = joined["where"].tolist()
        self._open: dict[int, Any] = {}

    @classmethod
    def rows_of(cls, settings: Mapping[str, Any], samples: int) -> int:
        """How many items it has at most, of so many samples; raises where ``held_out`` leaves one for evaluation."""
        return split_rows(samples, settings)

    @property
    def num_layers(self) -> int:
        """L of the codes."""
        return self.codes.shape[1]

    @property
    def code_dim(self) -> int:
        """D of the codes."""
        return self.codes.shape[2]

    @property
    def size(self) -> int:
        """Side of the pictures."""
        return int(self[0]["image"].shape[-1])

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        number, row = self._where[item]
        if number not in self._open:
            self._open[number] = safe_open(str(self._files[number]), framework="pt")
        file = self._open[number]
        image, mask = (file.get_slice(name)[row] for name in ("images", "masks"))
        facts = {"code": self.codes[item], "landmarks": self.landmarks[item], "index": self.index[item]}
        return {**facts, "image": image, "mask": mask}

    def __getstate__(self) -> dict[str, Any]:
        """For loader processes: they open the files themselves."""
        return {**self.__dict__, "_open": {}}


def as_levels(images: Tensor) -> Tensor:
    """Images in [0, 1] → uint8."""
    return (images.clamp(0, 1) * 255).round().to(torch.uint8)
