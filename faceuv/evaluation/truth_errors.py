"""Errors of surfaces and colours against a known truth, in pictures or over UV maps, each over a mask."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.evaluation.masked import channel_sums, check_pair, masked_mean
from faceuv.renderers.masks import mask_in_view

MM_PER_DM = 100.0
_FLAT = 1e-6  # dm: a depth that varies less has no shape


def depth_error(depth: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """``(B,)``: LiftedGAN's error of depth ``(B, 1, H, W)`` over ``mask (B, 1, H, W)``, the pixels that both cover.

    Each depth is brought to mean 0 and deviation 1 over the mask; the error is the root of the mean squared difference.
    It is 0 for the same shape at any distance and scale, √2 for two that have nothing in common, at most 2; of the
    paper's own sum or mean of squares this is the one form that does not depend on the number of pixels.
    """
    check_pair(depth, truth, mask, channels=1)
    return masked_mean((_normalised(depth, mask) - _normalised(truth, mask)).square(), mask).sqrt()


def depth_error_mm(depth: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """``(B,)`` mm: mean absolute difference of depths in dm, after their mean difference is removed: how far off a face
    stands is hardly seen in a picture, what shape it has is."""
    check_pair(depth, truth, mask, channels=1)
    away = depth - truth
    return masked_mean((away - masked_mean(away, mask)[:, None, None, None]).abs(), mask) * MM_PER_DM


def normal_error_deg(normal: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """``(B,)`` degrees: mean angle between normals ``(B, 3, H, W)`` of any length, over the mask; no normal (0) is 90°
    from every other."""
    check_pair(normal, truth, mask)
    # the angle by its tangent: an arc cosine would be noise for small angles
    across = torch.linalg.vector_norm(torch.linalg.cross(normal, truth, dim=1), dim=1, keepdim=True)
    along = (normal * truth).sum(1, keepdim=True)
    angle = torch.where((across > 0) | (along != 0), torch.atan2(across, along), math.pi / 2)
    return masked_mean(angle, mask) * (180 / math.pi)


def albedo_error(albedo: Tensor, truth: Tensor, mask: Tensor, *, scale: Literal["given", "free"] = "given") -> Tensor:
    """``(B,)``: mean absolute difference of colours ``(B, 3, H, W)`` in [0, 1], unlit, over the mask.

    ``scale="free"`` multiplies each image's channels by three numbers first, those that fit the truth best (least
    squares): a picture does not tell a bright surface in dim light from a dim one in bright light.
    """
    if scale not in ("given", "free"):
        raise InputError(f"scale must be 'given' or 'free', got {scale!r}")
    check_pair(albedo, truth, mask)
    if scale == "free":
        gain = channel_sums(albedo * truth, mask) / channel_sums(albedo.square(), mask).clamp_min(1e-12)
        albedo = albedo * gain[:, :, None, None]
    return masked_mean((albedo - truth).abs(), mask)


def unseen_texels(seen: Tensor, surface: Tensor) -> Tensor:
    """``(B, 1, H, W)``: the texels of the ``surface (1 or B, 1, H, W)`` (a face model's ``uv_mask``) that a view does
    not see, by its ``seen (B, 1, H, W)``, as :class:`~faceuv.models.faces.FaceRenderer` gives it (``view_mask``)."""
    check_shape("seen", seen, ("B", 1, "H", "W"))
    check_shape("surface", surface, ("b", 1, *seen.shape[2:]))
    return (surface - seen).clamp_min(0)


def unseen_pixels(unseen: Tensor, uv: Tensor, mask: Tensor) -> Tensor:
    """``(B, 1, S, S)``: where a picture shows texels that another view does not see.

    Args:
        unseen: ``(B, 1, H, W)``, :func:`unseen_texels` of the other view.
        uv, mask: ``(B, 2, S, S)`` and ``(B, 1, S, S)`` of this picture's render.
    """
    check_shape("uv", uv, (unseen.shape[0], 2, "S", "S"))
    check_shape("mask", mask, (unseen.shape[0], 1, *uv.shape[2:]))
    return mask_in_view(unseen, uv) * mask


def _normalised(depth: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and deviation 1 over the mask; a flat one stays 0."""
    centred = depth - masked_mean(depth, mask)[:, None, None, None]
    return centred / masked_mean(centred.square(), mask).sqrt().clamp_min(_FLAT)[:, None, None, None]
