"""A photograph → the diffuse map of a fitted head: projected, without its light, completed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from faceuv.checks import whole_number
from faceuv.data.window import Window
from faceuv.geometry.lighting import sh_irradiance
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.projection import pose, project
from faceuv.geometry.uv import bake
from faceuv.models.faces.appearance import EyeColour, has_appearance, look, mode_index
from faceuv.models.faces.base import FaceModel
from faceuv.photo.blending import blurred, feathered, mirror_grid, sampled, spread, spread_over
from faceuv.photo.eyes import iris_colour, mean_colour
from faceuv.photo.hair import with_hair_of
from faceuv.photo.inside import with_eyes_and_mouth
from faceuv.photo.light import Colours, delit, fit_colours, irradiance_of, usual_light
from faceuv.photo.projection import Projected, part_texels, project_picture
from faceuv.renderers.base import Renderer
from faceuv.renderers.occlusion import visible_points
from faceuv.structures import Coefficients

LARGEST = 2048
_BRIGHT, _TINT = 0.28, 0.10  # usual deviations of skin from the fitted albedo: logarithm of brightness, of colour
_INNER = 2.6  # times more is usual between brows and mouth: brows, lips, make-up, beards
_REACH = (0.12, 0.45)  # dm from the landmarks of brows, eyes, nose and mouth: inner part, its end
_DARK = 0.02  # added before logarithms
_LIMIT = 1.6  # of the logarithm of photograph over model
_SHINE = (0.16, 0.35)  # log brightness over the model at which shine begins, and what is kept of the rest
_UNEVEN = (0.5, 0.25)  # logarithm: how much darker and brighter than the fitted albedo whole parts of a face may be
_BARE = -4.0  # of brow_density: hardly a hair
_BROW = (0.10, 0.30)  # dm from the brows' landmarks: inside, outside
_SCALP = 0.62  # dm above the brows
_EYE = {"right": (36, 39), "left": (42, 45)}


@dataclass(frozen=True, eq=False)
class HeadTexture:
    """The maps of one head and where they come from.

    diffuse   (3, T, T)  in [0, 1]
    seen      (1, T, T)  weight of the photograph itself
    mirrored  (1, T, T)  weight of its other side; the rest is the model's
    coefficients  (1, N)  with the albedo and the light that explain the photograph
    share     of the face's skin between brows and chin that the photograph shows
    likely    share of what it shows there that has the colours of skin
    eyes      the colour of the irises, None where the picture does not show it
    lit       whether the photograph's light is in the map
    """

    diffuse: Tensor
    seen: Tensor
    mirrored: Tensor
    coefficients: Coefficients
    share: float
    likely: float
    eyes: EyeColour | None
    lit: bool


@torch.no_grad()
def head_texture(
    model: FaceModel,
    coefficients: Coefficients,
    renderer: Renderer,
    picture: Tensor,
    window: Window,
    *,
    size: int = 1024,
    lit: bool = False,
    mirror: bool = True,
    delight: bool = True,
    seed: int = 0,
) -> HeadTexture:
    """The texture of the face that was fitted in the square ``window`` of ``picture (3, H, W)``.

    Args:
        size: of the map, at most 2048.
        lit: keep the photograph's light in the colours.
        mirror: take what the picture does not show from the other side of the face.
        delight: divide the fitted light out; without it only its mean colour is.
        seed: of the detail of what neither side shows.
    """
    size = whole_number("the size of a head's texture", size, low=64, high=LARGEST)
    inner = _inner(model, size)
    shown = project_picture(model, coefficients, renderer, picture, window, size, inner)
    found = _colours_of(model, coefficients, renderer, picture, window)
    coefficients = coefficients.replace(albedo=found.albedo[None], lighting=found.lighting[None])
    skin = part_texels(model, model.chart(size, size), "skin").to(shown.weight)
    light = irradiance_of(shown.normal.flatten(1).T, found.lighting)
    flat = light if delight else (light * shown.weight.view(-1, 1)).sum(0) / shown.weight.sum().clamp_min(1e-6)
    divided = 1.0 if lit else found.divisible  # what is multiplied again below was divided by the same
    bare = delit(shown.colour.flatten(1).T, flat.expand_as(light), divided).T.view_as(shown.colour)
    smooth = model.albedo_map(coefficients.albedo, size, size)[0]
    weight = shown.weight * skin
    colours = likely_skin(bare, smooth, weight, inner)
    likely = float((colours * weight * inner).sum() / (weight * inner).sum().clamp_min(1e-6))
    weight = _soft(weight * colours, skin, inner)
    weight = _with_the_face(model, weight, size)
    eyes = _eye_colour(model, coefficients, renderer, picture, window)
    base, brows = smooth, False
    if has_appearance(model):
        brows = _seen_at(model, weight, range(17, 27))
        person = _without_brows(coefficients.albedo) if brows else coefficients.albedo
        person = with_hair_of(person, *_scalp(model, shown, bare))
        smooth = model.albedo_map(person, size, size)[0]
        base = look(model, person, seed, size, age=35.0, freckles=0.0, eye_colour=eyes).diffuse.to(smooth)
    ratio = _ratio(bare, smooth)
    ratio = _evened(_without_shine(ratio, weight), weight) if delight and not lit else ratio
    other = torch.zeros_like(weight)
    if mirror:
        ratio, other = _with_mirrored(model, ratio, weight, size)
    total = weight + other
    # over the surface, not over the chart: what goes on beyond the seen skin has no seam where the chart has one
    ground = bake(spread_over(model, ratio, total)[None], model.chart(size, size))[0]
    detail = _ratio(base, smooth)
    if brows:
        detail = detail * (1 - _near(model, size, range(17, 27), _BROW))
    made = (smooth + _DARK) * torch.exp(ground + total * (ratio - ground) + (1 - total) * detail) - _DARK
    made = torch.where(skin > 0, made, with_eyes_and_mouth(model, shown.weight, bare, base)).clamp(0, 1)
    if lit:
        made = (made * light.T.view_as(made)).clamp(0, 1)
    face = skin * inner
    share = float((shown.weight.gt(0.1) * face).sum() / face.sum().clamp_min(1e-6))
    return HeadTexture(made, weight, other, coefficients, share, likely, eyes, lit)


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
    tint = (apart - bright).norm(dim=0, keepdim=True)
    usual = 1 + (_INNER - 1) * inner
    error = (bright / (_BRIGHT * usual)).square() + (tint / (_TINT * usual)).square()
    return (1.6 - 0.8 * error).clamp(0, 1)


def _soft(weight: Tensor, skin: Tensor, inner: Tensor) -> Tensor:
    """``weight (1, T, T)`` with soft borders, but for those between brows and chin: there everything that the picture
    shows is used up to the rims of lids, lips and nostrils."""
    wide = feathered(torch.where(skin > 0, weight, 1.0), max(1, weight.shape[-1] // 160).bit_length())
    return torch.minimum(weight, wide + inner * (1 - wide))


def _ratio(bare: Tensor, base: Tensor) -> Tensor:
    """Logarithm of photograph over model, limited."""
    return (torch.log(bare + _DARK) - torch.log(base + _DARK)).clamp(-_LIMIT, _LIMIT)


def _without_shine(ratio: Tensor, weight: Tensor) -> Tensor:
    """``ratio (3, T, T)`` with highlights held back: what is brighter than the skin around by more than albedo is."""
    times = max(2, round(ratio.shape[-1] / 64).bit_length())
    bright = ratio.mean(0, keepdim=True)
    above = (bright - blurred(bright, weight, times) - _SHINE[0]).clamp_min(0)
    return ratio - above * (1 - _SHINE[1])


def _evened(ratio: Tensor, weight: Tensor) -> Tensor:
    """``ratio (3, T, T)`` with its low frequencies held near the fitted albedo: shadows and bright sides that nine
    bands of light do not explain are wide, what makes a face its own is narrow."""
    times = max(2, round(ratio.shape[-1] / 24).bit_length())
    low = blurred(ratio, weight, times)
    darkest, brightest = _UNEVEN
    kept = torch.where(low < 0, darkest * torch.tanh(low / darkest), brightest * torch.tanh(low / brightest))
    return ratio - low + kept


def _with_mirrored(model: FaceModel, ratio: Tensor, weight: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The ratio completed by that of the mirrored texels, and the weight of the latter. Their low frequencies are
    matched: the mean difference between the sides, where both are seen, is taken off."""
    grid, there = mirror_grid(model, size)
    flipped, seen = sampled(ratio, grid), sampled(weight, grid) * there
    both = weight * seen
    flipped = flipped + spread(ratio - flipped, both) if bool(both.sum() > size) else flipped
    other = seen * (1 - weight)
    total = (weight + other).clamp_min(1e-6)
    return (ratio * weight + flipped * other) / total, other


def _seen_at(model: FaceModel, weight: Tensor, rows: range) -> bool:
    """Whether the photograph shows these landmarks."""
    at = (model.uv[model.landmarks[list(rows)]] * 2 - 1)[None, None]
    return float(torch.nn.functional.grid_sample(weight[None], at.to(weight), align_corners=False).mean()) > 0.3


def _without_brows(albedo: Tensor) -> Tensor:
    """``albedo (1, A)`` without brows of its own: two pairs never lie on one another."""
    person = albedo.clone()
    person[:, mode_index("brow_density")] = _BARE
    return person


def _scalp(model: FaceModel, shown: Projected, bare: Tensor) -> tuple[Tensor, Tensor]:
    """Unlit colours ``(N, 3)`` of the picture where the fitted scalp lies, and the forehead's ``(3,)``."""
    size = bare.shape[-1]
    height = bake(model.mean[None, :, 1:2], model.chart(size, size))[0, 0]
    brows = model.mean[model.landmarks[17:27], 1].mean()
    seen = (shown.weight[0] > 0.05) & (part_texels(model, model.chart(size, size), "skin")[0])
    top = seen & (height > brows + _SCALP)
    face = seen & (_inner(model, size)[0] > 0.3)
    return bare[:, top].T, bare[:, face].median(1).values if bool(face.any()) else bare.new_full((3,), 0.5)


def _with_the_face(model: FaceModel, weight: Tensor, size: int) -> Tensor:
    """``weight`` without islands above the brows that do not hang together with the face: a gleam on the hair."""
    from scipy import ndimage

    number, count = ndimage.label(weight[0].gt(0.3).cpu().numpy())
    where = torch.from_numpy(number).to(weight.device).long()
    middle = torch.zeros(count + 1).to(weight)
    middle.scatter_reduce_(0, where.flatten(), _inner(model, size).flatten(), "amax")
    height = bake(model.mean[None, :, 1:2], model.chart(size, size))[0]
    top = torch.full_like(middle, -torch.inf)
    top.scatter_reduce_(0, where.flatten(), height.flatten(), "amax")
    brows = model.mean[model.landmarks[17:27], 1].min()
    kept = (middle > 0.5) | (top < brows)
    kept[0] = False
    near = torch.nn.functional.max_pool2d(kept[where].to(weight)[None, None], 9, 1, 4)[0]
    return weight * near


def _inner(model: FaceModel, size: int) -> Tensor:
    """``(1, T, T)`` in [0, 1]: near brows, eyes, nose and mouth."""
    return _near(model, size, range(17, 68), _REACH)


def _near(model: FaceModel, size: int, rows: range, reach: tuple[float, float]) -> Tensor:
    """``(1, T, T)`` in [0, 1]: 1 within the first distance of the landmarks, 0 beyond the second."""
    away = torch.cdist(model.mean, model.mean[model.landmarks[list(rows)]]).amin(1)
    near = ((reach[1] - away) / (reach[1] - reach[0])).clamp(0, 1)
    return bake(near[None, :, None], model.chart(size, size))[0]


def _colours_of(
    model: FaceModel, coefficients: Coefficients, renderer: Renderer, picture: Tensor, window: Window
) -> Colours:
    """Albedo and light from the skin's vertices that the picture shows."""
    mesh = model.mesh(coefficients)
    world = pose(mesh.vertices, coefficients.rotation, coefficients.translation)
    normal = vertex_normals(world, mesh.faces, mesh.weld)[0]
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
    return fit_colours(
        colour,
        normal[chosen],
        weight,
        model.mean_albedo[chosen],
        model.albedo_basis[chosen],
        albedo=torch.zeros_like(coefficients.albedo[0]),
        lighting=usual_light().to(colour),
    )


def _eye_colour(
    model: FaceModel, coefficients: Coefficients, renderer: Renderer, picture: Tensor, window: Window
) -> EyeColour | None:
    """The irises' colour from the opening between the lids, at the resolution of the picture."""
    if not has_appearance(model) or model.part is None:
        return None
    mesh = model.mesh(coefficients)
    world = mesh.at(pose(mesh.vertices, coefficients.rotation, coefficients.translation))
    square = int(min(1024, max(256, window.side)))
    view = renderer.look(world, height=square, width=square)
    content, _ = window.cut(picture, square)
    pixels = project(world.vertices, renderer.camera, square, square)[0]
    light = sh_irradiance(content.new_tensor([[[0.0, 0.0, 1.0]]]), coefficients.lighting)[0, 0]
    found = []
    for side, corners in _EYE.items():
        ids = torch.zeros(len(model.faces), dtype=torch.bool)
        for name in (f"iris_{side}", f"sclera_{side}"):
            if name in model.part_names:
                ids |= model.faces_of(name)
        shown = view.face_id[0]
        place = ((shown >= 0) & ids[shown.clamp_min(0)]).nonzero()
        width = float((pixels[model.landmarks[corners[0]], :2] - pixels[model.landmarks[corners[1]], :2]).norm())
        colour = content[:, place[:, 0], place[:, 1]].T
        own = iris_colour(colour, place.to(colour), 0.2 * width, light)
        found += [own] if own is not None else []
    return mean_colour(found) if found else None


def without_light(texture: HeadTexture) -> HeadTexture:
    """The same texture with its coefficients under a light that shows the map as it is, for lit maps."""
    from faceuv.geometry.lighting import ambient_light

    plain = ambient_light(torch.ones(1, 3).to(texture.diffuse))
    return replace(texture, coefficients=texture.coefficients.replace(lighting=plain))


__all__ = ["LARGEST", "HeadTexture", "Projected", "head_texture", "likely_skin", "without_light"]
