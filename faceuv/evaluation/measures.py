"""What is measured on a batch of faces: rows of numbers, one for each face."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.evaluation.consistency import TexelView, texel_difference, texel_view, unproject
from faceuv.evaluation.face_truth import FaceTruth, TruthSource, texel_normals, to_texels
from faceuv.evaluation.identity import IdentityFeatures, similarity
from faceuv.evaluation.reconstruction import masked_l1, reconstruction_errors
from faceuv.evaluation.subjects import Setting, Subject, View
from faceuv.evaluation.truth_errors import albedo_error, depth_error, depth_error_mm, normal_error_deg
from faceuv.geometry import euler_to_matrix
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.readers.regressor import CoefficientRegressor
from faceuv.models.stylefaceuv.views import for_views
from faceuv.renderers.masks import mask_in_view
from faceuv.structures import Coefficients

Rows = dict[str, Tensor]
"""Name → one number per face ``(B,)``; NaN where there was nothing to measure."""

_LEAST_TEXELS = 20  # fewer say nothing about a side


@dataclass(frozen=True, eq=False)
class Judges:
    """Who judges pictures; none of them was trained with the method.

    identity    features of a person
    regressor   reads the pose
    features    space of the Fréchet and kernel distances, ``features.space``
    perceptual  name → loss with ``per_image``
    truths      what the faces truly are
    """

    identity: IdentityFeatures
    regressor: CoefficientRegressor
    features: nn.Module
    perceptual: Mapping[str, nn.Module] = field(default_factory=dict)
    truths: Sequence[TruthSource] = ()

    @property
    def space(self) -> str:
        """The name of the feature space."""
        return str(getattr(self.features, "space", ""))

    def to(self, device: torch.device | str) -> Judges:
        """Move every network."""
        for network in (self.identity, self.regressor, self.features, *self.perceptual.values()):
            if isinstance(network, nn.Module):
                network.to(device).eval()
        return self


@torch.no_grad()
def reconstruction_rows(view: View, images: Tensor, judges: Judges, ending: str = "") -> Rows:
    """A view against the teacher's picture of that side, where the face is."""
    found = reconstruction_errors(view.image, images, view.mask, judges.perceptual)
    return {f"{name}{ending}": value for name, value in found.items()}


@torch.no_grad()
def identity_features(judges: Judges, setting: Setting, images: Tensor, coefficients: Coefficients) -> Tensor:
    """Features of pictures ``(B, 3, S, S)``; a judge that aligns faces is told where the coefficients put landmarks."""
    if not getattr(judges.identity, "needs_landmarks", False):
        return judges.identity(images)
    return judges.identity(images, landmarks_of(setting, coefficients))


@torch.no_grad()
def landmarks_of(setting: Setting, coefficients: Coefficients) -> Tensor:
    """``(B, 68, 2)`` pixels of the faces' landmarks."""
    truth = LandmarkTruth(setting.renderer.face_model, setting.renderer.renderer.camera)
    points: Tensor = truth(coefficients, setting.size)[0]
    return points


@torch.no_grad()
def curve_rows(
    view: View, yaw: Tensor, person: Tensor, setting: Setting, judges: Judges, *, texels: int
) -> dict[str, Tensor]:
    """How a face keeps itself when it turns, ``(V, B)`` for the V views ``yaw (V, B)``, radians, of each face.

    ``identity``      cosine to ``person (B, C)``, the features of the teacher's own picture
    ``identity_kept`` cosine to the subject's own most frontal view: what turning alone does
    ``pose_deg``      |yaw that the regressor reads − the one that was asked for|
    ``texels``        colour difference of the texels that this view and the most frontal one both see
    ``texels_unlit``  the same, each view's colours divided by the light that F3D sees on them
    """
    views, count = yaw.shape
    if view.coefficients is None:
        raise InputError(
            "turned faces are compared by their texels: a subject's View needs the coefficients that it drew, or that"
            " F3D reads off its pictures"
        )
    features = identity_features(judges, setting, view.image, view.coefficients)
    seen = judges.regressor(view.image).rotation[:, 1].unflatten(0, (views, count))
    front = int(yaw.abs().mean(1).argmin())
    own = features.unflatten(0, (views, count))[front]
    kept = similarity(own.repeat(views, 1), features).unflatten(0, (views, count))
    kept[front] = torch.nan
    found = {
        "identity": similarity(person.repeat(views, 1), features).unflatten(0, (views, count)),
        "identity_kept": kept,
        "pose_deg": (seen - yaw).abs() * (180 / math.pi),
    }
    maps = None if view.maps is None else for_views(view.maps, views * count)
    where = texel_view(setting.renderer, view.coefficients, maps, size=setting.size, map_size=texels)
    for name, delight in (("texels", False), ("texels_unlit", True)):
        found[name] = _differences(unproject(view.image, where, delight=delight), where, front, views)
    return found


def _differences(colours: Tensor, where: TexelView, front: int, views: int) -> Tensor:
    """Each view's texels against those of the view ``front`` → ``(V, B)``; NaN for that view itself."""
    every, seen = (t.unflatten(0, (views, -1)) for t in (colours, where.seen))
    rows = [texel_difference(every[k], seen[k], every[front], seen[front]) for k in range(views)]
    rows[front] = torch.full_like(rows[front], torch.nan)
    return torch.stack(rows)


def curve_means(curves: Mapping[str, Tensor], yaw_deg: Sequence[float], far_deg: float) -> Rows:
    """Per face the mean of each curve over all angles, and ``<name>_far`` over those of at least ``far_deg``."""
    far = torch.tensor([abs(angle) >= far_deg for angle in yaw_deg])
    found: Rows = {}
    for name, values in curves.items():
        found[name] = values.nanmean(0)
        found[f"{name}_far"] = values[far].nanmean(0) if bool(far.any()) else torch.full_like(values[0], torch.nan)
    return found


@torch.no_grad()
def truth_rows(subject: Subject, view: View, truth: FaceTruth, setting: Setting, name: str) -> Rows:
    """The original view against the true face; names begin with that of the truth.

    ``depth``, ``depth_mm``, ``normal_deg``      in the picture, where both show the face and nothing covers it
    ``normal_seen_deg``, ``normal_unseen_deg``   per texel in the object frame, so that pose plays no part
    ``albedo_seen``, ``albedo_unseen``           colours per texel; ``…_free``: after the best gain per channel
    ``picture``                                  the pasted picture against the true one
    """
    clear = ((view.mask > 0.5) & (truth.render.mask > 0.5) & (truth.clear > 0.5)).to(view.mask.dtype)
    found: Rows = {}
    if truth.image is not None:
        found["picture"] = masked_l1(view.image, truth.image, clear)
    if subject.draws:
        assert view.coefficients is not None and view.render is not None  # draw_over gives both
        model, texels = setting.renderer.face_model, truth.albedo.shape[-1]
        normals = texel_normals(model, view.coefficients, view.maps, texels)
        in_view = mask_in_view(normals, view.render.uv)  # with a displacement and without, by one way of sampling
        rotated = (euler_to_matrix(view.coefficients.rotation) @ in_view.flatten(2)).unflatten(2, in_view.shape[2:])
        found |= {
            "depth": depth_error(view.render.depth, truth.render.depth, clear),
            "depth_mm": depth_error_mm(view.render.depth, truth.render.depth, clear),
            "normal_deg": normal_error_deg(rotated, truth.render.normal, clear),
        }
        if view.maps is not None and view.maps.diffuse is not None:
            albedo = to_texels(view.maps.diffuse, texels)
        else:
            albedo = model.albedo_map(view.coefficients.albedo, texels, texels)
        for side, mask in (("seen", truth.seen), ("unseen", truth.unseen)):
            known = mask * (mask.flatten(1).sum(1) >= _LEAST_TEXELS)[:, None, None, None]
            found[f"normal_{side}_deg"] = normal_error_deg(normals, truth.normal, known)
            found[f"albedo_{side}"] = albedo_error(albedo, truth.albedo, known)
            found[f"albedo_{side}_free"] = albedo_error(albedo, truth.albedo, known, scale="free")
    return {f"{name}_{key}": value for key, value in found.items()}


def cpu(rows: Mapping[str, Any]) -> dict[str, Tensor]:
    """Rows in the CPU's memory, in full precision."""
    return {name: value.detach().float().cpu() for name, value in rows.items()}
