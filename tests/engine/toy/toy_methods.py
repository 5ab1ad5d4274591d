"""A GAN small enough to train in a test, with everything that the real ones ask of the engine."""

from __future__ import annotations

import os
import signal

import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset

from faceuv.models.base import BaseMethod, frozen
from faceuv.registry import DATASETS, HOOKS, LOSSES, METRICS, MODELS


@LOSSES.register_module(force=True)
class ToyL1(nn.Module):
    """Mean absolute error."""

    def forward(self, pred, target):
        return (pred["image"] - target["image"]).abs().mean()


@DATASETS.register_module(force=True)
class ToyImages(Dataset):
    """Images that are a function of the code in the same sample."""

    def __init__(self, length=64, size=8, dim=4, poison=None):
        self.length, self.size, self.dim, self.poison = length, size, dim, poison

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        code = torch.randn(self.dim, generator=generator)
        ramp = torch.linspace(-1, 1, self.size)
        image = torch.sigmoid(code[0] * ramp[:, None] + code[1] * ramp[None, :] + code[2:, None, None].mean())
        image = image.expand(3, -1, -1).clone()
        if index == self.poison:
            image[:] = float("nan")
        return {"code": code, "image": image}


@MODELS.register_module(force=True)
class ToyGAN(BaseMethod):
    """Generator and discriminator with an optimiser each, named losses, noise from the global generator."""

    def __init__(self, losses, size=8, dim=4, width=16, noise=0.05):
        super().__init__(losses)
        self.dim, self.noise = dim, noise
        self.generator = nn.Sequential(
            nn.Linear(dim, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, 3 * size * size),
            nn.Unflatten(1, (3, size, size)),
        )
        self.discriminator = nn.Sequential(
            nn.Flatten(), nn.Linear(3 * size * size, width), nn.LeakyReLU(0.2), nn.Linear(width, 1)
        )

    def train_step(self, data, optim_wrapper):
        data = self.data_preprocessor(data, True)
        code = data["code"] + self.noise * torch.randn_like(data["code"])

        def generator_terms():
            image = self.generator(code)
            adversarial = F.softplus(-self.discriminator(image)).mean()
            return {"loss_g": 0.1 * adversarial, **self.losses({"image": image}, data)}

        def discriminator_terms():
            with torch.no_grad():
                fake = self.generator(code)
            real, fake = self.discriminator(data["image"]), self.discriminator(fake)
            return {"loss_d": (F.softplus(-real) + F.softplus(fake)).mean()}

        with frozen(self.discriminator):
            logs = self.update(optim_wrapper["generator"], generator_terms)
        return {**logs, **self.update(optim_wrapper["discriminator"], discriminator_terms)}

    def forward(self, data):
        images = self.averaged("generator")(data["code"])
        return [{"error": (image - truth).abs().mean()} for image, truth in zip(images, data["image"])]

    def sample_images(self, count):
        code = torch.randn(count, self.dim, generator=torch.Generator().manual_seed(0))
        return {"fakes": self.averaged("generator")(code.to(self.generator[0].weight.device)).clamp(0, 1)}


@METRICS.register_module(force=True)
class ToyError(BaseMetric):
    """Mean of the errors that the method gives."""

    def process(self, data_batch, data_samples):
        self.results += [float(sample["error"]) for sample in data_samples]

    def compute_metrics(self, results):
        return {"error": sum(results) / len(results)}


@HOOKS.register_module(force=True)
class ToyKill(Hook):
    """Kills its own process at an iteration, the way a machine does: no warning, no clean-up."""

    priority = "VERY_LOW"

    def __init__(self, at, rank=0, code=None):
        self.at, self.rank, self.code = at, rank, code

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.at and runner.rank == self.rank:
            if self.code is not None:
                os._exit(self.code)
            os.kill(os.getpid(), signal.SIGKILL)
