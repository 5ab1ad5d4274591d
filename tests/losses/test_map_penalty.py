"""The penalty on maps."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.models.faces.base import FaceModel
from faceuv.registry import LOSSES


def penalty(**settings):
    return LOSSES.build({"type": "MapPenalty", **settings})


def test_values():
    flat = torch.tensor([[0.01, 0.0, 0.02], [0.0, 0.0, 0.0]])[:, :, None, None].expand(2, 3, 4, 5)
    torch.testing.assert_close(penalty().per_image({"displacement": flat}, {}), torch.tensor([5.0, 0.0]))
    assert not penalty(measure="slope").per_image({"displacement": flat}, {}).any()
    ramp = torch.arange(5.0).expand(1, 1, 4, 5) + 10 * torch.arange(4.0)[:, None]
    found = penalty(of="diffuse", measure="slope", unit=1.0)({"diffuse": ramp}, {})
    torch.testing.assert_close(found, torch.tensor(101.0))


def test_gradient():
    maps = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    for measure in ("size", "slope"):
        loss = penalty(measure=measure, unit=1.0)
        assert torch.autograd.gradcheck(lambda m, loss=loss: loss({"displacement": m}, {}), maps)


def sheet(height: float) -> FaceModel:
    """A flat sheet, 2 decimetres wide and ``2 * height`` high, whose chart is a square."""
    line = torch.linspace(0, 1, 12)
    v, u = (part.reshape(-1) for part in torch.meshgrid(line, line, indexing="ij"))
    mean = torch.stack([2 * u - 1, height * (1 - 2 * v), torch.zeros_like(u)], 1)
    r, c = torch.meshgrid(torch.arange(11), torch.arange(11), indexing="ij")
    a = (r * 12 + c).reshape(-1)
    faces = torch.cat([torch.stack([a, a + 12, a + 13], 1), torch.stack([a, a + 13, a + 1], 1)])
    modes = torch.zeros(144, 3, 1)
    return FaceModel(
        {
            "mean": mean, "mean_albedo": mean,
            "identity_basis": modes, "expression_basis": modes, "albedo_basis": modes,
            "faces": faces, "uv": torch.stack([u, v], 1), "landmarks": torch.arange(68),
            "skin_mask": torch.ones(144, dtype=torch.bool), "mirror": torch.arange(144),
        }
    )  # fmt: skip


def test_slopes_on_the_face():
    """Of a sheet that is a quarter as high as wide, rows lie close: differences between them count four times."""
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    settings = dict(of="diffuse", measure="slope", unit=1.0)
    square, flat = (penalty(**settings, face_model=sheet(height)) for height in (1.0, 0.25))
    for turned, factor in ((ramp, 0.25), (ramp.mT, 4.0)):
        plain = penalty(**settings)({"diffuse": turned}, {})
        torch.testing.assert_close(square({"diffuse": turned}, {}), plain, rtol=1e-4, atol=0)
        torch.testing.assert_close(flat({"diffuse": turned}, {}), factor * plain, rtol=1e-4, atol=0)
    assert not list(flat.parameters())
    assert not flat.state_dict()


def test_refusals():
    with pytest.raises(InputError, match="face_model only matters to the measure 'slope'"):
        penalty(face_model=sheet(1.0))
    with pytest.raises(InputError, match="'size' or 'slope'"):
        penalty(measure="loudness")
    with pytest.raises(InputError, match=r"MapPenalty needs the tensor pred\['displacement'\], found only diffuse"):
        penalty()({"diffuse": torch.zeros(1, 3, 2, 2)}, {})
