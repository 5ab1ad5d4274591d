"""Codes, pictures and coefficients in shards: the same however they are made."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
from damage import damaged
from safetensors.torch import load_file

from faceuv.data.codes import CodeFits, FitShard, codes_at
from faceuv.data.drawn import mixed_codes_at
from faceuv.engine.stages import FitsStage, StageContext, run_stages
from faceuv.errors import AssetError, InputError
from faceuv.registry import GENERATORS

FITS = {
    "type": "fits",
    "generator": {"type": "ToyCodes"},
    "source": {"type": "toy"},
    "count": 21,
    "batch": 4,
    "shard": 8,
}


def silent(line):
    """Instead of print."""


def contents(folder):
    """Name → bytes of every shard."""
    return {path.name: path.read_bytes() for path in sorted(Path(folder).glob("*.safetensors"))}


@pytest.fixture
def fitted(recipe, tmp_path):
    """``fitted("work", count=9)`` → the folder of the fits."""

    def run(work_dir="work", **changes):
        log = changes.pop("log", silent)
        run_stages(recipe(work_dir, fits={**FITS, **changes}), log=log)
        return tmp_path / work_dir / "fits"

    return run


def test_shards_hold_codes_coefficients_and_what_was_measured(fitted, toys):
    folder = fitted()
    assert list(contents(folder)) == [f"fits_00000{k}.safetensors" for k in range(3)]
    shard = FitShard.load(folder / "fits_000002.safetensors")
    assert shard.index.tolist() == [16, 17, 18, 19, 20]
    assert shard.codes.shape == (5, 8)
    torch.testing.assert_close(shard.coefficients, toys.toy_coefficients(shard.codes).data)
    torch.testing.assert_close(shard.errors["landmarks"], shard.codes[:, 0].abs())
    assert bool(shard.ok.all())
    assert shard.metadata["num_layers"] == 3
    assert shard.metadata["layout"]["identity"] == 80


def test_a_code_is_a_function_of_its_index_and_the_seed(toys):
    generator = GENERATORS.build({"type": "ToyCodes"})
    whole = codes_at(generator, range(10), seed=3)
    torch.testing.assert_close(codes_at(generator, [7, 2], seed=3), whole[[7, 2]])
    assert not torch.allclose(codes_at(generator, range(10), seed=4), whole)
    halved = codes_at(generator, range(10), seed=3, truncation=0.5)
    torch.testing.assert_close(halved - generator.mean_code, (whole - generator.mean_code) / 2)
    assert len({tuple(row) for row in codes_at(generator, range(500), seed=3).tolist()}) == 500


def test_mixed_codes_keep_all_their_rows(fitted, toys):
    """They are those of the stage ``pictures``, and w is the first row of one that mixes nothing."""
    folder = fitted(most=5)
    shard = FitShard.load(folder / "fits_000001.safetensors")
    generator = GENERATORS.build({"type": "ToyCodes"})
    assert torch.equal(shard.codes, mixed_codes_at(generator, range(8, 16), seed=0, most=5))
    assert shard.codes.shape == (8, 3, 8)
    assert bool((shard.codes != shard.codes[:, :1]).any((1, 2)).any())
    data = CodeFits(folder)
    assert data.code_dim == 8 and data[0]["code"].shape == (3, 8)
    with pytest.raises(InputError, match="most must be a whole number of at least 1, got 0"):
        fitted("none", most=0)


@pytest.mark.parametrize("batch", [1, 3, 21])
def test_any_batch_size_gives_the_same(fitted, batch):
    reference = fitted("reference")
    for name in contents(reference):
        one, other = load_file(reference / name), load_file(fitted("other", batch=batch) / name)
        assert torch.equal(one["codes"], other["codes"])
        torch.testing.assert_close(one["coefficients"], other["coefficients"])


def test_two_ranks_write_what_one_does(recipe, fitted, forked, tmp_path, capfd):
    from faceuv.engine.training import train_stages

    reference = contents(fitted("one"))
    capfd.readouterr()

    def body():
        config = recipe("two", fits=FITS)
        train_stages(config, work_dir=config.work_dir, launcher="pytorch")

    assert forked(body) == [0, 0]
    assert contents(tmp_path / "two" / "fits") == reference
    out = capfd.readouterr().out
    assert out.count("fits  runs  missing") == 1  # one rank speaks


def test_an_error_on_the_first_rank_is_everybodys(recipe, forked, tmp_path, capfd):
    from faceuv.engine.training import train_stages

    def body():
        train_stages(recipe("two", fits={**FITS, "source": {"type": "truth"}}), launcher="pytorch")

    assert forked(body) == [1, 1]
    assert capfd.readouterr().err.count("source 'truth' works with the generator 'ProceduralGenerator'") >= 2


def test_a_killed_stage_goes_on_to_the_same_shards(recipe, fitted, forked, toys, tmp_path):
    reference = contents(fitted("whole"))

    def body():
        estimate, batches = toys.ToySource.estimate, []

        def deadly(self, code, images, names):
            batches.append(len(code))
            if len(batches) == 4:  # in the second half of the second shard
                os.kill(os.getpid(), signal.SIGKILL)
            return estimate(self, code, images, names)

        toys.ToySource.estimate = deadly
        run_stages(recipe("killed", fits=FITS), log=silent)

    assert forked(body, processes=1) == [-signal.SIGKILL]
    folder = tmp_path / "killed" / "fits"
    assert list(contents(folder)) == ["fits_000000.safetensors"]
    written = (folder / "fits_000000.safetensors").stat().st_mtime_ns
    lines = []
    run_stages(recipe("killed", fits=FITS), log=lines.append)
    assert "fits  runs  interrupted (goes on where it was)" in lines[0]
    assert (folder / "fits_000000.safetensors").stat().st_mtime_ns == written  # not made again
    assert contents(folder) == reference


def _tensors(content):
    from safetensors.torch import load

    return {name: value.tolist() for name, value in load(content).items()}


def test_failed_fits_are_rows_with_reasons(fitted, recipe, tmp_path):
    lines = []
    run_stages(recipe(fits={**FITS, "source": {"type": "toy", "fail": 1.2, "nan": 1.2}}), log=lines.append)
    folder = tmp_path / "work" / "fits"
    shards = [FitShard.load(path) for path in sorted(folder.glob("*.safetensors"))]
    rows = [(bool(ok), reason) for shard in shards for ok, reason in zip(shard.ok, shard.reasons)]
    assert {reason for _, reason in rows} == {"", "no face found", "its coefficients are not finite"}
    assert all(ok == (reason == "") for ok, reason in rows)
    failed = torch.cat([shard.coefficients[~shard.ok] for shard in shards])
    assert bool(failed.isnan().all())
    count = sum(reason == "no face found" for _, reason in rows)
    assert f"{count} of 21 fits failed: no face found" in lines
    data = CodeFits(folder)
    assert len(data) == 21 - len(failed) == 21 - data.failed
    assert bool(torch.isfinite(data.coefficients).all())


def test_a_larger_count_keeps_what_is_there(fitted, tmp_path):
    folder = fitted("grown", count=12)
    written = (folder / "fits_000000.safetensors").stat().st_mtime_ns
    fitted("grown")  # 21
    assert (folder / "fits_000000.safetensors").stat().st_mtime_ns == written
    assert {n: _tensors(b) for n, b in contents(folder).items()} == {
        n: _tensors(b) for n, b in contents(fitted("whole")).items()
    }


@pytest.mark.parametrize("count", [5, 8, 12, 16])
def test_a_smaller_count_gives_its_own_outputs_and_keeps_the_other_shards(fitted, count):
    folder = fitted("shrunk", keep_images=True)  # 21
    whole = contents(folder)
    fitted("shrunk", keep_images=True, count=count)
    assert contents(folder) == contents(fitted("small", keep_images=True, count=count))
    assert CodeFits(folder).index.tolist() == list(range(count))
    moved = [name for name in whole if name not in contents(folder) or whole[name] != contents(folder)[name]]
    assert {name: whole[name] for name in moved} == contents(folder / "kept")
    times = {path.name: path.stat().st_mtime_ns for path in (folder / "kept").iterdir()}
    lines = []
    fitted("shrunk", keep_images=True, log=lines.append)
    assert contents(folder) == whole
    assert contents(folder / "kept") == {}
    assert {name: (folder / name).stat().st_mtime_ns for name in times} == times  # moved, not made again
    assert any("shards come back from" in line for line in lines)


def test_ever_smaller_counts_lose_no_sample(fitted):
    folder = fitted("shrunk")
    whole = contents(folder)
    for count in (20, 18, 3):
        fitted("shrunk", count=count)
    assert contents(folder / "kept") == whole
    fitted("shrunk")
    assert contents(folder) == whole


def test_a_shard_that_belongs_to_nothing_is_put_aside(fitted):
    folder = fitted("work", count=9)
    (folder / "fits_000007.safetensors").write_bytes(b"mine")
    fitted("work", count=12)
    assert (folder / "fits_000007.safetensors.previous.1").read_bytes() == b"mine"
    assert CodeFits(folder).index.tolist() == list(range(12))


def test_a_damaged_shard_is_made_again(fitted):
    folder = fitted()
    whole = contents(folder)
    path = folder / "fits_000001.safetensors"
    damaged(path, path.read_bytes()[:100])
    fitted()
    assert contents(folder) == whole


def test_pictures_are_kept_when_asked_for(fitted, toys):
    folder = fitted(keep_images=True)
    images = load_file(folder / "images_000000.safetensors")["images"]
    assert images.dtype == torch.uint8
    assert images.shape == (8, 3, 4, 4)
    code = FitShard.load(folder / "fits_000000.safetensors").codes
    expected = GENERATORS.build({"type": "ToyCodes"}).synthesis(code)
    assert float((images / 255 - expected).abs().max()) < 1 / 255
    assert not list(fitted("without").glob("images_*"))
    (folder / "images_000001.safetensors").unlink()
    fitted(keep_images=True)
    assert (folder / "images_000001.safetensors").is_file()


def test_progress_says_how_fast_and_how_long_the_papers_count_would_take(recipe):
    lines = []
    run_stages(recipe(fits=FITS), log=lines.append)
    line = next(line for line in lines if line.startswith("fits 8/21"))
    assert "images/s" in line
    assert "s left" in line
    assert "(36,000 would take" in line


def test_another_seed_of_the_codes_is_stale_and_the_recipes_is_not(recipe, fitted, tmp_path):
    fitted()
    for config, wanted in ((recipe(seed=9, fits=FITS), "fresh"), (recipe(fits={**FITS, "seed": 1}), "stale")):
        (row,) = run_stages(config, plan_only=True, log=silent)
        assert row.finding.state == wanted
    assert row.finding.why == ["seed: absent → 1"]


class TestBadInput:
    @pytest.mark.parametrize("setting", ["count", "batch", "shard"])
    def test_counts(self, toys, setting):
        with pytest.raises(InputError, match=f"{setting} must be a whole number of at least 1, got 0"):
            FitsStage({"type": "ToyCodes"}, "toy", **{setting: 0})

    def test_a_source_with_a_row_too_few(self, toys, tmp_path, monkeypatch):
        monkeypatch.setattr(toys.ToySource, "estimate", lambda self, code, images, names: short(toys, code))
        stage = FitsStage({"type": "ToyCodes"}, "toy", count=4)
        with pytest.raises(InputError, match=r"one row and one reason per code \(4\), got 3 and 3"):
            stage.run(StageContext("fits", tmp_path, "x", 0, log=silent))

    def test_a_broken_generator(self, toys, tmp_path, monkeypatch):
        monkeypatch.setattr(toys.ToyCodes, "synthesis", lambda self, code: torch.full((len(code), 3, 4, 4), torch.nan))
        stage = FitsStage({"type": "ToyCodes"}, {"type": "toy", "reads_images": True}, count=4)
        with pytest.raises(InputError, match="the generator makes pictures with NaN"):
            stage.run(StageContext("fits", tmp_path, "x", 0, log=silent))


def short(toys, code):
    from faceuv.fitting import Estimates

    return Estimates(toys.toy_coefficients(code[1:]), [""] * (len(code) - 1))


class TestCodeFits:
    def test_splits_are_disjoint_and_whole(self, fitted):
        folder = fitted()
        parts = [CodeFits(folder, split=split, held_out=5) for split in ("train", "val")]
        indices = [set(part.index.tolist()) for part in parts]
        assert indices[1] == {0, 5, 10, 15, 20}
        assert indices[0] | indices[1] == set(range(21))
        assert len(CodeFits(folder, limit=3)) == 3
        item = parts[1][1]
        assert item["code"].shape == (8,)
        assert item["coefficients"].shape == (257,)
        assert int(item["index"]) == 5

    def test_nothing_there(self, tmp_path):
        with pytest.raises(AssetError, match="holds no fits .*run the stage 'fits' first"):
            CodeFits(tmp_path)

    def test_shards_of_two_runs(self, fitted):
        folder, other = fitted("a"), fitted("b", seed=1)
        (folder / "fits_000001.safetensors").write_bytes((other / "fits_000001.safetensors").read_bytes())
        with pytest.raises(AssetError, match=r"fits_000001.safetensors has run '\w+', fits_000000.safetensors '\w+'"):
            CodeFits(folder)

    def test_all_failed(self, fitted):
        folder = fitted(source={"type": "toy", "fail": -99.0})
        with pytest.raises(AssetError, match="no usable fit for the split 'all': 0 of 21 .* no face found"):
            CodeFits(folder)

    def test_another_kind_of_file(self, tmp_path):
        from faceuv.files.artefacts import save_tensors

        save_tensors(tmp_path / "fits_000000.safetensors", {"x": torch.zeros(1)}, {"kind": "directions"})
        with pytest.raises(AssetError, match="holds 'directions', expected 'fits'"):
            CodeFits(tmp_path)

    def test_a_split_that_does_not_exist(self, tmp_path):
        with pytest.raises(InputError, match="expected split train, val or all"):
            CodeFits(tmp_path, split="test")
