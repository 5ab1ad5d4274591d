"""How one person is looked at: pictures, turntables, pages for the browser and notebooks."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from faceuv.checks import whole_number
from faceuv.export import save_video
from faceuv.export.images import encode
from faceuv.export.page import PageFace, embedded, frame_of, page_html
from faceuv.face.meshed import MeshedPerson
from faceuv.face.transferred import TEXTURE_SIZE
from faceuv.geometry.lighting import light_names, named_light
from faceuv.geometry.rotations import euler_to_matrix, rotate
from faceuv.models.faces.framing import Framing, framing
from faceuv.models.faces.gloss import glossy, with_gloss
from faceuv.models.faces.hair import over_surface
from faceuv.renderers import draw_surface
from faceuv.structures import Render

BACKGROUND = (0.86, 0.87, 0.89)  # a neutral studio wall
NOTEBOOK_TEXTURE = 512  # of a face in a notebook, which keeps every cell's output
_GREY = 0.72  # of pictures that show the shape alone

Self = TypeVar("Self", bound="PicturedPerson")


class PicturedPerson(MeshedPerson):
    """What :class:`~faceuv.face.Face` shows of itself."""

    def _repr_png_(self) -> bytes:
        """The picture of the face that programs display which show no page."""
        return encode(self.render(256, centred=True))

    def _repr_html_(self) -> str:
        """The face in 3D, which notebooks display: a viewer that turns it, lights it and moves its 52 shapes."""
        page = page_html([self.on_page(texture_size=NOTEBOOK_TEXTURE)], title=repr(self)[:80], bare=True)
        return embedded(page)

    def centred(self: Self) -> Self:
        """The face moved so that its whole head, crown to shoulders, is in the middle of the picture, at any yaw.

        The papers' camera, where a face is without this, shows a face from hairline to chin and cuts off the crown.
        How large it is depends on the face model alone, so that faces side by side keep their proportions; somebody
        larger than the picture would show is moved farther away. A turning or talking head stays in its place.
        """
        seen = self._framing()
        camera = self.surface.camera or self.renderer.camera
        away = seen.middle.new_tensor([[0.0, 0.0, camera.distance - seen.distance]])
        return self.placed(away - rotate(seen.middle[None, None], euler_to_matrix(self.pose[0]))[:, 0])

    def _framing(self) -> Framing:
        focal = (self.surface.camera or self.renderer.camera).focal
        if self.face_model is None or self.coefficients is None:
            return framing(self.surface.mesh.vertices[0], self.surface.mesh.vertices[0], focal)
        rest = torch.zeros_like(self.coefficients.expression)
        with torch.no_grad():
            person = self.face_model.shape(self.coefficients.identity, rest)[0]
            if self.hair is not None:
                person = torch.cat([person, torch.from_numpy(self._hair_mesh.vertices).to(person)])
        return framing(self.face_model.mean, person, focal)

    @property
    def lies_free(self) -> bool:
        """Whether nobody has placed this face, and it is a whole head: pictures of it show all of it."""
        whole = self.face_model is not None and self.face_model.joint_weights is not None
        return whole and not bool(self.pose[1].any())

    def render(
        self,
        size: int | tuple[int, int] = 256,
        *,
        yaw_deg: float | None = None,
        pitch_deg: float | None = None,
        roll_deg: float | None = None,
        light: str | Tensor | None = None,
        background: Tensor | tuple[float, float, float] = BACKGROUND,
        centred: bool | None = None,
    ) -> Tensor:
        """An image ``(3, H, W)`` in [0, 1]; ``size`` is a side or (H, W). None keeps the present angle or light.

        ``centred`` shows the whole head (:meth:`centred`), False what the papers' camera sees of it. None: whole heads
        that nobody has placed are centred (:attr:`lies_free`); masks, fitted and placed faces stay where they are.
        """
        face = self.with_pose(yaw_deg, pitch_deg, roll_deg)
        face = face.centred() if (self.lies_free if centred is None else centred) else face
        face = face if light is None else face.with_lighting(light)
        return face.render_full(size, background=background).image[0].clamp(0, 1)

    def render_full(
        self,
        size: int | tuple[int, int] = 256,
        *,
        background: Tensor | tuple[float, float, float] | None = BACKGROUND,
        shape_only: bool = False,
    ) -> Render:
        """All that the renderer returns (image, mask, depth, …); ``shape_only`` draws the surface in grey."""
        surface = self.surface
        if shape_only:
            grey = torch.full((1, 3, 2, 2), _GREY).to(surface.mesh.vertices)
            surface = surface.replace(diffuse=grey, vertex_colours=None)
        with torch.no_grad():
            drawn = draw_surface(self.renderer, surface, size=size, background=background)
        if not shape_only and self.face_model is not None and glossy(self.face_model):
            camera = surface.camera or self.renderer.camera
            drawn = with_gloss(drawn, surface, self.face_model, camera, getattr(self.maps, "roughness", None))
        if self.hair is None or shape_only:
            return drawn
        return over_surface(drawn, surface, self._hair_mesh, self.hair.rgb, self.renderer)

    def turntable(
        self, frames: int = 36, size: int | tuple[int, int] = 256, *, yaw_deg: float = 60.0, **options: Any
    ) -> Iterator[Tensor]:
        """Images ``(3, H, W)`` of the face as it swings from the front to ±``yaw_deg`` and back: a seamless loop."""
        frames = whole_number("the number of frames of a turntable", frames, low=1)
        waiting: dict[int, Tensor] = {}  # on the way back every angle comes again
        for k in range(frames):
            again = (frames // 2 - k) % frames if frames % 2 == 0 else k
            frame = waiting.pop(k, None)
            if frame is None:
                frame = self.render(size, yaw_deg=yaw_deg * math.sin(2 * math.pi * k / frames), **options)
            if again > k:
                waiting[again] = frame.clone()
            yield frame

    def save_turntable(
        self, path: str | Path, *, frames: int = 48, size: int | tuple[int, int] = 256, fps: float = 24, **options: Any
    ) -> Path:
        """Write :meth:`turntable` as ``.gif`` or ``.mp4``."""
        return save_video(path, self.turntable(frames, size, **options), fps=fps)

    def on_page(self, name: str = "face", *, texture_size: int | None = TEXTURE_SIZE, picture: int = 0) -> PageFace:
        """This face for a page in the browser (:mod:`faceuv.export.page`), seen in its pose and light.

        Args:
            texture_size: side of its textures at most; None keeps that of the maps.
            picture: side of its small picture in the list of faces; 0: none.
        """
        seen = self._framing()
        focal = (self.surface.camera or self.renderer.camera).focal
        pitch, yaw, roll = (round(math.degrees(angle), 3) for angle in self.pose[0][0].tolist())
        lighting = self.surface.lighting
        light = named_light("flat") if lighting is None else lighting
        own = [round(value, 5) for value in light[0].flatten().tolist()]
        named = next(
            (key for key in light_names() if torch.allclose(named_light(key)[0], light[0].cpu(), atol=1e-4)), None
        )
        shown = None
        if picture:
            data = encode(self.render(picture, centred=True), kind="JPEG")
            shown = f"data:image/jpeg;base64,{base64.b64encode(data).decode('ascii')}"
        drawn = max((m.shape[-1] for m in (self.surface.diffuse, self.surface.normal_map) if m is not None), default=0)
        side = texture_size if texture_size is None or drawn > texture_size or self.coefficients is not None else None
        return PageFace.of_mesh(
            self.mesh_file(texture_size=side, name=name),
            light=None if named else own,
            view={"yaw": yaw, "pitch": pitch, "roll": roll, "light": named or "own"},
            frame=frame_of(seen.middle.tolist(), seen.distance, seen.reach, focal),
            picture=shown,
        )
