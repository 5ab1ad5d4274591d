"""The data structures of faceuv: frozen dataclasses of tensors with named views and ``.to()``.

Frames and units: decimetres, right-handed object frame (+x to the viewer's right, +y up,
+z out of the face), images ``(B, 3, H, W)`` RGB in [0, 1] with row 0 on top, UV with (0, 0) at the upper left.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from numbers import Real
from typing import Any, SupportsIndex, TypeVar

import torch
from torch import Tensor

from faceuv.checks import check_finite, check_floating, check_shape, shown, whole_number
from faceuv.errors import InputError

T = TypeVar("T", bound="_Tensors")
_LARGEST = torch.finfo(torch.float32).max


@dataclass(frozen=True, eq=False)
class _Tensors:
    """Base of the dataclasses: moves all tensor fields at once."""

    def _map(self: T, change: Callable[[Tensor], Tensor]) -> T:
        changed: dict[str, Any] = {}
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if isinstance(value, Tensor):
                changed[name] = change(value)
            elif isinstance(value, _Tensors):
                changed[name] = value._map(change)
        return replace(self, **changed)

    def to(self: T, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> T:
        """Move to ``device``; ``dtype`` applies to the floating-point fields only."""
        return self._map(lambda t: t.to(device=device, dtype=dtype if t.is_floating_point() else None))

    def detach(self: T) -> T:
        return self._map(Tensor.detach)


@dataclass(frozen=True)
class CoefficientLayout:
    """The columns of each group in a flat coefficient tensor. The default has the 257 columns of BFM 2009.

    >>> CoefficientLayout().slice("rotation")
    slice(224, 227, None)
    """

    identity: int = 80
    expression: int = 64
    albedo: int = 80
    rotation: int = 3
    lighting: int = 27
    translation: int = 3

    @property
    def groups(self) -> dict[str, int]:
        """Group name → number of columns, in the order of the columns."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def size(self) -> int:
        """The number of columns, 257 by default."""
        return sum(self.groups.values())

    def slice(self, group: str) -> slice:
        """The columns of one group."""
        start = 0
        for name, count in self.groups.items():
            if name == group:
                return slice(start, start + count)
            start += count
        raise InputError(f"no coefficient group {group!r}; the groups are {', '.join(self.groups)}")


@dataclass(frozen=True, eq=False)
class Coefficients(_Tensors):
    """3DMM coefficients ``data (B, N)`` with named views. Rotation in radians about x, y, z (yaw is the y angle),
    translation in decimetres, lighting as 3 channels × 9 spherical-harmonic bands. Immutable; see
    :meth:`replace`.
    """

    data: Tensor
    layout: CoefficientLayout = field(default_factory=CoefficientLayout)

    def __post_init__(self) -> None:
        check_shape("coefficients", self.data, ("B", "N"))
        check_floating("coefficients", self.data)
        if self.data.shape[1] != self.layout.size:
            parts = ", ".join(f"{name} {count}" for name, count in self.layout.groups.items())
            raise InputError(
                f"coefficients must have {self.layout.size} columns ({parts}), got {self.data.shape[1]}"
                "; these coefficients belong to a face model with another layout"
            )

    @classmethod
    def zeros(
        cls,
        batch: int,
        layout: CoefficientLayout | None = None,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Coefficients:
        """The mean face, front view, under the default light: every coefficient zero."""
        layout = layout or CoefficientLayout()
        batch = whole_number("the number of rows", batch, high=2**31)
        return cls(torch.zeros(batch, layout.size, device=device, dtype=dtype), layout)

    def __len__(self) -> int:
        return self.data.shape[0]

    def __iter__(self) -> Iterator[Coefficients]:
        """The rows of the batch one by one, each with its batch axis."""
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: SupportsIndex | slice | Sequence[int] | Tensor) -> Coefficients:
        """Rows of the batch. A single index keeps the batch axis; an index beyond the batch is an error."""
        if isinstance(index, (slice, Sequence, Tensor)):
            return replace(self, data=self.data[index])
        row = operator.index(index)
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of coefficients of {len(self)}")
        return replace(self, data=self.data[row : row + 1 or None])

    def view(self, group: str) -> Tensor:
        """The columns of one group ``(B, n)``, a view."""
        return self.data[:, self.layout.slice(group)]

    @property
    def identity(self) -> Tensor:
        return self.view("identity")

    @property
    def expression(self) -> Tensor:
        return self.view("expression")

    @property
    def albedo(self) -> Tensor:
        return self.view("albedo")

    @property
    def rotation(self) -> Tensor:
        """``(B, 3)`` radians about x, y, z; R = Rz·Ry·Rx."""
        return self.view("rotation")

    @property
    def lighting(self) -> Tensor:
        """``(B, 3, 9)``: spherical-harmonic coefficients per colour channel, without the constant 0.8 of the shader."""
        return self.view("lighting").unflatten(1, (3, -1))

    @property
    def translation(self) -> Tensor:
        """``(B, 3)`` decimetres."""
        return self.view("translation")

    def replace(self, **groups: Tensor) -> Coefficients:
        """A copy with some groups replaced: ``coefficients.replace(rotation=angles)``; one row is broadcast."""
        columns = {name: self.view(name) for name in self.layout.groups}
        for name, value in groups.items():
            width = self.data[:, self.layout.slice(name)].shape[1]
            if not isinstance(value, Tensor):
                raise InputError(f"{name} must be a tensor ({len(self)}, {width}), got {shown(value)}")
            value = value.flatten(1).to(self.data)
            if value.shape[1] != width or value.shape[0] not in (1, len(self)):
                raise InputError(f"{name} must have shape ({len(self)}, {width}), got {tuple(value.shape)}")
            columns[name] = value.expand(len(self), -1)
        return replace(self, data=torch.cat(list(columns.values()), 1))

    def check_finite(self) -> Coefficients:
        """Raise an :class:`~faceuv.errors.InputError` that names the rows if a value is NaN or infinite."""
        check_finite("coefficients", self.data)
        return self


@dataclass(frozen=True, eq=False)
class UVMaps(_Tensors):
    """Maps over the UV chart: ``diffuse (B, 3, H, W)`` in [0, 1], ``displacement (B, 3, H, W)`` in decimetres, object
    space xyz, and ``roughness (B, 1, H, W)`` in [0, 1], as glTF has it, of gleams in pictures and files. Any may be
    absent; their resolutions are independent."""

    diffuse: Tensor | None = None
    displacement: Tensor | None = None
    roughness: Tensor | None = None

    def __post_init__(self) -> None:
        for name, channels in (("diffuse", 3), ("displacement", 3), ("roughness", 1)):
            value = getattr(self, name)
            if value is not None:
                check_shape(f"the {name} map", value, ("B", channels, "H", "W"))
                check_floating(f"the {name} map", value)
                if not value.numel():
                    raise InputError(f"the {name} map must have texels, got {tuple(value.shape)}")


@dataclass(frozen=True, eq=False)
class Mesh(_Tensors):
    """A batch of surfaces with one topology: ``vertices (B, V, 3)`` in decimetres, ``faces (F, 3)`` int64, 0-based and
    counter-clockwise seen from outside, and ``uv (V, 2)``. Where UV seams split vertices, ``weld (V,)`` names the first
    copy of each surface point: see :mod:`faceuv.geometry.weld`."""

    vertices: Tensor
    faces: Tensor
    uv: Tensor | None = None
    weld: Tensor | None = None

    def __post_init__(self) -> None:
        sizes = check_shape("vertices", self.vertices, ("B", "V", 3))
        check_floating("vertices", self.vertices)
        check_shape("faces", self.faces, ("F", 3))
        if self.faces.dtype != torch.int64:
            raise InputError(f"faces must be int64, got {self.faces.dtype}; convert them with .long()")
        if self.uv is not None:
            check_shape("uv", self.uv, (sizes["V"], 2))
        if self.weld is not None:
            check_shape("weld", self.weld, (sizes["V"],))

    def at(self, vertices: Tensor) -> Mesh:
        """The same topology with other ``vertices (B, V, 3)``."""
        return replace(self, vertices=vertices)

    def check_faces(self) -> Mesh:
        """Raise if an index in ``faces`` is out of range."""
        count = self.vertices.shape[1]
        if self.faces.numel() and (int(self.faces.min()) < 0 or int(self.faces.max()) >= count):
            raise InputError(
                f"faces must name vertices 0 … {count - 1}, got {int(self.faces.min())} … {int(self.faces.max())}"
                " (files with 1-based indices are shifted in their loader)"
            )
        return self


@dataclass(frozen=True)
class Camera:
    """A pinhole at (0, 0, distance) looking along −z. ``focal`` is in units of the image's shorter side, so that the
    image shows the same at any resolution; the default is the paper's 1015 pixels at 256²."""

    focal: float = 1015.0 / 256.0
    distance: float = 10.0
    near: float = 0.1

    def __post_init__(self) -> None:
        for name, positive in (("focal", True), ("distance", False), ("near", True)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Real) or not abs(value) <= _LARGEST:  # type: ignore[operator]
                raise InputError(f"a camera's {name} must be a finite number of 32 bits, got {value!r}")
            if positive and value <= 0:
                raise InputError(f"a camera's {name} must be greater than 0, got {value!r}")

    @classmethod
    def of(cls, given: Camera | Mapping[str, Any] | None) -> Camera:
        """A camera, its fields by name, or None for the default one."""
        if isinstance(given, Camera):
            return given
        if given is not None and not isinstance(given, Mapping):
            raise InputError(f"camera must be a Camera or its fields as a dict, got {given!r}")
        names = [f.name for f in fields(cls)]
        unknown = [str(name) for name in given or {} if name not in names]
        if unknown:
            raise InputError(f"a camera has no {', '.join(unknown)}; its fields are {', '.join(names)}")
        return cls(**(given or {}))


@dataclass(frozen=True, eq=False)
class Surface(_Tensors):
    """B textured surfaces with pose, light and camera: the output of any method, the input of any renderer.

    mesh            in the object frame, decimetres, before pose; displacement is part of the vertices
    rotation        (B, 3) radians about x, y, z; R = Rz·Ry·Rx
    translation     (B, 3) decimetres
    lighting        (B, 3, 9) spherical harmonics as in :class:`Coefficients`; None draws the unlit colours
    diffuse         (B, 3, H, W) RGB over ``mesh.uv``; or
    vertex_colours  (B, V, 3) RGB: one of the two
    normal_map      (B, 3, h, w) object-frame normals over ``mesh.uv``, finer than the mesh; None: those of the mesh
    camera          the camera that the pose refers to; None is the renderer's own
    """

    mesh: Mesh
    rotation: Tensor
    translation: Tensor
    lighting: Tensor | None = None
    diffuse: Tensor | None = None
    vertex_colours: Tensor | None = None
    normal_map: Tensor | None = None
    camera: Camera | None = None

    def __post_init__(self) -> None:
        batch, count = self.mesh.vertices.shape[:2]
        shapes: dict[str, tuple[int | str, ...]] = {
            "rotation": (batch, 3),
            "translation": (batch, 3),
            "lighting": (batch, 3, 9),
            "diffuse": (batch, 3, "H", "W"),
            "vertex_colours": (batch, count, 3),
            "normal_map": (batch, 3, "h", "w"),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is not None:
                check_shape(f"the {name} of a surface", value, shape)
        if (self.diffuse is None) == (self.vertex_colours is None):
            raise InputError("a surface has a diffuse map (B, 3, H, W) or vertex_colours (B, V, 3), one of the two")

    def __len__(self) -> int:
        return self.mesh.vertices.shape[0]

    def replace(self, **fields: Any) -> Surface:
        """A new surface with some fields replaced."""
        return replace(self, **fields)


@dataclass(frozen=True, eq=False)
class Render(_Tensors):
    """The output of a renderer.

    image   (B, 3, H, W)  RGB in [0, 1] (lit; may exceed 1 under strong light until it is clamped for display)
    mask    (B, 1, H, W)  coverage in [0, 1], soft at the silhouette when antialiased
    depth   (B, 1, H, W)  view depth in decimetres, 0 outside
    normal  (B, 3, H, W)  unit normals in the camera-aligned frame (+z toward the camera), 0 outside
    uv      (B, 2, H, W)  UV coordinates, 0 outside
    face_id (B, H, W)     int64, −1 outside
    """

    image: Tensor
    mask: Tensor
    depth: Tensor
    normal: Tensor
    uv: Tensor
    face_id: Tensor
