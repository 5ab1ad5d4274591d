"""A teacher in minutes: a StyleGAN2 of synthetic faces, first on pairs, then the adversarial game; cut-proof.

Every minute the averaged generator and the discriminator are written in half precision, with what was seen so far in
``teacher.json``. The same command on the same folder goes on from there (the optimisers start fresh).
"""

from __future__ import annotations

import argparse
import copy
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from faceuv.engine.compat.optim import OptimWrapper
from faceuv.engine.ema import move_average
from faceuv.errors import FaceUVError
from faceuv.evaluation import frechet_distance_of
from faceuv.export.images import contact_sheet, save_png
from faceuv.files.networks import save_network
from faceuv.models.stylegan2 import StyleGAN2Generator, load_discriminator, load_generator
from faceuv.models.stylegan2.training import PairedGenerator, StyleGAN2
from faceuv.registry import MODELS
from faceuv.synthetic.seeds import FACTORS
from tools.gpu.folder import Folder
from tools.gpu.machine import Machine
from tools.gpu.pictures import Pictures, draw, pictures, studio
from tools.gpu.wheels import KitError

SECONDS = 460.0
_LAST = 25.0  # seconds kept for the last save and the distances
_SAVE_EVERY, _TELL_EVERY = 60.0, 10.0
_HALF_LIFE, _RAMP = 10_000, 0.05
_HELD_OUT = 2048
_TIMED = 4  # steps: every second one has the paired terms
BATCHES = (64, 128, 256)
"""Pictures a step that are tried, unless ``--batch`` says how many."""
GENERATOR, DISCRIMINATOR, STATE, SHEET = (
    "teacher_generator.safetensors", "teacher_discriminator.safetensors", "teacher.json", "teacher_samples.png",
)  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """What must be the same for a run to go on."""

    size: int
    world: str
    code_dim: int = 256
    mapping_depth: int = 4
    channel_base: int = 8192
    channel_max: int = 256
    gamma: float = 0.5
    face_model: str | None = None

    def generator(self) -> dict[str, Any]:
        return dict(
            type="StyleGAN2Generator", size=self.size, latent_dim=sum(FACTORS.values()), code_dim=self.code_dim,
            mapping_depth=self.mapping_depth, mapping_rate=1.0, channel_base=self.channel_base,
            channel_max=self.channel_max,
        )  # fmt: skip

    def discriminator(self) -> dict[str, Any]:
        return dict(
            type="StyleGAN2Discriminator", size=self.size, channel_base=self.channel_base, channel_max=self.channel_max
        )

    def pairs(self) -> PairedGenerator:
        gains = dict(pose=8.0, framing=4.0, light=3.0, background=3.0, hair=3.0, beard=3.0, clothes=2.0)
        losses = dict(image=dict(type="PyramidL1", levels=3, weight=10.0))
        return PairedGenerator(self.generator(), losses, gains=gains, noise="none")

    def game(self, discriminator_first: int) -> StyleGAN2:
        losses = dict(
            generator=dict(type="GeneratorLogistic"),
            discriminator=dict(type="DiscriminatorLogistic"),
            r1=dict(type="R1Penalty", gamma=self.gamma, interval=16),
            paired=dict(type="PyramidL1", levels=3, weight=10.0),
            matched=dict(type="FeatureMatching", smallest=8, weight=1.0),
            feature_generator=dict(type="GeneratorLogistic"),
            feature_discriminator=dict(type="DiscriminatorLogistic"),
        )
        return StyleGAN2(
            self.generator(), self.discriminator(), losses, noise="none", paired_interval=2,
            discriminator_first=discriminator_first,
            feature_discriminator=dict(type="FeatureDiscriminator", features=dict(type="RegressorMaps")),
        )  # fmt: skip


def run(machine: Machine, folder: Folder, options: argparse.Namespace) -> int:
    """Train until the time is up; 0 if nothing went wrong."""
    if options.toy:
        small: dict[str, Any] = dict(code_dim=32, mapping_depth=2, channel_base=256, channel_max=16)
        recipe = Recipe(16, options.world, face_model=options.face_model, **small)
    else:
        recipe = Recipe(options.size, options.world, face_model=options.face_model)
    end = machine.start + (options.seconds or (20.0 if options.toy else SECONDS))
    run = Training(machine, folder, recipe, batch=8 if options.toy else options.batch, pairs=options.pairs, end=end)
    count = 16 if options.toy else options.count
    run.learn_from(
        pictures(
            machine, count, size=recipe.size, world=recipe.world, face_model=recipe.face_model,
            seconds=0.35 * (end - time.monotonic()), keep=options.pictures,
        )
    )  # fmt: skip
    return run.train()


class Training:
    """The networks, their average, and how far they are."""

    def __init__(
        self, machine: Machine, folder: Folder, recipe: Recipe, *, batch: int | None, pairs: float, end: float
    ) -> None:
        self.machine, self.folder, self.recipe, self.end = machine, folder, recipe, end
        self.share = pairs
        torch.manual_seed(0)
        self.method: PairedGenerator | StyleGAN2 = recipe.pairs().to(machine.device)
        self.average = copy.deepcopy(self.method.generator).eval().requires_grad_(False)
        self.judge: nn.Module | None = None  # a discriminator to go on with
        self.state: dict[str, Any] = {
            "recipe": asdict(recipe), "phase": "pairs", "images": {"pairs": 0, "game": 0}, "seconds": 0.0, "log": [],
        }  # fmt: skip
        self._check_size()
        self._resume()
        if batch is None:
            batch = machine.fastest("pictures a step", BATCHES, self._try)
        self.batch, _ = machine.shrinking("pictures a step", batch, 4, self._try)
        self.before = float(self.state["seconds"])
        self.started = self.saved = time.monotonic()

    def _check_size(self) -> None:
        for name, network in (
            ("generator", self.average),
            ("discriminator", MODELS.build(self.recipe.discriminator())),
        ):
            values = sum(value.numel() for value in network.state_dict().values())
            if values * 2 > 15.9 * 2**20:
                raise KitError(
                    f"the {name} of {self.recipe.size}² would take {values * 2 / 2**20:.1f} MiB, at most 16 are"
                    " allowed: choose a smaller --size"
                )

    def _resume(self) -> None:
        state = self.folder.read_json(STATE)
        if state is None:
            return
        if state["recipe"] != asdict(self.recipe):
            raise KitError(
                f"{self.folder.file(STATE)} is of another teacher, {state['recipe']}; choose another --out, or the same"
                " settings to go on with it"
            )
        try:
            self.average.load_state_dict(load_generator(self.folder.file(GENERATOR)).state_dict())
            if state["phase"] == "game":
                self.judge = load_discriminator(self.folder.file(DISCRIMINATOR))
        except FaceUVError as error:
            raise KitError(f"cannot go on from {self.folder.path}: {error}; choose another --out") from error
        self.method.generator.load_state_dict(self.average.state_dict())
        self.state = state
        print(f"going on after {state['images']} pictures and {state['seconds']:.0f} s", flush=True)

    def _try(self, batch: int) -> float:
        """Seconds of a step of the game; the steps before it do everything that takes memory, on networks that are
        thrown away."""
        method = self.recipe.game(0).to(self.machine.device)
        size, latent = self.recipe.size, sum(FACTORS.values())
        images = torch.zeros(batch, 3, size, size, dtype=torch.uint8, device=self.machine.device)
        data = {"image": images, "latent": torch.randn(batch, latent, device=self.machine.device)}
        optimizers = self._optimizers(method)
        for _ in range(2):  # R1 comes in the first one, the second one has Adam's moments
            method.train_step(data, optimizers)
        taken, _ = self.machine.timed(lambda: [method.train_step(data, optimizers) for _ in range(_TIMED)])
        return taken / _TIMED

    def _optimizers(self, method: PairedGenerator | StyleGAN2) -> OptimWrapperDict:
        lazy = 16 / 17  # a step of R1 every 16th is one more step of the discriminator
        if isinstance(method, PairedGenerator):
            made = {"generator": self._adam(method.generator, 2.5e-3, (0.9, 0.99))}
        else:
            made = {
                "generator": self._adam(method.generator, 2e-3, (0.0, 0.99), mapping=0.1),
                "discriminator": self._adam(method.discriminator, 2.5e-3 * lazy, (0.0, 0.99**lazy)),
            }
            if method.feature_discriminator is not None:
                made["feature_discriminator"] = self._adam(method.feature_discriminator, 1e-3, (0.0, 0.99))
        return OptimWrapperDict(**made)

    def _adam(
        self, network: nn.Module, rate: float, betas: tuple[float, float], *, mapping: float = 1.0
    ) -> OptimWrapper:
        slow = [p for name, p in network.named_parameters() if name.startswith("mapping.")]
        fast = [p for name, p in network.named_parameters() if not name.startswith("mapping.")]
        groups: list[dict[str, Any]] = [{"params": fast}, {"params": slow, "lr": rate * mapping}]
        adam = torch.optim.Adam([group for group in groups if group["params"]], lr=rate, betas=betas, fused=True)
        return OptimWrapper(adam, precision=self.machine.precision)

    def learn_from(self, found: Pictures) -> None:
        self.pictures = found

    def train(self) -> int:
        """Both phases, until the time is up."""
        first, last = time.monotonic(), self.end - _LAST * (0.1 if self.machine.toy else 1.0)
        if self.state["phase"] == "pairs":
            before = self.before / max(self.before + last - first, 1e-9)  # of all the time, what a cut run had
            self._phase(first + max(self.share - before, 0.0) * (last - first) / max(1 - before, 1e-9))
            self._begin_game()
        elif isinstance(self.method, PairedGenerator):
            self._begin_game()
        self._phase(last)
        kept = self.save()
        return 0 if self._distances() and kept else 1

    def _begin_game(self) -> None:
        resumed = self.judge is not None
        game = self.recipe.game(0 if resumed else 20 * self.batch).to(self.machine.device)
        game.generator.load_state_dict(self.average.state_dict())
        if self.judge is not None:
            game.discriminator.load_state_dict(self.judge.state_dict())
        self.method, self.state["phase"] = game, "game"
        print("the game begins" if not resumed else "the game goes on", flush=True)

    def _batches(self) -> Iterator[dict[str, Tensor]]:
        """Pictures and latents by chance, without a word from the host."""
        images, latents = self.pictures.images, self.pictures.latents
        while True:
            rows = torch.randint(len(images), (self.batch,), device=images.device)
            yield {"image": images[rows], "latent": latents[rows]}

    def _phase(self, until: float) -> None:
        phase, seen = self.state["phase"], self.state["images"]
        optimizers, batches = self._optimizers(self.method), self._batches()
        told, counted = time.monotonic(), seen[phase]
        self.method.train()
        first = True
        while first or time.monotonic() < until:
            first = False
            logs = self.method.train_step(next(batches), optimizers)
            seen[phase] += self.batch
            move_average(
                self.average, self.method.generator, batch=self.batch, seen=seen[phase] + 10 * self.batch,
                half_life=_HALF_LIFE, ramp_up=_RAMP if phase == "pairs" else None,
            )  # fmt: skip
            now = time.monotonic()
            if now - told > (1.0 if self.machine.toy else _TELL_EVERY):
                self._tell(logs, (seen[phase] - counted) / (now - told))
                told, counted = time.monotonic(), seen[phase]
            if now - self.saved > (3.0 if self.machine.toy else _SAVE_EVERY):
                self.save()

    def _tell(self, logs: Mapping[str, Tensor], rate: float) -> None:
        values = {name: round(float(value), 4) for name, value in logs.items()}
        phase = self.state["phase"]
        entry = {"seconds": round(self._seconds(), 1), "phase": phase, "images": self.state["images"][phase]}
        entry |= {"rate": round(rate, 1), **values}
        self.state["log"].append(entry)
        print(" ".join(f"{key} {value}" for key, value in entry.items()), flush=True)
        if not all(map(math.isfinite, values.values())):
            raise KitError(f"training has diverged ({values}); the weights of the last save are whole")

    def _seconds(self) -> float:
        return self.before + time.monotonic() - self.started

    def save(self) -> bool:
        """The averaged generator, the discriminator, what they have seen, a sheet of samples; whether all is there.

        The judges on features are not kept: a run that goes on begins with new ones, which learn in a minute.
        """
        self.saved = time.monotonic()
        told = {"images_seen": self.state["images"], "phase": self.state["phase"]}
        networks: dict[str, nn.Module] = {GENERATOR: self.average}
        if isinstance(self.method, StyleGAN2):
            networks[DISCRIMINATOR] = self.method.discriminator
        for name, network in networks.items():
            if not all(bool(torch.isfinite(value).all()) for value in network.parameters()):
                raise KitError(f"training has diverged: {name} would hold NaN; the weights of the last save are whole")
            write = partial(save_network, network=network, dtype=torch.float16, metadata=told)
            if not self.folder.write(name, write):
                return False
        self.state |= {"seconds": round(self._seconds(), 1), "batch": self.batch, "machine": self.machine.facts()}
        self.state |= {"pictures": len(self.pictures.images), "drawn_per_second": round(self.pictures.rate, 1)}
        if not self.folder.write_json(STATE, self.state):
            return False
        generator = self.average
        z = generator.sample_latents(64, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            shown = torch.cat([generator(part, noise="none").clamp(0, 1) for part in z.split(16)]).cpu()
        sheet = contact_sheet(list(shown), columns=8, margin=2)
        if not self.folder.write(SHEET, partial(save_png, image=sheet)):
            return False
        print(f"saved after {self.state['seconds']:.0f} s", flush=True)
        return True

    @torch.no_grad()
    def _distances(self) -> bool:
        """Fréchet distances to held-out faces in two spaces, beside those of real faces; whether they are kept."""
        count = 8 if self.machine.toy else _HELD_OUT
        faces, together = studio(self.machine, self.recipe.world, self.recipe.size, 1, self.recipe.face_model)
        step = min(together, 64)

        def real(start: int) -> Iterator[Tensor]:
            for first in range(start, start + count, step):
                yield draw(faces, first, step)[0].float() / 255

        def made() -> Iterator[Tensor]:
            rng = torch.Generator().manual_seed(1)
            for _ in range(0, count, step):
                generator: StyleGAN2Generator = self.average
                yield generator(generator.sample_latents(step, generator=rng), noise="none").clamp(0, 1)

        network = dict(type="StyleGAN2Discriminator", size=self.recipe.size, channel_base=1024, channel_max=64)
        spaces = [dict(type="DiscriminatorFeatures", network=network, seed=0), dict(type="RegressorFeatures")]
        found: dict[str, Any] = {"samples": count}
        for config in spaces:
            features = MODELS.build(config).to(self.machine.device)
            found[features.space] = {
                "generated": frechet_distance_of(real(0), made(), features),
                "real": frechet_distance_of(real(0), real(count), features),
            }
        self.state["frechet"] = found
        print(f"Fréchet: {found}", flush=True)
        return self.folder.write_json(STATE, self.state)
