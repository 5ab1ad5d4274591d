"""The training of LiftedGAN: all it learns from are the teacher's pictures of codes, and of codes turned and relit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from mmengine.dist import get_rank, get_world_size
from torch import Tensor

from faceuv.data.codes import latents_at
from faceuv.errors import InputError, did_you_mean
from faceuv.files.locate import locate
from faceuv.files.networks import save_network
from faceuv.models.base.codes import truncate
from faceuv.models.base.fixed import Fixed, frozen
from faceuv.models.base.generator import Generator, check_generator
from faceuv.models.base.manifest import MANIFEST, manifest_for
from faceuv.models.base.method import BaseMethod
from faceuv.models.base.options import as_options
from faceuv.models.liftedgan.distance import ImageDistance
from faceuv.models.liftedgan.geometry import DepthSpace
from faceuv.models.liftedgan.networks import LiftingNetworks
from faceuv.models.liftedgan.objective import PERTURBED, TERMS, Perturbation, WarmUp, objective, run
from faceuv.models.liftedgan.options import stored_space
from faceuv.models.liftedgan.parameters import ViewRange
from faceuv.models.liftedgan.release import load_networks
from faceuv.models.liftedgan.scene import Lifted, check_fits, draw, feature_channels, lift, space_renderer
from faceuv.models.liftedgan.sheets import lifted_sheet
from faceuv.registry import GENERATORS, MODELS
from faceuv.renderers import Renderer
from faceuv.synthetic.seeds import combine

NETWORKS_FILE = "lifting.safetensors"
_VIEW_SEED, _STEP_SEED = 23, 29  # of the metrics' random views; of the draws of a step


@MODELS.register_module()
class LiftedGAN(BaseMethod):
    """LiftedGAN: lifts a frozen teacher to depth, albedo, light and view, without labels and without a face model.
    :mod:`~faceuv.models.liftedgan.objective` has its losses.

    A batch is ``dict(index (B,))``, sample numbers of :class:`~faceuv.models.liftedgan.SampleNumbers`. Optimiser:
    ``lifting``, for all five networks.

    Args:
        teacher: config of a generator, ``dict(type="PretrainedGenerator", path=…)``.
        losses: by name, each with its weight; the names are :data:`~faceuv.models.liftedgan.objective.TERMS`.
        distance: d of the image terms: settings of :class:`~faceuv.models.liftedgan.ImageDistance`.
        networks: settings of :class:`~faceuv.models.liftedgan.LiftingNetworks`: ``width``, ``transformation_width``,
            ``centred``, ``dome``; or ``weights=FILE``, ours or a checkpoint of the authors, to start with.
        inject: read the teacher's last feature map (InjectConv); a teacher without one needs False.
        space, views, perturbation: settings of :class:`~faceuv.models.liftedgan.DepthSpace`,
            :class:`~faceuv.models.liftedgan.ViewRange`, :class:`~faceuv.models.liftedgan.Perturbation`.
        warmup: settings of :class:`~faceuv.models.liftedgan.WarmUp`; none by default.
        truncation: ψ of the codes that are learned from.
        clip_contour: stop the depth's gradient at contours, see :func:`~faceuv.models.liftedgan.geometry.clip_contour`.
        statistics: codes from which μ and σ of the prior are estimated.
        renderer: config of a renderer; its camera is that of ``space``.
        seed: of codes, views and lights.
        dtype: of the exported weights, ``"float32"`` or ``"float16"``.
    """

    steps: Tensor
    images_seen: Tensor
    code_mean: Tensor
    code_deviation: Tensor

    networks: ClassVar[tuple[str, ...]] = ("lifting",)
    exports: ClassVar[tuple[str, ...]] = (NETWORKS_FILE, MANIFEST)

    def __init__(
        self,
        teacher: Mapping[str, Any] | Generator,
        losses: Mapping[str, Any],
        *,
        distance: Mapping[str, Any] | None = None,
        networks: Mapping[str, Any] | None = None,
        inject: bool = True,
        space: DepthSpace | Mapping[str, Any] | None = None,
        views: ViewRange | Mapping[str, Any] | None = None,
        perturbation: Perturbation | Mapping[str, Any] | None = None,
        warmup: WarmUp | Mapping[str, Any] | None = None,
        truncation: float = 0.7,
        clip_contour: bool = True,
        statistics: int = 50_000,
        renderer: Mapping[str, Any] | str = "torch",
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        super().__init__(losses)
        check_terms(list(self.losses.terms))
        if dtype not in ("float32", "float16"):
            raise InputError(f"dtype must be 'float32' or 'float16', got {dtype!r}")
        self.space = as_options(DepthSpace, space, "space")
        self.views = as_options(ViewRange, views, "views")
        self.perturbation = as_options(Perturbation, perturbation, "perturbation")
        self.warmup = as_options(WarmUp, warmup, "warmup")
        self.distance: Fixed[ImageDistance] = Fixed(ImageDistance(**(distance or {})))
        found: Any = GENERATORS.build(teacher) if isinstance(teacher, Mapping) else teacher
        check_generator(found, "LiftedGAN")
        self.teacher: Fixed[Any] = Fixed(found)
        self.teacher_config = dict(teacher) if isinstance(teacher, Mapping) else None
        self.lifting = start_networks(found, networks or {}, inject=inject)
        self.truncation, self.clip_contour, self.seed = float(truncation), clip_contour, int(seed)
        self.renderer: Fixed[Renderer] = Fixed(space_renderer(renderer, self.space))
        self.dtype = torch.float16 if dtype == "float16" else torch.float32
        mean, deviation = code_statistics(found, statistics)
        self.register_buffer("code_mean", mean)
        self.register_buffer("code_deviation", deviation)
        self.add_counters("steps", "images_seen")

    @classmethod
    def check_config(cls, config: Mapping[str, Any]) -> None:
        """Raise for what is wrong with a config before anything is loaded."""
        as_options(DepthSpace, config.get("space"), "space")
        as_options(ViewRange, config.get("views"), "views")
        as_options(Perturbation, config.get("perturbation"), "perturbation")
        as_options(WarmUp, config.get("warmup"), "warmup")
        check_terms([name for name, term in (config.get("losses") or {}).items() if term is not None])

    # ------------------------------------------------------------ training

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of all five networks."""
        index = self.data_preprocessor(data, True)["index"]
        w = self.codes(index)
        step_seed = torch.tensor([self.seed + _STEP_SEED])
        steps = self.counted("steps")
        number = steps * get_world_size() + get_rank()
        rng = torch.Generator().manual_seed(int(combine(step_seed, number)))
        names = self.warmup.terms(steps, self.losses.weights)
        others = self.lifting.all_but_composer() if self.warmup.only_composer(steps, self.losses.weights) else []
        with frozen(*others):
            logs = self.update(optim_wrapper["lifting"], lambda: self.terms(w, rng, names))
        self.count("steps", 1)
        self.count("images_seen", len(w) * get_world_size())
        return logs

    def terms(self, w: Tensor, rng: torch.Generator, names: Collection[str] | None = None) -> dict[str, Tensor]:
        """The weighted loss terms of codes ``w (B, D)``, by default all of them."""
        names = list(self.losses.weights) if names is None else names
        step = run(
            self.teacher.network,
            self.lifting,
            self.renderer.network,
            w,
            space=self.space,
            views=self.views,
            perturbation=self.perturbation,
            terms=names,
            rng=rng,
            clip=self.clip_contour,
        )
        return objective(
            step,
            self.losses,
            self.distance.network,
            space=self.space,
            views=self.views,
            mean=self.code_mean,
            deviation=self.code_deviation,
            names=names,
        )

    @torch.no_grad()
    def codes(self, index: Tensor) -> Tensor:
        """Truncated codes w ``(B, D)`` of sample numbers."""
        teacher = self.teacher.network
        w: Tensor = teacher.mapping(latents_at(teacher, index.tolist(), seed=self.seed))
        return truncate(w, teacher.mean_code, self.truncation)

    # ------------------------------------------------------------ evaluation

    def lifted(self, code: Tensor) -> Lifted:
        """Codes taken apart by the averaged networks."""
        return lift(self.teacher.network, cast(LiftingNetworks, self.averaged("lifting")), code, self.space)

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For metrics: the teacher's image, ``real``, the render at the estimated view, ``fake``, and at a random view
        of the perturbation's range, ``fake_random``, which the sample's index decides."""
        w = self.codes(data["index"])
        lifted = self.lifted(w)
        seeds = combine(torch.tensor([_VIEW_SEED]), data["index"].cpu())
        rng = torch.Generator()
        view = torch.cat([self.perturbation.view(1, self.views, rng.manual_seed(int(seed))) for seed in seeds])
        turned = lifted.replace(view=view.to(w))
        images = {
            "real": self.teacher.network.synthesis(w).clamp(0, 1),
            "fake": self.draw(lifted).clamp(0, 1),
            "fake_random": self.draw(turned).clamp(0, 1),
        }
        return [{name: value[k] for name, value in images.items()} for k in range(len(w))]

    def draw(self, lifted: Lifted) -> Tensor:
        """Pictures ``(B, 3, S, S)`` at the teacher's size."""
        return draw(self.renderer.network, lifted, self.space, self.views, self.teacher.network.size).image

    @torch.no_grad()
    def sample_images(self, count: int) -> dict[str, Tensor]:
        """``lifted``: per code the teacher's image, the render, the neutral image, albedo, depth, shape in grey, and
        renders turned to −40°, −20°, 20° and 40°, side by side."""
        rng = torch.Generator().manual_seed(0)
        code = self.teacher.network.sample_codes(count, truncation=self.truncation, generator=rng)[:, 0]
        picture = self.teacher.network.synthesis(code).clamp(0, 1)
        return {"lifted": lifted_sheet(self.renderer.network, self.lifted(code), picture, self.space, self.views)}

    def export(self, folder: Path) -> list[str]:
        """Write ``lifting.safetensors`` and ``generator.json``, which makes a generator of faces of the folder."""
        save_network(
            folder / NETWORKS_FILE,
            self.averaged("lifting"),
            dtype=self.dtype,
            metadata={"images_seen": self.counted("images_seen")},
        )
        files: dict[str, str | Path] = {"lifting": folder / NETWORKS_FILE}
        settings = stored_space(self.space, self.views)
        config = self.teacher_config
        if config is not None and isinstance(config.get("path"), (str, Path)):
            files["teacher"] = config["path"]
        elif config is not None:
            settings["teacher"] = config
        teacher = self.teacher.network
        manifest = manifest_for(
            "LiftedGAN",
            folder,
            files,
            settings,
            name=folder.resolve().parent.name,
            num_layers=teacher.num_layers,
            code_dim=teacher.code_dim,
        )
        manifest.write(folder)
        return [NETWORKS_FILE, MANIFEST]


def check_terms(names: list[str]) -> None:
    """Raise for unknown terms, and where none is left."""
    for name in names:
        if name not in TERMS:
            raise InputError(f"LiftedGAN has no loss {name!r}; it has {', '.join(TERMS)}{did_you_mean(name, TERMS)}")
    if "rec" not in names:
        raise InputError(
            f"LiftedGAN needs the loss 'rec': without it nothing says what a code shows; there are {', '.join(names)}"
        )
    if "identity" in names and not set(names) & set(PERTURBED) - {"identity"}:
        raise InputError("the loss 'identity' compares perturbed renders: it needs one of the terms on perturbed codes")


def start_networks(teacher: Any, config: Mapping[str, Any], *, inject: bool) -> LiftingNetworks:
    """The networks at the start of training: new ones of the teacher's size, or those of a file."""
    features = feature_channels(teacher) if inject else 0
    shape = {"size": teacher.size, "num_layers": teacher.num_layers, "code_dim": teacher.code_dim}
    wanted = {name: value for name, value in config.items() if name != "weights"}
    if config.get("weights") is None:
        made = LiftingNetworks(**shape, features=features, **wanted)
        made.composer.centre.copy_(teacher.mean_code)
        return made
    found = load_networks(locate(config["weights"])).requires_grad_(True).train()
    check_fits(found, teacher, str(config["weights"]))
    if wanted and {name: found.options.get(name) for name in wanted} != wanted:
        raise InputError(f"{config['weights']} was made with {found.options}, asked for {wanted}: leave these out")
    return found


@torch.no_grad()
def code_statistics(teacher: Any, count: int) -> tuple[Tensor, Tensor]:
    """μ ``(D,)`` and σ, the mean of the deviations of the components, of ``count`` codes."""
    if count < 2:
        raise InputError(f"statistics of codes need two at least, got statistics={count}")
    rng = torch.Generator().manual_seed(0)
    total = squares = torch.zeros((), dtype=torch.float64)
    for start in range(0, count, 5000):
        rows = min(5000, count - start)
        w = teacher.mapping(teacher.sample_latents(rows, generator=rng)).double().cpu()
        total, squares = total + w.sum(0), squares + w.square().sum(0)
    mean = total / count
    deviation = ((squares - count * mean.square()) / (count - 1)).clamp_min(0).sqrt().mean()
    return mean.float(), deviation.float()
