"""The fitter works on files in BFM's layout as on the library's own face: the stand-in is that face in such files."""

from __future__ import annotations

import torch

from faceuv.evaluation.coefficient_errors import coefficient_errors
from faceuv.fitting import Fitter, Landmarks
from faceuv.fitting.priors import likely_light
from faceuv.models.faces import FaceRenderer, ProceduralFace
from faceuv.models.faces.bfm2009 import BFM2009
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.structures import Coefficients


def test_a_face_in_bfms_files_is_fitted(tmp_path, files):
    source = ProceduralFace(rows=61, columns=49, cache=False, verbose=False)
    head = files.head_of(source)
    uv = files.write_uv(tmp_path / "uv.mat", head.uv)
    model = BFM2009.from_files(front=files.write_front(tmp_path, head), uv=uv, sizes=head.sizes)
    g = torch.Generator().manual_seed(3)
    true = Coefficients.zeros(2, model.layout)
    true = true.replace(
        identity=0.8 * torch.randn(2, 80, generator=g), expression=0.4 * torch.randn(2, 64, generator=g),
        albedo=0.7 * torch.randn(2, 80, generator=g), rotation=torch.tensor([[0.1, 0.5, 0.05], [-0.1, -0.4, 0.0]]),
        lighting=likely_light(true.data) + 0.03 * torch.randn(2, 3, 9, generator=g),
    )  # fmt: skip
    picture = FaceRenderer(model, "torch")(true, size=96, background=0.5).image.clamp(0, 1)
    points, _ = LandmarkTruth(model)(true, 96)
    landmarks = Landmarks(points, torch.ones(2, dtype=torch.bool), torch.ones(2))
    fit = Fitter(model, "torch").fit(picture, landmarks)
    assert fit.ok.tolist() == [True, True]
    found = {name: float(value.max()) for name, value in coefficient_errors(fit.coefficients, true, model).items()}
    assert found["yaw_deg"] < 1.5
    assert found["landmarks_percent"] < 0.5
    assert float(fit.photometric.max()) < 0.05
