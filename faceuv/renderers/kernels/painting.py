"""The layers of a picture from face ids by a few kernels, differentiable: the values of the shared code, fused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from faceuv.errors import InputError
from faceuv.renderers.antialias import Topology
from faceuv.renderers.kernels.edges import blend, cross_lines, push_blend
from faceuv.renderers.kernels.launching import launch
from faceuv.renderers.kernels.paint import CHUNK, COLOURS, NO_COLOUR, TEXTURE, paint, push_paint, sum_light

_MOST_NUMBERS = 1 << 31  # kernels count them in 32 bits
_NAMES = ("texture", "vertex_colours", "normals", "normal_map", "lighting")


@dataclass(frozen=True, eq=False)
class Scene:
    """What is drawn, but for the tensors that get gradients.

    face_id ``(B, H, W)`` int64, faces ``(F, 3)`` int64, uv ``(V, 2)`` or None, texture look-ups per axis, and the
    mesh's edges where silhouettes are to be blended.
    """

    face_id: Tensor
    faces: Tensor
    uv: Tensor | None
    samples: int
    topology: Topology | None


def paint_layers(
    scene: Scene,
    pixels: Tensor,
    *,
    texture: Tensor | None = None,
    vertex_colours: Tensor | None = None,
    normals: Tensor | None = None,
    normal_map: Tensor | None = None,
    lighting: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """Image ``(B, 3, H, W)``, mask ``(B, 1, H, W)``, depth ``(B, 1, H, W)``, normal ``(B, 3, H, W)``, uv
    ``(B, 2, H, W)``; all float32. Without texture and colours the image is zero.

    ``pixels (B, V, 3)`` are the projected vertices. Gradients flow to them and to every tensor named here but uv.
    """
    if 3 * scene.face_id.numel() >= _MOST_NUMBERS:
        raise InputError(
            f"the renderer 'warp' draws pictures of fewer than {_MOST_NUMBERS // 3:,} pixels together, got"
            f" {tuple(scene.face_id.shape)}; draw a smaller batch"
        )
    layers: tuple[Tensor, ...] = _Paint.apply(scene, pixels, texture, vertex_colours, normals, normal_map, lighting)
    return layers


class _Paint(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scene: Scene, pixels: Tensor, *given: Tensor | None) -> tuple[Tensor, ...]:
        device, (batch, height, width) = pixels.device, scene.face_id.shape
        like: dict[str, Any] = dict(dtype=torch.float32, device=device)
        inputs = _Inputs(scene, pixels, given)
        image = torch.empty(batch, 3, height, width, **like)
        if inputs.source == NO_COLOUR:
            image.zero_()
        depth = torch.empty(batch, height, width, **like)
        normal, uv_image = torch.empty(batch, 3, height, width, **like), torch.empty(batch, 2, height, width, **like)
        launch(paint, scene.face_id.shape, (*inputs.arguments, image, depth, normal, uv_image), device)
        topology = scene.topology
        if topology is None:
            mask, keys, wanted, plain = (scene.face_id >= 0)[:, None].to(torch.float32), None, None, image
        else:
            count = scene.face_id.numel()
            keys = torch.full((2 * count,), -1, dtype=torch.int64, device=device)
            mask, wanted, plain = torch.empty(batch, 1, height, width, **like), torch.empty(count, **like), image
            flat_ids = scene.face_id.view(-1)
            edges = (topology.vertices, topology.faces, topology.opposite)
            launch(
                cross_lines,
                (batch, topology.opposite.shape[0]),
                (inputs.points, inputs.faces, *edges, flat_ids, depth.view(-1), height, width, batch, keys),
                device,
            )
            image = torch.empty_like(plain)
            launch(
                blend,
                (count,),
                (plain.view(-1), flat_ids, keys, height, width, image.view(-1), mask.view(-1), wanted),
                device,
            )
        ctx.scene, ctx.kept = scene, (keys, wanted)
        ctx.save_for_backward(pixels, plain, normal, *given)
        ctx.set_materialize_grads(False)
        return image, mask, depth[:, None], normal, uv_image

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        scene: Scene = ctx.scene
        pixels, plain, normal, *given = ctx.saved_tensors
        keys, wanted = ctx.kept
        device, (batch, height, width) = pixels.device, scene.face_id.shape
        inputs = _Inputs(scene, pixels, tuple(given))
        needs = dict(zip(_NAMES, ctx.needs_input_grad[2:]))
        image, mask, depth, normal_grad, uv_grad = (None if g is None else g.contiguous() for g in grads)
        points_grad = torch.zeros_like(pixels)
        topology = scene.topology
        if topology is not None and (image is not None or mask is not None):
            image = torch.zeros_like(plain) if image is None else image
            mask = plain.new_zeros(batch, 1, height, width) if mask is None else mask
            before = torch.empty_like(plain)
            launch(
                push_blend,
                (scene.face_id.numel(),),
                (inputs.points, topology.vertices, plain.view(-1), scene.face_id.view(-1), keys, wanted, height,
                 width, image.view(-1), mask.view(-1), before.view(-1), points_grad),
                device,
            )  # fmt: skip
            image = before
        found: dict[str, Tensor | None] = {
            name: torch.zeros(value.shape, dtype=value.dtype, device=device)
            if value is not None and needs[name]
            else None
            for name, value in zip(_NAMES, given)
        }
        depth = None if depth is None else depth[:, 0]
        arriving = ((image, 4), (depth, 3), (normal_grad, 4), (uv_grad, 4))
        lit_grad = torch.empty_like(plain) if needs["lighting"] and image is not None else None
        flat = inputs.nothing
        launch(
            push_paint,
            scene.face_id.shape,
            (*inputs.arguments, *(int(found[name] is not None) for name in _NAMES[:4]), int(lit_grad is not None),
             *(_or(g, flat(axes)) for g, axes in arriving), *(int(g is not None) for g, _ in arriving), points_grad,
             _or(found["texture"], flat(4)), _or(found["vertex_colours"], flat(3)), _or(found["normals"], flat(3)),
             _or(found["normal_map"], flat(4)), _or(lit_grad, flat(4))),
            device,
        )  # fmt: skip
        if lit_grad is not None:
            chunks = max(1, height * width // CHUNK)
            partial = plain.new_empty(batch, chunks, 9, 3)
            rows = (lit_grad.view(batch, 3, -1), normal.view(batch, 3, -1), scene.face_id.view(batch, -1))
            launch(sum_light, (batch, chunks), (*rows, partial), device)
            found["lighting"] = partial.sum(1).transpose(1, 2).contiguous()
        return None, points_grad, *(found[name] for name in _NAMES)


class _Inputs:
    """Arguments that both directions share, in the kernels' order; an empty array stands for what is not there."""

    def __init__(self, scene: Scene, pixels: Tensor, given: tuple[Tensor | None, ...]) -> None:
        texture, colours, normals, normal_map, lighting = (
            None if t is None else t.detach().contiguous() for t in given
        )
        self._like = pixels.detach()
        self.points = self._like.contiguous()
        self.faces = scene.faces.contiguous()
        self.source = TEXTURE if texture is not None else COLOURS if colours is not None else NO_COLOUR
        nothing = self.nothing
        self.arguments = (
            scene.face_id, self.points, self.faces, _or(scene.uv, nothing(2, 2)), _or(texture, nothing(4)),
            _or(colours, nothing(3, 3)), _or(normals, nothing(3, 3)), _or(normal_map, nothing(4)),
            _or(lighting, nothing(3)), int(scene.uv is not None), self.source, int(normal_map is not None),
            int(lighting is not None), scene.samples,
        )  # fmt: skip

    def nothing(self, axes: int, last: int = 1) -> Tensor:
        return self._like.new_empty(*(1,) * (axes - 1), last)


def _or(tensor: Tensor | None, other: Tensor) -> Tensor:
    return other if tensor is None else tensor
