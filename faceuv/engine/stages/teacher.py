"""The stage that brings in a teacher that was trained elsewhere."""

from __future__ import annotations

from pathlib import Path

from mmengine.dist import is_main_process

from faceuv.engine.stages.base import Stage, StageContext, StageResult
from faceuv.errors import AssetError
from faceuv.registry import STAGES

FILE = "generator.safetensors"


@STAGES.register_module(name="teacher")
class TeacherStage(Stage):
    """Reads a StyleGAN2 in any layout that people hold, and leaves ``generator.safetensors``.

    (A teacher that is to be trained is a stage of type ``train``.)

    Args:
        path: the file, or ``zoo:entry/file``.
        size: the size that is expected.
    """

    def __init__(self, path: str | Path, size: int | None = None) -> None:
        self.path, self.size = Path(path).expanduser(), size

    def check(self) -> None:
        """The file must be there."""
        if not self.path.is_file():
            raise AssetError(
                f"the teacher {self.path} does not exist; expected StyleGAN2 weights: a .safetensors of faceuv, a .pt"
                " of rosinality's, or a .pkl of NVIDIA's (docs/stylegan2.md)"
            )

    def run(self, context: StageContext) -> StageResult:
        """Read it and write it in our layout."""
        from faceuv.models.stylegan2 import load_generator, save_network

        if is_main_process():
            network = load_generator(self.path, size=self.size)
            save_network(context.folder / FILE, network, metadata={"source": self.path.name})
        return StageResult([FILE])
