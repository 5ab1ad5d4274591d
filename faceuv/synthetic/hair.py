"""Hair as sheets combed from the crown: each column of a sheet is a lock that follows the skull, then hangs.

A lock starts at the crown at some azimuth, runs down the skull, is pushed aside where it would cover the face, and ends
at the hairline (short hair) or falls to its length. The columns start and end at the parting, so nothing spans it.
Two sheets of growing thickness and thinning coverage give soft outlines.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.hair.lights import unit
from faceuv.models.faces.hair.surroundings import Follower, to_object
from faceuv.models.faces.procedural.build import MM_PER_DM
from faceuv.synthetic.alone import one_by_one
from faceuv.synthetic.draw import Draw, blend, interpolate, smoothstep
from faceuv.synthetic.features import Person
from faceuv.synthetic.head import grid_faces, skull_radius
from faceuv.synthetic.seeds import normals, smooth_noise

CENTRE = (0.0, 22.0, -12.0)  # mm, head frame: locks are described around it
SHEETS = ((0.55, 0.30), (1.0, -0.12))  # share of the thickness, extra coverage
COLOUR_NUMBERS = 4  # of the factor "hair", read by the population
_HANGS_FROM = math.radians(95.0)  # polar angle where a lock leaves the skull
_DEGREE = math.pi / 180

# Azimuth in degrees → height of the hair's lower edge, mm, relative to the front hairline at 66.
_EDGE_AZIMUTH = (0, 25, 42, 54, 66, 76, 86, 97, 112, 135, 180)
_EDGE_SHORT = (0, 1, -5, -24, -46, -70, -58, -52, -90, -118, -128)
_EDGE_NO_BURNS = (0, 1, -5, -22, -40, -52, -50, -50, -88, -118, -128)
# Height relative to the front hairline → azimuth in degrees that locks swept aside keep clear.
_OPEN_HEIGHT = (-286.0, -186.0, -136.0, -86.0, -56.0, -36.0, -21.0, -6.0, 8.0)
_OPEN_AZIMUTH = (58.0, 63.0, 66.0, 67.0, 61.0, 54.0, 44.0, 18.0, -50.0)

# bald, buzz, short, side parting, over the ears, long, fringe, curls, tied back
KINDS = ("bald", "buzz", "short", "parted", "medium", "long", "fringe", "curls", "tied")
_MEN = (0.06, 0.14, 0.34, 0.22, 0.10, 0.04, 0.00, 0.10, 0.00)
_WOMEN = (0.00, 0.01, 0.05, 0.03, 0.17, 0.38, 0.14, 0.09, 0.13)
# per kind: thickness on top and at the sides (mm), how much is swept aside, whether it falls
_TOP = (0.0, 0.0, 13.0, 16.0, 13.0, 11.0, 11.0, 27.0, 6.0)
_SIDE = (0.0, 0.0, 5.5, 6.5, 10.0, 10.0, 9.0, 22.0, 5.0)
_SWEPT = (0.0, 0.0, 0.0, 0.55, 0.9, 1.0, 1.0, 0.9, 0.0)
_FALLS = (0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0)


class HairStyle(NamedTuple):
    """One number ``(B,)`` each; lengths in mm."""

    kind: Tensor
    there: Tensor  # 1 where locks are drawn
    line: Tensor  # height of the hairline in front
    part: Tensor  # azimuth of the parting, radians
    top: Tensor
    side: Tensor
    swept: Tensor
    falls: Tensor
    end: Tensor  # height where falling locks end
    fringe: Tensor  # 0 or 1
    wave: Tensor
    curl: Tensor
    frame: Tensor  # degrees by which the locks beside the face cover more of it
    scalp: Tensor  # how much colour the roots give the scalp
    burns: Tensor  # 0 … 1, sideburns
    density: Tensor


class Sheet(NamedTuple):
    """Geometry and shading attributes of all sheets, per vertex."""

    vertices: Tensor  # (B, N, 3) dm, object frame
    normals: Tensor
    tangents: Tensor
    attributes: Tensor  # (B, N, 4): column and row coordinate in [−1, 1], coverage, light


def check_kinds(kinds: Collection[str]) -> None:
    """Some men and some women must wear the hair styles that occur."""
    unknown = [name for name in kinds if name not in KINDS]
    worn = [sum(share for name, share in zip(KINDS, shares) if name in kinds) for shares in (_MEN, _WOMEN)]
    if isinstance(kinds, str) or unknown or min(worn) == 0:
        raise InputError(
            f"hair must name some of {', '.join(KINDS)}, at least one that men wear and one that women wear, got"
            f" {kinds!r}"
        )


def draw_style(numbers: Tensor, person: Person, kinds: Collection[str] = KINDS) -> HairStyle:
    """``numbers``: the factor ``hair``, whose first numbers decided the colour; ``kinds`` are the styles that occur."""
    draw = Draw(numbers)
    draw.take(COLOUR_NUMBERS)
    men, women = (torch.tensor(w, dtype=numbers.dtype, device=numbers.device) for w in (_MEN, _WOMEN))
    old = (person.male * smoothstep(0.5, 0.95, person.age))[:, None]
    men = men + old * men.new_tensor([0.25, 0.15, *([0.0] * 7)])
    male = (person.male > 0.5)[:, None].to(numbers.dtype)
    occurs = men.new_tensor([float(name in kinds) for name in KINDS])
    kind = draw.choice((male * men + (1 - male) * women) * occurs)

    def of(table: tuple[float, ...]) -> Tensor:
        return numbers.new_tensor(table)[kind]

    receding = person.male * smoothstep(0.35, 1.0, person.age) * draw.uniform()
    thickness = draw.uniform(0.75, 1.3)
    lengths = torch.stack(
        [draw.uniform(-70, -15), draw.uniform(-235, -70), draw.uniform(-120, -50), draw.uniform(-70, 0)], 1
    )
    column = numbers.new_tensor([0, 0, 0, 0, 0, 1, 2, 3, 0]).long()[kind]
    side = torch.sign(draw.normal()) * draw.uniform(5, 38) * _DEGREE
    central = draw.chance(0.4) * of((1, 1, 0, 0, 1, 1, 1, 1, 1))
    return HairStyle(
        kind=kind,
        there=(kind > 1).to(numbers.dtype),
        line=draw.uniform(64, 75) + 16 * receding + of((30, 0, 0, 0, 0, 0, 0, 3, 0)),
        part=side * (1 - central),
        top=of(_TOP) * thickness,
        side=of(_SIDE) * (0.6 + 0.4 * thickness),
        swept=of(_SWEPT),
        falls=of(_FALLS),
        end=lengths.gather(1, column[:, None])[:, 0],
        fringe=of((0, 0, 0, 0, 0, 0, 1, 0, 0)),
        wave=draw.skewed(1.8, 7.0) * of((0, 0, 0, 0, 1, 1, 0.4, 0.6, 0)),
        curl=of((0, 0, 0.25, 0.25, 0.2, 0.1, 0.05, 1.0, 0.05)) * draw.uniform(0.5, 1.2),
        frame=draw.uniform(-4, 9),
        scalp=of((0.22, 0.75, 0.9, 0.9, 0.9, 0.9, 0.9, 0.92, 0.9)),
        burns=person.male,
        density=draw.uniform(0.9, 1.15),
    )


class Hair(nn.Module):
    """Locks for any head of the face model.

    Args:
        rows, columns: vertices along and across the locks.
    """

    def __init__(self, model: FaceModel, rows: int = 33, columns: int = 81) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns
        azimuth, polar = np.meshgrid(np.linspace(-np.pi, np.pi, 49), np.linspace(0, 110 * _DEGREE, 25))
        direction = np.stack([np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)], -1)
        origin = np.broadcast_to(np.array(CENTRE), direction.shape)
        radius = skull_radius(model, origin, direction)
        self.follow = Follower(model, (origin + radius[..., None] * direction).reshape(-1, 3))
        self.register_buffer("radius", torch.tensor(radius, dtype=torch.float32)[None])
        self.register_buffer("centre", to_object(np.array(CENTRE)))
        faces = grid_faces(rows, columns)
        self.register_buffer("faces", torch.from_numpy(faces))
        self.register_buffer("along", torch.linspace(0, 1, rows)[None, :, None] ** 1.15)
        self.register_buffer("turn", torch.linspace(0, 2 * math.pi, columns)[None, None])
        for name, table in (
            ("edge_azimuth", _EDGE_AZIMUTH), ("edge_short", _EDGE_SHORT), ("edge_no_burns", _EDGE_NO_BURNS),
            ("open_height", _OPEN_HEIGHT), ("open_azimuth", _OPEN_AZIMUTH),
        ):  # fmt: skip
            self.register_buffer(name, torch.tensor(table, dtype=torch.float32))

    radius: Tensor
    centre: Tensor
    faces: Tensor
    along: Tensor
    turn: Tensor
    edge_azimuth: Tensor
    edge_short: Tensor
    edge_no_burns: Tensor
    open_height: Tensor
    open_azimuth: Tensor

    def lower_edge(self, azimuth: Tensor, style: HairStyle) -> Tensor:
        """Height, mm, of the lower edge of hair that does not fall; ``azimuth`` in radians, ``(B or 1, …)``."""
        wide = (slice(None), *([None] * (azimuth.ndim - 1)))
        degrees = azimuth.abs() / _DEGREE
        short = interpolate(degrees, self.edge_azimuth, self.edge_short)
        bare = interpolate(degrees, self.edge_azimuth, self.edge_no_burns)
        temples = torch.exp(-(((degrees - 38) / 14) ** 2))
        recess = (style.line - 66).clamp(0, 25)
        return style.line[wide] + blend(bare, short, style.burns[wide]) + 0.7 * recess[wide] * temples

    def on_scalp(self, x: Tensor, y: Tensor, z: Tensor, style: HairStyle, ragged: Tensor) -> tuple[Tensor, Tensor]:
        """For points in mm, head frame ``(T, T)``: coverage of the scalp by roots, and the shade that hair casts below.

        Both ``(B, 1, T, T)``; ``ragged`` is noise of that shape.
        """
        azimuth = torch.atan2(x, z - CENTRE[2])[None, None]
        above = y - self.lower_edge(azimuth, style) + 2.2 * ragged
        behind_face = smoothstep(-70.0, 0.0, above + 40)
        crown = (
            smoothstep(1.0, 1.5, azimuth.abs()) * (style.kind == 0)[:, None, None, None]
            + (style.kind > 0)[:, None, None, None]
        )
        roots = smoothstep(-4.0, 8.0, above) * style.scalp[:, None, None, None] * crown
        shade = torch.exp(-((-above).clamp_min(0) / 8)) * (above < 0) * smoothstep(15, 40, y) * behind_face
        depth = (0.06 + 0.20 * smoothstep(3.0, 12.0, style.top)) * style.there
        return roots, depth[:, None, None, None] * shade

    def forward(self, identity: Tensor, style: HairStyle, seed: Tensor) -> list[Sheet]:
        """The sheets from the inside out."""
        batch = len(identity)
        one = (slice(None), None, None)
        moved = (
            (one_by_one(self.follow, identity) - self.follow.rest)
            .unflatten(1, self.radius.shape[1:])
            .permute(0, 3, 1, 2)
        )
        table = torch.cat([(self.radius / MM_PER_DM).expand(batch, -1, -1)[:, None], moved], 1)
        along, turn = self.along, self.turn
        left = turn < math.pi
        start = style.part[one] + torch.where(left, turn, turn - 2 * math.pi)
        near_part = torch.minimum(turn, 2 * math.pi - turn)

        # how far each lock goes: over the skull to a polar angle, then down
        fringe = style.fringe[one] * smoothstep(52 * _DEGREE, 46 * _DEGREE, start.abs())
        wobble = smooth_noise(seed, (1, self.columns), (1, 9), 1)[:, 0]
        jag = normals(seed, (1, self.columns), 2)
        edge = self.lower_edge(start, style) + (1.5 + 2.5 * style.curl[one]) * wobble
        edge = blend(edge, style.line[one] - 36 + 2.0 * wobble, fringe)
        falls = style.falls[one] * (1 - fringe)
        end = blend(edge, torch.minimum(style.end[one] + 7 * wobble + 3 * jag, edge), falls)
        skull_end = ((end - CENTRE[1]) / 94.0).clamp(-0.999, 0.999)
        over = torch.minimum(torch.acos(skull_end), torch.full_like(end, _HANGS_FROM))
        hang = (CENTRE[1] + 92.0 * math.cos(_HANGS_FROM) - end).clamp_min(0) * (over >= _HANGS_FROM - 1e-4)
        path = 92.0 * over + hang
        polar = torch.minimum(along * path / 92.0, over)
        drop = (along * path - 92.0 * over).clamp_min(0)
        height = CENTRE[1] + 92.0 * polar.cos() - drop

        # pushed aside by the face
        keep = interpolate(height - style.line[one], self.open_height, self.open_azimuth)
        below = smoothstep(30.0, -40.0, height)
        keep = keep - style.frame[one] * below
        keep = blend(torch.full_like(keep, -60.0), keep, style.swept[one] * (1 - fringe)) * _DEGREE
        sign = torch.where(left, 1.0, -1.0)
        outward = _soft_max(start * sign, keep, 7 * _DEGREE)
        ripple = smooth_noise(seed, (self.rows, self.columns), (5, 10), 3)[:, 0]
        phase = 2.5 * smooth_noise(seed, (1, self.columns), (1, 6), 4)[:, 0]
        waves = style.wave[one] * torch.sin(height / 11.0 + phase) * smoothstep(20.0, -60.0, height)
        azimuth = sign * outward + (0.012 * waves + 0.02 * ripple * style.curl[one])
        crowded = (outward - start * sign).clamp_min(0)

        # off the skull
        top = smoothstep(25.0, 85.0, height)
        thickness = blend(style.side[one], style.top[one], top) * (0.62 + 0.38 * smoothstep(0.0, 0.5, near_part))
        thickness = thickness * (1 + (0.10 + 0.30 * style.curl[one]) * ripple)
        thickness = thickness * blend(smoothstep(1.03, 0.62, along), torch.ones_like(along), falls)
        at_edge = smoothstep(0.0, 22 * _DEGREE, outward - keep + 3 * _DEGREE)
        thickness = thickness * blend(
            torch.ones_like(at_edge), 0.35 + 0.65 * at_edge, style.swept[one] * smoothstep(-10.0, 20.0, height)
        )
        thickness = thickness * smoothstep(-0.02, 0.12, along + 0.03)

        texel = torch.stack([_wrap(azimuth) / math.pi, polar / (55 * _DEGREE) - 1], -1)
        skull = F.grid_sample(table, texel, mode="bilinear", padding_mode="border", align_corners=True)
        bulge = smooth_noise(seed, (self.rows, self.columns), (7, 14), 5)[:, 0]

        # coverage: thin at the tips and at the edges of the curtain, solid elsewhere
        tip = blend(smoothstep(1.0, 0.74, along), smoothstep(1.0, 0.78, along), falls)
        curtain = smoothstep(0.0, 0.10, near_part + 0.05 * top)
        cover = (tip * (0.35 + 0.65 * curtain) - 0.10 * (1 - falls)).expand_as(height) * style.density[one]
        light = 0.80 + 0.20 * smoothstep(0.0, 0.5, along) - 0.10 * smoothstep(0.3, 1.2, crowded)
        light = light - 0.16 * smoothstep(0.2, 0.0, near_part) * top
        light = light * (1 + 0.10 * style.curl[one] * ripple)
        sheets = []
        for share, extra in SHEETS:
            raised = (
                0.028 + 0.01 * share + share * thickness / MM_PER_DM + 0.012 * share * bulge * (0.3 + style.curl[one])
            )
            radius = skull[:, 0] + raised
            flare = drop / MM_PER_DM * (0.05 - 0.10 * smoothstep(60.0, 200.0, drop)) + share * waves / MM_PER_DM * 0.8
            level = radius * torch.sin(polar) + flare
            position = torch.stack(
                [level * torch.sin(azimuth), radius * torch.cos(polar) - drop / MM_PER_DM, level * torch.cos(azimuth)],
                -1,
            )
            position = position + self.centre + skull[:, 1:].permute(0, 2, 3, 1)
            normal, tangent = _frame(position)
            attributes = torch.stack(
                [(turn / math.pi - 1).expand_as(height), (2 * along - 1).expand_as(height), cover + extra, light], -1
            )
            sheets.append(Sheet(*(t.flatten(1, 2) for t in (position, normal, tangent, attributes))))
        return sheets


def _soft_max(a: Tensor, b: Tensor, width: float) -> Tensor:
    """A maximum whose corner is rounded over about ``width``."""
    h = (width - (a - b).abs()).clamp_min(0) / width
    return torch.maximum(a, b) + h * h * (0.25 * width)


def _wrap(angle: Tensor) -> Tensor:
    """Into −π … π."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def _frame(position: Tensor) -> tuple[Tensor, Tensor]:
    """Outward normals and downward tangents ``(B, rows, columns, 3)``."""
    down = torch.cat([position[:, 1:], position[:, -1:]], 1) - torch.cat([position[:, :1], position[:, :-1]], 1)
    across = torch.cat([position[:, :, 1:], position[:, :, -1:]], 2) - torch.cat(
        [position[:, :, :1], position[:, :, :-1]], 2
    )
    normal = unit(torch.linalg.cross(down, across, dim=-1), -1)
    # where locks are crowded together the sheet folds: lean its normals outward
    outward = unit(position - position.mean((1, 2), keepdim=True), -1)
    return unit(normal + 0.9 * outward, -1), unit(down, -1)
