"""The method: one pair of maps, drawn from two sides, must look like what the teacher shows from there."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import torch
from mmengine.dist import get_world_size
from torch import Tensor

from faceuv.errors import InputError, did_you_mean
from faceuv.files import zoo
from faceuv.files.networks import save_network
from faceuv.losses import R1Penalty
from faceuv.models.base.fixed import Fixed
from faceuv.models.base.method import BaseMethod, frozen
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.face_renderer import FaceRenderer, MaskRule, Normals
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.stylefaceuv.guides import VIEWS, Guides, Source, Targets
from faceuv.models.stylefaceuv.mapper_training import weights_dtype
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper, load_mapper, load_stepper
from faceuv.models.stylefaceuv.sheets import map_sheet, view_sheet
from faceuv.models.stylefaceuv.uv_generator import UV_FILE, UVGenerator, load_uv_generator
from faceuv.models.stylefaceuv.views import Shot, ViewWeights, shoot
from faceuv.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator, load_discriminator
from faceuv.registry import FACE_MODELS, GENERATORS, MODELS
from faceuv.renderers.base import Renderer
from faceuv.structures import UVMaps
from faceuv.synthetic.seeds import combine

OF_DISCRIMINATOR = ("discriminator", "r1")
OF_GAME = ("adversarial", *OF_DISCRIMINATOR)
OF_TEACHER = ("code_dim", "num_layers", "channels", "channel_base", "channel_max", "activation_clamp")
"""Settings of a UV generator that are its teacher's."""
_YAW_SEED = 11  # of the metrics' random yaws, the same for every method that is compared


@MODELS.register_module()
class StyleFaceUV(BaseMethod):
    """StyleFaceUV: trains a UV generator (G3D) under a frozen teacher, F3D and F_yaw, from the original and the
    symmetric view of each face.

    A batch is ``dict(code (B, D) or (B, L, D), coefficients (B, N))``, as
    :class:`~faceuv.data.codes.CodeFits` gives them. Optimisers: ``uv_generator``, ``discriminator``.

    An iteration asks the teacher once for all views, the UV generator once for one pair of maps, and the renderer once
    for all views; when the discriminator is due, it is shown those very renders.

    Args:
        teacher: config of a generator, ``dict(type="PretrainedGenerator", path=…)``.
        mapper: file of F3D.
        face_model: config of the face model.
        losses: by name, each with its weight. ``adversarial``, ``discriminator`` and ``r1`` belong together and read
            scores; ``r1`` is due every ``interval`` steps of the discriminator, in its own step. Every other name is a
            term of the UV generator, ``loss.per_image({"image", "mask", "diffuse", "displacement"}, {"image",
            "mask"})``: renders and their coverage, the maps; teacher's images, and the weights of their pixels.
        stepper: file of F_yaw; the symmetric view needs it.
        discriminator: file of any known layout (the teacher's, to begin with), or the config of a new one.
        uv_generator: what :meth:`~faceuv.models.stylegan2.UVGenerator.from_teacher` takes: ``size``, ``diffuse``,
            ``displacement``, ``displacement_scale``, ``displacement_space``; or ``weights=FILE`` to go on from, which
            has settings of its own: those beside it must be the same.
        views: ``("original", "symmetric")``, or ``("original",)`` to learn from one.
        symmetric_weight: of the symmetric view in every term, beside 1 for the original.
        coefficients: of the original view: ``"fitted"`` or ``"predicted"`` (by F3D, as later for any code).
        maps: ``"shared"``: both views are drawn with the maps of the original code; ``"own"``: the symmetric view with
            those of its own code, an ablation.
        mask: which texels a view uses: ``"splat"``, ``"gradient"``, ``"visibility"``, or None to weigh all pixels
            alike; see :class:`~faceuv.models.stylefaceuv.ViewWeights`.
        mask_override: weight of the symmetric view where the original sees, too.
        discriminator_every: iterations per step of the discriminator.
        discriminator_sees: ``"pasted"``: renders over the teacher's image, since there is no other background;
            ``"render"``: renders over black, as the paper writes it, which a discriminator tells by the black.
        random_yaw_deg: for metrics: faces are also turned by F_yaw, each to an angle of its own, even in ± so many
            degrees; needs a stepper.
        renderer, normals: as for :class:`~faceuv.models.faces.FaceRenderer`.
        remember: views of how many faces to keep in memory instead of asking teacher, F3D and F_yaw again, see
            :class:`Guides`; pays where a face comes several times.
        dtype: of the exported weights, ``"float32"`` or ``"float16"``.
    """

    steps: Tensor
    discriminator_steps: Tensor
    images_seen: Tensor

    def __init__(
        self,
        teacher: Mapping[str, Any] | StyleGAN2Generator,
        mapper: str | Path | CoefficientMapper,
        face_model: Mapping[str, Any] | str | FaceModel,
        losses: Mapping[str, Any],
        *,
        stepper: str | Path | YawStepper | None = None,
        discriminator: str | Path | Mapping[str, Any] | None = None,
        uv_generator: Mapping[str, Any] | None = None,
        views: Sequence[str] = VIEWS,
        symmetric_weight: float = 0.75,
        coefficients: Source = "fitted",
        maps: Literal["shared", "own"] = "shared",
        mask: MaskRule | None = "splat",
        mask_override: float = 0.5,
        discriminator_every: int = 5,
        discriminator_sees: Literal["pasted", "render"] = "pasted",
        random_yaw_deg: float | None = None,
        renderer: Mapping[str, Any] | str | Renderer = "torch",
        normals: Normals = "map",
        remember: int = 0,
        dtype: str = "float32",
    ) -> None:
        super().__init__(losses)
        if maps not in ("shared", "own") or discriminator_sees not in ("pasted", "render"):
            raise InputError(
                "expected maps 'shared' or 'own' and discriminator_sees 'pasted' or 'render', got"
                f" {maps!r} and {discriminator_sees!r}"
            )
        if not isinstance(discriminator_every, int) or discriminator_every < 1 or not symmetric_weight > 0:
            raise InputError(
                "expected a whole discriminator_every ≥ 1 and symmetric_weight > 0, got"
                f" {discriminator_every!r} and {symmetric_weight}"
            )
        if random_yaw_deg is not None and (stepper is None or not 0 < random_yaw_deg <= 90):
            raise InputError(f"random_yaw_deg lies in 0 … 90 and needs a stepper, got {random_yaw_deg}")
        self._check_terms()
        guide = cast(StyleGAN2Generator, GENERATORS.build(teacher))
        f3d = mapper if isinstance(mapper, CoefficientMapper) else load_mapper(zoo.locate(mapper))
        step = load_stepper(zoo.locate(stepper)) if isinstance(stepper, (str, Path)) else stepper
        face: FaceModel = FACE_MODELS.build(face_model)
        f3d.check_layout(face.layout)
        self.guides = Guides(guide, f3d, step, views=views, coefficients=coefficients, remember=remember)
        self.renderer: Fixed[FaceRenderer] = Fixed(FaceRenderer(face, renderer, normals=normals))
        self.uv_generator = start_uv_generator(guide, face, uv_generator or {})
        self.discriminator = start_discriminator(guide.size, discriminator)
        if "adversarial" in self.losses.terms and self.discriminator is None:
            raise InputError("the loss 'adversarial' needs a discriminator: a file, the teacher's, or a config")
        self.weigh = None if mask is None else ViewWeights(mask, mask_override)
        self.view_weights = (1.0, float(symmetric_weight))[: len(self.guides.views)]
        self.size, self.share = guide.size, maps == "shared"
        self.discriminator_every, self.pasted = discriminator_every, discriminator_sees == "pasted"
        self.random_yaw = None if random_yaw_deg is None else math.radians(random_yaw_deg)
        self.landmarks: Fixed[LandmarkTruth] = Fixed(LandmarkTruth(face, self.renderer.network.renderer.camera))
        self.dtype = weights_dtype(dtype)
        for counter in ("steps", "discriminator_steps", "images_seen"):
            self.register_buffer(counter, torch.zeros((), dtype=torch.int64))

    @classmethod
    def check_config(cls, config: Mapping[str, Any]) -> None:
        """Raise for what is wrong with a config before anything is loaded."""
        known = ["weights", "size", *inspect.signature(UVGenerator).parameters]
        known = [name for name in dict.fromkeys(known) if name not in OF_TEACHER]
        for name in config.get("uv_generator") or {}:
            if name not in known:
                raise InputError(
                    f"uv_generator has no setting {name!r}; it has {', '.join(known)}{did_you_mean(name, known)}"
                )
        terms = [name for name, term in (config.get("losses") or {}).items() if term is not None]
        for name in terms:
            near = difflib.get_close_matches(name, OF_GAME, n=1, cutoff=0.8)
            if near and name not in OF_GAME:
                raise InputError(f"losses has the unknown term {name!r}. Did you mean {near[0]!r}?")
        check_game(terms)

    def _check_terms(self) -> None:
        terms = self.losses.terms
        if not set(terms) - set(OF_DISCRIMINATOR):
            raise InputError("StyleFaceUV has no term left for its UV generator; see its losses")
        check_game(list(terms))
        lacking = [name for name, loss in terms.items() if not hasattr(loss, "per_image")]
        if lacking:
            raise InputError(
                f"views count differently, so a loss needs per_image(pred, target) → (B,): {lacking} lack it"
            )

    @property
    def views(self) -> tuple[str, ...]:
        """The names of the views that are learned from."""
        return self.guides.views

    # ------------------------------------------------------------ training

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the UV generator; one of the discriminator, and of R1, when due."""
        data = self.data_preprocessor(data, True)
        targets = self.guides.lesson(data["code"], data.get("coefficients"), data.get("index"))
        shots: list[Shot] = []

        def terms() -> dict[str, Tensor]:
            shots.append(self.draw(targets, self.uv_generator, weigh=self.weigh))
            return self.generator_terms(targets, shots[0])

        players = [] if self.discriminator is None else [self.discriminator]
        with frozen(*players):
            logs = self.update(optim_wrapper["uv_generator"], terms)
        if "adversarial" in self.losses.terms and int(self.steps) % self.discriminator_every == 0:
            logs |= self._discriminator_step(targets, shots[0], optim_wrapper["discriminator"])
        self.steps += 1
        self.images_seen += len(targets.codes) // len(self.views) * get_world_size()
        displacement = shots[0].maps.displacement
        if displacement is not None:
            logs["displacement_mm"] = displacement.detach().norm(dim=1).mean() * 100
        return logs

    def make_maps(self, targets: Targets, generator: UVGenerator) -> UVMaps:
        """The maps of B faces, or of each view where views have their own."""
        code = targets.codes.chunk(len(targets.views))[0] if self.share else targets.codes
        maps: UVMaps = generator(code)
        return maps

    def draw(self, targets: Targets, generator: UVGenerator, *, weigh: ViewWeights | None = None) -> Shot:
        """All views of ``targets`` with the maps that ``generator`` makes."""
        maps = self.make_maps(targets, generator)
        views = len(targets.views)
        return shoot(self.renderer.network, targets.coefficients, maps, self.size, views=views, weigh=weigh)

    def generator_terms(self, targets: Targets, shot: Shot) -> dict[str, Tensor]:
        """Name → weighted scalar; those of the symmetric view have their own names, ``photo_symmetric``."""
        pred: dict[str, Any] = {"image": shot.image, "mask": shot.mask}
        pred |= {name: m for name, m in (("diffuse", shot.maps.diffuse), ("displacement", shot.maps.displacement))
                 if m is not None}  # fmt: skip
        target: dict[str, Any] = {"image": targets.images}
        if shot.weights is not None:
            target["mask"] = shot.weights
        count = len(targets.codes)
        absent = {"diffuse", "displacement"} - set(pred)
        found: dict[str, Tensor] = {}
        for name, loss in self.losses.terms.items():
            if getattr(loss, "of", None) in absent:  # a penalty on a map that an ablation does not make
                continue
            if name == "adversarial":
                found |= self._per_view(name, {"scores": self._score(self._shown(shot, targets))}, {}, count)
            elif name not in OF_DISCRIMINATOR:
                found |= self._per_view(name, pred, target, count)
        return found

    def _per_view(self, name: str, pred: Mapping[str, Any], target: Mapping[str, Any], count: int) -> dict[str, Tensor]:
        """A term's means over each view of ``count`` = V·B images, weighted; a term about B faces' maps has one."""
        values = self.losses.per_image(name, pred, target).float()
        views = self.views if len(values) == count else self.views[:1]
        names = [name if view == "original" else f"{name}_{view}" for view in views]
        means = values.unflatten(0, (len(views), -1)).mean(1)
        return {key: mean * weight for key, mean, weight in zip(names, means, self.view_weights)}

    def _shown(self, shot: Shot, targets: Targets) -> Tensor:
        """What the discriminator is shown of renders."""
        return shot.over(targets.images) if self.pasted else shot.image

    def _score(self, image: Tensor, *, raw: bool = False) -> Tensor:
        assert self.discriminator is not None
        scores: Tensor = self.discriminator(image, raw=raw)
        return scores

    def _discriminator_step(self, targets: Targets, shot: Shot, optimizer: Any) -> dict[str, Tensor]:
        """A step on the renders and the teacher's images of this iteration; R1 after it when due."""
        fake, real = self._shown(shot, targets).detach(), targets.images

        def terms() -> dict[str, Tensor]:
            pred, target = {"scores": self._score(fake)}, {"scores": self._score(real)}
            return self._per_view("discriminator", pred, target, len(real))

        def penalty() -> dict[str, Tensor]:
            with torch.autocast(real.device.type, enabled=False):
                image = (real * 2 - 1).requires_grad_()
                return self._per_view("r1", {}, {"image": image, "scores": self._score(image, raw=True)}, len(real))

        logs = self.update(optimizer, terms)
        r1 = cast("R1Penalty | None", dict(self.losses.terms).get("r1"))
        if r1 is not None and r1.due(int(self.discriminator_steps)):
            logs |= self.update(optimizer, penalty)
        self.discriminator_steps += 1
        return logs

    # ------------------------------------------------------------ what it has learned

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For metrics, by the averaged generator: each teacher's image, ``real``, the render pasted over it, ``fake``,
        where that is, ``mask``, the ``yaw`` in radians that the face should be seen at, and the ``landmarks (68, 2)``
        of the drawn face in pixels.

        With a stepper the symmetric view likewise, ``real_symmetric`` and so on, whatever was learned from; with
        ``random_yaw_deg`` a view at an angle that the sample's ``index`` decides, ``real_random_yaw`` and so on.
        """
        views = self.views if self.guides.stepper is None else VIEWS
        turned = {} if self.random_yaw is None else {"random_yaw": self._angles(data)}
        targets = self.guides(data["code"], data.get("coefficients"), views=views, turned=turned)
        shot = self.draw(targets, cast(UVGenerator, self.averaged("uv_generator")))
        landmarks, _ = self.landmarks(targets.coefficients, self.size)
        columns = {
            "real": targets.images,
            "fake": shot.over(targets.images).clamp(0, 1),
            "mask": shot.mask,
            "yaw": cast(Tensor, targets.asked),
            "landmarks": landmarks,
        }
        endings = ["" if view == "original" else f"_{view}" for view in targets.views]
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
        code = self.guides.teacher.network.sample_codes(count, generator=rng)
        return {
            "views": view_sheet(self.guides, self.renderer.network, generator, code),
            "maps": map_sheet(generator, code),
        }

    def export(self, folder: Path) -> list[str]:
        """Write ``uv_generator.safetensors``."""
        generator = cast(UVGenerator, self.averaged("uv_generator"))
        save_network(
            folder / UV_FILE,
            generator,
            dtype=self.dtype,
            metadata={"views": list(self.views), "images_seen": int(self.images_seen)},
        )
        return [UV_FILE]


def check_game(terms: Collection[str]) -> None:
    """Raise unless the terms of the adversarial game are all there, or none."""
    if ("adversarial" in terms) != ("discriminator" in terms) or ("r1" in terms and "adversarial" not in terms):
        raise InputError(
            "the losses 'adversarial' and 'discriminator' belong together, and 'r1' to both; there are"
            f" {', '.join(terms)}: set all of them, or each to None"
        )


def start_uv_generator(teacher: StyleGAN2Generator, face_model: FaceModel, config: Mapping[str, Any]) -> UVGenerator:
    """The UV generator that training begins with: a trained one, or one from the teacher's weights."""
    wanted = {name: value for name, value in config.items() if name != "weights"}
    if config.get("weights") is None:
        return UVGenerator.from_teacher(teacher, face_model=face_model, **wanted)
    found = load_uv_generator(zoo.locate(config["weights"]))
    has = {name: found.settings().get(name) for name in wanted}
    if has != wanted:
        asked = {name: value for name, value in wanted.items() if value != has[name]}
        raise InputError(
            f"the UV generator {config['weights']} was not made with {asked}, but with"
            f" { ({name: has[name] for name in asked}) }; set weights=None to begin with the teacher's weights"
        )
    if (found.num_layers, found.code_dim) != (teacher.num_layers, teacher.code_dim):
        raise InputError(
            f"the UV generator {config['weights']} reads codes with L = {found.num_layers}, D = {found.code_dim}; the"
            f" teacher has L = {teacher.num_layers}, D = {teacher.code_dim}: it was trained under another one"
        )
    return found.train_all()


def start_discriminator(size: int, source: str | Path | Mapping[str, Any] | None) -> StyleGAN2Discriminator | None:
    """The discriminator that training begins with."""
    if source is None:
        return None
    if isinstance(source, (str, Path)):
        return load_discriminator(zoo.locate(source), size=size).requires_grad_(True).train()
    found = cast(StyleGAN2Discriminator, MODELS.build(source))
    if found.size != size:
        raise InputError(f"the teacher makes {size}² images, the discriminator reads {found.size}²")
    return found
