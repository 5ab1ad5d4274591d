"""Which of the library's hair styles a photograph shows, and in which colour.

Every style is laid around the fitted head as a mask. Colours tell hair, skin and background apart. They are learned
where it is known what a pixel shows: the middle of the face is skin, what is far from the head is background, what lies
on the scalp and is not skin is hair. The style whose mask agrees best with what has the colours of hair is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor

from faceuv.data.window import Window
from faceuv.geometry.boxes import box_max, box_mean
from faceuv.geometry.projection import project
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.charts import kept
from faceuv.models.faces.hair import COLOURS, STYLES
from faceuv.models.faces.hair.choice import BALD
from faceuv.photo.clusters import Colouring, colour_features
from faceuv.photo.light import irradiance_of
from faceuv.photo.projection import posed_mesh
from faceuv.photo.reading import WIDE, View
from faceuv.photo.stylemasks import SIDE, style_masks
from faceuv.renderers.base import Renderer
from faceuv.renderers.interpolation import spread
from faceuv.structures import Mesh

AUTO, NONE = "auto", "none"
_USUAL = 0.7  # share of the styles that have hair there: the scalp
_SKIN_REACH = 0.30  # dm from brows, eyes, nose and mouth: skin without doubt
_PLAIN = 0.09  # dm from eyes and lips: nearer, lashes and the mouth would pass for skin, and dark hair with them
_FIRST = 0.75  # share of what is on the scalp and no skin that is surely hair: beside a small head it is background
_OTHER = 3.2  # Mahalanobis distance from the skin's colours, from which on the scalp does not show skin
_LEAST = 12  # pixels of a class: fewer say nothing
_BARE = 0.22  # share of hair on the scalp below which the head is bald
_SURE = 0.9  # probability of hair from which on a pixel's colour counts
_ROUNDS = 3
_UNRELATED = 2.0  # log odds against hair of what has its colours and does not hang together with it
_FINE = 192  # pixels of the same frame in which strands are seen
_CURLS, _STRAIGHT = 0.28, 0.36  # how parallel strands are: curls are below, hair without curls above
_TURNED = 0.6  # radians to the side, below which hair that is tied at the back looks like short hair: that is likelier
_CURLED = 0.6  # of the score, against curls on straight hair and the other way round
_LENGTH = 0.2  # of the score, for styles that are as long as the hair: of a mane mostly strands by the face are found
_LOW, _LOW_STYLE = (0.095, 0.035), 0.06  # share of hair below the lips: long hair and how clearly; of long styles
_EDGE = 0.06  # a mask is never surer than this
_FITS = 0.38  # intersection over union of the best style's mask: less fits no style
_TOLD = 0.5  # mean certainty of the pixels: less, and hair is not told from the background
_TINT = 0.55  # of the tint from that of all hair colours: more is a cap or dyed
_SHADE = 1.05  # hair looks darker than its colour by this: strands throw shadows on one another


@dataclass(frozen=True, eq=False)
class HairFound:
    """What photographs say about the hair.

    style    a name of ``STYLES``, ``"bald"``, or None where they do not say
    colour   RGB in [0, 1], None without hair
    doubt    why there is no style, '' if there is one
    agreement  intersection over union of the style's mask and the pixels that are hair
    """

    style: str | None
    colour: tuple[float, float, float] | None
    doubt: str
    agreement: float = 0.0

    @property
    def colour_name(self) -> str:
        """The nearest of the named colours."""
        if self.colour is None:
            return ""
        goal = np.log(np.array(self.colour) + 0.02)
        return min(COLOURS, key=lambda name: float(np.square(np.log(np.array(COLOURS[name]) + 0.02) - goal).sum()))


@dataclass(frozen=True, eq=False)
class HairPixels:
    """One photograph in the frame of S × S pixels.

    hair (S, S)    probability of hair;  inside (S, S) bool: the picture shows it
    masks (K, S, S)  in [0, 1], where each style has hair
    bare           whether the scalp shows skin;  seen: pixels of the scalp
    told           mean certainty of the pixels that some styles cover and others do not
    colour (3,)    of the hair, in the light of the picture
    normal (N, 3)  of the head where that is, after the pose; empty where it does not matter
    straight, curled  in [0, 1], whether its strands are parallel or not
    length (K,)    in [−1, 1]: whether hair beside and below the lips, or none there, speaks for each style
    """

    hair: Tensor
    inside: Tensor
    masks: Tensor
    bare: bool
    seen: int
    told: float
    colour: Tensor
    normal: Tensor
    straight: float = 0.0
    curled: float = 0.0
    length: Tensor | float = 0.0

    def colour_in(self, lighting: Tensor) -> Tensor:
        """``(3,)``: the hair's colour without the light ``(3, 9)`` of the picture."""
        if not len(self.normal):
            return self.colour
        return self.colour / irradiance_of(self.normal, lighting).clamp_min(0).mean(0).clamp_min(0.2)


@torch.no_grad()
def find_hair(
    model: FaceModel,
    views: Sequence[View],
    renderer: Renderer,
    *,
    lit: bool = False,
    pixels: Sequence[HairPixels] | None = None,
) -> HairFound:
    """The hair of the person in ``views``, whose coefficients hold the light that explains each photograph.

    Args:
        lit: the hair's colour is that of the photograph, with its light.
        pixels: of the views, where they are known.
    """
    names = list(STYLES)
    shown = [hair_pixels(model, view, renderer) for view in views] if pixels is None else pixels
    used = [(one, view.trust) for one, view in zip(shown, views) if one.seen >= _LEAST]
    colours = [
        one.colour if lit else one.colour_in(view.coefficients.lighting[0])
        for one, view in zip(shown, views)
        if one.seen >= _LEAST and not one.bare
    ]
    if not used:
        return HairFound(None, None, "the photograph does not show the scalp: no hair was chosen")
    total = sum(trust for _, trust in used)
    if sum(trust for one, trust in used if one.bare) > 0.5 * total:
        return HairFound(BALD, None, "")
    used = [(one, trust) for one, trust in used if not one.bare]
    total = sum(trust for _, trust in used)
    curly = torch.tensor([STYLES[name].strands == "curly" for name in names])
    curly = curly.to(shown[0].hair.device)
    score, agreement = (torch.zeros(len(names), device=curly.device) for _ in range(2))
    for one, trust in used:
        strands = _CURLED * torch.where(curly, one.straight, one.curled)
        score += trust / total * (_score(one) - strands + _LENGTH * one.length)
        agreement += trust / total * _agreement(one)
    if all(abs(float(view.coefficients.rotation[0, 1])) < _TURNED for view in views):
        tied = torch.tensor([STYLES[name].tail != "none" for name in names])
        score = score.masked_fill(tied.to(score.device), -torch.inf)
    best = int(score.argmax())
    colour = torch.stack([own * trust for own, (_, trust) in zip(colours, used)]).sum(0) / total
    told = sum(one.told * trust for one, trust in used) / total
    agreed = float(agreement[best])
    if told < _TOLD:
        return HairFound(None, None, "hair and background have the same colours: no hair was chosen", agreed)
    if agreed < _FITS:
        return HairFound(None, None, f"no hair style fits what is seen ({agreed:.0%}): no hair was chosen", agreed)
    if _strange(colour):
        return HairFound(None, None, "what is on the head does not have a colour of hair: no hair was chosen", agreed)
    red, green, blue = (round(float(value), 4) for value in colour.clamp(0, 1))
    return HairFound(names[best], (red, green, blue), "", agreed)


@torch.no_grad()
def hair_pixels(model: FaceModel, view: View, renderer: Renderer) -> HairPixels:
    """Where the photograph shows hair, and where each style would."""
    own = view.coefficients
    camera = replace(renderer.camera, focal=renderer.camera.focal * WIDE)
    (u, v) = view.window.half_axis
    content, mask = Window(view.window.centre, (u / WIDE, v / WIDE)).cut(view.picture, SIDE)
    inside = mask[0] > 0
    mesh, normals = posed_mesh(model, own)
    world = mesh.vertices
    head = renderer._look(Mesh(world, model.faces), SIDE, SIDE, camera)
    depth = spread(head.at.depth[:, None], head.at, fill=torch.inf)[0, ..., 0]
    covered = head.face_id[0] >= 0
    corner = model.faces[head.face_id[0].clamp_min(0), 0]
    brows = model.mean[model.landmarks[17:27], 1].mean()
    height = model.mean[corner, 1] - brows
    away = kept(model, "away", 0, lambda: torch.cdist(model.mean, model.mean[model.landmarks[17:]]).amin(1))
    near = away[corner]
    plain = kept(model, "plain", 0, lambda: torch.cdist(model.mean, model.mean[model.landmarks[36:]]).amin(1) > _PLAIN)
    on_skin = covered & model.vertices_of("skin")[corner] if model.part is not None else covered
    masks = style_masks(model, own.identity, own.rotation, own.translation, camera, depth)
    some = masks.amax(0)
    features = colour_features(content.flatten(1).T).view(SIDE, SIDE, 3)

    face = on_skin & inside & (near < _SKIN_REACH) & (height < 0) & plain[corner]  # a fringe may cover the forehead
    core = -F.max_pool2d(-covered.to(depth)[None, None], 3, 1, 1)[0, 0] > 0
    scalp = on_skin & core & inside & (masks.mean(0) > _USUAL)
    far = inside & ~covered & (F.max_pool2d(some[None, None], 5, 1, 2)[0, 0] < 0.05)
    nothing = HairPixels(some * 0, inside, masks, False, 0, 0.0, content.new_zeros(3), content.new_zeros(0, 3))
    if int(scalp.sum()) < _LEAST or int(face.sum()) < _LEAST:
        return nothing
    skin = Colouring.of(_common(features[face]), 3)
    other = scalp & (skin.away(features.flatten(0, 1)).view(SIDE, SIDE) > _OTHER)
    bare = int(other.sum()) < _BARE * int(scalp.sum())
    seen = int(scalp.sum())
    if bare or int(other.sum()) < _LEAST:
        return replace(nothing, bare=True, seen=seen)
    around = Colouring.of(features[far], 6, wide=1.2) if int(far.sum()) >= _LEAST else None
    usual = masks.mean(0).clamp(0.03, 0.97)
    reach = (F.max_pool2d(some[None, None], 5, 1, 2)[0, 0] > 0).to(some)
    hair = _probabilities(features, other, usual, reach, covered, skin, around)
    contested = inside & (some > 0.5) & (masks.amin(0) < 0.5) & (face.logical_not())
    told = float((2 * hair - 1).abs()[contested].mean()) if bool(contested.any()) else 0.0
    sure = (hair > _SURE) & inside
    sure = sure if int(sure.sum()) >= _LEAST else other
    on_head = sure & covered  # where the light is known
    enough = int(on_head.sum()) >= _LEAST
    colour = content[:, on_head if enough else sure].median(1).values
    normal = normals[0][corner[on_head if enough else scalp]]
    parallel = _parallel(view, hair)
    straight = min(1.0, max(0.0, (parallel - _CURLS) / (_STRAIGHT - _CURLS)))
    lips = float(project(world[:, model.landmarks[57:58]], camera, SIDE, SIDE)[0, 0, 1])
    length = _length(hair * inside, masks * inside, lips)
    return HairPixels(hair, inside, masks, False, seen, told, colour * _SHADE, normal, straight, 1 - straight, length)


def _length(hair: Tensor, masks: Tensor, lips: float) -> Tensor:
    """``(K,)`` in [−1, 1]: above 0 for styles with hair ``masks (K, S, S)`` below the row of the ``lips`` where the
    ``hair (S, S)`` reaches below it, and for styles without where it does not."""
    row = min(max(int(lips), 0), SIDE - 1)

    def low(of: Tensor) -> Tensor:
        return of[..., row:, :].sum((-2, -1)) / of.sum((-2, -1)).clamp_min(1)

    usual, clear = _LOW
    long = ((low(hair) - usual) / clear).clamp(-1, 1)
    return long * (low(masks) / _LOW_STYLE - 1).clamp(-1, 1)


def _parallel(view: View, hair: Tensor) -> float:
    """In [0, 1]: how much the edges within the hair run the same way, near one another (coherence of the structure
    tensor); the middle between curls and none where there is too little hair to see."""
    u, v = view.window.half_axis
    content, _ = Window(view.window.centre, (u / WIDE, v / WIDE)).cut(view.picture, _FINE)
    bright = torch.log(content.mean(0) + 0.05)
    right, down = bright[1:-1, 2:] - bright[1:-1, :-2], bright[2:, 1:-1] - bright[:-2, 1:-1]
    within = F.interpolate((hair > 0.8).to(bright)[None, None], (_FINE, _FINE))
    within = -box_max(-within, 5)[0, 0, 1:-1, 1:-1]
    parts = torch.stack([right * right, down * down, right * down, torch.ones_like(right)]) * within
    xx, yy, xy, share = box_mean(F.pad(parts[None], (3, 3, 3, 3)), 7)[0, :, 3:-3, 3:-3]  # none beyond the border
    chosen = share > 0.8
    if int(chosen.sum()) < 5 * _LEAST:
        return (_CURLS + _STRAIGHT) / 2
    apart = ((xx - yy).square() + 4 * xy.square()).sqrt()[chosen].sum()
    return float(apart / (xx + yy)[chosen].sum().clamp_min(1e-9))


def _common(features: Tensor) -> Tensor:
    """``(N, 3)`` without the fifth that is farthest from the middle: eyes, brows, nostrils, lips."""
    away = (features - features.median(0).values).norm(dim=1)
    return features[away <= away.quantile(0.8)]


def _probabilities(
    features: Tensor,
    first: Tensor,
    usual: Tensor,
    reach: Tensor,
    covered: Tensor,
    skin: Colouring,
    around: Colouring | None,
) -> Tensor:
    """``(S, S)``: from the pixels that are hair at ``first``; the colours of hair are learned again from what hangs
    together with them. Hair is ``usual`` there, and nowhere beyond ``reach``."""
    flat = features.flatten(0, 1)
    of_skin = skin.log_likelihood(flat).view(SIDE, SIDE)
    outside = (
        of_skin - 1.0
        if around is None
        else torch.logaddexp(
            around.log_likelihood(flat).view(SIDE, SIDE),
            of_skin - 2.0,  # neck, hands, a shoulder
        )
    )
    other = torch.where(covered, of_skin, outside)
    prior = 0.5 * torch.log(usual / (1 - usual))  # rare styles are hair as well
    away = (features[first] - features[first].median(0).values).norm(dim=1)
    first = first.clone().masked_scatter_(first, away <= away.quantile(_FIRST))
    known = first
    odds = prior
    for _ in range(_ROUNDS):
        hair = Colouring.of(features[known], 3)
        odds = hair.log_likelihood(flat).view(SIDE, SIDE) - other + prior
        odds = F.avg_pool2d(F.pad(odds[None, None], (1, 1, 1, 1), mode="replicate"), 3, 1)[0, 0]
        likely = odds > 1.0
        number, _ = ndimage.label(likely.cpu().numpy())
        where = torch.from_numpy(number).to(odds.device)
        joined = where[first & (where > 0)].unique()
        together = torch.isin(where, joined) & likely
        odds = torch.where(likely & ~together, -_UNRELATED, odds)
        if int(together.sum()) >= _LEAST:
            known = together
    return torch.sigmoid(odds) * reach


def _score(one: HairPixels) -> Tensor:
    """``(K,)``: mean log-likelihood of the hair's pixels by each style's mask."""
    mask = one.masks.clamp(_EDGE, 1 - _EDGE)
    counted = _counted(one)
    fit = one.hair * mask.log() + (1 - one.hair) * (1 - mask).log()
    return (fit * counted).sum((1, 2)) / counted.sum().clamp_min(1)


def _agreement(one: HairPixels) -> Tensor:
    """``(K,)``: intersection over union."""
    counted = _counted(one)
    both = (torch.minimum(one.hair, one.masks) * counted).sum((1, 2))
    return both / (torch.maximum(one.hair, one.masks) * counted).sum((1, 2)).clamp_min(1e-6)


def _counted(one: HairPixels) -> Tensor:
    return (one.inside & ((one.masks.amax(0) > 0.05) | (one.hair > 0.5))).to(one.hair)


def _strange(colour: Tensor) -> bool:
    """Whether no hair has this tint."""

    def tint(rgb: Tensor) -> Tensor:
        logs = torch.log(rgb.clamp_min(0) + 0.05)
        return logs - logs.mean(-1, keepdim=True)

    known = torch.tensor(list(COLOURS.values())).to(colour)
    return float((tint(known) - tint(colour)).norm(dim=1).amin()) > _TINT
