"""Stylecodes ``(B, L, D)``: broadcasting, truncation and mixing, as pure functions."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.checks import check_floating, check_shape
from faceuv.errors import InputError


def broadcast_code(code: Tensor, layers: int, width: int) -> Tensor:
    """A code ``(B, L, D)`` as it is, or one w per image ``(B, D)`` repeated for the ``L = layers`` style layers."""
    if not isinstance(code, Tensor) or code.ndim not in (2, 3):
        came = tuple(code.shape) if isinstance(code, Tensor) else type(code).__name__
        raise InputError(f"a code must have shape (B, {layers}, {width}) or (B, {width}), got {came}")
    check_floating("a code", code)
    if code.ndim == 2:
        check_shape("a w code", code, ("B", width))
        return code[:, None].expand(-1, layers, -1)
    check_shape("a code", code, ("B", layers, width))
    return code


def truncate(code: Tensor, mean: Tensor, psi: float, *, layers: int | None = None) -> Tensor:
    """Move ``code (B, L, D)`` or ``(B, D)`` toward ``mean (D,)``: ``mean + psi·(code − mean)``.

    ``psi`` = 1 changes nothing, 0 gives the mean face. With ``layers``, only the first rows of a ``(B, L, D)`` code
    move (coarse layers carry pose and shape).
    """
    if layers is None:
        return torch.lerp(mean.expand_as(code), code, psi)
    if code.ndim != 3 or not 0 <= layers <= code.shape[1]:
        raise InputError(
            f"truncation of the first {layers} layers needs a code (B, L, D) with L ≥ {layers}, got {tuple(code.shape)}"
        )
    head = code[:, :layers]
    return torch.cat([torch.lerp(mean.expand_as(head), head, psi), code[:, layers:]], 1)


def mix(coarse: Tensor, fine: Tensor, crossover: int | Tensor) -> Tensor:
    """Style mixing: rows before ``crossover`` from ``coarse (B, L, D)``, the others from ``fine (B, L, D)``.

    ``crossover`` is a number in 0 … L or one per sample ``(B,)``.
    """
    if coarse.shape != fine.shape or coarse.ndim != 3:
        raise InputError(
            f"two codes to mix must have the same shape (B, L, D), got {tuple(coarse.shape)} and {tuple(fine.shape)}"
        )
    layers = coarse.shape[1]
    edge = torch.as_tensor(crossover).to(coarse.device).reshape(-1, 1, 1)
    if edge.shape[0] not in (1, coarse.shape[0]):
        raise InputError(f"crossover must be one number or one per sample ({coarse.shape[0]}), got {edge.shape[0]}")
    # a training step asks on a GPU, where looking at the numbers would stop it until all before them is done
    if torch.as_tensor(crossover).device.type == "cpu" and bool(((edge < 0) | (edge > layers)).any()):
        raise InputError(f"crossover must lie in 0 … {layers}, got {crossover}")
    row = torch.arange(layers, device=coarse.device)[None, :, None]
    return torch.where(row < edge, coarse, fine)
