"""What LiftedGAN's table 2 measures, and what the paper could not: a lifted teacher against the truth of its codes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.data.codes import latents_at
from faceuv.errors import InputError
from faceuv.evaluation.face_truth import SceneTruth
from faceuv.evaluation.frechet import frechet_distance_of
from faceuv.evaluation.reconstruction import masked_l1
from faceuv.evaluation.truth_errors import albedo_error, depth_error, depth_error_mm
from faceuv.models.base.codes import truncate
from faceuv.models.liftedgan.generator import LiftedGANGenerator, bright_albedo
from faceuv.models.liftedgan.objective import Perturbation
from faceuv.models.liftedgan.scene import at_rotation, draw
from faceuv.renderers.masks import mask_in_view
from faceuv.synthetic.cats import FACTORS as CAT_FACTORS
from faceuv.synthetic.cats import CatHeads
from faceuv.synthetic.scene import Scene
from faceuv.synthetic.studio import Studio

ANGLES = ("pitch", "yaw", "roll")


@dataclass(frozen=True, eq=False)
class CodeTruth:
    """What B codes truly show.

    rotation  ``(B, 3)`` radians about x, y, z
    depth     ``(B, 1, S, S)`` view depth, decimetres
    mask      ``(B, 1, S, S)`` the object, where nothing covers it
    albedo    ``(B, 3, S, S)`` the picture without light
    image     ``(B, 3, S, S)`` the true picture
    relit     ``(B, 3, S, S)`` the true picture in the light of the next code of the batch
    """

    rotation: Tensor
    depth: Tensor
    mask: Tensor
    albedo: Tensor
    image: Tensor
    relit: Tensor


@torch.no_grad()
def truth_of_latents(
    teacher: Any, latents: Tensor, truncation: float = 1.0, *, studio: Studio | None = None
) -> CodeTruth:
    """The truth of latents ``(B, Z)``: of drawn cat heads, and of teachers whose latents are scenes of the synthetic
    faces (exact for the generator that draws them, approximate for one that was trained on what the ``studio`` drew,
    by default the procedural face)."""
    if isinstance(teacher, CatHeads):
        return _cats(teacher, truncation * teacher.mapping(latents))
    return _scenes(SceneTruth(teacher, studio), latents * truncation)


def _cats(teacher: CatHeads, w: Tensor) -> CodeTruth:
    known = teacher.truth(w)
    factors = w @ teacher.turn.to(w).T
    columns = slice(CAT_FACTORS["pose"], CAT_FACTORS["pose"] + CAT_FACTORS["light"])
    factors[:, columns] = factors[:, columns].roll(-1, 0)
    relit = teacher.synthesis(factors @ teacher.turn.to(w))
    return CodeTruth(known.rotation, known.depth, known.mask, known.albedo, teacher.synthesis(w), relit)


def _scenes(source: SceneTruth, latents: Tensor) -> CodeTruth:
    scene = source.scene(latents)
    found = source.truth(latents, latents, latents)
    numbers = {**scene.numbers, "light": scene.numbers["light"].roll(-1, 0)}
    relit = source.studio(Scene(numbers, scene.noise)).image
    render = found.render
    mask = (render.mask > 0.5) & (found.clear > 0.5)
    albedo = mask_in_view(found.albedo, render.uv)
    rotation = source.studio.coefficients(scene).rotation
    assert found.image is not None  # of a scene
    return CodeTruth(rotation, render.depth, mask.to(render.image), albedo, found.image, relit)


def view_errors_deg(rotation: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Name → ``(B,)`` degrees: |angle − truth| of rotations ``(B, 3)`` in radians, each less its mean over the B, as
    the paper compares frames that differ."""
    check_shape("rotation", rotation, ("B", 3))
    check_shape("truth", truth, tuple(rotation.shape))
    away = ((rotation - rotation.mean(0)) - (truth - truth.mean(0))).abs() * (180 / math.pi)
    return dict(zip(ANGLES, away.unbind(1)))


@torch.no_grad()
def lifted_errors(
    generator: LiftedGANGenerator,
    features: nn.Module,
    *,
    count: int = 128,
    first: int = 5_000_000,
    seed: int = 0,
    truncation: float = 1.0,
    batch: int = 16,
    perturbation: Perturbation | None = None,
    studio: Studio | None = None,
) -> dict[str, float]:
    """Means over ``count`` codes that no training saw.

    ``depth``, ``depth_mm``       in the picture, where both show the object; ``flat_mm``: of a plane
    ``yaw``, ``pitch``, ``roll``  degrees; ``still_yaw``: of an estimate that never changes
    ``l1``                        render against the teacher's picture, where the object is
    ``albedo``                    unlit colours after the best gain per channel; ``picture_albedo``: of the picture
    ``relit``                     the picture in another code's light against the true one; ``not_relit``: in its own
    ``frechet_estimated``, ``frechet_random``  pictures against the teacher's, at the views that D_V reads, and at
                                  random ones of the ``perturbation``, in the space of ``features``

    ``studio`` is that of :func:`truth_of_latents`.
    """
    if count < 4:
        raise InputError(f"errors of views take at least 4 codes, got count={count}")
    perturbation = perturbation or Perturbation(shift=0.0)
    teacher, views, space = generator.teacher, generator.views, generator.space
    rows: dict[str, list[Tensor]] = {}
    rotations: list[Tensor] = []
    truths: list[Tensor] = []
    shown: dict[str, list[Tensor]] = {"teacher": [], "estimated": [], "random": []}
    for start in range(0, count, batch):
        index = list(range(first + start, first + min(start + batch, count)))
        if len(index) < 2:
            break  # a light is that of another code
        latents = latents_at(teacher, index, seed=seed).to(generator.device)
        code = truncate(teacher.mapping(latents), teacher.mean_code, truncation)
        true = truth_of_latents(teacher, latents, truncation, studio=studio)
        lifted = generator.lifted(code)
        picture = generator.image(code)
        rng = torch.Generator().manual_seed(first + start)
        angles = views.pose(perturbation.view(len(code), views, rng).to(code))[0]
        random = at_rotation(lifted, angles, space, views)
        drawn = draw(generator.drawer, lifted, space, views, teacher.size)
        colours = bright_albedo(lifted).flatten(2).transpose(1, 2)
        albedo = draw(generator.drawer, lifted, space, views, teacher.size, colours=colours).image
        relit = generator.pictures(lifted.replace(light=lifted.light.roll(-1, 0)))
        own = generator.pictures(lifted)
        flat = torch.full_like(true.depth, space.distance)
        found = {
            "depth": depth_error(drawn.depth, true.depth, true.mask),
            "depth_mm": depth_error_mm(drawn.depth, true.depth, true.mask),
            "flat_mm": depth_error_mm(flat, true.depth, true.mask),
            "l1": masked_l1(own, picture, true.mask),
            "albedo": albedo_error(albedo, true.albedo, true.mask, scale="free"),
            "picture_albedo": albedo_error(picture, true.albedo, true.mask, scale="free"),
            "relit": masked_l1(relit, true.relit, true.mask),
            "not_relit": masked_l1(own, true.relit, true.mask),
        }
        for name, value in found.items():
            rows.setdefault(name, []).append(value.float().cpu())
        rotations.append(views.pose(lifted.view)[0].cpu())
        truths.append(true.rotation.cpu())
        for name, images in (("teacher", picture), ("estimated", own), ("random", generator.pictures(random))):
            shown[name].append(images)
    result = {name: float(torch.cat(values).nanmean()) for name, values in rows.items()}
    angle, truth = torch.cat(rotations), torch.cat(truths)
    result |= {name: float(value.mean()) for name, value in view_errors_deg(angle, truth).items()}
    result["still_yaw"] = float(view_errors_deg(torch.zeros_like(truth), truth)["yaw"].mean())
    for name in ("estimated", "random"):
        result[f"frechet_{name}"] = float(frechet_distance_of(shown["teacher"], shown[name], features))
    return result
