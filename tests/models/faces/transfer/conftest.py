"""A small head and copies of it with other topologies."""

from __future__ import annotations

import math

import pytest
import torch

from faceuv.geometry.rotations import euler_to_matrix
from faceuv.models.faces import FaceModel, ProceduralFace
from faceuv.models.faces.transfer import Transfer

TURN, SHIFT = (math.radians(12), 0.0, 0.0), (0.0, 0.3, -0.4)


@pytest.fixture(scope="session")
def head() -> FaceModel:
    return ProceduralFace(65, 45, verbose=False)


def arrays_of(model: FaceModel) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.arrays().items() if value is not None}


@pytest.fixture(scope="session")
def reordered(head) -> FaceModel:
    """The same head: vertices and faces in another order, corners rolled, a turned chart, a turned and shifted frame,
    other orders and signs of its modes."""
    generator = torch.Generator().manual_seed(0)
    arrays = arrays_of(head)
    order = torch.randperm(len(head.mean), generator=generator)  # new vertex k is old vertex order[k]
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order))
    turn = euler_to_matrix(torch.tensor([TURN]))[0]
    for name in ("mean", "identity_basis", "expression_basis", "mean_albedo", "albedo_basis", "uv", "skin_mask"):
        arrays[name] = arrays[name][order]
    arrays["mean"] = arrays["mean"] @ turn.T + torch.tensor(SHIFT)
    for name in ("identity_basis", "expression_basis"):
        arrays[name] = torch.einsum("ij,vjn->vin", turn, arrays[name])
    arrays["identity_basis"] = -arrays["identity_basis"].flip(2)
    arrays["expression_basis"] = arrays["expression_basis"].flip(2)
    u, v = arrays["uv"].unbind(1)
    arrays["uv"] = torch.stack([0.1 + 0.8 * v, 0.9 - 0.8 * u], 1)
    faces = place[arrays["faces"]].roll(1, 1)
    arrays["faces"] = faces[torch.randperm(len(faces), generator=generator)]
    arrays["landmarks"] = place[arrays["landmarks"]]
    arrays["mirror"] = place[arrays["mirror"]][order]
    names = {**head.mode_names, "expression": head.mode_names["expression"][::-1]}
    return FaceModel(arrays, names=names, metadata=head.metadata)


@pytest.fixture(scope="session")
def there(head, reordered) -> Transfer:
    return Transfer(head, reordered, verbose=False)


@pytest.fixture(scope="session")
def back(head, reordered) -> Transfer:
    return Transfer(reordered, head, verbose=False)
