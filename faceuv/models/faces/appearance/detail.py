"""What is finer than a vertex grid: pores, lines, freckles, moles, small vessels, roots of hair."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.faces.appearance.curves import smoothstep
from faceuv.models.faces.appearance.noise import Noise
from faceuv.models.faces.appearance.paint import Points
from faceuv.models.faces.appearance.splat import Marks, Triangles, draw, scatter
from faceuv.models.faces.appearance.texels import SMOOTH_SIZE, Texels
from faceuv.models.faces.appearance.wrinkles import fine_lines, folds
from faceuv.models.faces.arrays import PARTS
from faceuv.models.faces.base import FaceModel

# Kind of pore: zone, spacing and radius in mm, depth in mm.
_PORES = (("nose", 0.95, 0.26, 0.060), ("cheeks", 1.15, 0.22, 0.042), ("forehead", 1.30, 0.18, 0.026),
          ("chin", 1.15, 0.22, 0.036))  # fmt: skip
_ELSEWHERE = (1.55, 0.17, 0.016)
_COARSE = 0.55  # mm per texel: where texels are larger, pores are not drawn
_MOST_FRECKLES = 900
_AGES = (0.0, 120.0)


@dataclass(frozen=True, eq=False)
class DetailMaps:
    """Over the chart of a head, each ``(T, T)``.

    pigment    added to the logarithm of melanin
    blood      added to the logarithm of blood
    height     mm along the normal
    roughness  of the surface, in [0, 1], as glTF has it
    follicles  coverage by the roots of hair, where any may grow
    """

    pigment: Tensor
    blood: Tensor
    height: Tensor
    roughness: Tensor
    follicles: Tensor

    def multiplier(self, pigment: Tensor, blood: Tensor) -> Tensor:
        """``(3, T, T)``: the factor on a diffuse map, for ``pigment (3,)`` and ``blood (3,)``: how fast the logarithms
        of the colours fall with those of melanin and blood."""
        total = self.pigment * pigment[:, None, None] + self.blood * blood[:, None, None]
        return torch.exp_(total.neg_())


def skin_detail(
    model: FaceModel, seed: int, size: int = 2048, *, age: float = 30.0, freckles: float = 0.0, moles: int | None = None
) -> DetailMaps:
    """The fine detail of one person's skin; the same seed gives the same maps.

    Args:
        size: of the maps, in texels.
        age: years: folds, lines, spots.
        freckles: 0 (none) … 1 (covered).
        moles: how many; None lets the seed decide.
    """
    if not _AGES[0] <= age <= _AGES[1]:
        raise InputError(f"age must lie in {_AGES[0]:.0f} … {_AGES[1]:.0f} years, got {age}")
    if not 0 <= freckles <= 1:
        raise InputError(f"freckles must lie in 0 … 1, got {freckles}")
    texels = Texels.of(model, size)
    generator = torch.Generator().manual_seed(int(seed))
    return _Drawing(model, texels, generator).maps(age, freckles, moles)


class _Drawing:
    """One person's detail in the making."""

    def __init__(self, model: FaceModel, texels: Texels, generator: torch.Generator) -> None:
        self.texels, self.generator = texels, generator
        self.smooth = texels if texels.size <= SMOOTH_SIZE else Texels.of(model, SMOOTH_SIZE)
        assert self.smooth.points is not None  # maps of this size have them
        self.points: Points = self.smooth.points
        self.noise = Noise(generator)
        head, triangles = texels.head, Triangles.of(texels)
        kind = head.part_of_faces()
        self.skin_faces = (kind == PARTS.index("skin")).float()
        self.texel_mm = triangles.stretch.reciprocal()
        self.zones = texels.face_zones()

    def fine(self, values: Tensor) -> Tensor:
        """Values at the smooth map's texels ``(C, n)`` → ``(C, T, T)``."""
        image = self.smooth.image(values)
        size = self.texels.size
        if self.smooth.size == size:
            return image
        return F.interpolate(image[None], size=(size, size), mode="bilinear", align_corners=False)[0]

    @torch.no_grad()
    def maps(self, age: float, freckles: float, moles: int | None) -> DetailMaps:
        size = self.texels.size
        years = min(max((age - 18.0) / 62.0, 0.0), 1.0)
        grown = min(max((age - 4.0) / 18.0, 0.0), 1.0)  # children have fine pores, hardly a line, few moles
        pores, follicles = self._pores()
        pores = pores * (0.35 + 0.65 * grown)
        spots, bumps = self._spots(years, grown, freckles, moles)
        slow = self._slow(years, grown)
        pigment, blood, height, roughness = self.fine(slow).unbind(0)
        grain = self._grain()
        view = (size, size)
        pores, follicles, spots, bumps, grain = (m.view(view) for m in (pores, follicles, spots, bumps, grain))
        pigment = pigment + spots + 3.0 * pores + 0.020 * grain
        blood = blood + 2.2 * pores + 0.035 * grain
        height = height - pores + 0.30 * bumps + 0.006 * grain
        roughness = (roughness + 1.5 * pores + 0.02 * grain).clamp(0.02, 1)
        return DetailMaps(pigment, blood, height, roughness, follicles)

    def _pores(self) -> tuple[Tensor, Tensor]:
        """Depth of pores in mm, and the follicles of beards and scalp, ``(T·T,)`` each."""
        zones, open_ = self.zones, self.skin_faces * (1 - self.zones["lips"]).clamp(0, 1)
        open_ = open_ * (1 - self.zones["below_neck"]) * (1 - self.zones["scalp"])
        fading = smoothstep(_COARSE, 0.6 * _COARSE, self.texel_mm)
        depths = torch.zeros(self.texels.size**2)
        left = torch.ones_like(open_)
        for name, spacing, radius, depth in (*_PORES, ("", *_ELSEWHERE)):
            here = left if name == "" else (zones[name] > 0.35).float() * left
            left = left - here if name else left
            dense = here * open_ * fading * (2.6 / spacing**2)
            marks = scatter(self.texels, dense, self.generator, spacing)
            luck = marks.numbers["chance"]
            wide = radius * (0.65 + 0.7 * luck)
            # a pore narrower than a texel is drawn as wide as one, and as much shallower
            drawn = torch.maximum(wide, 0.62 * self.texel_mm[marks.face])
            deep = depth * (0.45 + 0.9 * luck.flip(0)) * (wide / drawn) ** 2
            marks = marks.given(wide=drawn, deep=deep)
            draw(self.texels, marks, 1.9 * drawn, _pit, depths, how="max")
        return depths, self._follicles(fading)

    def _follicles(self, fading: Tensor) -> Tensor:
        beard = torch.maximum(torch.maximum(self.zones["moustache"], self.zones["goatee"]), self.zones["whiskers"])
        cover = torch.zeros(self.texels.size**2)
        dense = self.skin_faces * fading * (torch.maximum(beard, 0.5 * self.zones["scalp"]) > 0.05) * 1.9
        marks = scatter(self.texels, dense, self.generator, 0.62)
        size = torch.maximum(0.11 + 0.05 * marks.numbers["chance"], 0.55 * self.texel_mm[marks.face])
        alpha = ((0.13 / size) ** 1.3).clamp(0, 1)
        draw(self.texels, marks.given(wide=size, deep=alpha), 1.9 * size, _pit, cover, how="max")
        return cover

    def _spots(self, years: float, grown: float, freckles: float, moles: int | None) -> tuple[Tensor, Tensor]:
        """Freckles, spots of age and moles as added melanin, and the moles' relief, ``(T·T,)`` each."""
        pigment, bumps = torch.zeros(self.texels.size**2), torch.zeros(self.texels.size**2)
        zones, area = self.zones, Triangles.of(self.texels).area
        front = (zones["sunny"] + 0.6 * zones["cheeks"] + 0.5 * zones["nose"]).clamp(0, 1)

        def strewn(where: Tensor, count: float) -> Marks:
            where = where * self.skin_faces * (1 - zones["lips"]).clamp(0, 1)
            return scatter(self.texels, where * (count / float((where * area).sum().clamp_min(1e-6))), self.generator)

        if freckles > 0:
            marks = strewn(front**1.5 + 0.03, freckles * _MOST_FRECKLES)
            luck = marks.numbers["chance"]
            marks = marks.given(wide=0.45 + 0.75 * luck**2, deep=(0.25 + 0.55 * luck.flip(0)) * (0.5 + 0.6 * freckles))
            draw(self.texels, marks, 2.1 * marks.numbers["wide"], _pit, pigment)
        if years > 0.25:
            marks = strewn(front + 0.5 * zones["temples"] + 0.4 * zones["forehead"], 55 * (years - 0.25) / 0.75)
            luck = marks.numbers["chance"]
            marks = marks.given(wide=1.2 + 2.6 * luck**2, deep=0.05 + 0.15 * luck.flip(0))
            draw(self.texels, marks, 1.8 * marks.numbers["wide"], _plateau, pigment)
        drawn = int(torch.randint(0, 9, (1,), generator=self.generator))
        drawn = int(grown * drawn)
        face = 1 - zones["scalp"] - 0.7 * zones["below_neck"]
        marks = strewn(face.clamp_min(0.02) ** 2, drawn if moles is None else moles)
        luck = marks.numbers["chance"]
        marks = marks.given(wide=0.7 + 0.9 * luck, deep=0.9 + 0.9 * luck.flip(0))
        draw(self.texels, marks, 1.8 * marks.numbers["wide"], _plateau, pigment)
        draw(self.texels, marks.given(deep=0.6 * luck), 1.8 * marks.numbers["wide"], _plateau, bumps)
        return pigment.clamp_max_(2.6), bumps

    def _slow(self, years: float, grown: float) -> Tensor:
        """``(4, n)`` at the smooth texels: pigment, blood, height (mm) and roughness of all that is over 1 mm wide."""
        regions = self.points.regions
        skin = (self.points.part == PARTS.index("skin")).float()
        coarse, mottle = self.noise(self.smooth.slow[0], slice(3)), self.noise(self.smooth.slow[1])
        strength = (0.10 * grown + 0.95 * years**1.5) * (0.45 + 0.8 * torch.rand(8, generator=self.generator))
        fold = folds(regions, strength)
        lines, creases = fine_lines(regions, self.noise)
        fine = (0.22 * grown + 0.9 * years) * lines
        bare = (1 - regions["lips"]).clamp(0, 1)
        flushed = (regions["cheeks"] + regions["nose"] + 0.4 * regions["ears"] + 0.3 * regions["chin"]).clamp(0, 1)
        vessels = (1 - (mottle[:, 2] + 0.5 * coarse[:, 2]).abs() / 0.16).clamp_min(0) * flushed
        pigment = 0.030 * coarse[:, 0] + 0.022 * mottle[:, 0] + 0.10 * fine + 0.10 * fold.clamp(0, 1.5)
        blood = (0.07 + 0.10 * flushed) * coarse[:, 1] + 0.075 * mottle[:, 1] + (0.10 + 0.35 * years) * vessels
        blood = blood + 0.16 * fold.clamp(0, 1.5) + 0.30 * creases - 0.10 * regions["lips"] * mottle[:, 0]
        pigment = pigment + 0.10 * creases
        height = 0.020 * bare * mottle[:, 3] - 0.055 * fine - 0.40 * fold.clamp(0, 1.5) - 0.075 * creases
        oily = (regions["nose"] + 0.7 * regions["forehead"] + 0.4 * regions["chin"]).clamp(0, 1)
        rough = 0.56 - 0.10 * oily - 0.20 * regions["lips"] + 0.03 * mottle[:, 0] + 0.06 * fine
        wet = torch.tensor([_ROUGHNESS.get(name, 0.5) for name in PARTS])[self.points.part]
        rough = torch.where(skin > 0, rough, wet)
        return torch.stack([pigment * skin, blood * skin, height * skin, rough])

    def _grain(self) -> Tensor:
        """``(T·T,)`` unit noise of half a millimetre on skin."""
        texels = self.texels
        rows, cells = texels.skin
        values = torch.zeros(len(texels.rows))
        values[rows] = Noise(self.generator, 1)(cells)[:, 0].clamp(-2.5, 2.5)
        return values[texels.nearest]


_ROUGHNESS = {"teeth": 0.22, "gums": 0.30, "tongue": 0.36, "inner_mouth": 0.34} | {
    f"{what}_{side}": rough for what, rough in (("sclera", 0.12), ("iris", 0.10), ("cornea", 0.05))
    for side in ("left", "right")
}  # fmt: skip


def _pit(distance: Tensor, marks: Marks) -> Tensor:
    wide, deep = (marks.numbers[name][:, None] for name in ("wide", "deep"))
    return deep * torch.exp(-((distance / wide) ** 2))


def _plateau(distance: Tensor, marks: Marks) -> Tensor:
    wide, deep = (marks.numbers[name][:, None] for name in ("wide", "deep"))
    return deep * smoothstep(1.6, 0.5, distance / wide)
