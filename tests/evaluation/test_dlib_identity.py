"""dlib's network by a stand-in of the same interface, and by the package itself where it is installed."""

from __future__ import annotations

import importlib.util
import sys
import types

import numpy as np
import pytest
import torch

from faceuv.errors import MissingDependency
from faceuv.evaluation import DlibIdentity, distance, similarity
from faceuv.registry import MODELS

NAMES = ("dlib_face_recognition_resnet_model_v1.dat", "shape_predictor_68_face_landmarks.dat")


class Box:
    def __init__(self, *sides):
        self.sides = sides

    def width(self):
        return self.sides[2] - self.sides[0]


class Shape:
    def __init__(self, box, points):
        self.box, self.points = box, points


def stand_in(seen):
    """A module with the parts of dlib that are used: a dark picture has no face, others have a small and a large one.
    The descriptor is the mean colour, then the box, then zeros."""
    module = types.ModuleType("dlib")

    class Recognition:
        def __init__(self, path):
            seen["network"] = path

        def compute_face_descriptor(self, picture, shape):
            seen["shape"] = shape
            assert picture.dtype == np.uint8
            assert picture.shape[2] == 3
            return [*(picture.mean((0, 1)) / 255), *shape.box.sides, *([0.0] * 121)]

    def detector(picture, upsampled):
        seen["size"] = picture.shape
        return [] if picture.mean() < 20 else [Box(0, 0, 10, 10), Box(5, 5, 90, 90)]

    module.get_frontal_face_detector = lambda: detector
    module.shape_predictor = lambda path: lambda picture, box: Shape(box, None)
    module.face_recognition_model_v1 = Recognition
    module.rectangle, module.point, module.full_object_detection = Box, lambda x, y: (x, y), Shape
    return module


@pytest.fixture
def seen(tmp_path, monkeypatch):
    folder = tmp_path / "face_recognition_models" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise ImportError('No module named pkg_resources')")
    for name in NAMES:
        (folder / name).write_bytes(b"")
    facts: dict = {}
    monkeypatch.setitem(sys.modules, "dlib", stand_in(facts))
    monkeypatch.delitem(sys.modules, "face_recognition_models", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    return facts


def test_small_pictures_are_enlarged_and_the_largest_face_is_read(seen):
    network = MODELS.build({"type": "DlibIdentity"})
    picture = torch.tensor([0.25, 0.5, 0.75])[:, None, None].expand(3, 64, 64)
    rows = network(torch.stack([picture, torch.zeros(3, 64, 64)]))
    assert rows.shape == (2, 128)
    torch.testing.assert_close(
        rows[0, :7], torch.tensor([64 / 255, 128 / 255, 191 / 255, 5, 5, 90, 90]), atol=3e-3, rtol=0
    )
    assert bool(torch.isnan(rows[1]).all()), "no face was found"
    assert seen["size"] == (320, 320, 3)
    assert seen["network"].endswith(NAMES[0])


def test_known_landmarks_take_the_place_of_the_detector(seen):
    points = torch.rand(1, 68, 2) * 40 + 10
    rows = DlibIdentity()(torch.full((1, 3, 80, 80), 0.01), points)
    assert not bool(torch.isnan(rows).any())
    wanted = (points[0, 30] * 4 - 0.5).round().int().tolist()
    assert seen["shape"].points[30] == tuple(wanted)


def test_a_missing_package_is_one_line(seen, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"needs the weights in .*pip install \"faceuv\[recognition\]\"") as one:
        DlibIdentity()
    assert "\n" not in str(one.value)
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(MissingDependency, match=r"needs dlib .*RegressorIdentity"):
        DlibIdentity()


def test_the_distance_is_that_of_the_features():
    first, second = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 4.0]])
    assert float(distance(first, second)) == 5
    assert float(similarity(first, second)) == 0


def test_the_network_itself_tells_drawn_heads_apart():
    pytest.importorskip("dlib", reason='needs the extra "recognition"')
    if importlib.util.find_spec("face_recognition_models") is None:
        pytest.skip('needs the extra "recognition"')
    from faceuv.evaluation.inversion_study import drawn_cases
    from faceuv.synthetic import ProceduralGenerator

    cases = drawn_cases(ProceduralGenerator(64), 6, seed=5, truncation=0.8)
    network = DlibIdentity()
    table = torch.cdist(network(cases.picture), network(cases.hidden))
    known = torch.isfinite(table.diagonal())
    assert int(known.sum()) >= 4
    table = table[known][:, known]
    own = torch.eye(len(table), dtype=torch.bool)
    assert float(table[own].mean()) < 0.75 * float(table[~own].mean())
