"""StyleFaceUV's whole recipe in seconds: a 16² teacher of random weights, an oval for a face, tiny networks."""

from __future__ import annotations

from pathlib import Path

import torch

from faceuv.files.networks import save_network
from faceuv.models.faces.base import FaceModel
from faceuv.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from faceuv.registry import FACE_MODELS

SIZE, D = 16, 8
# group=1: statistics over a batch would be others where ranks share it out
CRITIC = {"type": "StyleGAN2Discriminator", "size": SIZE, "channel_base": 64, "channel_max": 6, "group": 1}
STAGES = ("teacher", "fits", "mapper", "direction", "stepper", "uv", "report")


@FACE_MODELS.register_module(force=True)
class ToyOval(FaceModel):
    """A bulging sheet of n² vertices with modes of the usual number."""

    def __init__(self, n: int = 9) -> None:
        line = torch.linspace(-1, 1, n)
        v, u = torch.meshgrid(line, line, indexing="ij")
        x, y = 0.9 * torch.sin(1.4 * u) * torch.cos(0.5 * v), -1.1 * torch.sin(1.2 * v)
        mean = torch.stack([x, y, torch.cos(1.4 * u) * torch.cos(1.2 * v) * 0.8], -1).reshape(-1, 3)
        r, c = torch.meshgrid(torch.arange(n - 1), torch.arange(n - 1), indexing="ij")
        a = (r * n + c).reshape(-1)
        modes = torch.sin(mean[..., None] * torch.linspace(1, 4, 80)) * 0.01
        super().__init__(
            {
                "mean": mean,
                "identity_basis": modes,
                "expression_basis": modes[..., :64].flip(2),
                "mean_albedo": torch.full_like(mean, 0.5),
                "albedo_basis": modes,
                "faces": torch.cat([torch.stack([a, a + n, a + n + 1], 1), torch.stack([a, a + n + 1, a + 1], 1)]),
                "uv": torch.stack([0.02 + 0.48 * (u + 1), 0.02 + 0.48 * (v + 1)], -1).reshape(-1, 2),
                "landmarks": torch.arange(68),
                "skin_mask": torch.ones(n * n, dtype=torch.bool),
                "mirror": torch.arange(n * n).reshape(n, n).flip(1).reshape(-1),
            }
        )


def write_teacher(folder: Path, *, size: int = SIZE, width: int = D) -> Path:
    """A teacher of random weights, the same at each call."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        teacher = StyleGAN2Generator(size, width, channel_base=64, channel_max=6, mapping_depth=2)
        return save_network(folder / f"teacher_{size}_{width}.safetensors", teacher)


def write_critic(folder: Path, *, size: int = SIZE) -> Path:
    """A discriminator of random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return save_network(folder / f"critic_{size}.safetensors", StyleGAN2Discriminator(size, channel_max=6))


def _training(model: dict, iterations: int, batch: int, **rates: float) -> dict:
    return {
        "type": "train",
        "model": model,
        "optim_wrapper": {
            "constructor": "OptimizerPerModule",
            **{name: {"optimizer": {"type": "Adam", "lr": rate}} for name, rate in rates.items()},
        },
        "train_cfg": {"max_iters": iterations, "val_interval": 1000},
        "train_dataloader": {
            "batch_size": batch,
            "num_workers": 0,
            "dataset": {"type": "CodeFits", "folder": "{fits}"},
            "sampler": {"type": "SeekableSampler"},
            "collate_fn": {"type": "default_collate"},
        },
        "default_hooks": {
            "checkpoint": {"type": "CheckpointHook", "interval": 3, "max_keep_ckpts": 2},
            "logger": {"type": "LoggerHook", "interval": 1000},
        },
    }


def tiny_recipe(teacher: Path, *, batch: int = 4) -> dict:
    """Name → config of every stage."""
    generator = {"type": "PretrainedGenerator", "path": "{teacher}/generator.safetensors"}
    mapper = {
        "type": "CoefficientMapping", "fits": "{fits}", "losses": {"scores": {"type": "StandardisedL1"}}, "widths": [8],
    }  # fmt: skip
    stepper = {
        "type": "YawStepping", "fits": "{fits}", "mapper": "{mapper}/mapper.safetensors", "widths": [8],
        "direction": "{direction}/directions.safetensors", "losses": {"yaw": {"type": "MeanDistance", "of": "yaw"}},
        "symmetric": 1.0,  # every wanted angle is the mirrored one, none is random
    }  # fmt: skip
    uv = {
        "type": "StyleFaceUV", "teacher": generator, "mapper": "{mapper}/mapper.safetensors",
        "stepper": "{stepper}/stepper.safetensors", "face_model": {"type": "ToyOval"}, "normals": "vertex",
        "renderer": {"type": "torch", "accelerator": "none"},  # numba's threads do not survive a fork
        "discriminator": CRITIC, "adversarial": {"every": 2},
        "losses": {
            "photo": {"type": "PhotometricLoss", "norm": "squared", "weight": 10.0},
            "adversarial": {"type": "GeneratorLogistic"},
            "discriminator": {"type": "DiscriminatorLogistic"},
            "r1": {"type": "R1Penalty", "gamma": 10.0, "interval": 2},
        },
    }  # fmt: skip
    report = {
        "type": "report", "generator": generator, "mapper": "{mapper}/mapper.safetensors",
        "stepper": "{stepper}/stepper.safetensors",
        "subjects": {
            "ours": {"type": "uv", "path": "{uv}/uv_generator.safetensors"},
            "linear": {"type": "linear"},
            "turned 2D": {"type": "turned"},
        },
        "face_model": {"type": "ToyOval"}, "renderer": uv["renderer"], "normals": "vertex",
        "features": {"type": "DiscriminatorFeatures", "network": CRITIC}, "faces": 1, "strips": 1,
        "protocol": {"pictures": 4, "curve": 2, "truth": 0, "yaws_deg": [-20, 20], "batch": 2, "texels": 8},
    }  # fmt: skip
    average = [{"type": "GeneratorEMA", "modules": ["uv_generator"], "half_life": 50}]
    return {
        "teacher": {"type": "teacher", "path": str(teacher)},
        "fits": {
            "type": "fits", "generator": generator, "source": {"type": "toy", "reads_images": True}, "count": 40,
            "batch": 4, "shard": 8,
        },
        "mapper": _training(mapper, 12, batch, mapper=1e-2),
        "direction": {
            "type": "direction", "generator": generator, "mapper": "{mapper}/mapper.safetensors",
            "finder": {"type": "regression", "score": "yaw", "samples": 1000, "batch": 32},
        },
        "stepper": _training(stepper, 9, batch, stepper=1e-3),
        "uv": {**_training(uv, 8, batch, uv_generator=1e-3, discriminator=1e-3), "custom_hooks": average},
        "report": report,
    }  # fmt: skip
