from __future__ import annotations

import json
import multiprocessing
import signal
import sys

import pytest
import torch

from faceuv.engine import GeneratorEMA, TrainingDiverged, evaluate, load_config, read_checkpoint
from faceuv.errors import AssetError, InputError, UnknownName

SHORT = {"train_cfg.max_iters": 6, "train_cfg.val_interval": 100, "default_hooks.checkpoint.interval": 2}


def weights(path):
    return torch.load(path, weights_only=True)["state_dict"]


def equal(a, b, where="checkpoint"):
    """Whether two nests of plain values are the same to the bit."""
    assert type(a) is type(b), where
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b), where
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), where
        for key in a:
            equal(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for index, (x, y) in enumerate(zip(a, b)):
            equal(x, y, f"{where}[{index}]")
    else:
        assert a == b, where


def same_run(a, b):
    """Weights, averages, optimisers, schedules, random states and place in the data agree to the bit."""
    first, second = torch.load(a, weights_only=True), torch.load(b, weights_only=True)
    for key in ("state_dict", "optimizer", "param_schedulers", "random_states", "data"):
        equal(first.get(key), second.get(key), key)


def test_a_run_leaves_what_it_should(toy_run, tmp_path):
    runner = toy_run()
    folder = tmp_path / "run"
    assert sorted(p.name for p in folder.glob("*.pth")) == ["best_error_iter_40.pth", "iter_30.pth", "iter_40.pth"]
    assert (folder / "last_checkpoint").read_text() == "iter_40.pth"
    assert json.loads((folder / "best.json").read_text())["error"]["file"] == "best_error_iter_40.pth"
    assert sorted(p.name for p in (folder / "samples").iterdir()) == ["fakes_0000020.png", "fakes_0000040.png"]
    assert not list(folder.glob(".*"))  # no temporary file

    kept = weights(folder / "iter_40.pth")
    parts = {name.split(".")[0] for name in kept}
    assert parts == {"generator", "discriminator", "ema"}
    assert not any(name.startswith("ema.discriminator") for name in kept)
    assert not torch.equal(kept["generator.0.weight"], kept["ema.generator.0.weight"])
    scalars = [json.loads(line) for line in next(folder.glob("*/vis_data/scalars.json")).read_text().splitlines()]
    assert scalars[0]["loss_d"] > 0
    assert runner.iter == 40
    model = runner.model.train()
    assert model.generator.training
    assert not model.ema["generator"].training

    metrics = evaluate(load_config(runner.cfg.filename), folder / "iter_40.pth", work_dir=tmp_path / "test")
    assert metrics["error"] == pytest.approx(json.loads((folder / "best.json").read_text())["error"]["score"])


def test_the_average_is_the_exponential_one_and_of_the_generator_only(toy_run, tmp_path):
    toy_run(options={**SHORT, "default_hooks.checkpoint.interval": 1, "default_hooks.checkpoint.max_keep_ckpts": -1})
    name, decay = "generator.2.bias", 0.5 ** (8 / 100)
    average = None
    for k in range(1, 7):
        state = weights(tmp_path / "run" / f"iter_{k}.pth")
        # ramped up: at most 5 % of the images seen, which is less than the half-life here
        ramped = 0.5 ** (8 / min(100, 0.05 * 8 * k))
        if average is not None:
            average = average + (1 - ramped) * (state[name] - average)
            torch.testing.assert_close(state[f"ema.{name}"], average)
        average = state[f"ema.{name}"]
    assert ramped < decay


def test_a_killed_run_goes_on_to_the_very_same_bits(toy_run, forked, toy_path, tmp_path, capsys):
    text = toy_path.read_text() + '\ncustom_hooks += [dict(type="ToyKill", at=27)]\n'
    (tmp_path / "toy_gan.py").write_text(text)
    killed = forked(lambda: toy_run("killed", config=tmp_path / "toy_gan.py"), processes=1)
    assert killed == [-signal.SIGKILL]
    assert not (tmp_path / "killed" / "iter_30.pth").exists()
    capsys.readouterr()
    assert toy_run("killed", resume=True).resumed
    assert "iter_20.pth" in "".join(capsys.readouterr())
    toy_run("whole")
    same_run(tmp_path / "whole" / "iter_40.pth", tmp_path / "killed" / "iter_40.pth")
    assert (tmp_path / "whole" / "best.json").read_text() == (tmp_path / "killed" / "best.json").read_text()


@pytest.mark.parametrize("workers", [0, 2])
def test_resuming_seeks_and_draws_the_same_samples(toy_run, tmp_path, workers, monkeypatch):
    options = {**SHORT, "train_dataloader.num_workers": workers}
    toy_run("whole", options)
    assert multiprocessing.active_children() == []  # no worker is left to stall a later run
    toy_run("parts", {**options, "train_cfg.max_iters": 4})
    drawn = counted(sys.modules["toy_methods"].ToyImages, monkeypatch)
    toy_run("parts", options, resume=tmp_path / "parts" / "iter_4.pth")
    same_run(tmp_path / "whole" / "iter_6.pth", tmp_path / "parts" / "iter_6.pth")
    if workers == 0:
        assert len(drawn) == 2 * 8  # two steps' worth: nothing was replayed


def counted(dataset, monkeypatch):
    """The indices of training samples that ``dataset`` is asked for from now on."""
    drawn, original = [], dataset.__getitem__

    def counting(self, index):
        if self.length == 50:  # 20 are for validation
            drawn.append(index)
        return original(self, index)

    monkeypatch.setattr(dataset, "__getitem__", counting)
    return drawn


def test_a_sampler_that_cannot_seek_is_replayed(toy_run, tmp_path):
    options = {**SHORT, "train_dataloader.sampler.type": "DefaultSampler"}
    toy_run("whole", options)
    toy_run("parts", {**options, "train_cfg.max_iters": 4})
    toy_run("parts", options, resume=True)
    same_run(tmp_path / "whole" / "iter_6.pth", tmp_path / "parts" / "iter_6.pth")


def test_epoch_based_training_resumes_exactly_too(toy_run, tmp_path):
    options = {
        "train_cfg": {"_delete_": True, "by_epoch": True, "max_epochs": 3, "val_interval": 1},
        "train_dataloader.sampler.type": "DefaultSampler",
        "default_hooks.checkpoint.interval": 1,
        "param_scheduler.generator": [{"type": "LinearLR", "start_factor": 0.5, "end": 3}],
    }
    toy_run("whole", options)
    toy_run("parts", {**options, "train_cfg": {**options["train_cfg"], "max_epochs": 2}})
    toy_run("parts", options, resume=True)
    same_run(tmp_path / "whole" / "epoch_3.pth", tmp_path / "parts" / "epoch_3.pth")


def test_a_corrupt_last_checkpoint_falls_back_to_the_one_before(toy_run, tmp_path, capfd):
    toy_run("whole", SHORT)
    toy_run("parts", {**SHORT, "train_cfg.max_iters": 4})
    last = tmp_path / "parts" / "iter_4.pth"
    last.write_bytes(last.read_bytes()[:5000])
    capfd.readouterr()
    toy_run("parts", SHORT, resume=True)
    out = capfd.readouterr().out
    assert "iter_4.pth cannot be read" in out
    assert "falling back to the one before: iter_2.pth" in out
    same_run(tmp_path / "whole" / "iter_6.pth", tmp_path / "parts" / "iter_6.pth")

    for path in (tmp_path / "parts").glob("iter_*.pth"):
        path.write_bytes(b"")
    with pytest.raises(AssetError, match="none of the 2 checkpoints in .*parts can be read"):
        toy_run("parts", SHORT, resume=True)


def test_resume_with_nothing_to_resume_from_starts_afresh(toy_run, tmp_path, capfd):
    toy_run("new", {**SHORT, "train_cfg.max_iters": 2}, resume=True)
    assert "nothing to resume from: starting afresh" in capfd.readouterr().out
    with pytest.raises(AssetError, match=r"no checkpoint at .*missing.pth"):
        toy_run("new", SHORT, resume=tmp_path / "missing.pth")


def test_a_checkpoint_of_another_model_is_refused(toy_run, tmp_path):
    toy_run("small", {**SHORT, "train_cfg.max_iters": 2})
    with pytest.raises(AssetError, match=r"generator.0.weight has shape \(16, 4\), expected \(32, 4\).* and \d+ more"):
        toy_run("wide", {**SHORT, "model.width": 32, "load_from": str(tmp_path / "small" / "iter_2.pth")})


def test_a_nan_stops_training_and_names_term_iteration_and_last_good_checkpoint(toy_run, tmp_path):
    options = {**SHORT, "train_cfg.max_iters": 40, "train_dataloader.dataset.poison": 30,
               "train_dataloader.sampler.shuffle": False}  # fmt: skip
    with pytest.raises(
        TrainingDiverged,
        match=r"stopped at iteration 4: the loss is not finite \(photo = nan, loss_d = nan\); last good .*iter_2.pth",
    ):
        toy_run(options=options)
    assert all(torch.isfinite(tensor).all() for tensor in weights(tmp_path / "run" / "iter_2.pth").values())


def test_weights_that_are_not_finite_are_never_saved(toy_run, tmp_path, toy_path):
    config = tmp_path / "overflow.py"
    config.write_text(toy_path.read_text() + '\noptim_wrapper["generator"]["optimizer"] = dict(type="SGD", lr=1e38)\n')
    with pytest.raises(
        TrainingDiverged, match=r"stopped at iteration 1: weights are not finite \(generator|no checkpoint"
    ):
        toy_run(options={**SHORT, "default_hooks.checkpoint.interval": 1}, config=config)
    assert not list((tmp_path / "run").glob("*.pth"))


def test_mixed_precision_on_a_cpu_trains_with_float32_weights(toy_run, tmp_path):
    plain = weights_after(toy_run, tmp_path, "plain", amp=False)
    mixed = weights_after(toy_run, tmp_path, "mixed", amp=True)
    assert all(tensor.dtype == torch.float32 for tensor in mixed.values())
    name = "generator.0.weight"
    assert not torch.equal(plain[name], mixed[name])
    torch.testing.assert_close(plain[name], mixed[name], atol=0.01, rtol=0.1)


def weights_after(toy_run, tmp_path, folder, **kwargs):
    toy_run(folder, SHORT, **kwargs)
    return weights(tmp_path / folder / "iter_6.pth")


def test_seeds_decide(toy_run, tmp_path):
    runs = {name: weights_after(toy_run, tmp_path, name, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))}
    equal(runs["a"], runs["b"])
    assert not torch.equal(runs["a"]["generator.0.weight"], runs["c"]["generator.0.weight"])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"model.type": "ToyGun"}, UnknownName, "no model is called 'ToyGun'.*Did you mean 'ToyGAN'"),
        ({"model.widht": 3}, InputError, "the config, model: ToyGAN has no setting 'widht'.*Did you mean 'width'"),
        ({"model.losses.photo.type": "ToyL2"}, UnknownName, "no loss is called 'ToyL2'"),
        ({"param_scheduler.encoder": []}, InputError, "param_scheduler names 'encoder', the optimisers are"),
        ({"train_dataloader": None}, InputError, "does not set train_dataloader; it has "),
        ({"default_hooks.checkpoint.save_best": "fid"}, InputError, "names the metric 'fid'; validation gives error"),
        ({"default_hooks.checkpoint.intervall": 3}, InputError, "has no setting 'intervall'.*Did you mean 'interval'"),
        ({"custom_hooks": [{"type": "GeneratorEMA", "modules": ["g"]}]}, InputError, r"ToyGAN has no \['g'\]; it has"),
    ],
)
def test_wrong_configs_are_refused_in_words(toy_run, options, error, message):
    with pytest.raises(error, match=message):
        toy_run(options={"train_cfg.max_iters": 2, "train_cfg.val_interval": 1, **options})


def test_the_average_refuses_nonsense():
    with pytest.raises(InputError, match="expected half_life > 0"):
        GeneratorEMA(half_life=0)


def test_an_unwritable_work_dir(toy_path, toy_run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot make .*file/run: .*; choose one with --work-dir"):
        toy_run("file/run")


def test_a_full_disk_while_training_keeps_the_checkpoint_before(toy_run, tmp_path, monkeypatch):
    toy_run("parts", {**SHORT, "train_cfg.max_iters": 2})
    save = torch.save

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(AssetError, match=r"cannot write the checkpoint .*iter_4.pth .*No space left.*--resume"):
        toy_run("parts", SHORT, resume=True)
    monkeypatch.setattr(torch, "save", save)
    assert read_checkpoint(tmp_path / "parts" / "iter_2.pth")["meta"]["iter"] == 2
    toy_run("parts", SHORT, resume=True)
    toy_run("whole", SHORT)
    same_run(tmp_path / "whole" / "iter_6.pth", tmp_path / "parts" / "iter_6.pth")
