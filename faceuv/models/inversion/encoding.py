"""The training of the encoder: it learns from pictures that the generator draws, whose code and face are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor

from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.geometry.normals import vertex_normals
from faceuv.models.base.fixed import Fixed
from faceuv.models.base.manifest import MANIFEST
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.natural_units import UNITS, NaturalUnits
from faceuv.models.inversion.detail import DetailShares
from faceuv.models.inversion.encoder import ENCODER_FILE, PyramidEncoder, start_encoder
from faceuv.models.inversion.growth import PoseGrowth
from faceuv.models.inversion.method import InversionMethod
from faceuv.registry import MODELS
from faceuv.renderers.base import Renderer
from faceuv.structures import Coefficients, UVMaps
from faceuv.synthetic.seeds import combine, uniforms

TERMS = ("code", "image", "perceptual", "identity", "vertices", "normals", "diffuse", "displacement", *UNITS)
_IMAGES = ("image", "perceptual", "identity")
_STEP_SEED, _PAINT_SEED = 41, 43
_MM, _PERCENT = 100.0, 100.0


@MODELS.register_module()
class CodeEncoding(InversionMethod):
    """Trains :class:`~faceuv.models.inversion.PyramidEncoder` by self-training: every picture is drawn by the
    generator, so that its code, coefficients, vertices, normals and maps are known. No photograph is seen.

    A batch is ``dict(index (B,))``, sample numbers of :class:`~faceuv.models.liftedgan.SampleNumbers`. Optimiser:
    ``encoder``. Codes mix several samples and are turned by the generator's stepper over a range that grows.

    Args:
        faces: the generator of faces, of type StyleFaceUV: an entry of the zoo, a folder or a work dir.
        losses: terms by name, each with its weight. ``code``: ``loss({"code"}, {"code"})`` in standard deviations;
            ``image``, ``perceptual``, ``identity``: the generator's pictures of the found and of the true code,
            ``{"image", "mask", "yaw"}``; points for ``MeanDistance(of=NAME)``: ``vertices`` (mm), ``normals``,
            ``diffuse`` (%) and ``displacement`` (mm) of the found code's maps, and those of
            :class:`~faceuv.models.faces.natural_units.NaturalUnits`.
        encoder: ``reader`` (file of a regressor, or settings of a new one), ``width``, ``hidden``.
        drawn: share of the pictures that are renders over the generator's picture, with detail that no code draws; the
            others are the generator's pictures.
        pictured: share of a batch whose generator's pictures are compared; the generator draws those of the found
            codes, which is a third of a step.
        others: as for :class:`~faceuv.models.inversion.method.InversionMethod`.
    """

    known: ClassVar[tuple[str, ...]] = TERMS
    one_of: ClassVar[tuple[str, str]] = ("code", "image")
    learned: ClassVar[str] = "code"
    networks: ClassVar[tuple[str, ...]] = ("encoder",)
    exports: ClassVar[tuple[str, ...]] = (ENCODER_FILE, MANIFEST)

    def __init__(
        self,
        faces: str | Path | Any,
        losses: Mapping[str, Any],
        *,
        face_model: FaceModel | Mapping[str, Any] | str | None = None,
        encoder: Mapping[str, Any] | None = None,
        growth: PoseGrowth | Mapping[str, Any] | None = None,
        drawn: float = 0.5,
        pictured: float = 1.0,
        detail: DetailShares | Mapping[str, Any] | None = None,
        mixed: int = 3,
        renderer: Renderer | Mapping[str, Any] | str = "torch",
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        if not 0 <= drawn <= 1:
            raise InputError(f"drawn is a share of the pictures, 0 … 1, got {drawn}")
        if not 0 < pictured <= 1:
            raise InputError(f"pictured is a share of the pictures, above 0 and at most 1, got {pictured}")
        super().__init__(
            faces, losses, face_model=face_model, growth=growth, detail=detail, mixed=mixed, renderer=renderer,
            seed=seed, dtype=dtype,
        )  # fmt: skip
        self.drawn, self.pictured = float(drawn), float(pictured)
        self.encoder = start_encoder(
            self.world.teacher.network, self.world.mapper.network.layout, **dict(encoder or {})
        )
        model = self.world.face_model
        wanted = [name for name in self.losses.terms if name in UNITS]
        self.units: Fixed[NaturalUnits] | None = Fixed(NaturalUnits(model)) if wanted else None

    # ------------------------------------------------------------ training

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the encoder."""
        index = self.data_preprocessor(data, True)["index"]
        number = self.counted("steps") * get_world_size() + get_rank()
        examples = self.examples(index, number, self.growth.multiplier(self.counted("steps")))
        logs = self.update(optim_wrapper["encoder"], lambda: self.terms(*examples))
        self.count("steps", 1)
        return logs

    @torch.no_grad()
    def examples(self, index: Tensor, number: int, share: float) -> tuple[Tensor, Tensor, Tensor]:
        """Codes ``(B, L, D)``, their pictures ``(B, 3, S, S)`` and the generator's own ones, which differ where detail
        is painted; ``number`` decides about poses and detail."""
        seeds = combine(combine(torch.tensor([self.seed + _STEP_SEED]), number), index.cpu())
        draws = uniforms(seeds, (2,)).to(index.device)
        codes = self.world.codes(index)
        yaw = (2 * draws[:, 0] - 1) * math.radians(self.growth.yaw_deg)
        codes = self.world.turned(codes, yaw.to(codes), share)
        own: Tensor = self.world.teacher.network.synthesis(codes)
        picture = own.clamp(0, 1)
        rows = (draws[:, 1] < self.drawn).nonzero()[:, 0].to(codes.device)
        if len(rows):
            painted = combine(seeds[rows.cpu()], _PAINT_SEED)
            painted_too = self.world.scene(codes[rows], painted=painted, behind=picture[rows])
            picture = picture.index_copy(0, rows, painted_too.image)
        return codes, picture, own

    def terms(self, codes: Tensor, picture: Tensor, own: Tensor) -> dict[str, Tensor]:
        """The weighted loss terms of pictures whose codes, and whose codes' ``own`` pictures, are known."""
        found = self.encoder(picture)
        with torch.no_grad():
            true = self.sides(codes, self.world.mapper.network(codes), own)
        return self.losses(self.sides(found.codes, found.coefficients), true)

    def sides(self, codes: Tensor, coefficients: Coefficients, own: Tensor | None = None) -> dict[str, Tensor]:
        """What the losses compare of codes and coefficients; only what a term asks for is computed. ``own``: the
        generator's pictures of the codes, if they are known."""
        wanted, world = set(self.losses.terms), self.world
        side: dict[str, Tensor] = {"code": self.encoder.standardised(codes)}
        if wanted & set(_IMAGES):
            count = math.ceil(self.pictured * len(codes))
            image = world.teacher.network.synthesis(codes[:count]) if own is None else own[:count]
            side |= {"image": image, "mask": torch.ones_like(image[:, :1]), "yaw": coefficients.rotation[:count, 1]}
        if wanted & {"vertices", "normals"}:
            mesh = world.face_model.mesh(coefficients)
            side["vertices"] = mesh.vertices * _MM
            if "normals" in wanted:
                side["normals"] = vertex_normals(mesh.vertices, mesh.faces, mesh.weld)
        if wanted & {"diffuse", "displacement"}:
            maps: UVMaps = world.uv_generator.network(codes)
            for name, unit in (("diffuse", _PERCENT), ("displacement", _MM)):
                value = getattr(maps, name)
                if name in wanted and value is None:
                    raise InputError(f"the loss {name!r} compares maps that the generator {world.source!r} has not")
                if value is not None:
                    side[name] = value.flatten(2).transpose(1, 2) * unit
        if self.units is not None:
            side |= self.units.network(coefficients)
        return side

    # ------------------------------------------------------------ evaluation

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For ``MeanErrors``, of held-out samples in their own pose: the error of the codes in standard deviations, of
        the pictures (mean absolute difference), and of coefficients in degrees and millimetres."""
        encoder = cast(PyramidEncoder, self.averaged("encoder")).eval()
        codes = self.world.codes(data["index"])
        picture = self.world.picture(codes)
        found = encoder(picture)
        true: Coefficients = self.world.mapper.network(codes)
        away = found.coefficients.rotation - true.rotation
        model = self.world.face_model
        shape = model.shape(found.coefficients.identity, found.coefficients.expression)
        shape = shape - model.shape(true.identity, true.expression)
        columns = {
            "picture_l1": (self.world.picture(found.codes) - picture).abs().mean((1, 2, 3)),
            "code": (encoder.standardised(found.codes) - encoder.standardised(codes)).square().mean((1, 2)).sqrt(),
            "yaw_deg": away[:, 1].abs().rad2deg(),
            "shape_mm": torch.linalg.vector_norm(shape, dim=2).mean(1) * _MM,
            "place_mm": (found.coefficients.translation - true.translation)[:, :2].norm(dim=1) * _MM,
        }
        return [{name: value[k] for name, value in columns.items()} for k in range(len(codes))]

    @torch.no_grad()
    def sample_images(self, count: int) -> dict[str, Tensor]:
        """``encoded``: the generator's picture of a held-out code and of the code that is found in it, then a painted
        render and the picture of the code that is found in that."""
        encoder = cast(PyramidEncoder, self.averaged("encoder")).eval()
        index = torch.arange(count) + 3_000_000
        codes = self.world.codes(index)
        plain, painted = self.world.picture(codes), self.world.scene(codes, painted=index).image
        columns = [plain, self.world.picture(encoder(plain).codes), painted]
        columns.append(self.world.picture(encoder(painted).codes))
        return {"encoded": torch.cat(columns, 3)}

    def export(self, folder: Path) -> list[str]:
        """Write ``encoder.safetensors`` and ``generator.json``, which makes a generator of faces of the folder."""
        metadata = {"steps": self.counted("steps"), "faces": str(self.world.source)}
        file = save_network(folder / ENCODER_FILE, self.averaged("encoder"), dtype=self.dtype, metadata=metadata)
        if self.world.source is None:
            return [ENCODER_FILE]
        self.write_manifest(folder, {"encoder": file})
        return [ENCODER_FILE, MANIFEST]
