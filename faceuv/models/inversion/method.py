"""What the trainings of the encoder and of the local branch share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from faceuv.errors import InputError, did_you_mean
from faceuv.models.base.manifest import manifest_for
from faceuv.models.base.method import BaseMethod
from faceuv.models.base.options import as_options
from faceuv.models.faces.base import FaceModel
from faceuv.models.inversion.detail import DetailShares
from faceuv.models.inversion.growth import PoseGrowth
from faceuv.models.inversion.world import GeneratorWorld, part_references
from faceuv.models.stylefaceuv.mapper_training import weights_dtype
from faceuv.renderers.base import Renderer


class InversionMethod(BaseMethod):
    """Base of the trainings that learn from what a generator of faces draws.

    Args:
        faces: the generator of faces, of type StyleFaceUV: an entry of the zoo, a folder or a work dir.
        losses: terms by name, each with its weight.
        face_model: a coarser face model of the generator's kind.
        growth: settings of :class:`~faceuv.models.inversion.PoseGrowth`.
        detail: settings of :class:`~faceuv.models.inversion.DetailShares`.
        mixed: codes mix the rows of up to so many samples.
        renderer: draws the faces.
        seed: of codes, poses and detail.
        dtype: of the exported weights, ``"float32"`` or ``"float16"``.
    """

    known: ClassVar[tuple[str, ...]]
    """Names of all losses."""
    one_of: ClassVar[tuple[str, str]]
    """Losses of which one is needed at least."""
    learned: ClassVar[str]
    """The thing that is not learned without them, for the message."""

    steps: Tensor

    def __init__(
        self,
        faces: str | Path | Any,
        losses: Mapping[str, Any],
        *,
        face_model: FaceModel | Mapping[str, Any] | str | None,
        growth: PoseGrowth | Mapping[str, Any] | None,
        detail: DetailShares | Mapping[str, Any] | None,
        mixed: int,
        renderer: Renderer | Mapping[str, Any] | str,
        seed: int,
        dtype: str,
    ) -> None:
        super().__init__(losses)
        self.check_terms(list(self.losses.terms))
        self.growth = as_options(PoseGrowth, growth, "growth")
        self.seed, self.dtype = int(seed), weights_dtype(dtype)
        shares = as_options(DetailShares, detail, "detail")
        self.world = GeneratorWorld(faces, face_model, renderer, mixed=mixed, detail=shares, seed=seed)
        self.add_counters("steps")

    @classmethod
    def check_config(cls, config: Mapping[str, Any]) -> None:
        """Raise for what is wrong with a config before anything is loaded."""
        cls.check_terms([name for name, term in (config.get("losses") or {}).items() if term is not None])
        as_options(PoseGrowth, config.get("growth"), "growth")
        as_options(DetailShares, config.get("detail"), "detail")

    @classmethod
    def check_terms(cls, names: Sequence[str]) -> None:
        """Raise for unknown terms, and where those are missing without which nothing is learned."""
        for name in names:
            if name not in cls.known:
                listed = ", ".join(cls.known)
                raise InputError(f"{cls.__name__} has no loss {name!r}; it has {listed}{did_you_mean(name, cls.known)}")
        if not set(cls.one_of) & set(names):
            raise InputError(
                f"{cls.__name__} needs the loss {' or '.join(map(repr, cls.one_of))}: without both no {cls.learned} is"
                " learned"
            )

    def write_manifest(self, folder: Path, files: Mapping[str, str | Path]) -> Path:
        """``generator.json`` of a generator of type Inversion: the parts of the generator of faces, and ``files``."""
        assert self.world.source is not None
        teacher = self.world.teacher.network
        facts = {"num_layers": teacher.num_layers, "code_dim": teacher.code_dim, "metadata": {"stage": folder.name}}
        parts = {**part_references(self.world.source), **files}
        model = {"face_model": self.world.config}
        return manifest_for("Inversion", folder, parts, model, name="", **facts).write(folder)
