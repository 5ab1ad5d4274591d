"""Paint on any head: made on the procedural face's canvas and carried over by the transfer between the two models."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.uv import bake
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.hair.lights import unit
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.faces.procedural.build import MM_PER_DM, ORIGIN
from faceuv.models.faces.transfer import Transfer
from faceuv.synthetic.alone import one_by_one
from faceuv.synthetic.canvas import Canvas
from faceuv.synthetic.eyeballs import EyeballPainter
from faceuv.synthetic.features import Person
from faceuv.synthetic.hair import Hair, HairStyle
from faceuv.synthetic.painting import Painting, neck_weight, root_hair
from faceuv.synthetic.scene import Scene

_SHALLOW = 1e-6  # dm² per unit of UV: tangents below have no direction


class HeadPainting(Painting):
    """A head with eyes, mouth and scalp of its own.

    The skin painters work on the canvas, over the head's own linear albedo. What they change is carried to the head's
    chart where the canvas has a counterpart, continued smoothly elsewhere, and left out on eyes, teeth and the mouth's
    inside. Eyeballs and the hair's roots are painted on the head's own chart.
    """

    def __init__(self, model: FaceModel, canvas_face: ProceduralFace, size: int, grain: float) -> None:
        super().__init__(model, Canvas(canvas_face, size), grain)
        there, back = Transfer(canvas_face, model), Transfer(model, canvas_face)
        texels = there.texels(size, size)
        chart = model.chart(size, size)
        # The canvas paints eyeballs and an open mouth of its own: skin beside them must not take their colours.
        grid = texels.grid(canvas_face)[None] * 2 - 1
        bare = F.grid_sample(self.canvas.smooth_skin[None, None], grid, padding_mode="border", align_corners=False)
        sure = texels.confidence * (bare[0, 0] > 0.99)
        vertices = bake(model.mean[None], chart)[0] * MM_PER_DM - torch.tensor(ORIGIN).view(3, 1, 1)
        known = (chart.face_id >= 0) & texels.skin
        found = there.correspondence
        points = (canvas_face.uv[canvas_face.faces[found.face]] * found.weights[..., None]).sum(1)
        patched = found.anchors >= 0
        patches = torch.zeros(found.fill.shape[1], int(patched.sum()))
        patches[found.anchors[patched], torch.arange(patches.shape[1])] = 1
        for name, value in {
            "grid": grid,
            "sure": sure,
            "on_skin": texels.skin.to(sure.dtype),
            "place": vertices,
            "neck": neck_weight(vertices[0], vertices[1], known.to(sure.dtype)),
            "patch_grid": (points[patched] * 2 - 1)[None, None],
            "patches": patches / patches.sum(1, keepdim=True).clamp_min(1),
            "fill": bake(found.fill[None], chart)[0],
            "corners": model.faces[back.correspondence.face],
            "weights": back.correspondence.weights,
        }.items():
            self.register_buffer(name, value.contiguous())
        self.eyeballs = EyeballPainter(model, size)

    grid: Tensor
    sure: Tensor
    on_skin: Tensor
    place: Tensor
    neck: Tensor
    patch_grid: Tensor
    patches: Tensor
    fill: Tensor
    corners: Tensor
    weights: Tensor

    def linear_on_canvas(self, colours: Tensor) -> Tensor:
        return self.canvas.spread((colours[:, self.corners] * self.weights[..., None]).sum(2)).clamp(0, 1)

    def linear_on_chart(self, colours: Tensor) -> Tensor:
        return bake(colours, self.model.chart(self.size, self.size)).clamp(0, 1)

    def forward(
        self, colours: Tensor, on_canvas: Tensor, scene: Scene, person: Person, hair: Hair, style: HairStyle
    ) -> tuple[Tensor, Tensor]:
        numbers, noise = scene.numbers, scene.noise
        paint, relief = self.skin(on_canvas, numbers["skin"], noise["skin"], person.age, person.male)
        paint, relief = self.features(paint, relief, numbers, noise, person)
        painted = self._carried(torch.cat([paint - on_canvas, relief], 1))
        linear = self.linear_on_chart(colours)
        diffuse = linear + painted[:, :3]
        diffuse, roots = root_hair(diffuse, self.place, hair, style, noise["hair"], person)
        roots = roots * self.on_skin
        own = self.eyeballs(linear, numbers["eyes"], person)
        diffuse = own + (diffuse - own) * self.on_skin
        return diffuse.clamp(0, 1), painted[:, 3:] + 0.8 * roots

    def _carried(self, values: Tensor) -> Tensor:
        """Maps of the canvas ``(B, C, T, T)`` on the head's chart; 0 off the skin."""
        count = len(values)
        seen = F.grid_sample(values, self.grid.expand(count, -1, -1, -1), padding_mode="border", align_corners=False)
        at = F.grid_sample(values, self.patch_grid.expand(count, -1, -1, -1), align_corners=False)[:, :, 0]
        elsewhere = one_by_one(self._continued, at)
        return (elsewhere + (seen - elsewhere) * self.sure) * self.on_skin

    def _continued(self, patches: Tensor) -> Tensor:
        return torch.einsum("khw,bck->bchw", self.fill, patches @ self.patches.T)

    def neck_colour(self, diffuse: Tensor) -> Tensor:
        return (diffuse * self.neck).flatten(2).sum(2)

    def spread(self, vertices: Tensor) -> Tensor:
        return bake(vertices, self.model.chart(self.size, self.size))

    def normals_and_tangents(self, vertices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        along_u, along_v = one_by_one(lambda head: torch.cat(self.model.tangents(head), 2), vertices).split(3, 2)
        return vertex_normals(vertices, self.model.faces, self.model.weld), along_u, along_v

    def surface_normals(self, smooth: Tensor, tangent_u: Tensor, tangent_v: Tensor, height: Tensor) -> Tensor:
        slope_v, slope_u = torch.gradient(height, spacing=1 / self.size, dim=(2, 3))
        # n − ∇h in the tangent plane, whose axes need not be orthogonal
        uu, vv = (t.square().sum(1, keepdim=True) for t in (tangent_u, tangent_v))
        uv = (tangent_u * tangent_v).sum(1, keepdim=True)
        area = (uu * vv - uv.square()).clamp_min(_SHALLOW)
        lean = (slope_u * vv - slope_v * uv) / area * tangent_u + (slope_v * uu - slope_u * uv) / area * tangent_v
        return unit(smooth - lean.clamp(-1, 1), 1)
