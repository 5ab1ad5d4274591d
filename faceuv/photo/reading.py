"""What one photograph says about a fitted head, texel by texel: colours without light, and how far they can be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from faceuv.data.window import Window
from faceuv.geometry.boxes import box_max
from faceuv.geometry.lighting import sh_irradiance
from faceuv.geometry.projection import project
from faceuv.models.faces.appearance import EyeColour
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.charts import height_on_chart, inner_face, near_landmarks, on_parts
from faceuv.photo.blending import blurred, feathered
from faceuv.photo.eyes import iris_colour, light_tint, white_of
from faceuv.photo.lids import lids
from faceuv.photo.light import Colours, Samples, delit, irradiance_of, light_doubt
from faceuv.photo.projection import posed_mesh, project_picture
from faceuv.photo.smiles import teeth_on_lips
from faceuv.renderers.base import Renderer
from faceuv.renderers.occlusion import visible_points
from faceuv.structures import Coefficients

_BRIGHT, _TINT = 0.28, 0.10  # usual deviations of skin from the fitted albedo: logarithm of brightness, of colour
_INNER = 2.6  # times more is usual between brows and mouth: brows, lips, make-up, beards
_DARK = 0.02  # added before logarithms
WIDE = 0.55
"""The fitted square as a share of the frame in which hair is looked for: long hair lies beyond the square."""
_HAIR = (0.4, 0.8)  # probability at which skin is covered by hair: not, wholly
_HAIR_ABOVE = 0.12  # dm above the base of the nose, from which on it counts everywhere
_BEARD = (0.45, 0.65)  # dm from the landmarks of mouth and chin: below the nose, what is nearer is a beard; is hair
_BROWS = (0.07, 0.14)  # dm from the landmarks of brows and eyes, which are not hair of the head; beyond
IRIS = 0.2  # radius of an iris, of the distance between the corners of the eye
_EYES = 512  # pixels of the square in which irises are looked for, at most: they are 15 wide there
_GLASS = 0.5  # of the skin's blue: whites of eyes have more, dark glasses less
_EYE = {"right": (36, 39), "left": (42, 45)}


@dataclass(frozen=True, eq=False)
class View:
    """One photograph of a person: ``coefficients (1, N)`` fitted in the square ``window`` of ``picture (3, H, W)``;
    ``trust`` in [0, 1] is how much it counts beside the others; ``hair (S, S)`` is the probability of hair in a frame
    that is ``1 / WIDE`` times as wide as the window, None where nobody looked for it."""

    coefficients: Coefficients
    picture: Tensor
    window: Window
    trust: float = 1.0
    hair: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Reading:
    """One photograph on a chart of T × T texels.

    bare    (3, T, T)  its colours without light
    seen    (1, T, T)  in [0, 1], how far it shows each texel of any part
    weight  (1, T, T)  in [0, 1], how far the skin's colours are used
    light   (3, T, T)  that was divided out, where all of it is
    doubt   (1, T, T)  usual error of the logarithm of what was divided out
    likely  share of what it shows between brows and chin that has the colours of skin
    """

    bare: Tensor
    seen: Tensor
    weight: Tensor
    light: Tensor
    doubt: Tensor
    likely: float


def read_view(
    model: FaceModel,
    view: View,
    colours: Colours,
    renderer: Renderer,
    size: int,
    *,
    lit: bool,
    delight: bool,
) -> Reading:
    """The photograph on the chart, with the light of ``colours`` divided out as far as it explains the picture; all of
    it if the texture is going to be ``lit``, so that what is multiplied again was divided by the same."""
    inner = inner_face(model, size)
    shown = project_picture(model, view.coefficients, renderer, view.picture, view.window, size, inner)
    skin = on_parts(model, size, "skin").to(shown.weight)
    light = irradiance_of(shown.normal.flatten(1).T, colours.lighting)
    flat = light if delight else (light * shown.weight.view(-1, 1)).sum(0) / shown.weight.sum().clamp_min(1e-6)
    divided = 1.0 if lit else colours.divisible
    seen = shown.weight.flatten()
    bare = delit(shown.colour.flatten(1).T, flat.expand_as(light), divided, seen).T.view_as(shown.colour)
    smooth = model.albedo_map(colours.albedo[None], size, size)[0]
    weight = shown.weight * skin
    if view.hair is not None:
        weight = weight * (1 - under_hair(model, view.hair, shown.place))
    usual = likely_skin(bare, smooth, weight, inner)
    likely = float((usual * weight * inner).sum() / (weight * inner).sum().clamp_min(1e-6))
    _, spread_out = lids(model, view.coefficients, renderer.camera.distance, size)
    spread_out = feathered(spread_out, max(1, size // 512))  # the crease would be the edge of a patch on a closed lid
    lips = 1 - teeth_on_lips(model, bare, shown.weight, weight * usual * inner)
    weight = _with_the_face(model, _soft(weight * usual * spread_out * lips, skin, inner), size)
    doubt = light_doubt(shown.normal.flatten(1).T, colours.lighting, divided, seen).T.view_as(weight)
    return Reading(bare, shown.weight, weight, light.T.view_as(shown.colour), doubt, likely)


def likely_skin(bare: Tensor, albedo: Tensor, weight: Tensor, inner: Tensor) -> Tensor:
    """``(1, T, T)`` in [0, 1]: whether the unlit colours ``bare (3, T, T)`` can be the skin of the fitted ``albedo``.

    Brightness and tint are compared after a blur, so that pores and edges do not count. ``inner (1, T, T)`` in [0, 1]
    is the part between brows and mouth, where more is usual.
    """
    times = max(1, round(bare.shape[-1] / 256).bit_length())
    known = weight.clamp(0, 1)
    here, there = (torch.log(blurred(x, known, times).clamp_min(0) + _DARK) for x in (bare, albedo))
    apart = here - there
    bright = apart.mean(0, keepdim=True)
    tint = (apart - bright).square().sum(0, keepdim=True).sqrt()
    usual = 1 + (_INNER - 1) * inner
    error = (bright / (_BRIGHT * usual)).square() + (tint / (_TINT * usual)).square()
    return (1.6 - 0.8 * error).clamp(0, 1)


def under_hair(model: FaceModel, hair: Tensor, place: Tensor) -> Tensor:
    """``(1, T, T)`` in [0, 1]: how far hair covers each texel's skin: a fringe, strands over temples and cheeks.

    Args:
        hair: ``(S, S)``, its probability in the wide frame, see :class:`View`.
        place: ``(2, T, T)``, where the texels lie in the square, in [−1, 1].
    """
    size = place.shape[-1]
    near = box_max(hair[None, None], 3)  # the frame is coarse
    grid = (place * WIDE).permute(1, 2, 0)[None]
    found = torch.nn.functional.grid_sample(near, grid, align_corners=False)[0]
    low, high = _HAIR
    height = height_on_chart(model, size)
    above = ((height - model.mean[model.landmarks[33], 1]) / _HAIR_ABOVE).clamp(0, 1)
    beside = 1 - near_landmarks(model, size, (*range(5, 12), *range(48, 60)), _BEARD)
    own = near_landmarks(model, size, (*range(17, 27), *range(36, 48)), _BROWS)
    return ((found - low) / (high - low)).clamp(0, 1) * torch.maximum(above, beside) * (1 - own)


def _soft(weight: Tensor, skin: Tensor, inner: Tensor) -> Tensor:
    """``weight (1, T, T)`` with soft borders, but for those between brows and chin: there everything that the picture
    shows is used up to the rims of lids, lips and nostrils."""
    wide = feathered(torch.where(skin > 0, weight, 1.0), max(1, weight.shape[-1] // 160).bit_length())
    return torch.minimum(weight, wide + inner * (1 - wide))


def _with_the_face(model: FaceModel, weight: Tensor, size: int) -> Tensor:
    """``weight`` without islands above the brows that do not hang together with the face: a gleam on the hair."""
    from scipy import ndimage

    number, count = ndimage.label(weight[0].gt(0.3).cpu().numpy())
    where = torch.from_numpy(number).to(weight.device).long()
    middle = torch.zeros(count + 1).to(weight)
    middle.scatter_reduce_(0, where.flatten(), inner_face(model, size).flatten(), "amax")
    height = height_on_chart(model, size)
    top = torch.full_like(middle, -torch.inf)
    top.scatter_reduce_(0, where.flatten(), height.flatten(), "amax")
    brows = model.mean[model.landmarks[17:27], 1].min()
    kept = (middle > 0.5) | (top < brows)
    kept[0] = False
    return weight * box_max(kept[where].to(weight)[None, None], 9)[0]


def skin_samples(model: FaceModel, view: View, renderer: Renderer, openings: Sequence[Opening] = ()) -> Samples:
    """The skin's vertices that a picture shows, and the tint of the light by what it shows of the eyes."""
    coefficients, picture, window = view.coefficients, view.picture, view.window
    mesh, normals = posed_mesh(model, coefficients)
    world, normal = mesh.vertices, normals[0]
    camera, square = renderer.camera, 256
    pixels = project(world, camera, square, square)
    toward = torch.nn.functional.normalize(world.new_tensor([0.0, 0.0, camera.distance]) - world[0], dim=1)
    facing = (normal * toward).sum(1)
    chosen = (model.skin_mask & (facing > 0.3)).nonzero()[:, 0]
    lifted = pixels[:, chosen] - pixels.new_tensor([0.0, 0.0, 1e-3])
    seen = visible_points(pixels, mesh.faces, lifted, square, square, near=camera.near)[0]
    place = window.to_picture(pixels[0, chosen, :2].double(), square)
    inside = (place >= 0).all(1) & (place[:, 0] <= picture.shape[2]) & (place[:, 1] <= picture.shape[1])
    content, _ = window.cut(picture, square)
    grid = (pixels[0, chosen, :2] * 2 / square - 1)[None, None]
    colour = torch.nn.functional.grid_sample(content[None], grid, align_corners=False)[0, :, 0].T
    # the outer skin (forehead under hair, neck under a collar) says less than the face
    away = torch.cdist(model.mean[chosen], model.mean[model.landmarks[17:]]).amin(1)
    weight = (seen & inside).to(colour) * facing[chosen] * torch.exp(-(away / 0.5).square())
    weight = weight * view.trust
    whites = [white_of(eye.colour, eye.place, IRIS * eye.width) for eye in openings]
    least = _GLASS * (colour * weight[:, None]).sum(0)[2] / weight.sum().clamp_min(1e-6)
    tint = light_tint([white for white in whites if white is not None and bool(white[2] > least)])
    return Samples(colour, normal[chosen], weight, model.mean_albedo[chosen], model.albedo_basis[chosen], tint)


@dataclass(frozen=True, eq=False)
class Opening:
    """What a photograph shows between the lids of one eye: ``colour (N, 3)`` at ``place (N, 2)`` (row, column) in a
    square of ``square`` pixels; ``width`` is the distance between the eye's corners there."""

    side: str
    colour: Tensor
    place: Tensor
    width: float
    square: int


def eye_openings(model: FaceModel, view: View, renderer: Renderer) -> list[Opening]:
    """Both eyes at the resolution of the picture; none for a face without eyes of its own."""
    if model.part is None:
        return []
    coefficients = view.coefficients
    world, _ = posed_mesh(model, coefficients)
    square = int(min(_EYES, max(256, view.window.side)))
    shown = renderer.look(world, height=square, width=square).face_id[0]
    pixels = project(world.vertices, renderer.camera, square, square)[0]
    found = []
    for side, corners in _EYE.items():
        ids = torch.zeros(len(model.faces), dtype=torch.bool, device=shown.device)
        for name in (f"iris_{side}", f"sclera_{side}"):
            if name in model.part_names:
                ids |= model.faces_of(name)
        place = ((shown >= 0) & ids[shown.clamp_min(0)]).nonzero()
        width = float((pixels[model.landmarks[corners[0]], :2] - pixels[model.landmarks[corners[1]], :2]).norm())
        colour = view.window.pixels(view.picture, place[:, 0], place[:, 1], square).T
        found.append(Opening(side, colour, place.to(colour), width, square))
    return found


def eye_colours(openings: Sequence[Opening], lighting: Tensor) -> list[EyeColour]:
    """The irises' colours from the openings between the lids, under ``lighting (1, 3, 9)``."""
    light = sh_irradiance(lighting.new_tensor([[[0.0, 0.0, 1.0]]]), lighting)[0, 0]
    found = [iris_colour(eye.colour, eye.place, IRIS * eye.width, light) for eye in openings]
    return [own for own in found if own is not None]
