"""The contract of face models: coefficients → surface and vertex colours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import AssetError, InputError, did_you_mean
from faceuv.geometry.normals import apply_tangents, tangent_operator, vertex_normals
from faceuv.geometry.uv import UVCorrespondence, bake
from faceuv.models.faces.arguments import arguments_of, remembering
from faceuv.models.faces.arrays import ARRAYS, OPTIONAL_ARRAYS, PARTS, check_arrays
from faceuv.models.faces.everyday import EVERYDAY, everyday_modes
from faceuv.models.faces.points import LinearPoints, Points
from faceuv.models.faces.sampling import (
    ALBEDO_SIGMA,
    EXPRESSION_SIGMA,
    IDENTITY_SIGMA,
    gaussian,
    limited_expression,
    looking_one_way,
)
from faceuv.registry import FACE_MODELS
from faceuv.structures import CoefficientLayout, Coefficients, Mesh

if TYPE_CHECKING:
    from faceuv.models.faces.arkit import ARKitTable, ARKitWeights

_SPECK = 1e-20  # of a basis: its products are denormal numbers, which CPUs multiply a hundred times slower
_LISTED = 12  # names of movements in a message
_FULL_MOVEMENT = 3.0  # standard deviations, for modes that do not say


class FaceModel(nn.Module):
    """A linear morphable face: buffers only, nothing trainable.

    Args:
        arrays: the buffers, by name:

            ============================ ======== ==========================================================
            ``mean (V, 3)``              float32  decimetres, object frame (+x viewer's right, +y up, +z out)
            ``identity_basis (V, 3, I)`` float32  decimetres per unit coefficient (one standard deviation)
            ``expression_basis (V,3,E)`` float32  the same for expression
            ``mean_albedo (V, 3)``       float32  RGB in [0, 1], display-referred
            ``albedo_basis (V, 3, A)``   float32  RGB per unit coefficient
            ``faces (F, 3)``             int64    0-based, counter-clockwise from outside
            ``uv (V, 2)``                float32  (0, 0) upper left, v down
            ``landmarks (68,)``          int64    vertex indices in the iBUG order
            ``skin_mask (V,)``           bool     skin, without eyes, lips' inside, brows and nostrils
            ``mirror (V,)``              int64    the vertex on the other side of the face (its own on the midline)
            ============================ ======== ==========================================================

            Whole heads have more; what a model has not is None:

            ============================= ======= ==========================================================
            ``weld (V,)``                 int64   the first copy of each point that UV seams split
            ``part (F,)``                 int64   index into ``metadata["parts"]``, names out of ``PARTS``
            ``layer_faces (G, 3)``        int64   transparent layers (lashes, cornea, …), exported but not drawn
            ``layer_part (G,)``           int64   their parts
            ``polygons (P, 4)``           int64   the faces as published; −1 as the fourth corner of a triangle
            ``polygon_part (P,)``         int64   their parts
            ``joint_weights (J, V)``      float32 joints = weights @ vertices, so that they follow the identity;
                                                  ``metadata["joints"]`` names, ``metadata["joint_parents"]``
            ``skin_weights (V, J)``       float32 linear blend skinning
            ``contour (17, K)``           int64   candidates of each jaw landmark when the head turns; the first is
                                                  the landmark itself
            ``expression_limits (E, 2)``  float32 lowest and highest sensible coefficient; (0, 1) of blend shapes
            ``pose_correctives (V, 3, C)`` float32 FLAME's offsets per entry of its joints' rotation matrices
            ============================= ======= ==========================================================
        names: mode names per group, e.g. ``{"expression": ["jaw_open", …]}``; numbered where absent.
        metadata: anything worth keeping beside the arrays (source, version, licence).
    """

    kind: ClassVar[str] = "face model"
    linear: ClassVar[bool] = True
    """Whether vertices move linearly with the coefficients of identity and expression, so that the bases say all."""
    shows_teeth: ClassVar[bool] = False
    """Whether lips that part in a smile show rows of teeth; elsewhere they show a tongue or nothing."""
    mean: Tensor
    identity_basis: Tensor
    expression_basis: Tensor
    mean_albedo: Tensor
    albedo_basis: Tensor
    faces: Tensor
    uv: Tensor
    landmarks: Tensor
    skin_mask: Tensor
    mirror: Tensor
    weld: Tensor | None
    part: Tensor | None
    layer_faces: Tensor | None
    layer_part: Tensor | None
    polygons: Tensor | None
    polygon_part: Tensor | None
    joint_weights: Tensor | None
    skin_weights: Tensor | None
    contour: Tensor | None
    expression_limits: Tensor | None
    pose_correctives: Tensor | None

    def __init__(
        self,
        arrays: dict[str, Tensor],
        *,
        names: dict[str, list[str]] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.metadata: dict[str, Any] = dict(metadata or {})
        sizes = check_arrays(arrays, where=f"the arrays of a {self.kind}", metadata=self.metadata)
        for name in ARRAYS:
            array = arrays[name]
            if name.endswith("_basis"):
                array = array.masked_fill(array.abs() < _SPECK, 0)
            self.register_buffer(name, array)
        for name in OPTIONAL_ARRAYS:
            self.register_buffer(name, arrays.get(name))
        self.layout = CoefficientLayout(identity=sizes["I"], expression=sizes["E"], albedo=sizes["A"])
        names = names or {}
        self.mode_names: dict[str, list[str]] = {
            group: list(names.get(group) or [f"{group}_{k:02d}" for k in range(count)])
            for group, count in (("identity", sizes["I"]), ("expression", sizes["E"]), ("albedo", sizes["A"]))
        }
        self._charts: dict[tuple[int, int], UVCorrespondence] = {}
        self._tangents: Tensor | None = None
        self._arkit: ARKitTable | None = None
        self._sides: dict[tuple[int, int], Tensor] = {}

    def shape(self, identity: Tensor, expression: Tensor) -> Tensor:
        """Vertices ``(B, V, 3)`` in decimetres, object frame, for ``identity (B, I)`` and ``expression (B, E)``."""
        check_shape("identity", identity, ("B", self.layout.identity))
        check_shape("expression", expression, ("B", self.layout.expression))
        flat = self.mean.reshape(1, -1)
        flat = flat + identity @ self.identity_basis.flatten(0, 1).T
        flat = flat + expression @ self.expression_basis.flatten(0, 1).T
        return flat.unflatten(1, (-1, 3))

    def albedo(self, albedo: Tensor) -> Tensor:
        """Vertex colours ``(B, V, 3)`` for ``albedo (B, A)``; linear, so extreme coefficients may leave [0, 1]."""
        check_shape("albedo", albedo, ("B", self.layout.albedo))
        flat = self.mean_albedo.reshape(1, -1) + albedo @ self.albedo_basis.flatten(0, 1).T
        return flat.unflatten(1, (-1, 3))

    def likely_traits(self, coefficients: Coefficients) -> dict[str, float] | None:
        """``age`` in years, ``gender`` 0 (female) … 1 and shares of ancestry (``african``, …) of the person ``(1, N)``;
        None where the model does not tell them."""
        return None

    def likely_age(self, coefficients: Coefficients) -> float | None:
        """Years of the person ``(1, N)`` as its shape tells; None where the model does not know."""
        return None

    def random_coefficients(self, generator: torch.Generator, **traits: Any) -> Coefficients:
        """A likely person ``(1, N)``: identity, a face mostly at rest, albedo; from the front, unlit.

        ``traits`` (age, gender, …) are for models that know them.
        """
        if traits:
            known = ", ".join(self.known_traits()) or "none"
            raise InputError(f"this {self.kind} does not know the trait {next(iter(traits))!r}; it knows: {known}")
        layout, names = self.layout, self.mode_names["expression"]
        identity = gaussian(layout.identity, IDENTITY_SIGMA, generator)
        if self.expression_limits is None:
            expression = gaussian(layout.expression, EXPRESSION_SIGMA, generator)
        else:
            expression = limited_expression(names, self.expression_limits.cpu(), generator)
        albedo = gaussian(layout.albedo, ALBEDO_SIGMA, generator)
        if "eyeLookInLeft" in names:
            expression = looking_one_way(expression, names, generator)
        person = Coefficients.zeros(1, layout, device=self.mean.device, dtype=self.mean.dtype)
        return person.replace(identity=identity, expression=expression, albedo=albedo)

    def known_traits(self) -> list[str]:
        """The names that :meth:`random_coefficients` takes."""
        return []

    def mesh(self, coefficients: Coefficients) -> Mesh:
        """The surface in the object frame: no displacement, no rotation, no translation."""
        self.check_layout(coefficients)
        return Mesh(self.shape(coefficients.identity, coefficients.expression), self.faces, self.uv, self.weld)

    def check_layout(self, coefficients: Coefficients) -> None:
        if coefficients.layout != self.layout:
            raise InputError(
                f"these coefficients have layout {coefficients.layout.groups}, the face model {self.layout.groups}"
            )

    @property
    def part_names(self) -> list[str]:
        """The parts of the surface and its layers; a model that does not say is all skin."""
        return list(self.metadata.get("parts", [])) if self.part is not None else ["skin"]

    def faces_of(self, *parts: str) -> Tensor:
        """``(F,)`` bool: the opaque faces of some parts. A part that this model lacks has none."""
        unknown = [name for name in parts if name not in PARTS]
        if unknown:
            raise InputError(f"no part of a head is called {unknown[0]!r}; parts: {', '.join(PARTS)}")
        if self.part is None:
            return torch.full((len(self.faces),), "skin" in parts, device=self.faces.device)
        wanted = [k for k, name in enumerate(self.part_names) if name in parts]
        return torch.isin(self.part, torch.tensor(wanted, dtype=torch.int64, device=self.part.device))

    def vertices_of(self, *parts: str) -> Tensor:
        """``(V,)`` bool: the corners of :meth:`faces_of`."""
        found = torch.zeros(len(self.mean), dtype=torch.bool, device=self.mean.device)
        found[self.faces[self.faces_of(*parts)].flatten()] = True
        return found

    def joints(self, vertices: Tensor) -> Tensor:
        """The joints ``(B, J, 3)`` of surfaces ``vertices (B, V, 3)`` at rest, ordered as their names."""
        check_shape("vertices", vertices, ("B", len(self.mean), 3))
        if self.joint_weights is None:
            raise InputError(f"this {self.kind} has no joints; a whole head has: ICTFaceKit, MakeHuman, FLAME")
        return self.joint_weights @ vertices

    def mode_index(self, group: str, name: str) -> int:
        """The column of a named mode within its group; the error lists the names."""
        try:
            return self.mode_names[group].index(name)
        except ValueError:
            known = ", ".join(self.mode_names[group])
            raise InputError(f"no {group} mode is called {name!r}; known: {known}") from None

    def movements(self) -> list[str]:
        """The names of this model that :meth:`expression_coefficients` knows: single modes, then combined ones."""
        return [*self.mode_names["expression"], *self.metadata.get("combined_expression", {})]

    def movement(self, name: str) -> dict[int, float]:
        """A named movement → the expression columns that it drives and their coefficients at full movement. Models with
        ARKit's names know everyday words besides, see :data:`~faceuv.models.faces.everyday.EVERYDAY`.

        ``metadata["combined_expression"]`` says which modes a combined name drives (``smile``: both sides),
        ``metadata["full_expression"]`` how many standard deviations a full movement takes; 3 where it does not.
        """
        names, full = self.mode_names["expression"], self.metadata.get("full_expression", {})
        combined = self.metadata.get("combined_expression", {})
        modes = combined.get(name, [name])
        if modes == [name] and name not in names:
            modes = everyday_modes(name, names, combined) or [name]
        if not set(modes) <= set(names):
            raise InputError(f"no movement is called {name!r}{self._nearest_movements(name)}")
        return {names.index(mode): float(full.get(mode, _FULL_MOVEMENT)) for mode in modes}

    def _nearest_movements(self, name: str) -> str:
        """The end of the message about an unknown movement: the nearest name first, then a few of many."""
        known = self.movements()
        words = [word for word in EVERYDAY if everyday_modes(word, known, {})]
        listed = ", ".join(known)
        if len(known) > _LISTED:
            few = [*self.metadata.get("combined_expression", {}), *words, *known][:_LISTED]
            listed = f"{', '.join(few)} … ({len(known)} in all: face_model.movements())"
        near = did_you_mean(name, [*known, *words])
        return f"{near} Known: {listed}" if near else f"; known: {listed}"

    def expression_coefficients(self, **amounts: float) -> Tensor:
        """Coefficients ``(1, E)`` of movements by name; 1.0 is the full movement, 0 none.

        >>> model.expression_coefficients(smile=1.0, jaw_open=0.3, blink_left=1.0)      # doctest: +SKIP
        """
        value = self.mean.new_zeros(1, self.layout.expression)
        for name, amount in amounts.items():
            for column, full in self.movement(name).items():
                value[0, column] += amount * full
        return value

    @property
    def personal_expressions(self) -> tuple[int, ...]:
        """The columns of expression modes that move other people otherwise than the mean face: none if linear."""
        return ()

    def points(self, vertices: Tensor) -> Points:
        """The vertices ``(P,)`` as a function of identity and expression with derivatives: they are where :meth:`shape`
        has them. A model whose :meth:`shape` is not linear overrides both."""
        if not self.linear:
            raise InputError(f"the vertices of a {self.kind} do not move linearly: its class must override points")
        return self._linear_points(vertices)

    def _linear_points(self, vertices: Tensor) -> LinearPoints:
        basis = torch.cat([self.identity_basis[vertices], self.expression_basis[vertices]], 2)
        return LinearPoints(self.mean[vertices], basis)

    def slopes(self, identity: Tensor, expression: Tensor, vertices: Tensor) -> Tensor:
        """How the vertices ``(P,)`` move with each coefficient of identity, then expression, at ``identity (B, I)`` and
        ``expression (B, E)``: ``(1 or B, P, 3, I + E)``. The same everywhere for a linear model."""
        found = self.points(vertices).slopes(torch.cat([identity, expression], 1))
        return found if found.ndim == 4 else found[None]

    def arkit_table(self) -> ARKitTable:
        """What each of the 52 ARKit blend shapes drives in this model, see
        :func:`~faceuv.models.faces.arkit.arkit_table`. A table that has to be solved for is kept."""
        from faceuv.models.faces.arkit import arkit_table

        if self._arkit is None or self._arkit.source != "solved":
            self._arkit = arkit_table(self)
        return self._arkit.on(self.mean)

    def arkit_coefficients(
        self, weights: Tensor | Mapping[str, float], *, most: float = 1.0, strict: bool = True
    ) -> Tensor:
        """Expression coefficients ``(B, E)`` of ARKit amounts: ``weights (B, 52)`` or ``(52,)`` in the order of
        :data:`faceuv.models.faces.arkit.NAMES`, or amounts by name.

        Args:
            most: the highest amount allowed; above 1 is an overshoot.
            strict: raise for amounts of shapes that the model cannot express; otherwise they have no effect.
        """
        from faceuv.models.faces.arkit import amounts_row, check_amounts

        rows = check_amounts(weights, most=most) if isinstance(weights, Tensor) else amounts_row(weights, most=most)
        table = self.arkit_table()
        if strict:
            table.check_expressible(rows, self.kind)
        return table.coefficients(rows)

    def arkit_weights(self, expression: Tensor, *, most: float = 1.0) -> ARKitWeights:
        """The 52 ARKit amounts that come closest to ``expression (B, E)`` or ``(E,)``, and what they miss in mm; by
        non-negative least squares over the motion of the vertices."""
        from faceuv.models.faces.arkit import weights_of

        return weights_of(self, self.arkit_table(), expression, most=most)

    def chart(self, height: int, width: int) -> UVCorrespondence:
        """Which surface point each texel of a ``height × width`` map shows; computed once per resolution."""
        chart = self._charts.get((height, width))
        if chart is None or chart.face_id.device != self.faces.device:
            chart = UVCorrespondence.build(self.uv, self.faces, height, width)
            self._charts[height, width] = chart
        return chart

    def tangents(self, vertices: Tensor) -> tuple[Tensor, Tensor]:
        """∂p/∂u and ∂p/∂v ``(B, V, 3)`` of surfaces of this mesh, as
        :func:`~faceuv.geometry.normals.vertex_tangents` gives them; what depends on the mesh only is kept."""
        known = self._tangents
        if known is None or known.device != vertices.device or known.dtype != vertices.dtype:
            known = tangent_operator(self.faces.to(vertices.device), self.uv.to(vertices))
            self._tangents = known
        return apply_tangents(known, vertices)

    def chart_side(self, height: int, width: int) -> Tensor:
        """``(1, 1, H, W)``: 1 where ∂p/∂v × ∂p/∂u points out of the mean face, −1 where the chart is mirrored."""
        side = self._sides.get((height, width))
        if side is None or side.device != self.mean.device or side.dtype != self.mean.dtype:
            chart, mean = self.chart(height, width), self.mean[None]
            along_u, along_v = (bake(along, chart) for along in self.tangents(mean))
            outward = bake(vertex_normals(mean, self.faces, self.weld), chart)
            turned = torch.linalg.cross(along_v, along_u, dim=1)
            side = torch.where((turned * outward).sum(1, keepdim=True) < 0, -1.0, 1.0).to(self.mean)
            self._sides[height, width] = side
        return side

    def uv_mask(self, height: int, width: int) -> Tensor:
        """``(1, 1, H, W)`` in {0, 1}: the texels that lie on the surface."""
        return (self.chart(height, width).face_id >= 0).to(self.mean.dtype)[None, None]

    def albedo_map(self, albedo: Tensor, height: int, width: int) -> Tensor:
        """The linear albedo as a diffuse map ``(B, 3, H, W)`` in [0, 1]."""
        return bake(self.albedo(albedo), self.chart(height, width)).clamp(0, 1)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" in cls.__dict__:
            cls.__init__ = remembering(cls.__init__)  # type: ignore[method-assign]

    def config(self) -> dict[str, Any]:
        """The config that builds this model again, for files that name it: its name in ``FACE_MODELS`` and the
        constructor's arguments that are not the defaults. They must be plain JSON values."""
        return {"type": FACE_MODELS.name_of(type(self)), **arguments_of(self)}

    def arrays(self) -> dict[str, Tensor]:
        """The buffers by name, as the constructor takes them."""
        found = {name: getattr(self, name) for name in (*ARRAYS, *OPTIONAL_ARRAYS)}
        return {name: array for name, array in found.items() if array is not None}

    def save(self, path: str | Path) -> Path:
        """Write one safetensors file, atomically, with names and metadata."""
        from faceuv.files.artefacts import save_tensors

        metadata = {"kind": "face_model", "type": type(self).__name__, "names": self.mode_names, **self.metadata}
        return save_tensors(
            path,
            {k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in self.arrays().items()},
            metadata,
        )

    @staticmethod
    def read(path: str | Path) -> tuple[dict[str, Tensor], dict[str, list[str]], dict[str, Any]]:
        """Arrays, mode names and metadata of a file written by :meth:`save`."""
        from faceuv.files.artefacts import load_tensors

        arrays, metadata = load_tensors(path, kind="face_model")
        names = metadata.pop("names", {})
        check_arrays(arrays, where=str(path), metadata=metadata, error=AssetError)
        return arrays, names, metadata
