"""One person: a surface, what it comes from, and all that changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from faceuv.checks import shown, whole_number
from faceuv.errors import InputError, did_you_mean
from faceuv.face.transferred import TEXTURE_SIZE, to_face_model
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.models.faces.appearance import appearance_maps, has_appearance, likely_age
from faceuv.models.faces.arkit import ARKitWeights
from faceuv.models.faces.arkit.control import with_arkit, with_gaze
from faceuv.models.faces.building import Config, name_of
from faceuv.models.faces.control import between_maps, between_surfaces, expressed, finite, lighting_of, turned
from faceuv.models.faces.ears import with_bare_ears
from faceuv.models.faces.hair import Hair, HairMesh, hair_mesh
from faceuv.models.faces.hair.worn import drawn_hair, worn_roots
from faceuv.models.faces.refining import refined_maps, with_pictured_hair
from faceuv.registry import FACE_MODELS
from faceuv.renderers import Renderer
from faceuv.structures import Coefficients, Surface, UVMaps

Self = TypeVar("Self", bound="Person")


@dataclass(frozen=True, eq=False)
class Person:
    """What :class:`~faceuv.face.Face` holds and how it changes: every ``with_…`` returns a new face."""

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
        return f"Face({name_of(self.face_model)}{said}, maps={'+'.join(maps) or 'none'})"

    @cached_property
    def surface(self) -> Surface:
        """The textured surface with pose and light, batch 1."""
        if self.given is not None:
            return self.given
        coefficients, model = self.model_of("a surface from coefficients")
        with torch.no_grad():
            surface = FaceRenderer(model, self.renderer, normals="map").surface(coefficients, self.maps)
            return surface if self.hair is None else worn_roots(surface, model, self.hair)

    def model_of(self, wish: str) -> tuple[Coefficients, FaceModel]:
        """Coefficients and face model; ``wish`` names in the error what needs them."""
        if self.coefficients is None or self.face_model is None:
            raise InputError(
                f"{wish} needs the coefficients of a face model, and this face is a given surface without them; faces"
                " of Face.random, of a fit or of a StyleFaceUV generator have them"
            )
        return self.coefficients, self.face_model

    @cached_property
    def _hair_mesh(self) -> HairMesh:
        coefficients, model = self.model_of("hair")
        assert self.hair is not None  # asked for by those who checked
        return hair_mesh(model, coefficients.identity, self.hair)

    def _posed_as(self: Self, **groups: Tensor) -> Self:
        """This face with another ``rotation``, ``translation`` or ``lighting``, each ``(1, …)``."""
        if self.coefficients is None:
            surface = self.surface
            return replace(self, given=surface.replace(**{k: v.to(surface.mesh.vertices) for k, v in groups.items()}))
        return replace(self, coefficients=self.coefficients.replace(**groups))

    @property
    def pose(self) -> tuple[Tensor, Tensor]:
        """Rotation in radians and translation in decimetres, ``(1, 3)`` each."""
        holder = self.surface if self.coefficients is None else self.coefficients
        return holder.rotation, holder.translation

    def with_pose(
        self: Self, yaw_deg: float | None = None, pitch_deg: float | None = None, roll_deg: float | None = None
    ) -> Self:
        """The face with its head turned to these angles in degrees; None keeps the present angle."""
        rotation = turned(self.pose[0], yaw_deg=yaw_deg, pitch_deg=pitch_deg, roll_deg=roll_deg)
        return self._posed_as(rotation=rotation)

    def placed(self: Self, translation: Tensor) -> Self:
        """The same face at ``translation (1, 3)``, decimetres."""
        return self._posed_as(translation=translation)

    def to(self: Self, target: torch.device | Config | FaceModel) -> Self:
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

    def to_model(self: Self, face_model: Config | FaceModel, *, texture_size: int = TEXTURE_SIZE) -> Self:
        """The same person in the same pose and light with the topology of another face model: coefficients by least
        squares, maps through the dense correspondence of the two models, see
        :class:`~faceuv.models.faces.transfer.Transfer`. The first transfer between two models takes some seconds.

        Args:
            face_model: a name, a config or a model.
            texture_size: side of the new maps; a face without a diffuse map gets one of its linear albedo.
        """
        return to_face_model([self], face_model, texture_size=texture_size)[0]

    def with_expression(self: Self, coefficients: Tensor | None = None, /, **amounts: float) -> Self:
        """A new expression.

        Args:
            coefficients: ``(E,)`` or ``(1, E)`` raw coefficients that replace the present ones.
            **amounts: named movements, 1.0 = the full movement, set in place of their modes' coefficients:
                ``face.with_expression(smile=0.7, jaw_open=0.3)``. Names the model does not know are an error that
                lists the known ones.
        """
        own, model = self.model_of("an expression")
        return replace(self, coefficients=expressed(own, model, coefficients, amounts))

    def with_arkit(
        self: Self, weights: Tensor | Mapping[str, float] | None = None, /, *, most: float = 1.0, **amounts: float
    ) -> Self:
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
        own, model = self.model_of("ARKit blend shapes")
        given = weights if isinstance(weights, Tensor) else {**(weights or {}), **amounts}
        if isinstance(weights, Tensor) and amounts:
            raise InputError("with_arkit takes all 52 weights as a tensor, or amounts by name, not both")
        return replace(self, coefficients=with_arkit(own, model, given, most=most))

    def arkit_weights(self) -> ARKitWeights:
        """The 52 ARKit amounts ``(1, 52)`` that come closest to this expression, and what they miss in mm."""
        own, model = self.model_of("ARKit blend shapes")
        return model.arkit_weights(own.expression)

    def with_gaze(self: Self, yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> Self:
        """The face looking in a direction relative to its head, through ARKit's ``eyeLook…`` shapes: ``yaw_deg`` > 0
        to the viewer's right, ``pitch_deg`` > 0 down. A face model whose eyes cannot turn is an error."""
        own, model = self.model_of("a gaze")
        return replace(self, coefficients=with_gaze(own, model, yaw_deg, pitch_deg))

    def with_lighting(self: Self, light: str | Tensor) -> Self:
        """Relight: a name (``"studio"``, ``"left"``, ``"warm"``, …) or SH coefficients ``(3, 9)`` / ``(1, 3, 9)``."""
        return self._posed_as(lighting=lighting_of(light, 1))

    def with_maps(self: Self, maps: UVMaps | None) -> Self:
        """The face with other diffuse and displacement maps; ``None`` removes them, which leaves the linear albedo."""
        self.model_of("exchanging UV maps")
        if maps is not None and not isinstance(maps, UVMaps):
            raise InputError(f"maps must be UVMaps or None, got {shown(maps)}")
        return replace(self, maps=maps)

    def with_detail(
        self: Self,
        seed: int = 0,
        size: int = 2048,
        *,
        age: float | None = None,
        freckles: float | None = None,
        eye_colour: str | None = None,
        relief: bool = True,
    ) -> Self:
        """The face with skin, brows and eyes drawn in detail, for heads whose albedo is the library's own (ICTFaceKit,
        MakeHuman, …): a diffuse map of its albedo coefficients with pores, lines, freckles, hairs, fibres and veins.
        The face of a generator keeps the tones of its map, see :func:`~faceuv.models.faces.refining.refined_maps`.

        Args:
            seed: of the detail; the same seed draws the same.
            size: of the maps, in texels.
            age: years; None asks the shape where the head model tells (MakeHuman), and leaves it to the seed elsewhere.
            freckles: 0 … 1; None leaves it to the seed and the skin.
            eye_colour: a name of ``faceuv.models.faces.appearance.EYE_COLOURS``; None is that of the coefficients.
            relief: with a displacement map of pores, lines and folds.
        """
        own, model = self.model_of("detailed skin")
        seed = whole_number("a seed", seed)
        if age is None:
            shown_age = model.likely_age(own)
            years = likely_age(seed) if shown_age is None else shown_age
        else:
            years = finite("an age", age)
        maps = self.maps if self._pictured is not None else None  # those of a generator stay
        if maps is not None and self._refined:
            raise InputError("this generated face has its detail already; draw another on the face as generated")
        albedo = own.albedo if maps is None else with_pictured_hair(model, own.albedo, maps)
        drawn = appearance_maps(
            model, albedo, seed, size, age=years, freckles=freckles, eye_colour=eye_colour, relief=relief
        )
        if maps is None:
            return replace(self, maps=drawn)
        refined = replace(self, maps=refined_maps(model, albedo, maps, drawn))
        return refined.with_metadata(detail={"size": size, "seed": seed})

    @property
    def takes_detail(self) -> bool:
        """Whether this is a generated face as generated, on whose map :meth:`with_detail` can draw."""
        return self._pictured is not None and not self._refined and has_appearance(self.model_of("detail")[1])

    @property
    def _refined(self) -> bool:
        """Whether the detail of a generated face is drawn."""
        return "detail" in (self.metadata or {})

    @property
    def _pictured(self) -> Tensor | None:
        """The diffuse map ``(1, 3, H, W)`` of a generator, whose pictures have hair; None of other faces."""
        return self.maps.diffuse if self.maps is not None and "generator" in (self.metadata or {}) else None

    def with_hair(
        self: Self,
        style: str | None = None,
        *,
        colour: str | Sequence[float] | None = None,
        seed: int = 0,
        density: float = 1.0,
    ) -> Self:
        """The face with hair, in pictures and in mesh files: ``face.with_hair("long", colour="dark brown", seed=3)``.

        Args:
            style: a name of :data:`faceuv.models.faces.hair.STYLES`, ``"bald"`` for none; None leaves it to the seed.
            colour: a name of :data:`faceuv.models.faces.hair.COLOURS` or RGB in [0, 1]; None is that on the map of a
                generator, whose pictures have hair, or of the brows where the albedo coefficients say it, else the
                seed's.
            seed: of the locks; the same seed grows the same hair.
            density: 0.2 … 3, of the locks; fewer are faster to draw.
        """
        own, model = self.model_of("hair")
        maps, pictured = self.maps, self._pictured
        hair = drawn_hair(model, own, style, colour=colour, seed=seed, density=density, pictured=pictured)
        if maps is not None and pictured is not None and hair is not None and not self._refined:  # drawn ears are bare
            maps = replace(maps, diffuse=with_bare_ears(model, pictured))
        return replace(self, hair=hair, maps=maps)

    def with_metadata(self: Self, **values: Any) -> Self:
        """The same face with more metadata, as JSON values."""
        return replace(self, metadata={**(self.metadata or {}), **values})

    def interpolate(self: Self, other: Person, t: float) -> Self:
        """The face between this one (t = 0) and ``other`` (t = 1): all coefficients, pose and light among them, and the
        maps, of which both have the same ones or none. (Between codes: :meth:`FaceGenerator.interpolate`.) Surfaces
        without coefficients are interpolated vertex by vertex; they need the same mesh."""
        t = finite("t", t)
        if not isinstance(other, Person):
            raise InputError(f"a face is interpolated with another Face, got {shown(other)}")
        metadata = {"between": [dict(self.metadata or {}), dict(other.metadata or {})], "t": t}
        if self.coefficients is None or other.coefficients is None:
            if self.coefficients is not other.coefficients:
                raise InputError("a face with coefficients and a surface without them have no face between them")
            return replace(self, given=between_surfaces(self.surface, other.surface, t), metadata=metadata)
        coefficients, model = self.model_of("interpolation")
        model.check_layout(other.coefficients)
        between = torch.lerp(coefficients.data, other.coefficients.data.to(coefficients.data), t)
        return replace(
            self,
            coefficients=Coefficients(between, coefficients.layout),
            maps=between_maps(self.maps, other.maps, t),
            metadata=metadata,
        )
