"""A small whole head: the procedural face with its albedo exchanged, cut into two charts by a seam."""

import pytest
import torch

from faceuv.models.faces import FaceModel, ProceduralFace
from faceuv.models.faces.appearance import MARK, albedo_arrays


def with_our_albedo(model, uv=None):
    """``model`` with the albedo of faceuv.models.faces.appearance, and another chart if given."""
    mean, basis, names = albedo_arrays(model)
    arrays = model.arrays() | {"mean_albedo": mean, "albedo_basis": basis}
    if uv is not None:
        arrays["uv"] = uv
    metadata = {**model.metadata, "albedo": MARK}
    return FaceModel(arrays, names={**model.mode_names, "albedo": names}, metadata=metadata)


@pytest.fixture(scope="session")
def head():
    return with_our_albedo(ProceduralFace(97, 81, verbose=False))


@pytest.fixture(scope="session")
def stretched(head):
    """The same head over the left half of its map: texels are twice as wide in mm."""
    return with_our_albedo(head, uv=head.uv * torch.tensor([0.5, 1.0]))


@pytest.fixture(scope="session")
def split():
    """The head cut along its midline: the viewer's right half lies elsewhere on the map."""
    model = ProceduralFace(97, 81, verbose=False)
    right = (model.mean[model.faces][..., 0].mean(1) > 0).nonzero()[:, 0]
    mid = model.faces[right].unique()
    mid = mid[model.mean[mid, 0].abs() < 1e-6]
    count = len(model.mean)
    copy = torch.arange(count)
    copy[mid] = count + torch.arange(len(mid))
    faces = model.faces.clone()
    faces[right] = copy[faces[right]]
    weld = torch.cat([torch.arange(count), mid])
    source = weld
    uv = model.uv[source].clone()
    moved = torch.zeros(len(weld), dtype=torch.bool)
    moved[faces[right].flatten()] = True
    uv = uv * torch.tensor([0.9, 1.0])
    uv[moved] += torch.tensor([0.1, 0.0])
    mirror = torch.cat([model.mirror, mid])
    arrays = {
        "mean": model.mean[source], "identity_basis": model.identity_basis[source],
        "expression_basis": model.expression_basis[source], "mean_albedo": model.mean_albedo[source],
        "albedo_basis": model.albedo_basis[source], "faces": faces, "uv": uv, "landmarks": model.landmarks,
        "skin_mask": model.skin_mask[source], "mirror": mirror, "weld": weld,
    }  # fmt: skip
    return with_our_albedo(FaceModel(arrays, metadata={}))
