"""Schedules: the steps of a fit by name."""

from __future__ import annotations

from typing import Any

from faceuv.fitting.steps import RIGID

_PUBLISHED_LANDMARKS: dict[str, Any] = {"type": "LandmarkLoss", "weight": 100.0, "emphasis": 10.0}

EXACT = 1000.0
"""Weight of landmarks that are off by half a percent of the image."""

SCHEDULES: dict[str, list[dict[str, Any]]] = {
    # ours: second order throughout, a dozen iterations in all
    "fast": [
        {"type": "LandmarkStep", "groups": RIGID},
        {"type": "LandmarkStep"},
        {"type": "SurfaceStep"},
    ],
    # the same for landmarks to be trusted: by hand, or by a detector that is off by half a percent of the image
    "precise": [
        {"type": "LandmarkStep", "groups": RIGID, "weight": EXACT},
        {"type": "LandmarkStep", "weight": EXACT},
        {"type": "SurfaceStep", "landmarks": {"weight": EXACT}},
    ],
    # pose, identity and expression from the landmarks alone: hundreds of images per second, colours stay average
    "landmarks": [
        {"type": "LandmarkStep", "groups": RIGID},
        {"type": "LandmarkStep"},
    ],
    # the paper's tool: Adam at 1e-2, 1000 iterations on the landmarks, 500 on everything, its weights
    "published": [
        {"type": "AdamStep", "groups": RIGID, "iterations": 1000, "losses": {"landmarks": _PUBLISHED_LANDMARKS}},
        {
            "type": "AdamStep",
            "iterations": 500,
            "losses": {
                "landmarks": _PUBLISHED_LANDMARKS,
                "photometric": {"type": "PhotometricLoss", "norm": "length", "weight": 1.6},
                "identity": {"type": "CoefficientPenalty", "group": "identity", "weight": 1e-3},
                "expression": {"type": "CoefficientPenalty", "group": "expression", "weight": 0.8e-3},
                "albedo": {"type": "CoefficientPenalty", "group": "albedo", "weight": 1.7e-6},
                "reflectance": {"type": "AlbedoVariance", "weight": 1.0},
            },
        },
    ],
}
