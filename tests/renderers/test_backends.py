"""All backends see the same: parity wherever one is installed, and clear words where it is not."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from faceuv.errors import InputError, MissingDependency
from faceuv.geometry.projection import project
from faceuv.geometry.scan import scan_triangles
from faceuv.registry import RENDERERS
from faceuv.renderers import NvdiffrastRenderer, Renderer, TorchRenderer
from faceuv.renderers.base import Rasterized
from faceuv.renderers.dropping import collapse_dropped_faces
from faceuv.renderers.interpolation import fragments, interpolate, spread
from faceuv.renderers.nvdiffrast import clip_coordinates, decode_ids
from faceuv.structures import Camera, Mesh

OPTIONAL = ["pytorch3d", "drtk", "nvdiffrast", "warp"]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def peer(name: str) -> Renderer:
    """The backend, or a skip that says why it cannot be tried here."""
    part = RENDERERS.get(name)
    if not part.installed():
        pytest.skip(f"{name} is not installed")
    if not part.available(DEVICE):
        pytest.skip(f"{name} cannot draw on {DEVICE}")
    return RENDERERS.build(name)


def view(renderer: Renderer, mesh: Mesh, height: int, width: int) -> Rasterized:
    return renderer.to(DEVICE).look(mesh.to(DEVICE), height=height, width=width)


@pytest.mark.parametrize("size", [(96, 96), (64, 112), (112, 64)])
@pytest.mark.parametrize("name", ["pytorch3d", "drtk", "warp"])
def test_face_ids_agree(name: str, size: tuple[int, int], head) -> None:
    other, mesh = peer(name), head(3, 41)
    ours, theirs = (view(r, mesh, *size).face_id for r in (TorchRenderer(), other))
    assert (ours >= 0).float().mean() > 0.2
    assert (ours == theirs).float().mean() >= 0.9999


@pytest.mark.parametrize("cull", ["none", "back", "front"])
@pytest.mark.parametrize("name", ["pytorch3d", "drtk", "warp"])
def test_culling_and_near_plane_agree(name: str, cull: str, head) -> None:
    other, mesh = peer(name), head(2, 31).to(DEVICE)
    pixels = project(mesh.vertices, Camera(), 80, 80)
    pixels[:, ::7, 2] = -1.0
    ours, theirs = (r.rasterize(pixels, mesh.faces, 80, 80, cull=cull) for r in (TorchRenderer(), other))
    assert (ours >= 0).any()
    assert (ours == theirs).float().mean() >= 0.9999


def test_pytorch3d_barycentrics_depth_and_gradients_agree(head) -> None:
    peer("pytorch3d")
    from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
    from pytorch3d.structures import Meshes

    height, width = 64, 80
    mesh = head(2, 21)
    weight = torch.rand(2, height, width, 3, generator=torch.Generator().manual_seed(0))
    pixels = project(mesh.vertices, Camera(), height, width)
    mine, theirs = pixels.clone().requires_grad_(), pixels.clone().requires_grad_()
    face_id = scan_triangles(mine, mesh.faces, height, width)
    at = fragments(mine, mesh.faces, face_id)
    our_weights, our_depth = spread(at.weights.t(), at), spread(at.depth[:, None], at)[..., 0]
    scale = 2 / min(height, width)
    points = torch.stack(
        [(width / 2 - theirs[..., 0]) * scale, (height / 2 - theirs[..., 1]) * scale, theirs[..., 2]], -1
    )
    ids, depth, weights, _ = rasterize_meshes(
        Meshes(list(points), [mesh.faces] * 2), (height, width), 0.0, 1, bin_size=0, perspective_correct=True
    )
    seen = (face_id >= 0) & (ids[..., 0] >= 0)
    assert (seen == (face_id >= 0)).float().mean() >= 0.9999
    assert (our_weights[seen] - weights[..., 0, :][seen]).abs().max() < 1e-5
    assert (our_depth[seen] - depth[..., 0][seen]).abs().max() < 2e-5
    ((our_weights * weight)[seen].sum() + our_depth[seen].sum()).backward()
    ((weights[..., 0, :] * weight)[seen].sum() + depth[..., 0][seen].sum()).backward()
    assert (mine.grad - theirs.grad).norm() / theirs.grad.norm() < 1e-4


def test_nvdiffrast_agrees_by_uv(head) -> None:
    """It snaps vertices to 1/16 pixel, so ids may differ: compare where on a 256² map the pixels look."""
    other, mesh = peer("nvdiffrast"), head(4, 61)
    views = [view(r, mesh, 256, 256) for r in (TorchRenderer(), other)]
    seen = [v.face_id >= 0 for v in views]
    assert (seen[0] != seen[1]).float().mean() < 3e-4
    uv = [spread(interpolate(mesh.uv.to(DEVICE), v.at), v.at) for v in views]
    apart = ((uv[0] - uv[1]) * 256).norm(dim=-1)[seen[0] & seen[1]]
    assert apart.quantile(0.99) < 0.06
    assert apart.quantile(0.999) < 0.35


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_missing_package_says_how_to_get_it_and_what_to_use(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(MissingDependency) as raised:
        RENDERERS.build(name)
    message = str(raised.value)
    part = RENDERERS.get(name)
    assert repr(name) in message
    assert "type='torch'" in message
    assert part.install in message
    theirs = r'pip install --no-build-isolation "?git\+https://github\.com/\w+/\w+\.git"?'
    assert re.fullmatch(theirs if name != "warp" else r'pip install "faceuv\[warp\]"', part.install)


def test_a_placeholder_package_is_not_drtk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "drtk").mkdir()
    (tmp_path / "drtk" / "__init__.py").write_text("raise RuntimeError('imported a stranger')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "drtk", raising=False)
    assert not RENDERERS.get("drtk").installed()


def test_nvdiffrast_needs_cuda() -> None:
    assert not NvdiffrastRenderer.available("cpu")


def test_nvdiffrast_ids_beyond_float_precision() -> None:
    ids = torch.tensor([-1, 0, 1, 2**24 - 1, 2**24, 2**24 + 1, 2**25 + 3])
    plus_one = ids + 1
    bits = (plus_one + 0x4A800000).to(torch.int32).view(torch.float32)
    channel = torch.where(plus_one <= 2**24, plus_one.float(), bits)
    assert torch.equal(decode_ids(channel), ids)


def test_nvdiffrast_clip_coordinates() -> None:
    pixels = torch.tensor([[[0.0, 0, 2], [8, 6, 4], [4, 3, 3]]])
    clip = clip_coordinates(pixels, 6, 8)
    ndc = clip[..., :3] / clip[..., 3:]
    torch.testing.assert_close(ndc[0, :, :2], torch.tensor([[-1.0, -1], [1, 1], [0, 0]]))
    assert (ndc[..., 2].abs() <= 1).all()
    assert ndc[0, 0, 2] < ndc[0, 2, 2] < ndc[0, 1, 2]  # nearer is smaller
    torch.testing.assert_close(clip[..., 3], pixels[..., 2])


def test_collapsing_leaves_drawable_faces_and_ids() -> None:
    pixels = torch.tensor([[[0.0, 0, 2], [9, 0, 2], [0, 9, 2], [9, 9, -1]]])
    faces = torch.tensor([[0, 1, 2], [1, 2, 3], [0, 2, 1]])
    assert collapse_dropped_faces(pixels[:, :3], faces[[0, 2]], "none").ndim == 2
    assert collapse_dropped_faces(pixels, faces, "none")[0].tolist() == [[0, 1, 2], [1, 1, 1], [0, 2, 1]]
    assert collapse_dropped_faces(pixels, faces, "back")[0].tolist() == [[0, 0, 0], [1, 1, 1], [0, 2, 1]]
    assert collapse_dropped_faces(pixels, faces, "front")[0].tolist() == [[0, 1, 2], [1, 1, 1], [0, 0, 0]]


def test_a_plug_in_writes_one_small_class(head, texture) -> None:
    class Mine(Renderer):
        """A renderer of one's own."""

        name = "mine"

        @classmethod
        def available(cls, device: torch.device | str) -> bool:
            return torch.device(device).type == "cpu"

        def rasterize(self, pixels: Tensor, faces: Tensor, height: int, width: int, *, cull: str = "none") -> Tensor:
            return scan_triangles(pixels, faces, height, width, cull=cull)

    mesh = head(2)
    arguments = dict(height=32, width=40, texture=texture(2))
    assert torch.equal(Mine()(mesh, **arguments).image, TorchRenderer()(mesh, **arguments).image)
    with pytest.raises(InputError, match="'mine' cannot draw on meta"):
        Mine()(mesh.to("meta"), height=32, width=40, texture=texture(2).to("meta"))


def test_numba_and_torch_draw_the_same(head) -> None:
    pytest.importorskip("numba")
    mesh = head(3, 31)
    a, b = (TorchRenderer(accelerator=k).look(mesh, height=50, width=70).face_id for k in ("numba", "none"))
    assert torch.equal(a, b)


def test_accelerator_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="accelerator must be 'auto', 'numba' or 'none', got 'cuda'"):
        TorchRenderer(accelerator="cuda")
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(MissingDependency, match="pip install numba"):
        TorchRenderer(accelerator="numba")
