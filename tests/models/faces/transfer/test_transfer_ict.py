"""The procedural face and ICT-FaceKit, on the real numbers."""

from __future__ import annotations

import pytest
import torch

from faceuv.models.faces import FaceModel, ICTFaceKit, ProceduralFace
from faceuv.models.faces.transfer import Transfer
from faceuv.registry import FACE_MODELS
from faceuv.structures import Coefficients
from tests.support.ict import ict_model


@pytest.fixture(scope="module")
def pair():
    return ProceduralFace(97, 81, verbose=False), ict_model()


@pytest.fixture(scope="module")
def there(pair):
    return Transfer(*pair, verbose=False)


def test_surfaces_meet_and_people_come_back(pair, there):
    face, head = pair
    back = Transfer(head, face, verbose=False)
    assert there.errors["face"]["median_mm"] < 0.3 and back.errors["face"]["p95_mm"] < 2
    assert there.errors["scalp"]["share"] < 0.8 < back.errors["scalp"]["share"]  # there is no back of the head
    eyes = head.vertices_of("sclera_left", "teeth", "tongue") & ~head.vertices_of("skin")
    assert float(there.correspondence.confidence[eyes].max()) == 0
    identity = 0.85 * torch.randn(8, face.layout.identity, generator=torch.Generator().manual_seed(1))
    data = torch.cat([identity, torch.zeros(8, face.layout.size - identity.shape[1])], 1)
    who = Coefficients(data, face.layout)
    made = there.coefficients(who)
    again = back.coefficients(made)
    gap = (face.shape(again.identity, who.expression) - face.shape(identity, who.expression)).norm(dim=2)
    spread = (face.shape(identity, who.expression) - face.mean).norm(dim=2)
    assert float(gap[:, face.skin_mask].median()) < 0.8 * float(spread[:, face.skin_mask].median())
    assert 0.5 < float(made.identity.square().mean().sqrt()) < 1.5  # people, not caricatures
    assert float((again.translation - who.translation).abs().max()) < 1e-3


def test_landmarks_land_on_landmarks(pair, there):
    face, head = pair
    moved = head.mean[there.vertices(face.landmarks[36:48])]
    assert float((moved - head.mean[head.landmarks[36:48]]).norm(dim=1).max()) * 100 < 2.5


def test_movements_keep_their_names(pair, there):
    face, head = pair
    for movement, name in (("jaw_open", "jawOpen"), ("smile", "mouthSmileLeft"), ("blink", "eyeBlinkRight")):
        made = there._numbers.expression(face.expression_coefficients(**{movement: 1.0}))[0]
        assert 0.6 < float(made[head.mode_index("expression", name)]) <= 1, name
        assert float(made.max()) == float(made[head.mode_index("expression", name)]) or movement != "jaw_open"


def test_a_tongue_is_borrowed(tmp_path):
    head = ict_model()
    arrays = {name: value for name, value in head.arrays().items() if value is not None}
    out = torch.zeros(len(head.mean), 3, 1)
    out[head.vertices_of("tongue"), 2] = 0.2
    giver_arrays = {**arrays, "expression_basis": torch.cat([head.expression_basis, out], 2)}
    giver_arrays["expression_limits"] = torch.cat([head.expression_limits, torch.tensor([[0.0, 1.0]])])
    names = {**head.mode_names, "expression": [*head.mode_names["expression"], "tongueOut"]}
    full = {**head.metadata.get("full_expression", {}), "tongueOut": 1.0}

    class Giver(FaceModel):
        def __init__(self) -> None:
            super().__init__(giver_arrays, names=names, metadata={**head.metadata, "full_expression": full})

    FACE_MODELS.register_module(name="Giver", module=Giver)
    path = head.save(tmp_path / "ict.safetensors")
    made = ICTFaceKit(path, tongue="Giver")
    assert made.config()["tongue"] == "Giver"
    assert "tongueOut" in made.arkit_table().expressible
    found = made.expression_basis[..., made.mode_index("expression", "tongueOut")]
    tongue = head.vertices_of("tongue") & ~head.vertices_of("skin", "teeth", "gums")
    assert torch.allclose(found[tongue], torch.tensor([0.0, 0.0, 0.2]).expand_as(found[tongue]), atol=1e-3)
    assert float(found[head.vertices_of("skin")].abs().max()) < 1e-3
