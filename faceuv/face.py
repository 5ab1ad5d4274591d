"""``Face``: one person, to look at, pose, relight, re-express and save. The five-line API on top of every room.

>>> from faceuv import Face
>>> face = Face.random(seed=7).with_expression(smile=0.8)
>>> image = face.render(256, yaw_deg=30, light="left")        # (3, 256, 256) in [0, 1]
>>> face.save("face.glb")                                     # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import check_finite, check_floating, one_line, shown
from faceuv.errors import AssetError, FaceUVError, InputError
from faceuv.export import MeshFile, save_mesh, save_video
from faceuv.export.face_mesh import face_mesh
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.models.faces.control import expressed, finite, posed, relit
from faceuv.registry import FACE_MODELS, RENDERERS
from faceuv.renderers import Renderer
from faceuv.structures import Coefficients, Render, UVMaps

DEFAULT_FACE_MODEL = "ProceduralFace"
DEFAULT_RENDERER = {"type": "torch", "samples": 2}  # pictures are looked at: two samples per axis do not alias
BACKGROUND = (0.86, 0.87, 0.89)  # a neutral studio wall
FILE_VERTICES = 70_000  # of the mesh that a file may ask for: twice the default, 15 s and 1.3 GB to build
TEXTURE_SIZE = 1024  # of the linear albedo, when there is no diffuse map of its own

# How far a random person strays from the mean: a likely shape, any skin, a face mostly at rest.
_IDENTITY_SIGMA, _EXPRESSION_SIGMA, _ALBEDO_SIGMA = 0.85, 0.35, 1.0

Config = str | Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Face:
    """One face: coefficients, optional maps, and the parts that turn them into pictures and files.

    Every ``with_…`` returns a new face. Angles are degrees here and only here; ``yaw_deg`` > 0 turns to the viewer's
    right, ``pitch_deg`` > 0 looks down, ``roll_deg`` > 0 tilts counter-clockwise in the picture.
    """

    coefficients: Coefficients
    face_model: FaceModel
    renderer: Renderer
    maps: UVMaps | None = None
    metadata: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if len(self.coefficients) != 1:
            raise InputError(f"a Face holds one person, got coefficients of {len(self.coefficients)}; index the batch")
        self.face_model.check_layout(self.coefficients)
        self.coefficients.check_finite()

    # ---------------------------------------------------------------- making one

    @classmethod
    def mean(cls, *, face_model: Config | FaceModel | None = None, renderer: Config | Renderer | None = None) -> Face:
        """The mean face at rest, from the front, under the studio light."""
        model = build_face_model(face_model)
        coefficients = Coefficients.zeros(1, model.layout, device=model.mean.device, dtype=model.mean.dtype)
        return cls(coefficients, model, build_renderer(renderer)).with_lighting("studio")

    @classmethod
    def random(
        cls,
        seed: int,
        *,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
    ) -> Face:
        """A random person of the linear model: the same seed gives the same face."""
        face = cls.mean(face_model=face_model, renderer=renderer)
        generator = torch.Generator().manual_seed(seed)
        layout = face.face_model.layout

        def draw(count: int, sigma: float) -> Tensor:
            return sigma * torch.randn(1, count, generator=generator)

        groups = {
            "identity": draw(layout.identity, _IDENTITY_SIGMA),
            "expression": draw(layout.expression, _EXPRESSION_SIGMA),
            "albedo": draw(layout.albedo, _ALBEDO_SIGMA),
        }
        model = type(face.face_model).__name__
        return replace(
            face, coefficients=face.coefficients.replace(**groups), metadata={"seed": seed, "face_model": model}
        )

    # ---------------------------------------------------------------- changing it

    def with_pose(
        self, yaw_deg: float | None = None, pitch_deg: float | None = None, roll_deg: float | None = None
    ) -> Face:
        """Turn the head; an angle that is not given stays as it is."""
        turned = posed(self.coefficients, yaw_deg=yaw_deg, pitch_deg=pitch_deg, roll_deg=roll_deg)
        return replace(self, coefficients=turned)

    def with_expression(self, coefficients: Tensor | None = None, /, **amounts: float) -> Face:
        """A new expression.

        Args:
            coefficients: ``(E,)`` or ``(1, E)`` raw coefficients that replace the present ones.
            **amounts: named movements, 1.0 = the full movement, set in place of their modes' coefficients:
                ``face.with_expression(smile=0.7, jaw_open=0.3)``. Names the model does not know are an error that
                lists the known ones.
        """
        return replace(self, coefficients=expressed(self.coefficients, self.face_model, coefficients, amounts))

    def with_lighting(self, light: str | Tensor) -> Face:
        """Relight: a name (``"studio"``, ``"left"``, ``"warm"``, …) or SH coefficients ``(3, 9)`` / ``(1, 3, 9)``."""
        return replace(self, coefficients=relit(self.coefficients, light))

    def with_maps(self, maps: UVMaps | None) -> Face:
        """Exchange the diffuse and displacement maps; ``None`` goes back to the linear albedo."""
        return replace(self, maps=maps)

    def interpolate(self, other: Face, t: float) -> Face:
        """The face between this one (t = 0) and ``other`` (t = 1): all coefficients, pose and light among them, and the
        maps, of which both have the same ones or none. (Between codes: :meth:`FaceGenerator.interpolate`.)"""
        self.face_model.check_layout(other.coefficients)
        t = finite("t", t)
        between = torch.lerp(self.coefficients.data, other.coefficients.data.to(self.coefficients.data), t)
        return replace(
            self,
            coefficients=Coefficients(between, self.coefficients.layout),
            maps=_between(self.maps, other.maps, t),
            metadata={"between": [dict(self.metadata or {}), dict(other.metadata or {})], "t": t},
        )

    # ---------------------------------------------------------------- looking at it

    def render(
        self,
        size: int | tuple[int, int] = 256,
        *,
        yaw_deg: float | None = None,
        pitch_deg: float | None = None,
        roll_deg: float | None = None,
        light: str | Tensor | None = None,
        background: Tensor | tuple[float, float, float] = BACKGROUND,
    ) -> Tensor:
        """A picture ``(3, H, W)`` in [0, 1]; ``size`` is a side or (H, W). What is not given stays as it is."""
        face = self.with_pose(yaw_deg, pitch_deg, roll_deg)
        face = face if light is None else face.with_lighting(light)
        return face.render_full(size, background=background).image[0].clamp(0, 1)

    def render_full(
        self,
        size: int | tuple[int, int] = 256,
        *,
        background: Tensor | tuple[float, float, float] | None = BACKGROUND,
        shape_only: bool = False,
    ) -> Render:
        """Everything the renderer saw (image, mask, depth, normals, …); ``shape_only`` paints the surface grey."""
        with torch.no_grad():
            view = FaceRenderer(self.face_model, self.renderer, normals="map")
            maps = _grey(self.maps, self.coefficients) if shape_only else self.maps
            result: Render = view(self.coefficients, maps, size=size, background=background)
            return result

    def turntable(
        self, frames: int = 36, size: int | tuple[int, int] = 256, *, yaw_deg: float = 60.0, **options: Any
    ) -> Iterator[Tensor]:
        """Pictures ``(3, H, W)`` that swing smoothly from the front to ±``yaw_deg`` and back: a seamless loop."""
        if frames < 1:
            raise InputError(f"a turntable needs at least one frame, got {frames}")
        for k in range(frames):
            yield self.render(size, yaw_deg=yaw_deg * math.sin(2 * math.pi * k / frames), **options)

    def save_turntable(
        self, path: str | Path, *, frames: int = 48, size: int | tuple[int, int] = 256, fps: float = 24, **options: Any
    ) -> Path:
        """Write :meth:`turntable` as ``.gif`` or ``.mp4``."""
        return save_video(path, self.turntable(frames, size, **options), fps=fps)

    # ---------------------------------------------------------------- files

    def vertices(self) -> Tensor:
        """The displaced surface ``(V, 3)`` in decimetres, object frame, without pose."""
        return FaceRenderer(self.face_model, self.renderer).surface(self.coefficients, self.maps).vertices[0]

    def diffuse(self, size: int = TEXTURE_SIZE) -> Tensor:
        """The diffuse texture ``(3, H, W)`` in [0, 1]: the map, or the linear albedo painted at ``size``²."""
        if self.maps is not None and self.maps.diffuse is not None:
            return self.maps.diffuse[0].clamp(0, 1)
        return self.face_model.albedo_map(self.coefficients.albedo, size, size)[0]

    def mesh_file(self, *, blend_shapes: bool = False, name: str = "face") -> MeshFile:
        """What :meth:`save` writes: the surface at rest pose, its textures and, if asked, expression blend shapes."""
        return face_mesh(
            FaceRenderer(self.face_model, self.renderer),
            self.coefficients,
            self.maps,
            self.diffuse(),
            blend_shapes=blend_shapes,
            name=name,
            metadata=self.metadata,
        )

    def save(self, path: str | Path, *, blend_shapes: bool = False) -> Path:
        """Write ``.glb``, ``.obj`` or ``.ply`` (a textured mesh) or ``.safetensors`` (this face, for :meth:`load`)."""
        path = Path(path)
        with torch.no_grad():
            if path.suffix == ".safetensors":
                return self._save_state(path)
            return save_mesh(path, self.mesh_file(blend_shapes=blend_shapes, name=path.stem))

    def _save_state(self, path: Path) -> Path:
        tensors = {"coefficients": self.coefficients.data.cpu().contiguous()}
        if self.maps is not None:
            for name in ("diffuse", "displacement"):
                value = getattr(self.maps, name)
                if value is not None:
                    tensors[name] = value.cpu().contiguous()
        metadata = {"kind": "face", **(self.metadata or {}), "face_model": self.face_model.config()}
        return save_tensors(path, tensors, metadata)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
    ) -> Face:
        """Read a face written by ``save("….safetensors")``; the face model is the one it names unless given."""
        tensors, metadata = load_tensors(path, kind="face")
        model = (
            stored_face_model(path, metadata.get("face_model")) if face_model is None else build_face_model(face_model)
        )
        wrong = sorted(set(tensors) - {"coefficients", "diffuse", "displacement"})
        if "coefficients" not in tensors or wrong:
            raise AssetError(
                f"{path}: a face holds 'coefficients' and may hold 'diffuse' and 'displacement', found"
                f" {shown(sorted(tensors))}; save the face again"
            )
        kept = {key: value for key, value in metadata.items() if key not in ("kind", "faceuv_version")}
        try:
            for name, value in tensors.items():
                check_floating(name, value)
                check_finite(name, value)
            values = {name: value.to(model.mean) for name, value in tensors.items()}
            coefficients = Coefficients(values.pop("coefficients"), model.layout)
            return cls(coefficients, model, build_renderer(renderer), UVMaps(**values) if values else None, kept)
        except InputError as error:
            raise AssetError(f"{path} holds no face of this face model: {error}; save the face again") from error


def build_face_model(config: Config | FaceModel | None) -> FaceModel:
    """A face model from a name, a config or itself; ``None`` is the procedural one."""
    model: FaceModel = FACE_MODELS.build(DEFAULT_FACE_MODEL if config is None else config)
    return model


def stored_face_model(path: str | Path, config: Any) -> FaceModel:
    """The face model that a file names.

    A file of a kilobyte may not ask for a mesh that takes minutes and gigabytes to build: more than
    :data:`FILE_VERTICES` rows times columns are an error.
    """
    if config is not None and not isinstance(config, (str, Mapping)):
        raise AssetError(f"{path}: its face model must be a name or a config with a type, found {shown(config)}")
    sizes = [config.get(name, 1) for name in ("rows", "columns")] if isinstance(config, Mapping) else [1]
    whole = all(isinstance(size, int) for size in sizes)
    if whole and math.prod(sizes) > FILE_VERTICES:
        raise AssetError(
            f"{path} names a face model of {' × '.join(map(str, sizes))} vertices; a file may ask for"
            f" {FILE_VERTICES:,}. If that is what you want, give face_model= yourself"
        )
    try:
        return build_face_model(config)
    except FaceUVError as error:
        raise AssetError(f"{path}: its face model cannot be built: {error}") from error
    except (TypeError, ValueError) as error:
        raise AssetError(f"{path}: its face model {shown(config)} cannot be built: {one_line(error)}") from error


def build_renderer(config: Config | Renderer | None) -> Renderer:
    """A renderer from a name, a config or itself; ``None`` is the built-in one."""
    renderer: Renderer = RENDERERS.build(DEFAULT_RENDERER if config is None else config)
    return renderer


def _between(first: UVMaps | None, second: UVMaps | None, t: float) -> UVMaps | None:
    if first is None and second is None:
        return None
    mixed: dict[str, Tensor | None] = {}
    for name in ("diffuse", "displacement"):
        pair = [getattr(maps, name, None) for maps in (first, second)]
        shapes = [None if value is None else tuple(value.shape) for value in pair]
        if shapes[0] != shapes[1]:
            raise InputError(f"faces between two need {name} maps of one size in both, or in neither; got {shapes}")
        a, b = pair
        mixed[name] = None if a is None or b is None else torch.lerp(a, b.to(a), t)
    return UVMaps(**mixed)


def _grey(maps: UVMaps | None, coefficients: Coefficients) -> UVMaps:
    plain = torch.full((1, 3, 2, 2), 0.72).to(coefficients.data)
    return UVMaps(diffuse=plain, displacement=None if maps is None else maps.displacement)
