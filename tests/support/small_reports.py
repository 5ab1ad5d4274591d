"""Reports whose numbers are known, as ``read_run`` gives them."""

from __future__ import annotations

from dataclasses import asdict

import torch

from faceuv.evaluation.comparison import Run
from faceuv.evaluation.meanings import meaning
from faceuv.models.stylefaceuv.claims import CLAIMS

N = 40
NOISE = torch.randn(N, generator=torch.Generator().manual_seed(0))


def run(name, rows, *, seed=1, subjects=("ours", "linear", "turned 2D")):
    """A report whose subjects have these numbers, ``"subject/metric"``."""
    entries = {subject: {"about": "", "metrics": {}, "curves": {}, "not_measured": {}} for subject in subjects}
    for key, values in rows.items():
        subject, metric = key.split("/")
        known = values[torch.isfinite(values)]
        entries[subject]["metrics"][metric] = {"value": float(known.mean()), "error": 0.1, "samples": len(known)}
    metrics = {key.split("/")[1] for key in rows}
    report = {
        "kind": "faceuv report",
        "protocol": {"pictures": N, "curve": N, "truth": N, "seed": seed},
        "instruments": {"teacher": "abc"},
        "method": subjects[0],
        "claims": [asdict(claim) for claim in CLAIMS],
        "spaces": {"distances": "means", "identity": "corners"},
        "subjects": entries,
        "yaw_deg": [-60.0, 0.0, 60.0],
        "meanings": {metric: meaning(metric).record() for metric in metrics},
    }
    return Run(name, report, rows)


def base(value=0.5, spread=0.1):
    return value + spread * NOISE
