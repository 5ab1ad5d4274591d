"""Hidden views: known errors of seen and unseen pixels, with the branch and without."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.evaluation import HiddenViews, seen_and_unseen


def sample(bare, fake, size=24):
    """A face over the left two thirds, of which the picture showed the left third; constant errors of each part."""
    real = torch.rand(3, size, size, generator=torch.Generator().manual_seed(0)) * 0.5
    mask, seen = torch.zeros(2, 1, size, size)
    mask[..., : 2 * size // 3] = 1
    seen[..., : size // 3] = 1
    rows = {"real": real, "mask": mask, "seen": seen}
    for name, (at_seen, elsewhere) in (("bare", bare), ("fake", fake)):
        rows[name] = real + torch.where(seen > 0, at_seen, elsewhere)
    return rows


def test_errors_and_what_the_branch_gains():
    metric = HiddenViews()
    metric.process(None, [sample((0.2, 0.1), (0.05, 0.1)), sample((0.4, 0.1), (0.1, 0.2))])
    found = {name.split("/")[1]: value for name, value in metric.evaluate(2).items()}
    assert found["seen"] == pytest.approx(0.075, abs=1e-5)
    assert found["bare_seen"] == pytest.approx(0.3, abs=1e-5)
    assert found["seen_reduction"] == pytest.approx(75, abs=0.01)
    assert found["unseen_reduction"] == pytest.approx(-50, abs=0.01)
    assert found["bare_l1"] == pytest.approx(0.2, abs=1e-5)
    assert found["faces"] == 2
    assert found["ssim"] > found["bare_ssim"]


def test_pixels_that_mix_both_count_for_neither():
    rows = sample((0.2, 0.1), (0.2, 0.1))
    seen = torch.full_like(rows["seen"], 0.5)
    errors = seen_and_unseen(rows["fake"][None], rows["real"][None], rows["mask"][None], seen[None])
    assert bool(torch.isnan(errors["seen"]).all())
    assert bool(torch.isnan(errors["unseen"]).all())


def test_other_samples_are_one_line():
    with pytest.raises(InputError, match="they lack bare, seen"):
        HiddenViews().process(None, [{"real": 0, "fake": 0, "mask": 0}])
    with pytest.raises(InputError, match="no samples"):
        HiddenViews().compute_metrics([])
