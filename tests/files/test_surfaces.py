"""Surfaces in files come back bit for bit; a file that holds none gives an error with the reason."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from faceuv.errors import AssetError
from faceuv.files.surfaces import surface_from, surface_tensors
from faceuv.structures import Camera, Mesh, Surface


def sheet(**options):
    mesh = Mesh(torch.rand(1, 4, 3), torch.tensor([[0, 1, 2], [1, 3, 2]]), torch.rand(4, 2))
    options = {"diffuse": torch.rand(1, 3, 4, 4), **options}
    return Surface(mesh, torch.rand(1, 3), torch.rand(1, 3), **options)


WHOLE = {"lighting": torch.rand(1, 3, 9), "normal_map": torch.rand(1, 3, 2, 2), "camera": Camera(4.0, 8.0, 0.2)}
COLOURED = {"diffuse": None, "vertex_colours": torch.rand(1, 4, 3)}


@pytest.mark.parametrize("options", [{}, WHOLE, COLOURED], ids=["plain", "whole", "vertex colours"])
def test_round_trip(options):
    surface = sheet(**options)
    tensors, camera = surface_tensors(surface)
    read = surface_from(tensors, camera, where="a file")
    assert read.camera == surface.camera
    for part, own in ((read, surface), (read.mesh, surface.mesh)):
        for name in (f.name for f in fields(own)):
            value = getattr(own, name)
            if value is None:
                assert getattr(part, name) is None
            elif isinstance(value, torch.Tensor):
                assert torch.equal(getattr(part, name), value), name


def test_a_mesh_without_uv():
    surface = sheet(**COLOURED)
    surface = surface.replace(mesh=replace(surface.mesh, uv=None))
    tensors, camera = surface_tensors(surface)
    assert "uv" not in tensors and surface_from(tensors, camera, where="a file").mesh.uv is None


BROKEN = {
    "no faces": (lambda t: t.pop("faces"), "a file: this surface has no faces; write the file again"),
    "a face of a vertex that is not there": (
        lambda t: t["faces"].fill_(4),
        r"a file: .*faces must name vertices 0 … 3",
    ),
    "no colours": (lambda t: t.pop("diffuse"), "a file: .*a diffuse map .* or vertex_colours"),
    "a flat rotation": (lambda t: t.update(rotation=t["rotation"][0]), "a file: .*rotation"),
    "uv of another mesh": (lambda t: t.update(uv=t["uv"][:2]), "a file: .*uv"),
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_no_surface(spoil, message):
    tensors, camera = surface_tensors(sheet())
    tensors = {name: value.clone() for name, value in tensors.items()}
    spoil(tensors)
    with pytest.raises(AssetError, match=message):
        surface_from(tensors, camera, where="a file")


@pytest.mark.parametrize("camera", [{"focal": -1.0}, {"focus": 3.0}, {"focal": "wide"}, 3, [1, 2]])
def test_what_is_no_camera(camera):
    tensors, _ = surface_tensors(sheet())
    with pytest.raises(AssetError, match=r"a file: its tensors are no surface"):
        surface_from(tensors, camera, where="a file")
