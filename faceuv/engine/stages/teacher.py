"""The stage that imports a trained teacher."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process

from faceuv.engine.stages.base import Stage, StageContext, StageResult
from faceuv.errors import AssetError, InputError
from faceuv.files.assets import ASSETS, PREFIX, Missing, MissingAssets
from faceuv.files.locate import locate
from faceuv.models.stylegan2.checkpoints import Part
from faceuv.registry import STAGES

GENERATOR_FILE, DISCRIMINATOR = "generator.safetensors", "discriminator.safetensors"


@STAGES.register_module(name="teacher")
class TeacherStage(Stage):
    """Reads a StyleGAN2 in any layout that people hold, and leaves ``generator.safetensors``; if the file has a
    discriminator, ``discriminator.safetensors`` as well.

    (A teacher that is to be trained is a stage of type ``train``.)

    Args:
        path: the file, ``asset:stylegan2_ffhq256`` for one that is looked for among the assets, or ``zoo:entry/file``;
            or a folder with ``generator.safetensors`` and ``discriminator.safetensors``, as
            ``tools/export_teacher.py`` writes it, also ``zoo:teacher_heads_64/``.
        size: the size that is expected.
        discriminator: True: the file must have one, because later stages read it.
    """

    version = 2  # 1 left no discriminator

    def __init__(self, path: str | Path, size: int | None = None, discriminator: bool = False) -> None:
        self.named, self.path = str(path), locate(path)
        self.size, self.discriminator = size, discriminator

    def check(self) -> None:
        """The file must be there, hold what is wanted, and be of the size that is expected."""
        if not any(path.is_file() for path in self._files()):
            if self.named.startswith(PREFIX):
                raise MissingAssets({Missing.asset(self.named.removeprefix(PREFIX)): ["the teacher"]})
            known = ASSETS["stylegan2_ffhq256"]
            raise AssetError(
                f"the teacher {self.path} does not exist; expected StyleGAN2 weights: a .safetensors of faceuv or a"
                f" folder with {GENERATOR_FILE}, a .pt of rosinality's, or a .pkl of NVIDIA's (docs/stylegan2.md). For"
                f" FFHQ at 256² there is {known.where}"
            )
        held = self._held()
        wanted: dict[Part, str] = {"ema": "averaged generator"}
        if self.discriminator:
            wanted["discriminator"] = "discriminator"
        lacking = [words for part, words in wanted.items() if part not in held]
        if lacking:
            raise InputError(
                f"the teacher {self.path} has no {' and no '.join(lacking)}; it holds"
                f" {', '.join(sorted(held)) or 'nothing'}. Take a file that has all of them; or set"
                " teacher.discriminator=False, and where it is read"
                " discriminator=dict(type='StyleGAN2Discriminator', size=…), a new one"
            )

    def _files(self) -> list[Path]:
        """The file, or those of a folder that are there."""
        if not self.path.is_dir():
            return [self.path]
        return [path for name in (GENERATOR_FILE, DISCRIMINATOR) if (path := self.path / name).is_file()]

    def _held(self) -> dict[Part, Path]:
        """The networks, and the file of each."""
        from faceuv.models.stylegan2 import networks_in

        return {part: path for path in self._files() for part in networks_in(path)}

    @classmethod
    def small(cls, settings: Mapping[str, Any], runner: Mapping[str, Any]) -> dict[str, Any]:
        """A teacher is read as it is."""
        return dict(settings)

    @classmethod
    def leaves(cls, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """The generator, and the discriminator if the file has one."""
        return (GENERATOR_FILE, DISCRIMINATOR)

    def run(self, context: StageContext) -> StageResult:
        """Read it and write it in our layout."""
        from faceuv.files.networks import save_network
        from faceuv.models.stylegan2 import load_discriminator, load_generator

        outputs = [GENERATOR_FILE]
        if is_main_process():
            origin, held = {"source": self.path.name}, self._held()
            network = load_generator(held.get("ema", self.path), size=self.size)
            save_network(context.folder / GENERATOR_FILE, network, metadata=origin)
            if "discriminator" in held:
                critic = load_discriminator(held["discriminator"], size=network.size)
                save_network(context.folder / DISCRIMINATOR, critic, metadata=origin)
                outputs.append(DISCRIMINATOR)
        return StageResult(outputs)
