"""``Transfer``: coefficients and UV maps of one face model as another one shows them.

>>> transfer = Transfer(ProceduralFace(), ICTFaceKit())                              # doctest: +SKIP
>>> coefficients = transfer.coefficients(face.coefficients)                          # doctest: +SKIP
>>> maps = transfer.maps(face.maps, albedo=coefficients.albedo)                      # doctest: +SKIP
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import cached_property

import torch
from torch import Tensor

from faceuv.checks import check_same_device, picture_size
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.rotations import euler_to_matrix, matrix_to_euler
from faceuv.geometry.uv import bake
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.transfer.coefficients import CoefficientTransfer
from faceuv.models.faces.transfer.correspondence import Correspondence
from faceuv.models.faces.transfer.movements import part_offsets
from faceuv.models.faces.transfer.store import find, stored_texels
from faceuv.models.faces.transfer.texels import Texels, continued, filled, resample
from faceuv.structures import Camera, Coefficients, UVMaps

TEXTURE_SIZE = 1024  # of the target's maps, texels a side


class Transfer:
    """From a source model to a target model; the correspondence is computed once and read from the user's cache.

    Args:
        source, target: any face models with 68 landmarks.
        cache: keep the correspondence in the user's cache folder, under the fingerprints of both models.
        verbose: say on standard error what is being computed.
    """

    def __init__(self, source: FaceModel, target: FaceModel, *, cache: bool = True, verbose: bool = True) -> None:
        self.source, self.target = source, target
        self.cache, self.verbose = cache, verbose
        self.correspondence: Correspondence = find(source, target, cache=cache, verbose=verbose)
        self._texels: dict[tuple[int, int], Texels] = {}

    @cached_property
    def _numbers(self) -> CoefficientTransfer:
        return CoefficientTransfer(self.source, self.target, self.correspondence)  # 1 s, and maps do without

    @property
    def errors(self) -> Mapping[str, Mapping[str, float]]:
        """Region of the target (``face``, ``ears``, ``scalp``, ``neck``, ``all``) → ``median_mm`` and ``p95_mm`` of the
        distance between the registered surfaces, and the ``share`` of its vertices that have a counterpart."""
        return self.correspondence.errors

    # ---------------------------------------------------------------- coefficients

    @torch.no_grad()
    def coefficients(self, coefficients: Coefficients, *, camera: Camera | None = None) -> Coefficients:
        """Coefficients ``(B, N)`` of the source → ``(B, N')`` of the target, of the same people in the same picture:
        identity, expression and albedo by least squares, pose through the motion between the models' frames, light as
        it is. ``camera`` matters only for models in different units."""
        self.source.check_layout(coefficients)
        coefficients.check_finite()
        numbers = self._numbers
        rotation, translation = self._pose(coefficients, camera or Camera())
        wanted = Coefficients.zeros(
            len(coefficients), self.target.layout, device=coefficients.data.device, dtype=coefficients.data.dtype
        )
        return wanted.replace(
            identity=numbers.identity(coefficients.identity),
            expression=numbers.expression(coefficients.expression),
            albedo=numbers.albedo(coefficients.albedo),
            rotation=rotation,
            lighting=coefficients.lighting,
            translation=translation,
        )

    def _pose(self, coefficients: Coefficients, camera: Camera) -> tuple[Tensor, Tensor]:
        # A point of the target's frame is q + s·Q·x of the source's, and is to be seen where R·x + t is.
        found = self.correspondence
        turn, offset, scale = (value.to(coefficients.data) for value in (found.rotation, found.offset, found.scale))
        rotation = euler_to_matrix(coefficients.rotation) @ turn.T
        eye = coefficients.data.new_tensor([0.0, 0.0, camera.distance])
        translation = scale * coefficients.translation + (1 - scale) * eye - rotation @ offset
        return matrix_to_euler(rotation), translation

    # ---------------------------------------------------------------- people

    @torch.no_grad()
    def people(
        self,
        coefficients: Coefficients,
        maps: UVMaps | None = None,
        *,
        size: int | tuple[int, int] = TEXTURE_SIZE,
        camera: Camera | None = None,
    ) -> tuple[Coefficients, UVMaps]:
        """B people of the source as people of the target, with maps of ``size`` texels a side. Without a diffuse map
        the linear albedo of the source is drawn into one: brows and lips stay, whatever the target's albedo knows."""
        height, width = picture_size(size)
        maps = maps or UVMaps()
        if maps.diffuse is None:
            maps = UVMaps(self.source.albedo_map(coefficients.albedo, height, width), maps.displacement)
        made = self.coefficients(coefficients, camera=camera)
        return made, self.maps(maps, albedo=made.albedo, size=(height, width))

    # ---------------------------------------------------------------- maps

    @torch.no_grad()
    def maps(self, maps: UVMaps, *, albedo: Tensor | None = None, size: int | tuple[int, int] = TEXTURE_SIZE) -> UVMaps:
        """Maps over the source's chart → over the target's, ``size`` texels a side.

        Skin with a counterpart takes the source's texels. Skin without one takes the colours (and displacement) near
        the border of what is known, continued smoothly along the surface. Eyes, teeth and the inside of the mouth keep
        the target's own colours, those of ``albedo (B, A')`` or of its mean, and are not displaced.
        """
        height, width = picture_size(size)
        check_same_device(diffuse=maps.diffuse, displacement=maps.displacement, face_model=self.target.mean)
        made: dict[str, Tensor | None] = {"diffuse": None, "displacement": None}
        if maps.diffuse is not None:
            own = self._own(maps.diffuse, albedo, height, width)
            made["diffuse"] = self._blended(maps.diffuse, own, height, width).clamp(0, 1)
        if maps.displacement is not None:
            found = self.correspondence
            turn = (found.scale * found.rotation).to(maps.displacement)
            turned = torch.einsum("ij,bjhw->bihw", turn, maps.displacement)
            local = self._to_local(height, width).to(turned)
            nowhere = turned.new_zeros(1, 3, height, width)
            made["displacement"] = self._blended(turned, nowhere, height, width, local)
        return UVMaps(**made)

    def texels(self, height: int, width: int) -> Texels:
        """The correspondence per texel of the target's chart."""
        known = self._texels.get((height, width))
        if known is None:
            known = stored_texels(
                self.source, self.target, self.correspondence, height, width, cache=self.cache, verbose=self.verbose
            )
            self._texels[height, width] = known
        return known

    def _own(self, like: Tensor, albedo: Tensor | None, height: int, width: int) -> Tensor:
        given = like.new_zeros(1, self.target.layout.albedo) if albedo is None else albedo
        return self.target.albedo_map(given.to(self.target.mean), height, width).to(like)

    def _blended(self, values: Tensor, own: Tensor, height: int, width: int, local: Tensor | None = None) -> Tensor:
        texels = self.texels(height, width)
        fill = filled(values, self.correspondence, self.source, self.target, (height, width))
        found = resample(values, texels, self.source)
        if local is not None:
            found = torch.einsum("hwij,bjhw->bihw", local, found)
        sure = texels.confidence.to(values)
        return torch.where(texels.skin.to(values.device), torch.lerp(fill, found, sure), own)

    def _to_local(self, height: int, width: int) -> Tensor:
        """``(H, W, 3, 3)``: the smallest turns that take the source's normals, in the target's frame, to its own."""
        source, target, found = self.source, self.target, self.correspondence
        texels = self.texels(height, width)
        theirs = vertex_normals(source.mean[None], source.faces, source.weld)[0]
        theirs = (theirs[source.faces[texels.face.to(theirs.device)]] * texels.weights.to(theirs)[..., None]).sum(-2)
        theirs = theirs @ found.rotation.to(theirs).T
        mine = bake(vertex_normals(target.mean[None], target.faces, target.weld), target.chart(height, width))
        turn = smallest_turn(_unit(theirs), _unit(mine[0].permute(1, 2, 0)))
        sure = (texels.confidence > 0).to(turn.device)[..., None, None]
        return torch.where(sure, turn, torch.eye(3).to(turn))

    # ---------------------------------------------------------------- shapes

    @torch.no_grad()
    def offsets(self, offsets: Tensor) -> Tensor:
        """Offsets of the source's vertices ``(B, V, 3)``, such as a movement at its full amount → of the target's
        ``(B, V', 3)``, continued smoothly along the skin where the source has no counterpart. Tongue, teeth and gums
        move part to part; everything else off the skin stays."""
        found = self.correspondence
        turn = (found.scale * found.rotation).to(offsets)
        corners = self.source.faces.to(offsets.device)[found.face.to(offsets.device)]
        seen = (offsets[:, corners] * found.weights.to(offsets)[:, :, None]).sum(2)
        seen = seen @ turn.T
        sure = found.confidence.to(offsets)[:, None]
        skin = torch.lerp(continued(seen, found.to(offsets.device)), seen, sure)
        on_skin = (found.fill.sum(1) > 0).to(offsets.device)[:, None]
        return torch.where(on_skin, skin, part_offsets(self.source, self.target, offsets, turn))

    def vertices(self, indices: Tensor) -> Tensor:
        """Vertices of the source ``(P,)`` → the nearest ones of the target's skin ``(P,)``, on the registered surfaces:
        landmarks and other marked points of one model on another."""
        found = self.correspondence
        on_skin = (found.fill.sum(1) > 0).nonzero()[:, 0]
        points = found.source_points[indices.cpu()]
        return on_skin[torch.cdist(points, found.placed[on_skin]).argmin(1)].to(indices.device)


_KEPT = 4  # transfers that stay in memory
_recent: OrderedDict[tuple[int, int], Transfer] = OrderedDict()


def between(source: FaceModel, target: FaceModel, *, verbose: bool = True) -> Transfer:
    """The transfer between two models; the last few stay in memory, for the same model objects."""
    key = id(source), id(target)  # of objects that the kept transfers hold, so that no other object has them
    found = _recent.pop(key, None) or Transfer(source, target, verbose=verbose)
    _recent[key] = found
    while len(_recent) > _KEPT:
        _recent.popitem(last=False)
    return found


def smallest_turn(start: Tensor, end: Tensor) -> Tensor:
    """Rotations ``(…, 3, 3)`` that take unit vectors ``start`` to ``end (…, 3)`` about the axis across both; none where
    they are opposite or zero."""
    axis = torch.linalg.cross(start, end)
    cosine = (start * end).sum(-1)[..., None, None]
    zero = torch.zeros_like(axis[..., 0])
    x, y, z = axis.unbind(-1)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    eye = torch.eye(3).to(start)
    turn = eye + skew + skew @ skew / (1 + cosine).clamp_min(1e-6)
    return torch.where(cosine > -0.9, turn, eye)


def _unit(vectors: Tensor) -> Tensor:
    return torch.nn.functional.normalize(vectors, dim=-1, eps=1e-12)
