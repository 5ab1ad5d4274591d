"""What the generator of faces draws, with everything known: the only pictures that the trainings learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.data.drawn import mixed_codes_at
from faceuv.errors import InputError
from faceuv.files import assets, zoo
from faceuv.models.base.face_generator import FaceGenerator
from faceuv.models.base.fixed import Fixed
from faceuv.models.base.manifest import MANIFEST, find_manifest
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.models.faces.several_views import turned
from faceuv.models.inversion.detail import DetailPainter, DetailShares
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
from faceuv.registry import FACE_MODELS
from faceuv.renderers.base import Renderer
from faceuv.renderers.compositing import composite
from faceuv.structures import Coefficients, Render, UVMaps


@dataclass(frozen=True, eq=False)
class Scene:
    """B faces of the generator, and their pictures.

    codes         ``(B, L, D)``
    coefficients  of the faces, as the generator's mapper reads them
    maps          UV maps, with detail where it was painted
    plain         UV maps of the codes alone
    image         ``(B, 3, S, S)``: the maps drawn over the generator's picture of the code
    render        the maps over black
    """

    codes: Tensor
    coefficients: Coefficients
    maps: UVMaps
    plain: UVMaps
    image: Tensor
    render: Render


class GeneratorWorld(nn.Module):
    """A frozen generator of faces as a source of pictures whose code, coefficients and maps are known.

    Args:
        faces: a generator of type StyleFaceUV: an entry of the zoo, a folder, the work dir of a recipe, or itself.
        face_model: a coarser face model of the same kind, for speed; the generator's own if absent.
        renderer: draws the faces.
        mixed: codes mix the rows of up to so many samples, so that the encoder learns W+.
        detail: of :class:`~faceuv.models.inversion.detail.DetailShares`.
        seed: of codes and detail.
    """

    def __init__(
        self,
        faces: str | Path | StyleFaceUVGenerator,
        face_model: FaceModel | Mapping[str, Any] | str | None = None,
        renderer: Renderer | Mapping[str, Any] | str = "torch",
        *,
        mixed: int = 3,
        detail: DetailShares | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        found = faces if isinstance(faces, FaceGenerator) else FaceGenerator.load(faces)
        if not isinstance(found, StyleFaceUVGenerator):
            raise InputError(
                f"an inversion in UV space needs a generator with coefficients and UV maps, of type StyleFaceUV;"
                f" {found.name!r} is a {type(found).__name__}"
            )
        self.source = None if isinstance(faces, FaceGenerator) else faces
        self.mixed, self.seed = mixed, int(seed)
        self.detail = detail or DetailShares()
        model: FaceModel = found.face_model if face_model is None else FACE_MODELS.build(face_model)
        found.mapper.check_layout(model.layout)
        self.size = found.size
        self.teacher: Fixed[Any] = Fixed(found.teacher)
        self.mapper: Fixed[Any] = Fixed(found.mapper)
        self.uv_generator: Fixed[Any] = Fixed(found.uv_generator)
        self.stepper: Fixed[Any] | None = None if found.stepper is None else Fixed(found.stepper)
        self.renderer: Fixed[FaceRenderer] = Fixed(FaceRenderer(model, renderer, normals="map"))
        self.painter = DetailPainter(model, found.uv_generator.size)
        self.config = found.face_model.config()

    @property
    def face_model(self) -> FaceModel:
        """Of the coefficients and maps."""
        return self.renderer.network.face_model

    @torch.no_grad()
    def codes(self, index: Tensor) -> Tensor:
        """Codes ``(B, L, D)`` of sample numbers ``(B,)``; each is a function of its number and the seed."""
        return mixed_codes_at(self.teacher.network, index.tolist(), seed=self.seed, most=self.mixed)

    @torch.no_grad()
    def turned(self, codes: Tensor, yaw: Tensor, share: float) -> Tensor:
        """Codes whose faces look ``share`` of the way from their own yaw toward ``yaw (B,)``, radians; without a
        stepper the codes as they are."""
        if self.stepper is None or share == 0:
            return codes
        own = self.mapper.network.yaw(codes)
        moved: Tensor = self.stepper.network.move(codes, torch.lerp(own, yaw.to(own), share))
        return moved

    @torch.no_grad()
    def picture(self, codes: Tensor) -> Tensor:
        """The generator's own pictures ``(B, 3, S, S)`` in [0, 1]."""
        image: Tensor = self.teacher.network.synthesis(codes)
        return image.clamp(0, 1)

    @torch.no_grad()
    def scene(self, codes: Tensor, *, painted: Tensor | None = None, behind: Tensor | None = None) -> Scene:
        """The faces of ``codes``; with seeds ``painted (B,)`` int64, with detail that no code draws. ``behind``: the
        generator's pictures of the codes, if they are known."""
        coefficients: Coefficients = self.mapper.network(codes)
        plain: UVMaps = self.uv_generator.network(codes)
        maps = plain if painted is None else self.painter(plain, painted, self.detail)
        drawn = self.draw(coefficients, maps)
        behind = self.picture(codes) if behind is None else behind
        image = composite(drawn.image, drawn.mask, behind).clamp(0, 1)
        return Scene(codes, coefficients, maps, plain, image, drawn)

    def draw(self, coefficients: Coefficients, maps: UVMaps) -> Render:
        """Faces over black at the teacher's size, differentiable."""
        with torch.autocast(coefficients.data.device.type, enabled=False):
            render: Render = self.renderer.network(coefficients, maps, size=self.size)
        return render

    def at_yaw(self, coefficients: Coefficients, yaw: Tensor) -> Coefficients:
        """The same faces at ``yaw (B,)``, radians."""
        return turned(coefficients, yaw.to(coefficients.data))


def part_references(source: str | Path) -> dict[str, str | Path]:
    """Part → what a manifest may name: ``zoo:…``, ``asset:…``, or a path of a file of the generator ``source``."""
    folder, manifest = find_manifest(source)
    known = {path.resolve(): entry for entry, path in zoo.folders().items()}
    found: dict[str, str | Path] = {}
    for part, reference in manifest.files.items():
        if reference.startswith((zoo.PREFIX, assets.PREFIX)):
            found[part] = reference
            continue
        path = manifest.located(folder)[part]
        entry = known.get(path.resolve().parent)
        found[part] = path if entry is None else f"{zoo.PREFIX}{entry}/{path.name}"
    if "teacher" not in found and "teacher" not in manifest.settings:
        raise InputError(f"{folder / MANIFEST} names no teacher")
    return found
