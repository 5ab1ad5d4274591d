"""Stand-ins for what the FFHQ recipe needs, in the very files, layouts and shapes in which people hold it.

BFM 2009's files of the procedural face, cut to the Basel crop's numbers of vertices and triangles; a checkpoint of
random weights in rosinality's layout; torchvision's VGG-16 without sense; landmarks of faces in several poses.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.io import savemat
from torch import Tensor

from faceuv.fitting import Landmarks
from faceuv.fitting.landmarks.precomputed import save_landmarks
from faceuv.models.faces import FaceModel, ProceduralFace
from faceuv.models.faces.bfm2009 import BFM2009
from faceuv.models.faces.bfm2009.sources import BFM_SIZES
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from faceuv.models.stylegan2.rosinality import discriminator_renaming, generator_renaming
from faceuv.structures import Coefficients

VGG = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")


def basel_crop(source: FaceModel) -> dict[str, np.ndarray]:
    """The arrays of a face with 35,709 vertices and 70,789 triangles: triangles are split at their centres until there
    are enough vertices, and some at the neck are left out."""
    arrays = {name: value.numpy() for name, value in source.arrays().items()}
    per_vertex = ("mean", "identity_basis", "expression_basis", "mean_albedo", "albedo_basis", "uv", "skin_mask")
    while (lacking := BFM_SIZES.vertices - len(arrays["mean"])) > 0:
        faces = arrays["faces"]
        split, kept = faces[:lacking], faces[lacking:]
        new = np.arange(len(split)) + len(arrays["mean"])
        for name in per_vertex:
            value = arrays[name]
            centres = value[split].all(1) if value.dtype == bool else value[split].mean(1)
            arrays[name] = np.concatenate([value, centres.astype(value.dtype)])
        a, b, c = split.T
        arrays["faces"] = np.concatenate([np.stack(t, 1) for t in ((a, b, new), (b, c, new), (c, a, new))] + [kept])
    heights = arrays["mean"][arrays["faces"]][..., 1].max(1)
    highest_first = np.argsort(-heights, kind="stable")[: BFM_SIZES.faces]
    arrays["faces"] = arrays["faces"][np.sort(highest_first)]
    assert (len(arrays["mean"]), len(arrays["faces"])) == (BFM_SIZES.vertices, BFM_SIZES.faces)
    return arrays


def write_bfm(folder: Path) -> tuple[Path, Path]:
    """``BFM_model_front.mat``, and ``BFM_UV.mat`` of the full head with the two index files that crop it."""
    face = basel_crop(ProceduralFace(rows=97, columns=81, verbose=False))
    v = BFM_SIZES.vertices
    model = {
        "meanshape": face["mean"].reshape(1, -1),
        "meantex": 255 * face["mean_albedo"].reshape(1, -1),
        "idBase": face["identity_basis"].reshape(3 * v, -1),
        "exBase": face["expression_basis"].reshape(3 * v, -1).astype(np.float64),
        "texBase": 255 * face["albedo_basis"].reshape(3 * v, -1),
        "tri": (face["faces"] + 1).astype(np.float32),
        "keypoints": (face["landmarks"] + 1).astype(np.float32)[None],
        "skinmask": face["skin_mask"].astype(np.float32)[None],
    }
    savemat(folder / "BFM_model_front.mat", model)
    rng = np.random.default_rng(0)
    trim = rng.permutation(BFM_SIZES.full_vertices)[: BFM_SIZES.expression_vertices]
    front = rng.permutation(BFM_SIZES.expression_vertices)[:v]
    savemat(folder / "BFM_front_idx.mat", {"idx": (front + 1).astype(np.float32)[:, None]})
    savemat(folder / "BFM_exp_idx.mat", {"trimIndex": (trim + 1).astype(np.uint16)[:, None]})
    uv = rng.random((BFM_SIZES.full_vertices, 2))
    uv[trim[front]] = np.stack([face["uv"][:, 0], 1 - face["uv"][:, 1]], 1)
    savemat(folder / "BFM_UV.mat", {"UV": uv})
    return folder / "BFM_model_front.mat", folder / "BFM_UV.mat"


def write_teacher(path: Path, *, channel_max: int = 512) -> Path:
    """``550000.pt``: ``g_ema``, ``g``, ``d`` and ``latent_avg`` of 256² in rosinality's layout; config-f has 512
    channels, and fewer cost less."""
    torch.manual_seed(0)
    generator = StyleGAN2Generator(256, channel_base=64 * channel_max, channel_max=channel_max)
    generator.mean_code.copy_(generator.mapping(generator.sample_latents(1000)).mean(0))
    critic = StyleGAN2Discriminator(256, channel_base=64 * channel_max, channel_max=channel_max)
    state = {**_renamed(generator.state_dict(), generator_renaming(256, 8).fields)}
    average = state.pop("latent_avg")
    for doubling in range(6):
        state[f"convs.{2 * doubling}.conv.blur.kernel"] = _taps(4)
        state[f"to_rgbs.{doubling}.upsample.kernel"] = _taps(4)
    judge = _renamed(critic.state_dict(), discriminator_renaming(256).fields)
    for block in range(6):
        judge[f"convs.{block + 1}.conv2.0.kernel"] = judge[f"convs.{block + 1}.skip.0.kernel"] = _taps(1)
    torch.save({"g": state, "d": judge, "g_ema": state, "latent_avg": average}, path)
    return path


def _renamed(state: dict[str, Tensor], fields: Any) -> OrderedDict[str, Tensor]:
    """Our names and shapes → theirs."""
    found = OrderedDict()
    for name, value in state.items():
        if name not in fields:
            continue
        source = fields[name].source
        if source.endswith("conv.weight"):
            value = value[None]
        elif source.endswith("noise.weight"):
            value = value.reshape(1)
        elif source.startswith("to_rgb") and source.endswith(".bias") and "modulation" not in source:
            value = value.reshape(1, 3, 1, 1)
        found[source] = value.clone()
    return found


def _taps(gain: float) -> Tensor:
    row = torch.tensor([1.0, 3.0, 3.0, 1.0])
    return torch.outer(row, row) * gain / 64


def write_vgg(path: Path) -> Path:
    """``vgg16-397923af.pth``: the convolutions of torchvision's VGG-16, random."""
    generator, state, before, index = torch.Generator().manual_seed(0), {}, 3, 0
    for width in VGG:
        if isinstance(width, int):
            weight = torch.randn(width, before, 3, 3, generator=generator) * math.sqrt(2 / (9 * before))
            state[f"features.{index}.weight"], state[f"features.{index}.bias"] = weight, torch.zeros(width)
            before, index = width, index + 2
        else:
            index += 1
    torch.save(state, path)
    return path


def write_landmarks(path: Path, model: BFM2009, count: int) -> Path:
    """Landmarks of the recipe's first pictures, of which each is taken for a face in another pose."""
    true = Coefficients.zeros(count, model.layout)
    yaw = torch.linspace(-0.6, 0.6, count)
    true = true.replace(rotation=torch.stack([torch.zeros(count), yaw, torch.zeros(count)], 1))
    points, _ = LandmarkTruth(model)(true, 256)
    names = [f"{index:06d}.png" for index in range(count)]
    found = Landmarks(points, torch.ones(count, dtype=torch.bool), torch.ones(count))
    return save_landmarks(path, names, found, [(256, 256)] * count)
