"""The training of StyleFaceUV: one pair of maps, rendered from two views, must match the teacher's images of both."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from mmengine.dist import get_world_size
from torch import Tensor

from faceuv.errors import InputError, did_you_mean
from faceuv.files.locate import locate
from faceuv.files.networks import save_network
from faceuv.losses import R1Penalty
from faceuv.models.base.fixed import Fixed, frozen
from faceuv.models.base.generator import Generator, check_generator
from faceuv.models.base.loss_terms import LossTerms
from faceuv.models.base.manifest import MANIFEST, manifest_for
from faceuv.models.base.method import BaseMethod
from faceuv.models.base.options import as_options
from faceuv.models.directions import load_directions
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.face_renderer import FaceRenderer, Normals
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.stylefaceuv.mapper_training import weights_dtype
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper, load_mapper, load_stepper
from faceuv.models.stylefaceuv.objective import ADVERSARIAL_TERMS, DISCRIMINATOR_TERMS, Phase, objective
from faceuv.models.stylefaceuv.options import (
    VIEWS,
    AdversarialOptions,
    ViewOptions,
    check_layout_of_options,
)
from faceuv.models.stylefaceuv.sheets import map_sheet, view_sheet
from faceuv.models.stylefaceuv.starting import is_stylegan2, start_discriminator, start_uv_generator
from faceuv.models.stylefaceuv.teacher_views import TeacherViews, ViewBatch
from faceuv.models.stylefaceuv.uv_generator import OF_STYLEGAN2, UV_FILE, UVGenerator
from faceuv.models.stylefaceuv.views import ViewRender, ViewWeights, render_views
from faceuv.registry import FACE_MODELS, GENERATORS, MODELS
from faceuv.renderers.base import Renderer
from faceuv.structures import UVMaps
from faceuv.synthetic.seeds import combine

OF_TEACHER = ("code_dim", "num_layers")
"""Settings of a UV generator that are its teacher's, whatever that is."""
MM_PER_DM = 100
_DEFAULT_MASK = ViewWeights()
_YAW_SEED = 11  # of the metrics' random yaws, the same for every method that is compared


@MODELS.register_module()
class StyleFaceUV(BaseMethod):
    """StyleFaceUV: trains a UV generator with a frozen teacher, mapper and stepper, on the original and the symmetric
    view of each face. :mod:`~faceuv.models.stylefaceuv.objective` has its losses.

    A batch is ``dict(code (B, D) or (B, L, D), coefficients (B, N))``, as
    :class:`~faceuv.data.codes.CodeFits` gives them. Optimisers: ``uv_generator``, ``discriminator``.

    An iteration runs the teacher once for all views, the UV generator once for one pair of maps, and the renderer once
    for all views; a step of the discriminator uses the same renders.

    Args:
        teacher: config of a generator, ``dict(type="PretrainedGenerator", path=…)``, of any type.
        mapper: file of the mapper.
        face_model: config of the face model.
        losses: by name, each with its weight. ``adversarial``, ``discriminator`` and ``r1`` belong together and read
            scores; ``r1`` is due every ``interval`` steps of the discriminator, in its own step. Every other name is a
            term of the UV generator, ``loss.per_image({"image", "mask", "diffuse", "displacement"}, {"image",
            "mask"})``: renders and their coverage, the maps; teacher's images, and the weights of their pixels.
        stepper: file of the stepper; the symmetric view needs it.
        discriminator: file of any known layout (usually the teacher's), or the config of a new one.
        uv_generator: what :meth:`~faceuv.models.stylefaceuv.UVGenerator.from_teacher` takes: ``size``, ``diffuse``,
            ``displacement``, ``displacement_scale``, ``displacement_space``, its channels if the teacher is no
            StyleGAN2; or ``weights=FILE`` to start with; other settings beside it must be those of the file.
        directions: file of directions, which the exported generator of faces names for its edits.
        views: which views are trained on: settings of :class:`~faceuv.models.stylefaceuv.ViewOptions`.
        mask: which texels a view uses: settings of :class:`~faceuv.models.stylefaceuv.ViewWeights`, ``dict(rule=
            "splat", override=0.5)`` by default; None: all pixels count alike.
        adversarial: what the discriminator is shown and how often: settings of
            :class:`~faceuv.models.stylefaceuv.AdversarialOptions`.
        renderer, normals: as for :class:`~faceuv.models.faces.FaceRenderer`.
        random_yaw_deg: for metrics: the stepper also turns every face to a random angle, uniform in ± so many degrees.
        dtype: of the exported weights, ``"float32"`` or ``"float16"``.
    """

    steps: Tensor
    discriminator_steps: Tensor
    images_seen: Tensor

    networks: ClassVar[tuple[str, ...]] = ("uv_generator", "discriminator")
    exports: ClassVar[tuple[str, ...]] = (
        UV_FILE,
        MANIFEST,
        "teacher.safetensors",
        "mapper.safetensors",
        "stepper.safetensors",
    )

    @classmethod
    def networks_of(cls, config: Mapping[str, Any]) -> tuple[str, ...]:
        """The discriminator is trained with the loss ``adversarial`` only."""
        adversarial = (config.get("losses") or {}).get("adversarial") is not None
        return cls.networks if adversarial else cls.networks[:1]

    def __init__(
        self,
        teacher: Mapping[str, Any] | Generator,
        mapper: str | Path | CoefficientMapper,
        face_model: Mapping[str, Any] | str | FaceModel,
        losses: Mapping[str, Any],
        *,
        stepper: str | Path | YawStepper | None = None,
        discriminator: str | Path | Mapping[str, Any] | None = None,
        uv_generator: Mapping[str, Any] | None = None,
        directions: str | Path | None = None,
        views: ViewOptions | Mapping[str, Any] | None = None,
        mask: ViewWeights | Mapping[str, Any] | None = _DEFAULT_MASK,
        adversarial: AdversarialOptions | Mapping[str, Any] | None = None,
        renderer: Mapping[str, Any] | str | Renderer = "torch",
        normals: Normals = "map",
        random_yaw_deg: float | None = None,
        dtype: str = "float32",
    ) -> None:
        super().__init__(losses)
        self.view_options = as_options(ViewOptions, views, "views")
        self.mask = None if mask is None else as_options(ViewWeights, mask, "mask")
        self.adversarial = as_options(AdversarialOptions, adversarial, "adversarial")
        if random_yaw_deg is not None and (stepper is None or not 0 < random_yaw_deg <= 90):
            raise InputError(f"random_yaw_deg lies in 0 … 90 and needs a stepper, got {random_yaw_deg}")
        check_terms(self.losses)

        # frozen: the teacher, the mapper, the stepper, the face model
        images = check_generator(GENERATORS.build(teacher), "StyleFaceUV")
        f3d = mapper if isinstance(mapper, CoefficientMapper) else load_mapper(locate(mapper))
        f_yaw = load_stepper(locate(stepper)) if isinstance(stepper, (str, Path)) else stepper
        face: FaceModel = FACE_MODELS.build(face_model)
        f3d.check_layout(face.layout)
        if directions is not None:  # for the exported generator of faces only, but it must not fail then
            load_directions(locate(directions), images)
        self.teacher_views = TeacherViews(
            images,
            f3d,
            f_yaw,
            names=self.view_options.names,
            coefficients=self.view_options.coefficients,
            remember=self.view_options.remember,
        )
        self.renderer: Fixed[FaceRenderer] = Fixed(FaceRenderer(face, renderer, normals=normals))
        self.landmarks: Fixed[LandmarkTruth] = Fixed(LandmarkTruth(face, self.renderer.network.renderer.camera))

        self.sources: dict[str, str | Path] = {
            part: source
            for part, source in (
                ("teacher", teacher.get("path") if isinstance(teacher, Mapping) else None),
                ("mapper", mapper),
                ("stepper", stepper),
                ("directions", directions),
            )
            if isinstance(source, (str, Path))
        }
        self.teacher_config = dict(teacher) if isinstance(teacher, Mapping) and "teacher" not in self.sources else None

        # trained: the UV generator and D
        self.uv_generator = start_uv_generator(images, face, uv_generator or {})
        self.discriminator = start_discriminator(images.size, discriminator)
        if "adversarial" in self.losses.terms and self.discriminator is None:
            raise InputError("the loss 'adversarial' needs a discriminator: a file, the teacher's, or a config")

        self.size = images.size
        self.random_yaw = None if random_yaw_deg is None else math.radians(random_yaw_deg)
        self.dtype = weights_dtype(dtype)
        self.add_counters("steps", "discriminator_steps", "images_seen")

    @classmethod
    def check_config(cls, config: Mapping[str, Any]) -> None:
        """Raise for what is wrong with a config before anything is loaded."""
        check_layout_of_options(config)
        as_options(ViewOptions, config.get("views"), "views")
        as_options(ViewWeights, config.get("mask"), "mask")
        as_options(AdversarialOptions, config.get("adversarial"), "adversarial")
        known = ["weights", "size", *inspect.signature(UVGenerator).parameters]
        taken = OF_TEACHER + (OF_STYLEGAN2 if is_stylegan2(config.get("teacher")) else ())
        known = [name for name in dict.fromkeys(known) if name not in taken]
        for name in config.get("uv_generator") or {}:
            if name not in known:
                raise InputError(
                    f"uv_generator has no setting {name!r}; it has {', '.join(known)}{did_you_mean(name, known)}"
                )
        terms = [name for name, term in (config.get("losses") or {}).items() if term is not None]
        for name in terms:
            near = difflib.get_close_matches(name, ADVERSARIAL_TERMS, n=1, cutoff=0.8)
            if near and name not in ADVERSARIAL_TERMS:
                raise InputError(f"losses has the unknown term {name!r}. Did you mean {near[0]!r}?")
        check_term_names(terms)

    @property
    def views(self) -> tuple[str, ...]:
        """The names of the views that are trained on."""
        return self.teacher_views.names

    # ------------------------------------------------------------ training

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the UV generator; one of the discriminator, and of R1, when due."""
        data = self.data_preprocessor(data, True)
        views = self.teacher_views.for_training(data["code"], data.get("coefficients"), data.get("index"))
        renders: list[ViewRender] = []  # drawn in the generator's phase, shown to the discriminator in its own

        def terms(phase: Phase) -> dict[str, Tensor]:
            if phase == "generator":
                renders.append(self.draw(views, self.uv_generator, mask=self.mask))
            return self.terms(phase, views, renders[0])

        with frozen(*([] if self.discriminator is None else [self.discriminator])):
            logs = self.update(optim_wrapper["uv_generator"], lambda: terms("generator"))
        if "adversarial" in self.losses.terms and self.counted("steps") % self.adversarial.every == 0:
            logs |= self.update(optim_wrapper["discriminator"], lambda: terms("discriminator"))
            r1 = cast("R1Penalty | None", dict(self.losses.terms).get("r1"))
            if r1 is not None and r1.due(self.counted("discriminator_steps")):
                logs |= self.update(optim_wrapper["discriminator"], lambda: terms("r1"))
            self.count("discriminator_steps", 1)
        self.count("steps", 1)
        self.count("images_seen", len(views.codes) // len(self.views) * get_world_size())
        displacement = renders[0].maps.displacement
        if displacement is not None:
            logs["displacement_mm"] = displacement.detach().norm(dim=1).mean() * MM_PER_DM
        return logs

    def terms(self, phase: Phase, views: ViewBatch, render: ViewRender) -> dict[str, Tensor]:
        """The weighted loss terms of a phase: :func:`~faceuv.models.stylefaceuv.objective.objective`."""
        return objective(
            phase,
            views,
            render,
            self.discriminator,
            self.losses,
            view_weights=self.view_options.weights,
            adversarial=self.adversarial,
        )

    def make_maps(self, views: ViewBatch, generator: UVGenerator) -> UVMaps:
        """The maps of B faces, or of each view where views have their own."""
        shared = self.view_options.maps == "shared"
        maps: UVMaps = generator(views.codes.chunk(len(views.names))[0] if shared else views.codes)
        return maps

    def draw(self, views: ViewBatch, generator: UVGenerator, *, mask: ViewWeights | None = None) -> ViewRender:
        """Render all ``views`` with the maps that ``generator`` makes."""
        return render_views(
            self.renderer.network,
            views.coefficients,
            self.make_maps(views, generator),
            self.size,
            views=len(views.names),
            mask=mask,
            clamp=self.view_options.clamp,
        )

    # ------------------------------------------------------------ evaluation

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For metrics, by the averaged generator: each teacher's image, ``real``, the render pasted over it, ``fake``,
        where that is, ``mask``, the ``yaw`` in radians that the face should be seen at, and the ``landmarks (68, 2)``
        of the drawn face in pixels.

        With a stepper the symmetric view likewise, ``real_symmetric`` and so on, whatever was learned from; with
        ``random_yaw_deg`` a view at an angle that the sample's ``index`` decides, ``real_random_yaw`` and so on.
        """
        names = self.views if self.teacher_views.stepper is None else VIEWS
        turned = {} if self.random_yaw is None else {"random_yaw": self._angles(data)}
        views = self.teacher_views(data["code"], data.get("coefficients"), names=names, turned=turned)
        render = self.draw(views, cast(UVGenerator, self.averaged("uv_generator")))
        landmarks, _ = self.landmarks(views.coefficients, self.size)
        columns = {
            "real": views.images,
            "fake": render.over(views.images).clamp(0, 1),
            "mask": render.mask,
            "yaw": cast(Tensor, views.yaw),
            "landmarks": landmarks,
        }
        endings = ["" if view == "original" else f"_{view}" for view in views.names]
        rows: list[dict[str, Tensor]] = [{} for _ in data["code"]]
        for name, column in columns.items():
            for ending, part in zip(endings, column.chunk(len(endings))):
                for row, value in zip(rows, part):
                    row[f"{name}{ending}"] = value
        return rows

    def _angles(self, data: Any) -> Tensor:
        """The random yaws of a batch, ``(B,)`` radians: each a function of the sample's index."""
        if "index" not in data:
            raise InputError("random_yaw_deg needs batches with the samples' index, as CodeFits gives it")
        assert self.random_yaw is not None
        rng = torch.Generator()
        seeds = combine(torch.tensor([_YAW_SEED]), torch.as_tensor(data["index"], dtype=torch.int64).cpu())
        even = torch.stack([torch.rand((), generator=rng.manual_seed(int(seed))) for seed in seeds])
        return ((even * 2 - 1) * self.random_yaw).to(data["code"].device)

    @torch.no_grad()
    def sample_images(self, count: int) -> dict[str, Tensor]:
        """``views``: per face the teacher's image, the render over it, both again for the symmetric view, the render
        turned to 45°, and the bare shape, side by side; ``maps``: its diffuse map and displacement."""
        generator = cast(UVGenerator, self.averaged("uv_generator"))
        rng = torch.Generator().manual_seed(0)
        code = self.teacher_views.teacher.network.sample_codes(count, generator=rng)
        return {
            "views": view_sheet(self.teacher_views, self.renderer.network, generator, code),
            "maps": map_sheet(generator, code),
        }

    def export(self, folder: Path) -> list[str]:
        """Write ``uv_generator.safetensors``, and ``generator.json``, which makes a generator of faces of the folder:
        networks that were read from files are named by them, others are written beside it."""
        generator = cast(UVGenerator, self.averaged("uv_generator"))
        save_network(
            folder / UV_FILE,
            generator,
            dtype=self.dtype,
            metadata={"views": list(self.views), "images_seen": int(self.images_seen)},
        )
        views = self.teacher_views
        files: dict[str, str | Path] = {**self.sources, "uv_generator": folder / UV_FILE}
        settings: dict[str, Any] = {"face_model": self.renderer.network.face_model.config()}
        if self.teacher_config is not None:
            settings["teacher"] = self.teacher_config
        written = [UV_FILE]
        for part, frozen_network in (("teacher", views.teacher), ("mapper", views.mapper), ("stepper", views.stepper)):
            if frozen_network is None or part in files or part in settings:
                continue
            written.append(f"{part}.safetensors")
            files[part] = save_network(folder / written[-1], frozen_network.network)
        manifest = manifest_for(
            "StyleFaceUV",
            folder,
            files,
            settings,
            name="",  # that of the work dir, wherever it is then
            num_layers=generator.num_layers,
            code_dim=generator.code_dim,
            metadata={"stage": folder.name, "views": list(self.views)},
        )
        manifest.write(folder)
        return [*written, MANIFEST]


def check_terms(losses: LossTerms) -> None:
    """Raise unless the terms are complete, and every one can be taken per view."""
    terms = losses.terms
    check_term_names(list(terms))
    lacking = [name for name, loss in terms.items() if not hasattr(loss, "per_image")]
    if lacking:
        raise InputError(f"views count differently, so a loss needs per_image(pred, target) → (B,): {lacking} lack it")


def check_term_names(terms: Collection[str]) -> None:
    """Raise unless the UV generator has a term, and the adversarial terms are all there, or none."""
    if not set(terms) - set(DISCRIMINATOR_TERMS):
        raise InputError("StyleFaceUV has no term left for its UV generator; see its losses")
    if ("adversarial" in terms) != ("discriminator" in terms) or ("r1" in terms and "adversarial" not in terms):
        raise InputError(
            "the losses 'adversarial' and 'discriminator' belong together, and 'r1' to both; there are"
            f" {', '.join(terms)}: set all of them, or each to None"
        )
