"""A few synthetic faces with exact truth, drawn once for all tests of the fitter."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from faceuv.fitting import Landmarks
from faceuv.models.faces import FaceModel
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces

SIZE = 96
COUNT = 6


@dataclass(frozen=True)
class Faces:
    """``images (6, 3, 96, 96)``, the truth, and landmarks that are off by about half a pixel."""

    images: Tensor
    true: Coefficients
    landmarks: Landmarks

    def of(self, *rows: int) -> tuple[Tensor, Landmarks]:
        """Some of them."""
        index = torch.tensor(rows)
        return self.images[index], self.landmarks[index]


@pytest.fixture(scope="session")
def face_model() -> FaceModel:
    return ProceduralFace(rows=65, columns=51, verbose=False)


@pytest.fixture(scope="session")
def faces(face_model) -> Faces:
    dataset = SyntheticFaces(size=SIZE, seed=2, samples=1, truth=("coefficients",), face_model=face_model)
    drawn = dataset.batch(range(COUNT))
    true = Coefficients(drawn["coefficients"], face_model.layout)
    points, _ = LandmarkTruth(face_model)(true, SIZE)
    points = points + 0.5 * torch.randn(points.shape, generator=torch.Generator().manual_seed(0))
    return Faces(drawn["image"], true, Landmarks(points, torch.ones(COUNT, dtype=torch.bool), torch.ones(COUNT)))
