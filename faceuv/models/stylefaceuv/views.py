"""Rendering all views of a batch at once, and how much each of their pixels counts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.faces.face_renderer import FaceRenderer, MaskRule
from faceuv.models.faces.several_views import for_views
from faceuv.renderers.compositing import composite
from faceuv.renderers.masks import combine_view_masks, mask_in_view, splat_mask
from faceuv.structures import Coefficients, Render, UVMaps


@dataclass(frozen=True, eq=False)
class ViewRender:
    """V views of B faces, rendered; one view after the other.

    image    ``(V·B, 3, S, S)`` over black
    mask     ``(V·B, 1, S, S)`` coverage
    weights  ``(V·B, 1, S, S)`` how much each pixel counts, or None: all alike
    maps     the maps that were drawn, of B faces, or of V·B where each view has its own
    """

    image: Tensor
    mask: Tensor
    weights: Tensor | None
    maps: UVMaps

    def over(self, background: Tensor) -> Tensor:
        """The renders pasted over images ``(V·B, 3, S, S)``."""
        return composite(self.image, self.mask, background)

    def detach(self) -> ViewRender:
        """Without gradients."""
        weights = None if self.weights is None else self.weights.detach()
        return ViewRender(self.image.detach(), self.mask.detach(), weights, self.maps.detach())


@dataclass(frozen=True)
class ViewWeights:
    """Which view decides about which texel, as seen in the views; ``mask=dict(rule="splat", override=0.5)``.

    Each view uses some texels of the maps. The original view counts fully; the symmetric view counts fully for texels
    that only it sees, and ``override`` for those that the original sees, too.

    Args:
        rule: ``"gradient"``, the paper's: texels with a gradient of the image; ``"splat"``, the same texels (but for
            the gradient's holes) from the faces that the render saw, at no cost worth naming; ``"visibility"``: texels
            whose own surface point the camera sees.
        override: of the symmetric view where the original sees.
    """

    rule: MaskRule = "splat"
    override: float = 0.5

    def __post_init__(self) -> None:
        if self.rule not in ("gradient", "splat", "visibility"):
            raise InputError(f"mask.rule must be 'gradient', 'splat' or 'visibility', got {self.rule!r}")
        if not 0 <= self.override <= 1:
            raise InputError(f"mask.override lies in [0, 1], got {self.override}")

    @torch.no_grad()
    def texels(self, renderer: FaceRenderer, drawn: Render, coefficients: Coefficients, maps: UVMaps) -> Tensor:
        """The texels that each view uses ``(V·B, 1, Hm, Wm)`` in {0, 1}."""
        given = maps.diffuse if maps.diffuse is not None else maps.displacement
        assert given is not None  # a UV generator makes one map at least
        height, width = given.shape[2:]
        if self.rule == "splat":  # the render knows already which faces it saw
            model = renderer.face_model
            return splat_mask(drawn.face_id, model.faces, model.uv, model.chart(height, width), weld=model.weld)
        size = (drawn.image.shape[2], drawn.image.shape[3])
        return renderer.view_mask(coefficients, maps.detach(), size=size, map_size=(height, width), rule=self.rule)

    @torch.no_grad()
    def __call__(
        self, renderer: FaceRenderer, drawn: Render, coefficients: Coefficients, maps: UVMaps, views: int
    ) -> Tensor:
        """Weights of the pixels ``(V·B, 1, S, S)`` of ``views`` = V views, which ``drawn`` shows."""
        texels = self.texels(renderer, drawn, coefficients, maps)
        if views == 2:
            texels = torch.cat(combine_view_masks(*texels.chunk(2), override=self.override))
        return mask_in_view(texels, drawn.uv.detach())


def render_views(
    renderer: FaceRenderer,
    coefficients: Coefficients,
    maps: UVMaps,
    size: int,
    *,
    views: int = 1,
    mask: ViewWeights | None = None,
    clamp: bool = False,
) -> ViewRender:
    """Render the faces ``coefficients (V·B, N)``, V = ``views``, in one call, at ``size``² pixels.

    Everything is computed in full precision, whatever the networks around it use.

    Args:
        maps: of B faces, shared by all their views, or of V·B.
        mask: how the pixels of each view are weighed; None: all alike.
        clamp: clamp the face's colours to [0, 1].
    """
    with torch.autocast(coefficients.data.device.type, enabled=False):
        every = for_views(maps, len(coefficients))
        drawn = renderer(coefficients, every, size=size)
        weights = None if mask is None else mask(renderer, drawn, coefficients, every, views)
    image = drawn.image.clamp_min(0).minimum(drawn.mask) if clamp else drawn.image  # colours are times the coverage
    return ViewRender(image, drawn.mask, weights, maps)
