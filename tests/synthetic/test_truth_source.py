"""The source ``truth`` of the ``fits`` stage gives what the pictures' truth says."""

from __future__ import annotations

import torch

from faceuv.data.codes import codes_at
from faceuv.fitting.sources import TruthSource


def test_the_source_truth_reads_what_the_picture_shows(generator):
    codes = codes_at(generator, range(3), seed=0)
    source = TruthSource()
    source.prepare(generator, "cpu")
    found = source.estimate(codes, None)
    torch.testing.assert_close(found.coefficients.data, generator.truth(codes).coefficients.data, atol=1e-4, rtol=1e-4)
    assert list(found.reasons) == ["", "", ""]
