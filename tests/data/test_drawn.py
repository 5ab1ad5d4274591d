"""Mixed codes, face masks, and the files and the dataset of drawn codes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from faceuv.data.codes import codes_at
from faceuv.data.drawn import DrawnCodes, DrawnShard, drawn_name, face_mask, mixed_codes_at
from faceuv.errors import AssetError, InputError
from faceuv.models.stylegan2 import StyleGAN2Generator


@pytest.fixture(scope="module")
def generator() -> StyleGAN2Generator:
    torch.manual_seed(0)
    return StyleGAN2Generator(16, latent_dim=6, code_dim=5, mapping_depth=2, channel_base=64, channel_max=8)


class TestMixedCodes:
    def test_every_row_is_that_of_one_of_the_samples(self, generator: StyleGAN2Generator) -> None:
        codes = mixed_codes_at(generator, range(40), seed=3, most=3)
        samples = codes_at(generator, range(120), seed=3).unflatten(0, (40, 3))
        same = (codes[:, :, None] == samples[:, None]).all(3)  # (40, L, 3)
        assert bool(same.any(2).all())

    def test_as_many_samples_as_asked_for(self, generator: StyleGAN2Generator) -> None:
        codes = mixed_codes_at(generator, range(300), seed=0, most=4)
        kinds = torch.tensor([len(code.unique(dim=0)) for code in codes])
        assert kinds.min() == 1 and kinds.max() == 4
        # a code of one sample in four, and a few more whose rows happen to be of one
        assert 0.2 < float((kinds == 1).float().mean()) < 0.4
        assert bool((mixed_codes_at(generator, [1], seed=0, most=1).std(1) == 0).all())

    def test_a_code_does_not_depend_on_its_batch(self, generator: StyleGAN2Generator) -> None:
        whole = mixed_codes_at(generator, range(9), seed=1)
        parts = torch.cat([mixed_codes_at(generator, [k], seed=1) for k in range(9)])
        assert torch.allclose(whole, parts, atol=1e-6)
        assert not torch.allclose(whole, mixed_codes_at(generator, range(9), seed=2))

    def test_truncation_draws_them_together(self, generator: StyleGAN2Generator) -> None:
        full, half = (mixed_codes_at(generator, range(5), seed=1, truncation=t) for t in (1.0, 0.5))
        mean = generator.mean_code
        assert torch.allclose(half - mean, 0.5 * (full - mean), atol=1e-5)

    def test_a_bad_number(self, generator: StyleGAN2Generator) -> None:
        with pytest.raises(InputError, match="most must be a whole number"):
            mixed_codes_at(generator, [0], seed=0, most=0)


def test_a_mask_is_the_hull_of_the_landmarks() -> None:
    points = torch.full((1, 68, 2), 10.0)
    points[0, 0], points[0, 1], points[0, 2] = torch.tensor([[2.0, 2.0], [14.0, 2.0], [2.0, 14.0]])
    mask = face_mask(points, 16)[0, 0]
    line = torch.arange(16) + 0.5
    y, x = torch.meshgrid(line, line, indexing="ij")
    # a quadrangle: (2, 2), (14, 2), (10, 10), (2, 14)
    inside = (x >= 2) & (y >= 2) & (2 * x + y <= 30 + 1e-9) & (x + 2 * y <= 30 + 1e-9)
    assert torch.equal(mask > 0, inside)


def shard(index: range, run: str = "a") -> DrawnShard:
    count = len(index)
    numbers = torch.tensor(list(index))
    ok = numbers % 4 != 1
    return DrawnShard(
        index=numbers,
        codes=numbers.view(-1, 1, 1).expand(count, 3, 2).float(),
        images=numbers.to(torch.uint8).view(-1, 1, 1, 1).expand(count, 3, 4, 4),
        masks=torch.ones(count, 1, 4, 4, dtype=torch.uint8),
        landmarks=numbers.view(-1, 1, 1).expand(count, 68, 2).float(),
        ok=ok,
        reasons=["" if good else "no face was found" for good in ok],
        metadata={"run": run},
    )


class TestDrawnCodes:
    def test_items_of_both_splits(self, tmp_path: Path) -> None:
        shard(range(10)).save(tmp_path / drawn_name(0))
        shard(range(10, 20)).save(tmp_path / drawn_name(1))
        data = {split: DrawnCodes(tmp_path, split=split, held_out=5) for split in ("train", "val", "all")}
        numbers = {split: [int(item["index"]) for item in found] for split, found in data.items()}
        assert numbers["all"] == [k for k in range(20) if k % 4 != 1]
        assert numbers["val"] == [0, 10, 15]
        assert sorted(numbers["train"] + numbers["val"]) == numbers["all"]
        for item in data["train"]:
            number = int(item["index"])
            assert {float(item[name].float().mean()) for name in ("code", "image", "landmarks")} == {float(number)}
        assert (data["all"].num_layers, data["all"].code_dim, data["all"].size) == (3, 2, 4)
        assert len(DrawnCodes(tmp_path, limit=4)) == 4

    def test_what_is_wrong_with_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(AssetError, match="run the stage 'pictures'"):
            DrawnCodes(tmp_path)
        shard(range(10)).save(tmp_path / drawn_name(0))
        shard(range(10, 20), run="b").save(tmp_path / drawn_name(1))
        with pytest.raises(AssetError, match="are of two runs"):
            DrawnCodes(tmp_path)
