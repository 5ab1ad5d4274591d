"""Synthetic faces as a dataset: any number of pictures, each a function of its index and the dataset's seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from faceuv.errors import InputError
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.registry import DATASETS
from faceuv.renderers.base import Renderer
from faceuv.synthetic.scene import Scene
from faceuv.synthetic.seeds import SceneSeeds, combine
from faceuv.synthetic.studio import SceneRender, Studio
from faceuv.synthetic.truth import check_fields, truth_of
from faceuv.synthetic.world import World

_ACCELERATOR_BATCH = 64  # scenes drawn at once off the CPU
_CPU_BATCH, _CPU_TEXELS = 16, 16 * 160**2  # on a CPU, as far as their maps have no more texels than these
_FACTS_BATCH = 64
FACTS = ("latent", "coefficients", "landmarks")
"""Names of what :meth:`SyntheticFaces.facts` gives."""


@DATASETS.register_module()
class SyntheticFaces(Dataset[dict[str, Tensor]]):
    """Faces drawn from the procedural world, with exact truth; item i is always the same picture, bit for bit.

    Args:
        length: the dataset's length; indices beyond it give pictures, too.
        size: side of the pictures.
        seed: seed of the sequence of pictures.
        truth: fields of each item beside the picture, names of :data:`~faceuv.synthetic.truth.FIELDS`.
        hold: factor → seed: factors that all pictures share, e.g. ``dict(pose=1, light=3)``.
        face_model, renderer, samples, texture_size, world: see :class:`~faceuv.synthetic.studio.Studio`.
        together: scenes that are drawn at once; by default up to 16 on a CPU and 64 elsewhere. On a CPU any number
            gives the same bits; elsewhere another one rounds otherwise in the last place.
        device: where the pictures are drawn, and returned.

    An item is ``dict(image (3, S, S) in [0, 1], index, …truth)``. For speed use :meth:`batch`.
    """

    def __init__(
        self,
        length: int = 100_000,
        *,
        size: int = 128,
        seed: int = 0,
        truth: Sequence[str] = (),
        hold: Mapping[str, int] | None = None,
        face_model: FaceModel | Mapping[str, Any] | str | None = None,
        renderer: Renderer | Mapping[str, Any] | str = "torch",
        samples: int = 2,
        texture_size: int | None = None,
        world: World | Mapping[str, Any] | str | None = None,
        together: int | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        for name, value in (("length", length), ("together", together if together is not None else 1)):
            if not isinstance(value, int) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
        self.length, self.seed = length, seed
        self.truth = check_fields(truth)
        self.hold = dict(hold or {})
        self.device = torch.device(device)
        self.studio = Studio(
            face_model, renderer, size=size, samples=samples, texture_size=texture_size, world=world
        ).to(self.device)
        fitting = min(_CPU_BATCH, max(1, _CPU_TEXELS // self.studio.texture_size**2))
        self.together = together or (fitting if self._alike else _ACCELERATOR_BATCH)
        self.landmarks = LandmarkTruth(self.studio.face_model, self.studio.renderer.camera).to(self.device)
        self.seeds([0])  # an unknown factor to hold is an error here, not in a worker

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if index < 0:
            index += self.length
        return {name: value[0] for name, value in self.batch([index]).items()}

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Tensor]]:
        """Several items, drawn in one batch: a loader asks for them so."""
        found = self.batch([index % self.length if index < 0 else index for index in indices])
        return [{name: value[row] for name, value in found.items()} for row in range(len(indices))]

    def seeds(self, indices: Sequence[int] | Tensor) -> SceneSeeds:
        """The seeds of some items."""
        index = torch.as_tensor(indices, dtype=torch.int64)
        if index.ndim != 1 or index.numel() == 0 or int(index.min()) < 0:
            raise InputError(f"indices must be a list of whole numbers ≥ 0, got {indices!r}")
        return SceneSeeds.of(combine(torch.tensor([self.seed]), index)).replace(**self.hold)

    def batch(self, indices: Sequence[int] | Tensor) -> dict[str, Tensor]:
        """Several items at once, each tensor with a leading axis: the same bits as one by one."""
        drawn = self.draw(self.seeds(indices))
        return {"index": torch.as_tensor(indices, dtype=torch.int64, device=self.device), **drawn}

    def stream(self, batch_size: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """Batches without end, from item ``start`` on."""
        while True:
            yield self.batch(range(start, start + batch_size))
            start += batch_size

    def scene(self, seeds: SceneSeeds) -> Scene:
        """The scenes of these seeds. Computed on the CPU always, so that their numbers are the same on any device."""
        return Scene.from_seeds(SceneSeeds(seeds.table.cpu()), self.studio.world.texture_seed).to(self.device)

    @torch.no_grad()
    def facts(self, indices: Sequence[int] | Tensor) -> dict[str, Tensor]:
        """Facts of items that need no drawing, hundreds in the time of one picture: ``latent (B, Z)``, the standard
        normal numbers that decide the scene, ``coefficients (B, N)``, and ``landmarks (B, 68, 2)`` in pixels.

        Coefficients and landmarks are those of the pictures' truth, to the rounding of a float; the landmarks are of
        the surface before what is painted on it stands out.
        """
        parts: list[dict[str, Tensor]] = []
        for table in self.seeds(indices).table.split(_FACTS_BATCH):
            scene = self.scene(SceneSeeds(table))
            coefficients = self.studio.coefficients(scene)
            known = {"latent": scene.latent(), "coefficients": coefficients.data}
            parts.append({**known, "landmarks": self.landmarks(coefficients, self.studio.size)[0]})
        return {name: torch.cat([part[name] for part in parts]) for name in FACTS}

    @torch.no_grad()
    def draw(self, seeds: SceneSeeds, truth: Sequence[str] | None = None) -> dict[str, Tensor]:
        """Pictures and truth of any scenes, e.g. ``dataset.seeds([7]).repeat(5).replace(hair=[1, 2, 3, 4, 5])``."""
        fields = self.truth if truth is None else check_fields(truth)
        parts: list[dict[str, Tensor]] = []
        for drawn in self.scene_renders(seeds):
            count = len(drawn.image)
            step = 1 if self._alike else count  # truth is drawn, too: pixel by pixel, with products of matrices
            truths = [truth_of(self.studio, drawn[k : k + step], fields) for k in range(0, count, step)]
            known = {name: torch.cat([found[name] for found in truths]) for name in fields}
            parts.append({"image": drawn.image, **known})
        return {name: torch.cat([part[name] for part in parts])[: len(seeds)] for name in parts[0]}

    def scene_renders(self, seeds: SceneSeeds) -> Iterator[SceneRender]:
        """The scenes in groups of ``together``.

        Off the CPU the last group is filled up with repetitions of its last scene: kernels may round differently for
        other shapes, and with one shape only a picture does not depend on its batch. On a CPU the studio sees to that.
        """
        step = self.together
        for start in range(0, len(seeds), step):
            table = seeds.table[start : start + step]
            if not self._alike:
                table = torch.cat([table, table[-1:].expand(step - len(table), -1)])
            yield self.studio(self.scene(SceneSeeds(table)))

    @property
    def _alike(self) -> bool:
        """Whether the studio gives a scene the same bits in any company."""
        return self.device.type == "cpu"
