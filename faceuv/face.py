"""``Face``: one face that can be rendered, posed, relit, given another expression, and saved.

>>> from faceuv import Face
>>> face = Face.random(seed=7).with_expression(smile=0.8)
>>> image = face.render(256, yaw_deg=30, light="left")        # (3, 256, 256) in [0, 1]
>>> face.save("face.glb")                                     # doctest: +SKIP
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import check_finite, check_floating, file_path, one_line, picture_size, shown, whole_number
from faceuv.errors import AssetError, FaceUVError, InputError, did_you_mean
from faceuv.export import MOVING, Animation, MeshFile, save_mesh, save_video
from faceuv.export.face_mesh import face_mesh, surface_mesh
from faceuv.export.hair_part import WornHair
from faceuv.export.images import encode
from faceuv.export.movements import EyesBy
from faceuv.export.page import PageFace, embedded, frame_of, page_html, save_page
from faceuv.export.textures import check_texture_size
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.files.licences import OURS, head_licence, licence
from faceuv.files.surfaces import surface_from, surface_tensors
from faceuv.geometry.lighting import light_names, named_light
from faceuv.geometry.rotations import euler_to_matrix, rotate
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.models.faces.appearance import appearance_maps, has_appearance, likely_age
from faceuv.models.faces.arkit import ARKitWeights
from faceuv.models.faces.arkit.control import with_arkit, with_gaze
from faceuv.models.faces.control import between_maps, between_surfaces, expressed, finite, lighting_of, turned
from faceuv.models.faces.hair import Hair, HairMesh, hair_mesh, over_surface
from faceuv.models.faces.hair.worn import drawn_hair, rooted, stored_hair, worn_roots
from faceuv.registry import FACE_MODELS, RENDERERS, Registry
from faceuv.renderers import Renderer, draw_surface
from faceuv.structures import Coefficients, Render, Surface, UVMaps

DEFAULT_FACE_MODEL = "ProceduralFace"
DEFAULT_RENDERER = {"type": "torch", "samples": 2}  # two samples per axis: pictures without aliasing
BACKGROUND = (0.86, 0.87, 0.89)  # a neutral studio wall
FILE_VERTICES = 70_000  # of the mesh that a file may ask for: twice the default, 15 s and 1.3 GB to build
_HALF, _MOST = 0.45, 0.475  # of a picture's side, that half a centred head takes: a model's mean, anybody at most
NOTEBOOK_TEXTURE = 512  # of a face in a notebook, which keeps every cell's output
TEXTURE_SIZE = 1024  # of the linear albedo, when there is no diffuse map of its own

_GREY = 0.72  # of pictures that show the shape alone
FILE_KIND = "face"

Config = str | Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Face:
    """One face: a :class:`~faceuv.structures.Surface`, its renderer, and methods that change it and write files.

    The surface comes from the coefficients of a face model, with or without UV maps; or a method without a face model
    gives it directly (:meth:`of_surface`). Expressions and raw coefficients need a face model.

    Every ``with_…`` returns a new face. Angles are degrees here and only here; ``yaw_deg`` > 0 turns to the viewer's
    right, ``pitch_deg`` > 0 looks down, ``roll_deg`` > 0 tilts counter-clockwise in the picture.
    """

    coefficients: Coefficients | None
    face_model: FaceModel | None
    renderer: Renderer
    maps: UVMaps | None = None
    metadata: Mapping[str, Any] | None = None
    given: Surface | None = None
    hair: Hair | None = None

    def __post_init__(self) -> None:
        if self.given is not None:
            if self.coefficients is not None or self.face_model is not None or self.maps is not None:
                raise InputError("a Face has a given surface, or coefficients with a face model (and maps), not both")
            if self.hair is not None:
                raise InputError("hair grows on the head of a face model, and this face is a given surface without one")
            if len(self.given) != 1:
                raise InputError(f"a Face holds one person, got a surface of {len(self.given)}")
            return
        if self.coefficients is None or self.face_model is None:
            raise InputError("a Face needs coefficients and their face model, or a surface: see Face.of_surface")
        if len(self.coefficients) != 1:
            raise InputError(f"a Face holds one person, got coefficients of {len(self.coefficients)}; index the batch")
        self.face_model.check_layout(self.coefficients)
        self.coefficients.check_finite()

    def __repr__(self) -> str:
        known = {key: value for key, value in (self.metadata or {}).items() if isinstance(value, (str, int, float))}
        said = "".join(f", {key}={value!r}" for key, value in known.items() if key != "face_model")
        if self.face_model is None:
            return f"Face(surface of {self.surface.mesh.vertices.shape[1]} vertices{said})"
        maps = [name for name in ("diffuse", "displacement") if getattr(self.maps, name, None) is not None]
        return f"Face({FACE_MODELS.name_of(type(self.face_model))}{said}, maps={'+'.join(maps) or 'none'})"

    def _repr_png_(self) -> bytes:
        """The picture of the face that programs display which show no page."""
        return encode(self.render(256, centred=True))

    def _repr_html_(self) -> str:
        """The face in 3D, which notebooks display: a viewer that turns it, lights it and moves its 52 shapes."""
        page = page_html([self.on_page(texture_size=NOTEBOOK_TEXTURE)], title=repr(self)[:80], bare=True)
        return embedded(page)

    @cached_property
    def surface(self) -> Surface:
        """The textured surface with pose and light, batch 1."""
        if self.given is not None:
            return self.given
        coefficients, model = self._model_of("a surface from coefficients")
        with torch.no_grad():
            surface = FaceRenderer(model, self.renderer, normals="map").surface(coefficients, self.maps)
            return surface if self.hair is None else worn_roots(surface, model, self.hair)

    def _model_of(self, wish: str) -> tuple[Coefficients, FaceModel]:
        """Coefficients and face model; ``wish`` names in the error what needs them."""
        if self.coefficients is None or self.face_model is None:
            raise InputError(
                f"{wish} needs the coefficients of a face model, and this face is a given surface without them; faces"
                " of Face.random, of a fit or of a StyleFaceUV generator have them"
            )
        return self.coefficients, self.face_model

    @cached_property
    def _hair_mesh(self) -> HairMesh:
        coefficients, model = self._model_of("hair")
        assert self.hair is not None  # asked for by those who checked
        return hair_mesh(model, coefficients.identity, self.hair)

    def _posed_as(self, **groups: Tensor) -> Face:
        """This face with another ``rotation``, ``translation`` or ``lighting``, each ``(1, …)``."""
        if self.coefficients is None:
            surface = self.surface
            return replace(self, given=surface.replace(**{k: v.to(surface.mesh.vertices) for k, v in groups.items()}))
        return replace(self, coefficients=self.coefficients.replace(**groups))

    # ---------------------------------------------------------------- making one

    @classmethod
    def mean(cls, *, face_model: Config | FaceModel | None = None, renderer: Config | Renderer | None = None) -> Face:
        """The mean face at rest, from the front, under the studio light."""
        model = build_face_model(face_model)
        coefficients = Coefficients.zeros(1, model.layout, device=model.mean.device, dtype=model.mean.dtype)
        return cls(coefficients, model, build_renderer(renderer)).with_lighting("studio")

    @classmethod
    def of_surface(
        cls,
        surface: Surface,
        *,
        renderer: Config | Renderer | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Face:
        """A face from a surface of batch 1: it can be turned, relit and exported, but has no expressions."""
        return cls(None, None, build_renderer(renderer), metadata=metadata, given=surface)

    @classmethod
    def random(
        cls,
        seed: int,
        *,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
        texture_size: int | None = TEXTURE_SIZE,
        **traits: Any,
    ) -> Face:
        """A random face; the same seed gives the same face.

        Args:
            texture_size: of the skin's detail, on heads whose albedo is the library's own (see :meth:`with_detail`);
                None leaves the linear albedo.
            **traits: narrow the choice where the face model knows them:
                ``Face.random(3, face_model="MakeHuman", age=60)``.
        """
        face = cls.mean(face_model=face_model, renderer=renderer)
        coefficients, model = face._model_of("a random face")
        generator = torch.Generator().manual_seed(seed := whole_number("a seed", seed))
        drawn = model.random_coefficients(generator, **traits)
        metadata = {"seed": seed, "face_model": FACE_MODELS.name_of(type(model)), **traits}
        person = replace(face, coefficients=drawn.replace(lighting=coefficients.lighting), metadata=metadata)
        if texture_size is None or not has_appearance(model):
            return person
        return person.with_detail(seed, texture_size, age=traits.get("age"))

    # ---------------------------------------------------------------- changing it

    def with_pose(
        self, yaw_deg: float | None = None, pitch_deg: float | None = None, roll_deg: float | None = None
    ) -> Face:
        """The face with its head turned to these angles in degrees; None keeps the present angle."""
        rotation = turned(self.pose[0], yaw_deg=yaw_deg, pitch_deg=pitch_deg, roll_deg=roll_deg)
        return self._posed_as(rotation=rotation)

    def to(self, target: torch.device | Config | FaceModel) -> Face:
        """The face on a device, or with the topology of another face model, see :meth:`to_model`.

        A ``torch.device`` and a name that torch reads as one (``"cpu"``, ``"cuda:0"``) are devices; any other name, a
        config and a :class:`~faceuv.models.faces.FaceModel` are face models: ``face.to("MakeHuman")``. On a device,
        the face model and the renderer, which other faces may share, are moved in place.
        """
        if not isinstance(target, (str, torch.device)):
            return self.to_model(target)
        try:
            device = torch.device(target)
        except RuntimeError:
            names = FACE_MODELS.names()
            if target in names:
                return self.to_model(target)
            raise InputError(
                f"a face moves to a device (cpu, cuda:0, …) or to a face model ({', '.join(names)}), got"
                f" {shown(target)}{did_you_mean(str(target), names)}"
            ) from None
        for part in (self.face_model, self.renderer):
            if part is not None:
                part.to(device)
        return replace(
            self,
            coefficients=None if self.coefficients is None else self.coefficients.to(device),
            maps=None if self.maps is None else self.maps.to(device),
            given=None if self.given is None else self.given.to(device),
        )

    def to_model(self, face_model: Config | FaceModel, *, texture_size: int = TEXTURE_SIZE) -> Face:
        """The same person in the same pose and light with the topology of another face model: coefficients by least
        squares, maps through the dense correspondence of the two models, see
        :class:`~faceuv.models.faces.transfer.Transfer`. The first transfer between two models takes some seconds.

        Args:
            face_model: a name, a config or a model.
            texture_size: side of the new maps; a face without a diffuse map gets one of its linear albedo.
        """
        return to_face_model([self], face_model, texture_size=texture_size)[0]

    def placed(self, translation: Tensor) -> Face:
        """The same face at ``translation (1, 3)``, decimetres."""
        return self._posed_as(translation=translation)

    def centred(self) -> Face:
        """The face moved so that its whole head, crown to shoulders, is in the middle of the picture, at any yaw.

        The papers' camera, where a face is without this, shows a face from hairline to chin and cuts off the crown.
        How large it is depends on the face model alone, so that faces side by side keep their proportions; somebody
        larger than the picture would show is moved farther away. A turning or talking head stays in its place.
        """
        middle, distance, _ = self._framing()
        camera = self.surface.camera or self.renderer.camera
        away = middle.new_tensor([[0.0, 0.0, camera.distance - distance]])
        return self.placed(away - rotate(middle[None, None], euler_to_matrix(self.pose[0]))[:, 0])

    def _framing(self) -> tuple[Tensor, float, float]:
        """Of a centred picture: the point in its middle ``(3,)``, in the object frame, its distance from the camera,
        and how far the person reaches from it, decimetres."""
        if self.face_model is None or self.coefficients is None:
            mean = person = self.surface.mesh.vertices[0]
        else:
            mean = self.face_model.mean
            rest = torch.zeros_like(self.coefficients.expression)
            with torch.no_grad():
                person = self.face_model.shape(self.coefficients.identity, rest)[0]
                if self.hair is not None:
                    person = torch.cat([person, torch.from_numpy(self._hair_mesh.vertices).to(person)])
        focal = (self.surface.camera or self.renderer.camera).focal
        distance = max(focal * _reach(mean) / _HALF, _least_distance(person, focal))
        return (person.amin(0) + person.amax(0)) / 2, distance, _reach(person)

    @property
    def lies_free(self) -> bool:
        """Whether nobody has placed this face, and it is a whole head: pictures of it show all of it."""
        whole = self.face_model is not None and self.face_model.joint_weights is not None
        return whole and not bool(self.pose[1].any())

    @property
    def pose(self) -> tuple[Tensor, Tensor]:
        """Rotation in radians and translation in decimetres, ``(1, 3)`` each."""
        holder = self.surface if self.coefficients is None else self.coefficients
        return holder.rotation, holder.translation

    def with_expression(self, coefficients: Tensor | None = None, /, **amounts: float) -> Face:
        """A new expression.

        Args:
            coefficients: ``(E,)`` or ``(1, E)`` raw coefficients that replace the present ones.
            **amounts: named movements, 1.0 = the full movement, set in place of their modes' coefficients:
                ``face.with_expression(smile=0.7, jaw_open=0.3)``. Names the model does not know are an error that
                lists the known ones.
        """
        own, model = self._model_of("an expression")
        return replace(self, coefficients=expressed(own, model, coefficients, amounts))

    def with_arkit(
        self, weights: Tensor | Mapping[str, float] | None = None, /, *, most: float = 1.0, **amounts: float
    ) -> Face:
        """An expression by the 52 ARKit blend shapes: ``face.with_arkit(jawOpen=0.4, eyeBlinkLeft=1)``.

        Left and right are the subject's. The modes that the named shapes drive are set; all others stay as they are,
        so that a shape named with amount 0 is put to rest. Another face model moves as alike as its modes allow:
        ``face.face_model.arkit_table()`` says what it can express; what it cannot is an error.

        Args:
            weights: ``(52,)`` or ``(1, 52)`` in the order of :data:`faceuv.models.faces.arkit.NAMES`, which set all
                shapes, or amounts by name.
            most: the highest amount allowed, 1 by default; up to 2 is an overshoot.
            **amounts: by name, 0 … 1.
        """
        own, model = self._model_of("ARKit blend shapes")
        given = weights if isinstance(weights, Tensor) else {**(weights or {}), **amounts}
        if isinstance(weights, Tensor) and amounts:
            raise InputError("with_arkit takes all 52 weights as a tensor, or amounts by name, not both")
        return replace(self, coefficients=with_arkit(own, model, given, most=most))

    def arkit_weights(self) -> ARKitWeights:
        """The 52 ARKit amounts ``(1, 52)`` that come closest to this expression, and what they miss in mm."""
        own, model = self._model_of("ARKit blend shapes")
        return model.arkit_weights(own.expression)

    def with_gaze(self, yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> Face:
        """The face looking in a direction relative to its head, through ARKit's ``eyeLook…`` shapes: ``yaw_deg`` > 0
        to the viewer's right, ``pitch_deg`` > 0 down. A face model whose eyes cannot turn is an error."""
        own, model = self._model_of("a gaze")
        return replace(self, coefficients=with_gaze(own, model, yaw_deg, pitch_deg))

    def with_lighting(self, light: str | Tensor) -> Face:
        """Relight: a name (``"studio"``, ``"left"``, ``"warm"``, …) or SH coefficients ``(3, 9)`` / ``(1, 3, 9)``."""
        return self._posed_as(lighting=lighting_of(light, 1))

    def with_maps(self, maps: UVMaps | None) -> Face:
        """The face with other diffuse and displacement maps; ``None`` removes them, which leaves the linear albedo."""
        self._model_of("exchanging UV maps")
        if maps is not None and not isinstance(maps, UVMaps):
            raise InputError(f"maps must be UVMaps or None, got {shown(maps)}")
        return replace(self, maps=maps)

    def with_detail(
        self,
        seed: int = 0,
        size: int = 2048,
        *,
        age: float | None = None,
        freckles: float | None = None,
        eye_colour: str | None = None,
        relief: bool = True,
    ) -> Face:
        """The face with skin, brows and eyes drawn in detail, for heads whose albedo is the library's own (ICTFaceKit,
        MakeHuman, …): a diffuse map of its albedo coefficients with pores, lines, freckles, hairs, fibres and veins.

        Args:
            seed: of the detail; the same seed draws the same.
            size: of the maps, in texels.
            age: years; None asks the shape where the head model tells (MakeHuman), and leaves it to the seed elsewhere.
            freckles: 0 … 1; None leaves it to the seed and the skin.
            eye_colour: a name of ``faceuv.models.faces.appearance.EYE_COLOURS``; None is that of the coefficients.
            relief: with a displacement map of pores, lines and folds.
        """
        own, model = self._model_of("detailed skin")
        seed = whole_number("a seed", seed)
        if age is None:
            shown_age = model.likely_age(own)
            years = likely_age(seed) if shown_age is None else shown_age
        else:
            years = finite("an age", age)
        maps = appearance_maps(
            model, own.albedo, seed, size, age=years, freckles=freckles, eye_colour=eye_colour, relief=relief
        )
        return replace(self, maps=maps)

    def with_hair(
        self,
        style: str | None = None,
        *,
        colour: str | Sequence[float] | None = None,
        seed: int = 0,
        density: float = 1.0,
    ) -> Face:
        """The face with hair, in pictures and in mesh files: ``face.with_hair("long", colour="dark brown", seed=3)``.

        Args:
            style: a name of :data:`faceuv.models.faces.hair.STYLES`, ``"bald"`` for none; None leaves it to the seed.
            colour: a name of :data:`faceuv.models.faces.hair.COLOURS` or RGB in [0, 1]; None is that of the brows where
                the albedo coefficients say it, else the seed's.
            seed: of the locks; the same seed grows the same hair.
            density: 0.2 … 3, of the locks; fewer are faster to draw.
        """
        own, model = self._model_of("hair")
        hair = drawn_hair(model, own, style, colour=colour, seed=seed, density=density)
        return replace(self, hair=hair)

    def with_metadata(self, **values: Any) -> Face:
        """The same face with more metadata, as JSON values."""
        return replace(self, metadata={**(self.metadata or {}), **values})

    def interpolate(self, other: Face, t: float) -> Face:
        """The face between this one (t = 0) and ``other`` (t = 1): all coefficients, pose and light among them, and the
        maps, of which both have the same ones or none. (Between codes: :meth:`FaceGenerator.interpolate`.) Surfaces
        without coefficients are interpolated vertex by vertex; they need the same mesh."""
        t = finite("t", t)
        if not isinstance(other, Face):
            raise InputError(f"a face is interpolated with another Face, got {shown(other)}")
        metadata = {"between": [dict(self.metadata or {}), dict(other.metadata or {})], "t": t}
        if self.coefficients is None or other.coefficients is None:
            if self.coefficients is not other.coefficients:
                raise InputError("a face with coefficients and a surface without them have no face between them")
            return replace(self, given=between_surfaces(self.surface, other.surface, t), metadata=metadata)
        coefficients, model = self._model_of("interpolation")
        model.check_layout(other.coefficients)
        between = torch.lerp(coefficients.data, other.coefficients.data.to(coefficients.data), t)
        return replace(
            self,
            coefficients=Coefficients(between, coefficients.layout),
            maps=between_maps(self.maps, other.maps, t),
            metadata=metadata,
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
        centred: bool | None = None,
    ) -> Tensor:
        """An image ``(3, H, W)`` in [0, 1]; ``size`` is a side or (H, W). None keeps the present angle or light.

        ``centred`` shows the whole head (:meth:`centred`), False what the papers' camera sees of it. None: whole heads
        that nobody has placed are centred (:attr:`lies_free`); masks, fitted and placed faces stay where they are.
        """
        face = self.with_pose(yaw_deg, pitch_deg, roll_deg)
        face = face.centred() if (self.lies_free if centred is None else centred) else face
        face = face if light is None else face.with_lighting(light)
        return face.render_full(size, background=background).image[0].clamp(0, 1)

    def render_full(
        self,
        size: int | tuple[int, int] = 256,
        *,
        background: Tensor | tuple[float, float, float] | None = BACKGROUND,
        shape_only: bool = False,
    ) -> Render:
        """All that the renderer returns (image, mask, depth, …); ``shape_only`` draws the surface in grey."""
        surface = self.surface
        if shape_only:
            grey = torch.full((1, 3, 2, 2), _GREY).to(surface.mesh.vertices)
            surface = surface.replace(diffuse=grey, vertex_colours=None)
        with torch.no_grad():
            drawn = draw_surface(self.renderer, surface, size=size, background=background)
        if self.hair is None or shape_only:
            return drawn
        return over_surface(drawn, surface, self._hair_mesh, self.hair.rgb, self.renderer)

    def turntable(
        self, frames: int = 36, size: int | tuple[int, int] = 256, *, yaw_deg: float = 60.0, **options: Any
    ) -> Iterator[Tensor]:
        """Images ``(3, H, W)`` of the face as it swings from the front to ±``yaw_deg`` and back: a seamless loop."""
        frames = whole_number("the number of frames of a turntable", frames, low=1)
        for k in range(frames):
            yield self.render(size, yaw_deg=yaw_deg * math.sin(2 * math.pi * k / frames), **options)

    def save_turntable(
        self, path: str | Path, *, frames: int = 48, size: int | tuple[int, int] = 256, fps: float = 24, **options: Any
    ) -> Path:
        """Write :meth:`turntable` as ``.gif`` or ``.mp4``."""
        return save_video(path, self.turntable(frames, size, **options), fps=fps)

    def on_page(self, name: str = "face", *, texture_size: int | None = TEXTURE_SIZE, picture: int = 0) -> PageFace:
        """This face for a page in the browser (:mod:`faceuv.export.page`), seen in its pose and light.

        Args:
            texture_size: side of its textures at most; None keeps that of the maps.
            picture: side of its small picture in the list of faces; 0: none.
        """
        middle, distance, reach = self._framing()
        focal = (self.surface.camera or self.renderer.camera).focal
        pitch, yaw, roll = (round(math.degrees(angle), 3) for angle in self.pose[0][0].tolist())
        lighting = self.surface.lighting
        light = named_light("flat") if lighting is None else lighting
        own = [round(value, 5) for value in light[0].flatten().tolist()]
        named = next(
            (key for key in light_names() if torch.allclose(named_light(key)[0], light[0].cpu(), atol=1e-4)), None
        )
        shown = None
        if picture:
            data = encode(self.render(picture, centred=True), kind="JPEG")
            shown = f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
        drawn = max((m.shape[-1] for m in (self.surface.diffuse, self.surface.normal_map) if m is not None), default=0)
        side = texture_size if texture_size is None or drawn > texture_size or self.coefficients is not None else None
        return PageFace.of_mesh(
            self.mesh_file(texture_size=side, name=name),
            light=None if named else own,
            view={"yaw": yaw, "pitch": pitch, "roll": roll, "light": named or "own"},
            frame=frame_of(middle.tolist(), distance, reach, focal),
            picture=shown,
        )

    # ---------------------------------------------------------------- files

    def vertices(self) -> Tensor:
        """The displaced surface ``(V, 3)`` in decimetres, object frame, without pose."""
        return self.surface.mesh.vertices[0]

    def diffuse(self, size: int = TEXTURE_SIZE) -> Tensor:
        """The diffuse texture ``(3, H, W)`` in [0, 1]: the map, or the linear albedo at ``size``²."""
        if self.surface.diffuse is not None:
            return self.surface.diffuse[0].clamp(0, 1)
        coefficients, model = self._model_of("a diffuse map of a surface with vertex colours")
        albedo = model.albedo_map(coefficients.albedo, *picture_size(size))
        return albedo[0] if self.hair is None else rooted(albedo, model, self.hair)[0]

    def licences(self) -> list[dict[str, str]]:
        """What the face is made from, with licences: head model, weights, textures. GLB files carry this list; see
        :mod:`faceuv.files.licences`."""
        head = []
        if self.face_model is not None:
            head = [head_licence(FACE_MODELS.name_of(type(self.face_model)), self.face_model.metadata)]
        hair = [] if self.hair is None else [licence("hair", self.hair.style, OURS)]
        return [*head, *(self.metadata or {}).get("licences", []), *hair]

    def mesh_file(
        self,
        *,
        blend_shapes: bool | None = None,
        eyes_by: EyesBy = "joints",
        texture_size: int | None = None,
        name: str = "face",
    ) -> MeshFile:
        """What :meth:`save` writes: the surface without pose, its parts, textures, joints and movements.

        Args:
            blend_shapes: the named movements as morph targets. The surface is then at rest, and the file's weights
                give it the expression. None: where the face model has movements.
            eyes_by: what turns eyes that have joints: ``"joints"`` (the morph targets eyeLook… move the lids alone)
                or ``"morphs"``.
            texture_size: side of all textures in texels; None keeps that of the maps.
        """
        size = None if texture_size is None else check_texture_size(texture_size)
        if self.coefficients is None:
            if blend_shapes:
                self._model_of("blend shapes")
            return surface_mesh(
                self.surface, texture_size=size, licences=self.licences(), name=name, metadata=self.metadata
            )
        coefficients, model = self._model_of("a mesh file")
        mesh = face_mesh(
            FaceRenderer(model, self.renderer),
            coefficients,
            self.maps,
            self.diffuse(size or TEXTURE_SIZE),
            blend_shapes=blend_shapes is not False,
            eyes_by=eyes_by,
            texture_size=size,
            licences=self.licences(),
            name=name,
            metadata=self.metadata,
        )
        return mesh if self.hair is None else mesh.with_hair(WornHair(self._hair_mesh, self.hair.rgb))

    def save(
        self,
        path: str | Path,
        *,
        blend_shapes: bool | None = None,
        eyes_by: EyesBy = "joints",
        texture_size: int | None = None,
        quantised: bool = False,
        lod: int | None = None,
        look_at: Sequence[float] | None = None,
        animation: Animation | None = None,
    ) -> Path:
        """Write ``.glb``, ``.obj``, ``.ply`` (a textured mesh), ``.html`` (a page that shows it in 3D) or
        ``.safetensors`` (this face, for :meth:`load`).

        Args:
            blend_shapes, eyes_by, texture_size: see :meth:`mesh_file`; OBJ and PLY hold the expression itself.
            quantised: GLB with 16-bit vertices (KHR_mesh_quantization), about a third of the size.
            lod: besides, this many coarser files ``NAME_lod1.glb`` …, each with half the triangles of the one before.
            look_at: both eyes turn to this point (x, y, z), decimetres in the object frame; needs eye joints.
            animation: movements over time (GLB).
        """
        path = file_path(path)
        with torch.no_grad():
            if path.suffix == ".safetensors":
                return self._save_state(path)
            if path.suffix.lower() in (".html", ".htm"):
                return save_page(path, [self.on_page(path.stem, texture_size=texture_size)], title=path.stem)
            moving = path.suffix.lower() in MOVING
            mesh = self.mesh_file(
                blend_shapes=blend_shapes if moving else False,
                eyes_by=eyes_by,
                texture_size=texture_size,
                name=path.stem,
            )
            if look_at is not None:
                mesh = mesh.looking_at(look_at)
            if animation is not None:
                mesh = mesh.replace(animation=animation)
            return save_mesh(path, mesh, quantised=quantised, lod=lod)

    def _save_state(self, path: Path) -> Path:
        metadata = {"kind": FILE_KIND, **(self.metadata or {})}
        if self.given is not None:
            tensors, camera = surface_tensors(self.given)
            return save_tensors(path, tensors, {**metadata, "camera": camera})
        coefficients, model = self._model_of("saving")
        tensors = {"coefficients": coefficients.data.cpu().contiguous()}
        for name in ("diffuse", "displacement"):
            value = getattr(self.maps, name, None)
            if value is not None:
                tensors[name] = value.cpu().contiguous()
        if self.hair is not None:
            metadata["hair"] = self.hair.facts()
        return save_tensors(path, tensors, {**metadata, "face_model": model.config()})

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
    ) -> Face:
        """Read a face written by ``save("….safetensors")``; the face model is the one it names unless given."""
        tensors, metadata = load_tensors(path, kind=FILE_KIND)
        if "vertices" in tensors:
            kept = {key: value for key, value in metadata.items() if key not in ("kind", "faceuv_version", "camera")}
            surface = surface_from(tensors, metadata.get("camera"), where=str(path))
            return cls.of_surface(surface, renderer=renderer, metadata=kept)
        wrong = sorted(set(tensors) - {"coefficients", "diffuse", "displacement"})
        if "coefficients" not in tensors or wrong:
            raise AssetError(
                f"{path}: a face holds 'coefficients' and may hold 'diffuse' and 'displacement', found"
                f" {shown(sorted(tensors))}; save the face again"
            )
        model = (
            stored_face_model(path, metadata.get("face_model")) if face_model is None else build_face_model(face_model)
        )
        hair = stored_hair(path, metadata.get("hair"))
        kept = {key: value for key, value in metadata.items() if key not in ("kind", "faceuv_version", "hair")}
        try:
            for name, value in tensors.items():
                check_floating(name, value)
                check_finite(name, value)
            values = {name: value.to(model.mean) for name, value in tensors.items()}
            coefficients = Coefficients(values.pop("coefficients"), model.layout)
            made = cls(coefficients, model, build_renderer(renderer), UVMaps(**values) if values else None, kept)
            return replace(made, hair=hair)
        except InputError as error:
            raise AssetError(f"{path} holds no face of this face model: {error}; save the face again") from error


def _reach(vertices: Tensor) -> float:
    """How far ``vertices (V, 3)`` reach from the middle of their box, up or to any side of a turning head."""
    height, radius = _extents(vertices)
    return max(float(height.max()), float(radius.max()))


def _least_distance(vertices: Tensor, focal: float) -> float:
    """From the camera to the middle of a head, so that all of it is in the picture at any yaw."""
    height, radius = _extents(vertices)
    below = focal * height / _MOST + radius  # turned towards the camera
    beside = radius * math.sqrt((focal / _MOST) ** 2 + 1)
    return float(torch.maximum(below, beside).max())


def _extents(vertices: Tensor) -> tuple[Tensor, Tensor]:
    """``(V,)`` each: distances from the middle of the box along its vertical axis, and from that axis."""
    offset = vertices - (vertices.amin(0) + vertices.amax(0)) / 2
    return offset[:, 1].abs(), offset[:, [0, 2]].norm(dim=1)


def build_face_model(config: Config | FaceModel | None) -> FaceModel:
    """A face model from a name, a config or itself; ``None`` is the procedural one."""
    model = _built(FACE_MODELS, DEFAULT_FACE_MODEL if config is None else config)
    if not isinstance(model, FaceModel):
        raise InputError(f"a face model is a name, a config or a FaceModel, got {shown(model)}")
    return model


def _built(registry: Registry, config: Any) -> Any:
    try:
        return registry.build(config)
    except (TypeError, ValueError) as error:  # of a constructor, about its arguments
        if isinstance(error, FaceUVError):
            raise
        raise InputError(one_line(error, 300)) from error


def stored_face_model(path: str | Path, config: Any) -> FaceModel:
    """The face model that a file names.

    A model of more than :data:`FILE_VERTICES` rows times columns is an error: a file of a kilobyte must not cause
    minutes and gigabytes of work.
    """
    if config is not None and not isinstance(config, (str, Mapping)):
        raise AssetError(f"{path}: its face model must be a name or a config with a type, found {shown(config)}")
    sizes = [config.get(name, 1) for name in ("rows", "columns")] if isinstance(config, Mapping) else [1]
    whole = all(isinstance(size, int) for size in sizes)
    if whole and math.prod(sizes) > FILE_VERTICES:
        raise AssetError(
            f"{path} names a face model of {' × '.join(map(str, sizes))} vertices; at most"
            f" {FILE_VERTICES:,} are built for a file. To build more, pass face_model= yourself"
        )
    try:
        return build_face_model(config)
    except FaceUVError as error:
        raise AssetError(f"{path}: its face model cannot be built: {error}") from error


def to_face_model(
    faces: Sequence[Face], face_model: Config | FaceModel, *, texture_size: int = TEXTURE_SIZE
) -> list[Face]:
    """Faces with the topology of another face model, as :meth:`Face.to_model` makes them; faces of one model whose maps
    have one size are transferred in one batch."""
    from faceuv.models.faces.transfer import between  # scipy's solvers, for those who transfer

    target = build_face_model(face_model)
    made = list(faces)
    batches: dict[Any, list[int]] = {}
    for k, face in enumerate(faces):
        _, model = face._model_of("a transfer to another face model")
        if model is not target:
            shapes = [getattr(getattr(face.maps, name, None), "shape", None) for name in ("diffuse", "displacement")]
            batches.setdefault((id(model), face.renderer.camera, *shapes), []).append(k)
    for rows in batches.values():
        first = faces[rows[0]]
        coefficients, model = first._model_of("a transfer to another face model")
        target.to(coefficients.data.device)
        layout = coefficients.layout
        people = Coefficients(torch.cat([faces[k].coefficients.data for k in rows]), layout)  # type: ignore[union-attr]
        maps = {
            name: torch.cat([getattr(faces[k].maps, name) for k in rows])
            for name in ("diffuse", "displacement")
            if getattr(first.maps, name, None) is not None
        }
        new, drawn = between(model, target).people(
            people, UVMaps(**maps), size=texture_size, camera=first.renderer.camera
        )
        names = {"face_model": _name_of(target), "transferred_from": _name_of(model)}
        for row, k in enumerate(rows):
            own = {
                name: getattr(drawn, name)[row : row + 1]
                for name in ("diffuse", "displacement")
                if getattr(drawn, name) is not None
            }
            kept = {**(faces[k].metadata or {}), **names}
            made[k] = replace(faces[k], coefficients=new[row], face_model=target, maps=UVMaps(**own), metadata=kept)
    return made


def _name_of(model: FaceModel) -> str:
    return FACE_MODELS.name_of(type(model))


def build_renderer(config: Config | Renderer | None) -> Renderer:
    """A renderer from a name, a config or itself; ``None`` is the built-in one."""
    renderer = _built(RENDERERS, DEFAULT_RENDERER if config is None else config)
    if not isinstance(renderer, Renderer):
        raise InputError(f"a renderer is a name, a config or a Renderer, got {shown(renderer)}")
    return renderer
