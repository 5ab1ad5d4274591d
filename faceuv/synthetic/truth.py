"""The truth of synthetic faces as fields of a dataset."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from faceuv.errors import InputError
from faceuv.geometry import project
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.renderers.masks import visibility_mask
from faceuv.renderers.occlusion import visible_points
from faceuv.structures import Mesh, Render
from faceuv.synthetic.studio import SceneRender, Studio

# field → what it is; S the picture's side, T the maps'
FIELDS: dict[str, str] = {
    "mask": "(1, S, S) the face model's surface, as far as nothing covers it, in [0, 1]",
    "foreground": "(1, S, S) the whole person, in [0, 1]",
    "background": "(3, S, S) what lies behind",
    "coefficients": "(N,) identity, expression, albedo, rotation, lighting, translation",
    "depth": "(1, S, S) dm along the view axis to the face's surface (covered or not), 0 beside it",
    "normal": "(3, S, S) unit normals of that surface, toward the camera +z, 0 beside it",
    "uv": "(2, S, S) its UV coordinates",
    "diffuse": "(3, T, T) the diffuse map that was drawn",
    "displacement": "(3, T, T) the displacement map that was drawn, dm, object frame",
    "linear_diffuse": "(3, T, T) the diffuse map of the albedo coefficients alone",
    "landmarks": "(68, 2) pixels, x right, y down",
    "landmark_visibility": "(68,) 1 where nothing lies before the landmark",
    "visibility": "(1, T, T) 1 for texels that the picture shows",
}
_SURFACE = ("depth", "normal", "uv")
_LIFT = 0.004  # dm toward the camera: a landmark is a vertex, and must not be hidden by its own triangles


def check_fields(fields: Sequence[str]) -> tuple[str, ...]:
    """The fields, each known, each once."""
    for name in fields:
        if name not in FIELDS:
            raise InputError(f"synthetic faces have no truth called {name!r}; known: {', '.join(FIELDS)}")
    return tuple(dict.fromkeys(fields))


def truth_of(studio: Studio, drawn: SceneRender, fields: Sequence[str]) -> dict[str, Tensor]:
    """The wanted fields of drawn scenes, each with a leading batch axis."""
    wanted = check_fields(fields)
    found: dict[str, Tensor] = {}
    if any(name in wanted for name in _SURFACE):
        render = face_surface(studio, drawn)
        found.update({name: getattr(render, name) for name in _SURFACE})
    if "landmarks" in wanted or "landmark_visibility" in wanted:
        found["landmarks"], found["landmark_visibility"] = _landmarks(studio, drawn)
    if "visibility" in wanted:
        found["visibility"] = _visibility(studio, drawn)
    if "linear_diffuse" in wanted:
        found["linear_diffuse"] = studio.painting.linear(drawn.coefficients.albedo)
    assert drawn.maps.diffuse is not None
    assert drawn.maps.displacement is not None
    found.update(
        mask=drawn.mask,
        foreground=drawn.foreground,
        background=drawn.background,
        coefficients=drawn.coefficients.data,
        diffuse=drawn.maps.diffuse,
        displacement=drawn.maps.displacement,
    )
    return {name: found[name] for name in wanted}


def face_surface(studio: Studio, drawn: SceneRender) -> Render:
    """The face alone, as a renderer draws it with the maps and light of the drawn scene."""
    model = studio.face_model
    return studio.renderer(
        Mesh(drawn.world, model.faces, model.uv, model.weld),
        height=studio.size,
        width=studio.size,
        texture=drawn.maps.diffuse,
        lighting=drawn.coefficients.lighting,
        normal_map=drawn.normal_map,
    )


def _landmarks(studio: Studio, drawn: SceneRender) -> tuple[Tensor, Tensor]:
    size, camera = studio.size, studio.renderer.camera
    truth = LandmarkTruth(studio.face_model, camera)  # jaw points on the silhouette, as in annotated pictures
    vertices = truth.seen(drawn.coefficients)  # chosen without the skin's relief, so that coefficients say which
    points = drawn.world.gather(1, vertices[:, :, None].expand(-1, -1, 3))
    place = project(points, camera, size, size)
    lifted = points + points.new_tensor([0.0, 0.0, _LIFT])
    scenery = project(drawn.scenery.vertices, camera, size, size)
    seen = visible_points(
        scenery, drawn.scenery.faces, project(lifted, camera, size, size), size, size, near=camera.near
    )
    return place[..., :2], seen.to(place.dtype) * (_look_up(drawn.hair, place[..., :2]) < 0.5)


def _visibility(studio: Studio, drawn: SceneRender) -> Tensor:
    size, texels = studio.size, studio.texture_size
    chart = studio.face_model.chart(texels, texels)
    seen = visibility_mask(studio.renderer, drawn.scenery, chart, height=size, width=size)
    surface = studio.painting.spread(drawn.world).flatten(2).transpose(1, 2)
    place = project(surface, studio.renderer.camera, size, size)[..., :2]
    return seen * (_look_up(drawn.hair, place) < 0.5).unflatten(1, (1, texels, texels))


def _look_up(picture: Tensor, pixels: Tensor) -> Tensor:
    """``picture (B, 1, S, S)`` at ``pixels (B, N, 2)`` → ``(B, N)``; 0 outside."""
    grid = pixels / (0.5 * picture.shape[-1]) - 1
    samples = F.grid_sample(picture, grid[:, None], mode="bilinear", padding_mode="zeros", align_corners=False)
    return samples[:, 0, 0]
