"""The training of the encoder: it learns from pictures that the generator draws, whose code and face are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor

from faceuv.errors import InputError, did_you_mean
from faceuv.files.networks import save_network
from faceuv.geometry.normals import vertex_normals
from faceuv.models.base.fixed import Fixed
from faceuv.models.base.manifest import MANIFEST, manifest_for
from faceuv.models.base.method import BaseMethod
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.natural_units import UNITS, NaturalUnits
from faceuv.models.inversion.detail import DetailShares
from faceuv.models.inversion.encoder import ENCODER_FILE, PyramidEncoder, start_encoder
from faceuv.models.inversion.growth import PoseGrowth
from faceuv.models.inversion.world import GeneratorWorld, part_references
from faceuv.models.stylefaceuv.mapper_training import weights_dtype
from faceuv.models.stylefaceuv.options import as_options
from faceuv.registry import MODELS
from faceuv.renderers.base import Renderer
from faceuv.structures import Coefficients, UVMaps
from faceuv.synthetic.seeds import combine, uniforms

TERMS = ("code", "image", "perceptual", "identity", "vertices", "normals", "diffuse", "displacement", *UNITS)
_IMAGES = ("image", "perceptual", "identity")
_STEP_SEED, _PAINT_SEED = 41, 43
_MM, _PERCENT = 100.0, 100.0


@MODELS.register_module()
class CodeEncoding(BaseMethod):
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
        face_model: a coarser face model of the generator's kind.
        encoder: ``reader`` (file of a regressor, or settings of a new one), ``width``, ``hidden``.
        growth: settings of :class:`~faceuv.models.inversion.PoseGrowth`.
        drawn: share of the pictures that are renders over the generator's picture, with detail that no code draws; the
            others are the generator's pictures.
        detail: settings of :class:`~faceuv.models.inversion.DetailShares`.
        mixed: codes mix the rows of up to so many samples.
        renderer: draws the faces.
        seed: of codes, poses and detail.
        dtype: of the exported weights, ``"float32"`` or ``"float16"``.
    """

    steps: Tensor
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
        detail: DetailShares | Mapping[str, Any] | None = None,
        mixed: int = 3,
        renderer: Renderer | Mapping[str, Any] | str = "torch",
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        super().__init__(losses)
        check_terms(list(self.losses.terms))
        if not 0 <= drawn <= 1:
            raise InputError(f"drawn is a share of the pictures, 0 … 1, got {drawn}")
        self.growth = as_options(PoseGrowth, growth, "growth")
        self.drawn, self.seed, self.dtype = float(drawn), int(seed), weights_dtype(dtype)
        shares = as_options(DetailShares, detail, "detail")
        self.world = GeneratorWorld(faces, face_model, renderer, mixed=mixed, detail=shares, seed=seed)
        self.encoder = start_encoder(
            self.world.teacher.network, self.world.mapper.network.layout, **dict(encoder or {})
        )
        model = self.world.face_model
        wanted = [name for name in self.losses.terms if name in UNITS]
        self.units: Fixed[NaturalUnits] | None = Fixed(NaturalUnits(model)) if wanted else None
        self.add_counters("steps")

    @classmethod
    def check_config(cls, config: Mapping[str, Any]) -> None:
        """Raise for what is wrong with a config before anything is loaded."""
        check_terms([name for name, term in (config.get("losses") or {}).items() if term is not None])
        as_options(PoseGrowth, config.get("growth"), "growth")
        as_options(DetailShares, config.get("detail"), "detail")

    # ------------------------------------------------------------ training

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the encoder."""
        index = self.data_preprocessor(data, True)["index"]
        number = self.counted("steps") * get_world_size() + get_rank()
        codes, picture = self.examples(index, number, self.growth.multiplier(self.counted("steps")))
        logs = self.update(optim_wrapper["encoder"], lambda: self.terms(codes, picture))
        self.count("steps", 1)
        return logs

    @torch.no_grad()
    def examples(self, index: Tensor, number: int, share: float) -> tuple[Tensor, Tensor]:
        """Codes ``(B, L, D)`` and their pictures ``(B, 3, S, S)``; ``number`` decides about poses and detail."""
        seeds = combine(combine(torch.tensor([self.seed + _STEP_SEED]), number), index.cpu())
        draws = uniforms(seeds, (2,)).to(index.device)
        codes = self.world.codes(index)
        yaw = (2 * draws[:, 0] - 1) * math.radians(self.growth.yaw_deg)
        codes = self.world.turned(codes, yaw.to(codes), share)
        picture = self.world.picture(codes)
        rows = (draws[:, 1] < self.drawn).nonzero()[:, 0].to(codes.device)
        if len(rows):
            painted = combine(seeds[rows.cpu()], _PAINT_SEED)
            picture = picture.index_copy(0, rows, self.world.scene(codes[rows], painted=painted).image)
        return codes, picture

    def terms(self, codes: Tensor, picture: Tensor) -> dict[str, Tensor]:
        """The weighted loss terms of pictures whose codes are known."""
        found = self.encoder(picture)
        with torch.no_grad():
            true = self.sides(codes, self.world.mapper.network(codes))
        return self.losses(self.sides(found.codes, found.coefficients), true)

    def sides(self, codes: Tensor, coefficients: Coefficients) -> dict[str, Tensor]:
        """What the losses compare of codes and coefficients; only what a term asks for is computed."""
        wanted, world = set(self.losses.terms), self.world
        side: dict[str, Tensor] = {"code": self.encoder.standardised(codes)}
        if wanted & set(_IMAGES):
            image = world.teacher.network.synthesis(codes)
            side |= {"image": image, "mask": torch.ones_like(image[:, :1]), "yaw": coefficients.rotation[:, 1]}
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
        write_manifest(folder, self.world, {"encoder": file})
        return [ENCODER_FILE, MANIFEST]


def write_manifest(folder: Path, world: GeneratorWorld, files: Mapping[str, str | Path]) -> Path:
    """``generator.json`` of a generator of type Inversion: the parts of the generator of faces, and ``files``."""
    assert world.source is not None
    teacher = world.teacher.network
    facts = {"num_layers": teacher.num_layers, "code_dim": teacher.code_dim, "metadata": {"stage": folder.name}}
    parts = {**part_references(world.source), **files}
    return manifest_for("Inversion", folder, parts, {"face_model": world.config}, name="", **facts).write(folder)


def check_terms(names: list[str]) -> None:
    """Raise for unknown terms, and where none is about the code or its picture."""
    for name in names:
        if name not in TERMS:
            raise InputError(f"CodeEncoding has no loss {name!r}; it has {', '.join(TERMS)}{did_you_mean(name, TERMS)}")
    if not {"code", "image"} & set(names):
        raise InputError("CodeEncoding needs the loss 'code' or 'image': without both no code is learned")
