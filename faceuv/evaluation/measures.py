"""The measures of a report on a batch of faces: name → numbers ``(B,)``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.evaluation.consistency import TexelView, texel_difference, texel_view, unproject
from faceuv.evaluation.face_truth import FaceTruth, GroundTruth, texel_normals, to_texels
from faceuv.evaluation.identity import IdentityFeatures, similarity
from faceuv.evaluation.meanings import COEFFICIENTS, meaning, unmet
from faceuv.evaluation.reconstruction import masked_l1, reconstruction_errors
from faceuv.evaluation.truth_errors import albedo_error, depth_error, depth_error_mm, normal_error_deg
from faceuv.geometry import euler_to_matrix
from faceuv.models.base.subject import Setting, SubjectView, Targets
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.faces.several_views import for_views
from faceuv.models.readers.regressor import CoefficientRegressor
from faceuv.renderers.masks import mask_in_view
from faceuv.structures import Coefficients

Rows = dict[str, Tensor]
"""Name → one number per face ``(B,)``; NaN where there was nothing to measure."""

_LEAST_TEXELS = 20  # fewer say nothing about a side


@dataclass(frozen=True, eq=False)
class Instruments:
    """The networks and losses that measure images; none was trained with the method.

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
    truths: Sequence[GroundTruth] = ()

    @property
    def space(self) -> str:
        """The name of the feature space."""
        return str(getattr(self.features, "space", ""))

    @property
    def aligns(self) -> bool:
        """Whether persons are compared in pictures that are aligned by landmarks, which take coefficients to know."""
        return bool(getattr(self.identity, "needs_landmarks", False))

    def to(self, device: torch.device | str) -> Instruments:
        """Move every network."""
        for network in (self.identity, self.regressor, self.features, *self.perceptual.values()):
            if isinstance(network, nn.Module):
                network.to(device).eval()
        return self


def left_out(names: Iterable[str], view: SubjectView, instruments: Instruments) -> dict[str, str]:
    """Metric → why it is not measured of views like this one."""
    found = {}
    for name in names:
        needs = meaning(name).needs
        if instruments.aligns and name.startswith("identity"):
            needs = COEFFICIENTS
        reason = unmet(needs, view.capabilities)
        if reason is not None:
            found[name] = reason
    return found


@torch.no_grad()
def face_mask(view: SubjectView, targets: Targets, setting: Setting) -> Tensor | None:
    """``(·, 1, S, S)`` where the face is: the subject's own mask, or the linear face that the mapper reads; None where
    there is no mapper either."""
    if view.mask is not None:
        return view.mask
    return None if targets.read is None else setting.draw(targets.read).mask


@torch.no_grad()
def reconstruction_rows(image: Tensor, truth: Tensor, mask: Tensor, instruments: Instruments, ending: str = "") -> Rows:
    """A subject's picture against the teacher's from that side, where the face is."""
    found = reconstruction_errors(image, truth, mask, instruments.perceptual)
    return {f"{name}{ending}": value for name, value in found.items()}


@torch.no_grad()
def identity_features(
    instruments: Instruments, setting: Setting, images: Tensor, coefficients: Coefficients | None
) -> Tensor:
    """Features of pictures ``(B, 3, S, S)``; where pictures are aligned, landmarks are those of the coefficients."""
    if not instruments.aligns or coefficients is None:
        return instruments.identity(images)
    return instruments.identity(images, landmarks_of(setting, coefficients))


@torch.no_grad()
def landmarks_of(setting: Setting, coefficients: Coefficients) -> Tensor:
    """``(B, 68, 2)`` pixels of the faces' landmarks."""
    truth = LandmarkTruth(setting.faces.face_model, setting.faces.renderer.camera)
    points: Tensor = truth(coefficients, setting.size)[0]
    return points


@torch.no_grad()
def curve_rows(
    view: SubjectView, yaw: Tensor, person: Tensor | None, setting: Setting, instruments: Instruments, *, texels: int
) -> dict[str, Tensor]:
    """How a face keeps itself when it turns, ``(V, B)`` for the V views ``yaw (V, B)``, radians, of each face.

    ``identity``      cosine to ``person (B, C)``, the features of the teacher's own picture, if they are known
    ``identity_kept`` cosine to the subject's own most frontal view: what turning alone does
    ``pose_deg``      |yaw that the regressor reads − the one that was asked for|
    ``texels``        colour difference of the texels that this view and the most frontal one both see
    ``texels_unlit``  the same, each view's colours divided by the light of the view's coefficients
    """
    views, count = yaw.shape
    front = int(yaw.abs().mean(1).argmin())
    found: dict[str, Tensor] = {}
    if not instruments.aligns or view.coefficients is not None:
        features = identity_features(instruments, setting, view.image, view.coefficients)
        own = features.unflatten(0, (views, count))[front]
        kept = similarity(own.repeat(views, 1), features).unflatten(0, (views, count))
        kept[front] = torch.nan
        if person is not None:
            found["identity"] = similarity(person.repeat(views, 1), features).unflatten(0, (views, count))
        found["identity_kept"] = kept
    seen = instruments.regressor(view.image).rotation[:, 1].unflatten(0, (views, count))
    found["pose_deg"] = (seen - yaw).abs() * (180 / math.pi)
    if view.coefficients is not None:
        maps = None if view.maps is None else for_views(view.maps, views * count)
        where = texel_view(setting.faces, view.coefficients, maps, size=setting.size, map_size=texels)
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
def truth_rows(view: SubjectView, mask: Tensor | None, truth: FaceTruth, setting: Setting, name: str) -> Rows:
    """The original view, with the face where ``mask`` is, against the true face; names begin with that of the truth.

    ``depth``, ``depth_mm``, ``normal_deg``      in the picture, where both show the face and nothing covers it
    ``normal_seen_deg``, ``normal_unseen_deg``   per texel in the object frame, so that pose plays no part
    ``albedo_seen``, ``albedo_unseen``           colours per texel; ``…_free``: after the best gain per channel
    ``picture``                                  the subject's picture against the true one

    What the view does not carry is left out: :data:`faceuv.evaluation.meanings.TRUTH` says what each needs. Without a
    mask nothing is measured in the picture.
    """
    clear = None
    if mask is not None:
        clear = ((mask > 0.5) & (truth.render.mask > 0.5) & (truth.clear > 0.5)).to(mask.dtype)
    texels = truth.albedo.shape[-1]
    found: Rows = {}
    if truth.image is not None and clear is not None:
        found["picture"] = masked_l1(view.image, truth.image, clear)
    normals = None
    if view.coefficients is not None and view.render is not None:
        normals = texel_normals(setting.faces.face_model, view.coefficients, view.maps, texels)
    if view.render is not None and clear is not None:
        found |= {
            "depth": depth_error(view.render.depth, truth.render.depth, clear),
            "depth_mm": depth_error_mm(view.render.depth, truth.render.depth, clear),
            "normal_deg": normal_error_deg(_normals_in_view(view, normals), truth.render.normal, clear),
        }
    albedo = _albedo(view, setting, texels)
    for side, texel_mask in (("seen", truth.seen), ("unseen", truth.unseen)):
        known = texel_mask * (texel_mask.flatten(1).sum(1) >= _LEAST_TEXELS)[:, None, None, None]
        if normals is not None:
            found[f"normal_{side}_deg"] = normal_error_deg(normals, truth.normal, known)
        if albedo is not None:
            found[f"albedo_{side}"] = albedo_error(albedo, truth.albedo, known)
            found[f"albedo_{side}_free"] = albedo_error(albedo, truth.albedo, known, scale="free")
    return {f"{name}_{key}": value for key, value in found.items()}


def _normals_in_view(view: SubjectView, normals: Tensor | None) -> Tensor:
    """World normals ``(B, 3, S, S)``: those of the texels, so that faces with a displacement and without are sampled in
    one way; of a surface without coefficients, the drawn ones."""
    assert view.render is not None
    if normals is None or view.coefficients is None:
        return view.render.normal
    in_view = mask_in_view(normals, view.render.uv)
    return (euler_to_matrix(view.coefficients.rotation) @ in_view.flatten(2)).unflatten(2, in_view.shape[2:])


def _albedo(view: SubjectView, setting: Setting, texels: int) -> Tensor | None:
    """A face's own colours ``(B, 3, T, T)``: its diffuse map, or the linear albedo of the surface that was drawn."""
    if view.maps is not None and view.maps.diffuse is not None:
        return to_texels(view.maps.diffuse, texels)
    if view.coefficients is None or view.render is None:
        return None
    return setting.faces.face_model.albedo_map(view.coefficients.albedo, texels, texels)


def cpu(rows: Mapping[str, Any]) -> dict[str, Tensor]:
    """Rows in the CPU's memory, in full precision."""
    return {name: value.detach().float().cpu() for name, value in rows.items()}
