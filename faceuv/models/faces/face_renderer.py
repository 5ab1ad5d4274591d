"""Face model + coefficients + UV maps → image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from faceuv.checks import check_finite, check_same_device, check_shape
from faceuv.errors import InputError
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.projection import pose
from faceuv.geometry.uv import bake, displaced_normals, map_gradients, sample_map, surface_normals, unit_planes
from faceuv.geometry.weld import welded_mean
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.seam_texels import SeamTexels
from faceuv.registry import RENDERERS
from faceuv.renderers.base import Renderer
from faceuv.renderers.compositing import Background
from faceuv.renderers.masks import gradient_mask, splat_mask, visibility_mask
from faceuv.renderers.surface import draw_surface
from faceuv.structures import Coefficients, Mesh, Render, Surface, UVMaps

Normals = Literal["vertex", "map"]
MaskRule = Literal["gradient", "splat", "visibility"]


class FaceRenderer(nn.Module):
    """Draws faces: shape, displacement, pose, projection, per-pixel texture and light.

    Args:
        face_model: gives surface, UV and vertex colours.
        renderer: a :class:`~faceuv.renderers.base.Renderer`, its config, or its name.
        normals: ``"vertex"`` interpolates the normals of the displaced vertices; ``"map"`` takes them per pixel from
            the displacement map, so that wrinkles finer than the mesh show.
    """

    def __init__(
        self,
        face_model: FaceModel,
        renderer: Renderer | Mapping[str, Any] | str = "torch",
        *,
        normals: Normals = "vertex",
    ) -> None:
        super().__init__()
        if normals not in ("vertex", "map"):
            raise InputError(f"normals must be 'vertex' or 'map', got {normals!r}")
        self.face_model = face_model
        self.renderer: Renderer = RENDERERS.build(renderer)
        self.normals = normals

    def forward(
        self,
        coefficients: Coefficients,
        maps: UVMaps | None = None,
        *,
        size: int | tuple[int, int],
        background: Background = None,
        lighting: Tensor | bool = True,
    ) -> Render:
        """Draw a batch of faces.

        Args:
            maps: diffuse and displacement maps, of batch B or 1; without a diffuse map the linear albedo is drawn,
                without a displacement map the linear shape.
            size: the image's side, or ``(height, width)``, in pixels.
            background: an image ``(B or 1, 3, H, W)``, an RGB triple, a grey value, or None for black.
            lighting: True lights by the coefficients, False draws the unlit colours, a tensor ``(B or 1, 3, 9)`` lights
                by it.
        """
        surface = self.surface(coefficients, maps)
        if lighting is not True:
            surface = surface.replace(lighting=self._light(coefficients, lighting))
        return draw_surface(self.renderer, surface, size=size, background=background)

    def surface(self, coefficients: Coefficients, maps: UVMaps | None = None) -> Surface:
        """The displaced, textured surface with the pose and the light of the coefficients."""
        maps = self._checked(coefficients, maps)
        smooth = self.face_model.mesh(coefficients)
        return Surface(
            self._displaced(smooth, maps),
            coefficients.rotation,
            coefficients.translation,
            coefficients.lighting,
            diffuse=maps.diffuse,
            vertex_colours=self.face_model.albedo(coefficients.albedo) if maps.diffuse is None else None,
            normal_map=self._normal_map(smooth, maps.displacement),
        )

    def mesh(self, coefficients: Coefficients, maps: UVMaps | None = None) -> Mesh:
        """The displaced mesh in the object frame: before rotation and translation."""
        maps = self._checked(coefficients, maps)
        return self._displaced(self.face_model.mesh(coefficients), maps)

    def _displaced(self, smooth: Mesh, maps: UVMaps) -> Mesh:
        if maps.displacement is None:
            return smooth
        moved = welded_mean(sample_map(maps.displacement, self.face_model.uv), smooth.weld)
        return smooth.at(smooth.vertices + moved)

    @torch.no_grad()
    def view_mask(
        self,
        coefficients: Coefficients,
        maps: UVMaps | None = None,
        *,
        size: int | tuple[int, int],
        map_size: int | tuple[int, int],
        rule: MaskRule = "visibility",
    ) -> Tensor:
        """Texels that this view uses ``(B, 1, Hm, Wm)`` in {0, 1}: see :mod:`faceuv.renderers.masks`."""
        height, width = (size, size) if isinstance(size, int) else size
        texels = (map_size, map_size) if isinstance(map_size, int) else map_size
        surface = self.mesh(coefficients, maps)
        rotation, translation = coefficients.rotation, coefficients.translation
        chart = self.face_model.chart(*texels)
        if rule == "gradient":
            lighting = coefficients.lighting
            return gradient_mask(
                self.renderer, surface, rotation, translation, lighting, chart, height=height, width=width
            )
        world = surface.at(pose(surface.vertices, rotation, translation))
        if rule == "splat":
            view = self.renderer.look(world, height=height, width=width)
            return splat_mask(view.face_id, surface.faces, self.face_model.uv, chart, weld=surface.weld)
        if rule == "visibility":
            return visibility_mask(self.renderer, world, chart, height=height, width=width)
        raise InputError(f"rule must be 'gradient', 'splat' or 'visibility', got {rule!r}")

    def _checked(self, coefficients: Coefficients, maps: UVMaps | None) -> UVMaps:
        """Coefficients and maps after their checks; maps of batch 1 are broadcast."""
        self.face_model.check_layout(coefficients)
        batch = len(coefficients)
        if batch == 0:
            raise InputError("an empty batch of coefficients (0, N); a renderer needs at least one face")
        maps = maps or UVMaps()
        check_same_device(
            coefficients=coefficients.data,
            face_model=self.face_model.mean,
            diffuse=maps.diffuse,
            displacement=maps.displacement,
        )
        coefficients.check_finite()
        wide: dict[str, Tensor | None] = {"diffuse": maps.diffuse, "displacement": maps.displacement}
        for name, value in wide.items():
            if value is None:
                continue
            check_finite(f"the {name} map", value)
            if value.shape[0] not in (1, batch):
                raise InputError(
                    f"the {name} map must have batch {batch} (or 1) like the coefficients, got {value.shape[0]}"
                )
            wide[name] = value.expand(batch, -1, -1, -1)
        return UVMaps(**wide, roughness=maps.roughness)

    def _light(self, coefficients: Coefficients, lighting: Tensor | bool) -> Tensor | None:
        if isinstance(lighting, bool):
            return coefficients.lighting if lighting else None
        sizes = check_shape("lighting", lighting, ("B", 3, 9))
        if sizes["B"] not in (1, len(coefficients)):
            raise InputError(f"lighting must have batch {len(coefficients)} (or 1), got {sizes['B']}")
        return lighting.expand(len(coefficients), -1, -1)

    def _normal_map(self, smooth: Mesh, displacement: Tensor | None) -> Tensor | None:
        """Object-frame normals ``(B, 3, h, w)`` of the surface that the displacement map describes."""
        if self.normals == "vertex" or displacement is None:
            return None
        model, (height, width) = self.face_model, displacement.shape[2:]
        chart = model.chart(height, width)
        smooth_u, smooth_v = (bake(along, chart) for along in model.tangents(smooth.vertices))
        if smooth.weld is not None:  # derivatives along a chart end at its seams, the normals of welded vertices do not
            normals = vertex_normals(smooth.vertices, smooth.faces, smooth.weld)
            outward, seams = bake(normals, chart), SeamTexels.of(model, height, width)
            outward = unit_planes(outward if seams is None else seams(outward, normals))
            return displaced_normals(outward, smooth_u, smooth_v, displacement)
        moved_u, moved_v = map_gradients(displacement)
        return surface_normals(smooth_u + moved_u, smooth_v + moved_v, model.chart_side(height, width))
