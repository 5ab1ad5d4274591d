"""Makes ``docs/live/head.html``, the head that the documentation shows in 3D: a person of MakeHuman with all movements
and an eighth of the triangles, whose maps are those of the whole head, smaller."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

from faceuv import Face
from faceuv.export.lod import coarser
from faceuv.export.page import PageFace, save_page
from faceuv.export.parts import Part
from faceuv.export.textures import resized, resized_normals

OUT = Path(__file__).parent.parent / "docs" / "live" / "head.html"
SEED, STYLE, LEVEL = 18, "bob", 3
ALBEDO_SIDE, NORMAL_SIDE = 512, 256
MOST_BYTES = 1_000_000


def live_head() -> PageFace:
    """The head as a face of a page."""
    face = Face.random(SEED, face_model="MakeHuman", texture_size=1024)
    assert face.coefficients is not None
    face = face.with_expression(torch.zeros_like(face.coefficients.expression))
    worn = face.with_hair(STYLE, seed=SEED, density=0.6)
    mesh = worn.mesh_file(texture_size=1024, name="head")
    assert mesh.hair is not None and mesh.diffuse is not None and mesh.normal_map is not None
    level = coarser(mesh.without_hair(), LEVEL)[-1].replace(
        diffuse=resized(torch.from_numpy(mesh.diffuse), ALBEDO_SIDE).numpy(),
        normal_map=resized_normals(torch.from_numpy(mesh.normal_map), NORMAL_SIDE).numpy(),
        name="head",
    )
    dressed = level.with_hair(mesh.hair.thinned(1))
    dressed = dressed.replace(parts=[small_picture(part) for part in dressed.parts])
    whole = worn.on_page(texture_size=64)
    return replace(PageFace.of_mesh(dressed), view=whole.view, frame=whole.frame)


def small_picture(part: Part) -> Part:
    """A part whose own picture, if it has one, has half the side."""
    picture = part.material.picture
    if picture is None:
        return part
    half = F.avg_pool2d(torch.from_numpy(picture)[None], 2)[0].numpy()
    return replace(part, material=replace(part.material, picture=half))


def main() -> None:
    path = save_page(OUT, [live_head()], title="A head of faceuv")
    size = path.stat().st_size
    print(f"{path}: {size / 1e6:.2f} MB")
    assert size <= MOST_BYTES, f"the documentation's head may have {MOST_BYTES:,} bytes, got {size:,}"


if __name__ == "__main__":
    main()
