"""The base of all renderers. A backend finds the triangle at each pixel; everything else is done here."""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.checks import check_finite, check_same_device, check_shape
from faceuv.errors import InputError, MissingDependency
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.projection import project
from faceuv.geometry.scan import Cull
from faceuv.geometry.weld import welded_faces
from faceuv.renderers.antialias import Topology, blend_edges, find_crossings
from faceuv.renderers.compositing import Background, composite, shade
from faceuv.renderers.edge_gradient import edge_gradient
from faceuv.renderers.interpolation import Fragments, fragments, interpolate, spread, unit
from faceuv.renderers.texture import sample_texture
from faceuv.structures import Camera, Mesh, Render

Antialias = Literal["edges", "gradient"] | None


class Renderer(nn.Module):
    """Draws textured, lit triangle meshes, differentiably. A backend supplies visibility alone.

    To add a backend, write one class with ``name``, :meth:`available` and :meth:`rasterize`, and register it::

        @RENDERERS.register_module(name="mine")
        class MyRenderer(Renderer):
            name = "mine"

            @classmethod
            def available(cls, device): return True

            def rasterize(self, pixels, faces, height, width, *, cull="none"): ...

    Args:
        camera: a :class:`~faceuv.structures.Camera` or its fields as a dict.
        texture_samples: look-ups per axis over each pixel's footprint on the texture, so that it does not alias.
        samples: supersampling per axis of the whole image: ``samples²`` shaded points per pixel, averaged.
        antialias: ``"edges"`` smooths silhouettes analytically and makes them differentiable; ``"gradient"`` leaves the
            image as it is and only adds silhouette gradients; None does neither.
        cull: ``"back"`` or ``"front"`` drops the faces turned away from, or toward, the camera.
    """

    name: ClassVar[str]
    package: ClassVar[str | None] = None  # the optional package a backend needs, by its import name
    install: ClassVar[str] = ""  # the full line that installs it

    def __init__(
        self,
        camera: Camera | Mapping[str, Any] | None = None,
        *,
        texture_samples: int = 2,
        samples: int = 1,
        antialias: Antialias = "edges",
        cull: Cull = "none",
    ) -> None:
        super().__init__()
        self.check_installed()
        for option, value in (("samples", samples), ("texture_samples", texture_samples)):
            if not _is_count(value):
                raise InputError(f"{option} must be an integer ≥ 1 (per axis), got {value!r}")
        if antialias not in ("edges", "gradient", None):
            raise InputError(f"antialias must be 'edges', 'gradient' or None, got {antialias!r}")
        if cull not in ("none", "back", "front"):
            raise InputError(f"cull must be 'none', 'back' or 'front', got {cull!r}")
        self.camera = Camera.of(camera)
        self.texture_samples = int(texture_samples)
        self.samples = int(samples)
        self.antialias = antialias
        self.cull = cull
        self._topology: tuple[Tensor, tuple[int, int], Topology] | None = None

    @classmethod
    @abstractmethod
    def available(cls, device: torch.device | str) -> bool:
        """Whether this backend can draw on ``device``."""

    @abstractmethod
    def rasterize(self, pixels: Tensor, faces: Tensor, height: int, width: int, *, cull: Cull = "none") -> Tensor:
        """Face ids ``(B, H, W)`` int64, −1 where nothing is seen; carries no gradient.

        ``pixels (B, V, 3)`` float32: x right and y down in pixels, z = view depth; ``faces (F, 3)`` int64. Pixel (r, c)
        has its centre at (c + ½, r + ½); smaller z is nearer; a face with a vertex at z ≤ 10⁻⁴ is dropped; of equal
        depths the lower face id wins.
        """

    @classmethod
    def installed(cls) -> bool:
        """Whether the package of this backend is installed."""
        return cls.package is None or importlib.util.find_spec(cls.package) is not None

    @classmethod
    def check_installed(cls) -> None:
        if not cls.installed():
            raise MissingDependency(
                f"the renderer {cls.name!r} needs the package {cls.package!r}, which is not installed. Install it:"
                f" {cls.install} — or use the built-in renderer, type='torch'"
            )

    def forward(
        self,
        mesh: Mesh,
        *,
        height: int,
        width: int,
        texture: Tensor | None = None,
        vertex_colours: Tensor | None = None,
        lighting: Tensor | None = None,
        normals: Tensor | None = None,
        normal_map: Tensor | None = None,
        background: Background = None,
        camera: Camera | None = None,
    ) -> Render:
        """Draw ``mesh``, whose vertices are in the world frame (after the rigid transform).

        Args:
            texture: ``(B, 3, h, w)`` RGB, looked up per pixel through ``mesh.uv``; or
            vertex_colours: ``(B, V, 3)`` RGB, interpolated. Exactly one of the two.
            lighting: ``(B, 3, 9)`` spherical-harmonic coefficients; None draws the unlit colours.
            normals: ``(B, V, 3)`` world-frame vertex normals; by default those of the mesh.
            normal_map: ``(B, 3, h, w)`` world-frame normals looked up per pixel, instead of ``normals``.
            background: an image ``(B or 1, 3, H, W)``, an RGB triple, a grey value, or None for black.
            camera: used in place of the renderer's own.

        ``image`` and ``mask`` are antialiased; ``depth``, ``normal``, ``uv`` and ``face_id`` are at pixel centres.
        """
        self._check(mesh, height, width, texture, vertex_colours, lighting, normals, normal_map)
        self._topology_of(mesh)
        if normals is None and normal_map is None:
            normals = vertex_normals(mesh.vertices, mesh.faces, mesh.weld)
        look = Appearance(texture, vertex_colours, lighting, normals, normal_map, background)
        s, camera = self.samples, camera or self.camera
        drawn = self._paint(mesh, look, height * s, width * s, camera, s)
        if s == 1:
            return drawn
        image, mask = F.avg_pool2d(drawn.image, s), F.avg_pool2d(drawn.mask, s)
        return replace(self._relief(mesh, look, height, width, camera), image=image, mask=mask)

    def _paint(self, mesh: Mesh, look: Appearance, height: int, width: int, camera: Camera, repeat: int) -> Render:
        """All layers at this size, over the background, whose pixels are repeated. A backend may have a faster way."""
        view = self._look(mesh, height, width, camera)
        uv = None if mesh.uv is None else interpolate(mesh.uv.to(view.pixels.dtype), view.at)
        colour, normal = self._surface_at(mesh, view, uv, look)
        image = spread(colour, view.at).permute(0, 3, 1, 2).contiguous()
        normal = spread(normal, view.at)
        if look.lighting is not None:
            image = shade(image, normal, look.lighting)
        mask = (view.face_id >= 0)[:, None].to(image.dtype)
        depth = spread(view.at.depth[:, None], view.at)
        if self.antialias == "edges":
            topology = self._topology_of(mesh)
            crossings = find_crossings(view.pixels, mesh.faces, topology, view.face_id, depth.detach()[..., 0])
            image, mask = blend_edges(image, crossings), blend_edges(mask, crossings).clamp(0, 1)  # but for rounding
        image = composite(image, mask, look.background, repeat=repeat)
        if self.antialias == "gradient":
            both = edge_gradient(torch.cat([image, mask], 1), view.pixels, view.face_id, view.at)
            image, mask = both.split([3, 1], 1)
        return _render(image, mask, depth, normal, uv, view)

    def _relief(self, mesh: Mesh, look: Appearance, height: int, width: int, camera: Camera) -> Render:
        """Depth, normals, uv and face ids alone; image and mask are empty."""
        view = self._look(mesh, height, width, camera)
        uv = None if mesh.uv is None else interpolate(mesh.uv.to(view.pixels.dtype), view.at)
        normal = spread(self._normals_at(mesh, view, uv, look), view.at)
        depth = spread(view.at.depth[:, None], view.at)
        nothing = depth.new_empty(0)
        return _render(nothing, nothing, depth, normal, uv, view)

    def look(self, mesh: Mesh, *, height: int, width: int, before: Tensor | None = None) -> Rasterized:
        """Visibility alone: the face at each pixel centre of a ``height × width`` image, and the point on it.

        With ``before``, view depths ``(B, H, W)``, pixels are left out whose whole face lies behind them.
        """
        self._check(mesh, height, width)
        self._topology_of(mesh)
        return self._look(mesh, height, width, self.camera, before)

    def _look(self, mesh: Mesh, height: int, width: int, camera: Camera, before: Tensor | None = None) -> Rasterized:
        pixels, face_id = self._see(mesh, height, width, camera)
        if before is not None:
            face_id = face_id.masked_fill(_nearest_corner(pixels.detach(), mesh.faces, face_id) > before, -1)
        return Rasterized(pixels, face_id, fragments(pixels, mesh.faces, face_id))

    def _see(self, mesh: Mesh, height: int, width: int, camera: Camera) -> tuple[Tensor, Tensor]:
        """Projected vertices ``(B, V, 3)`` and face ids ``(B, H, W)``."""
        pixels = project(mesh.vertices, camera, height, width)
        # In front of the near plane or not at all; backends drop faces with a vertex at z ≤ 0 by themselves.
        pixels = pixels.masked_fill((pixels[..., 2:] <= camera.near), -1.0)
        return pixels, self.rasterize(pixels.detach().float(), mesh.faces, height, width, cull=self.cull)

    def _look_up(self, texture: Tensor, mesh: Mesh, uv: Tensor | None, view: Rasterized) -> Tensor:
        assert uv is not None and mesh.uv is not None  # a texture comes with uv: see _check
        return sample_texture(texture, uv, view.at, vertex_uv=mesh.uv.to(uv.dtype), samples=self.texture_samples)

    def _surface_at(self, mesh: Mesh, view: Rasterized, uv: Tensor | None, look: Appearance) -> tuple[Tensor, Tensor]:
        """Unlit colours and unit normals at the fragments, each ``(P, 3)``."""
        texture, normal_map = look.texture, look.normal_map
        if texture is None:
            assert look.vertex_colours is not None  # one of the two is given: see _check
            return interpolate(look.vertex_colours, view.at), self._normals_at(mesh, view, uv, look)
        if normal_map is not None and normal_map.shape[2:] == texture.shape[2:]:  # one look-up for both
            colour, normal = self._look_up(torch.cat([texture, normal_map], 1), mesh, uv, view).split(3, 1)
            return colour, unit(normal)
        return self._look_up(texture, mesh, uv, view), self._normals_at(mesh, view, uv, look)

    def _normals_at(self, mesh: Mesh, view: Rasterized, uv: Tensor | None, look: Appearance) -> Tensor:
        """Unit normals at the fragments ``(P, 3)``."""
        if look.normal_map is not None:
            return unit(self._look_up(look.normal_map, mesh, uv, view))
        assert look.normals is not None  # those of the mesh, at least: see forward
        return unit(interpolate(look.normals, view.at))

    def _topology_of(self, mesh: Mesh) -> Topology:
        """Edges of the mesh, kept for the last ``faces`` tensor; checks the indices of a new one.
        A UV seam is no edge."""
        faces, version = mesh.faces, mesh.faces._version
        known = self._topology
        if known is None or known[0] is not faces or known[1] != (version, mesh.vertices.shape[1]):
            mesh.check_faces()
            count, welded = mesh.vertices.shape[1], welded_faces(faces, mesh.weld)
            known = (faces, (version, count), Topology.build(welded, count))
            self._topology = known
        return known[2]

    def _check(self, mesh: Mesh, height: int, width: int, *arguments: Tensor | None) -> None:
        texture, vertex_colours, lighting, normals, normal_map = arguments or (None,) * 5
        device = mesh.vertices.device
        if not self.available(device):
            raise InputError(f"the renderer {self.name!r} cannot draw on {device} here; type='torch' draws anywhere")
        sizes = check_shape("mesh.vertices", mesh.vertices, ("B", "V", 3))
        if sizes["B"] == 0:
            raise InputError("mesh.vertices is an empty batch (0, V, 3); a renderer needs at least one mesh")
        for axis, size in (("height", height), ("width", width)):
            if not _is_count(size):
                raise InputError(f"{axis} must be an integer ≥ 1, got {size!r}")
        check_finite("mesh.vertices", mesh.vertices)
        tensors = dict(
            texture=(texture, (sizes["B"], 3, "h", "w")),
            vertex_colours=(vertex_colours, (sizes["B"], sizes["V"], 3)),
            lighting=(lighting, (sizes["B"], 3, 9)),
            normals=(normals, (sizes["B"], sizes["V"], 3)),
            normal_map=(normal_map, (sizes["B"], 3, "h", "w")),
        )
        for name, (tensor, shape) in tensors.items():
            if tensor is not None:
                check_shape(name, tensor, shape)
                if tensor.dtype != mesh.vertices.dtype:
                    raise InputError(f"{name} must be {mesh.vertices.dtype} like mesh.vertices, got {tensor.dtype}")
        check_same_device(
            **{"mesh.vertices": mesh.vertices, "mesh.faces": mesh.faces, "mesh.uv": mesh.uv},
            **{name: tensor for name, (tensor, _) in tensors.items()},
        )
        for name, value in {"mesh.uv": mesh.uv, **{name: tensor for name, (tensor, _) in tensors.items()}}.items():
            if value is not None:
                check_finite(name, value.detach())
        if arguments and (texture is None) == (vertex_colours is None):
            raise InputError("give either texture (B, 3, h, w) or vertex_colours (B, V, 3), one of the two")
        if mesh.uv is None and (texture is not None or normal_map is not None):
            raise InputError("a texture or normal map needs mesh.uv (V, 2); this mesh has none")

    def extra_repr(self) -> str:
        options = ("texture_samples", "samples", "antialias", "cull")
        return ", ".join([str(self.camera), *(f"{name}={getattr(self, name)!r}" for name in options)])


def _nearest_corner(pixels: Tensor, faces: Tensor, face_id: Tensor) -> Tensor:
    """The depth ``(B, H, W)`` of the nearest corner of the face at each pixel; of any face where there is none."""
    depth = pixels[..., 2]
    nearest = torch.stack([depth.index_select(1, corner) for corner in faces.unbind(1)]).amin(0)  # (B, F)
    return nearest.gather(1, face_id.flatten(1).clamp_min(0)).view(face_id.shape)


def _is_count(value: object) -> bool:
    """Whether ``value`` is a whole number ≥ 1, NumPy's included."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


@dataclass(frozen=True, eq=False)
class Rasterized:
    """What a camera sees of a mesh: projected vertices ``pixels (B, V, 3)``, ``face_id``, the covered pixels."""

    pixels: Tensor
    face_id: Tensor
    at: Fragments


@dataclass(frozen=True, eq=False)
class Appearance:
    """What :meth:`Renderer.forward` gets to colour a mesh with; ``normals`` or ``normal_map`` is there."""

    texture: Tensor | None
    vertex_colours: Tensor | None
    lighting: Tensor | None
    normals: Tensor | None
    normal_map: Tensor | None
    background: Background


def _render(image: Tensor, mask: Tensor, depth: Tensor, normal: Tensor, uv: Tensor | None, view: Rasterized) -> Render:
    """From layers with channels last, and uv ``(P, 2)`` at the fragments."""
    flat_uv = view.pixels.new_zeros(view.at.flat.shape[0], 2) if uv is None else uv
    return Render(
        image=image,
        mask=mask,
        depth=depth.permute(0, 3, 1, 2),
        normal=normal.permute(0, 3, 1, 2),
        uv=spread(flat_uv, view.at).permute(0, 3, 1, 2),
        face_id=view.face_id,
    )
