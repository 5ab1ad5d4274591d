from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from faceuv.engine.warm_start import WarmStart
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import save_tensors
from faceuv.registry import OPTIM_WRAPPER_CONSTRUCTORS


class Method(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator, self.critic = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)), nn.Linear(2, 1)


def runner(method, loaded=False):
    return SimpleNamespace(model=method, _has_loaded=loaded, logger=SimpleNamespace(info=lambda text: None))


def checkpoint(folder, method, name="iter_3.pth"):
    path = folder / name
    torch.save({"state_dict": {f"ema.{key}": value for key, value in method.state_dict().items()}, "meta": {}}, path)
    return path


def test_it_loads_the_named_modules_of_the_newest_checkpoint(tmp_path):
    source, method = Method(), Method()
    checkpoint(tmp_path, Method(), "iter_1.pth")
    checkpoint(tmp_path, source)
    critic = method.critic.weight.detach().clone()
    WarmStart(tmp_path, modules={"generator": "ema.generator"}).before_train(runner(method))
    assert torch.equal(method.generator[0].weight, source.generator[0].weight)
    assert torch.equal(method.critic.weight, critic)


def test_a_resumed_run_keeps_its_own(tmp_path):
    method = Method()
    before = method.generator[0].weight.detach().clone()
    WarmStart(tmp_path / "gone", modules={"generator": "ema.generator"}).before_train(runner(method, loaded=True))
    assert torch.equal(method.generator[0].weight, before)


@pytest.mark.parametrize(
    ("modules", "error", "message"),
    [
        ({}, InputError, "modules="),
        ({"head": "ema.generator"}, InputError, "no 'head'; it has generator, critic"),
        ({"generator": "generator"}, AssetError, "nothing under 'generator'; it has ema.critic, ema.generator"),
        ({"generator": "ema.critic"}, AssetError, "does not fit"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, modules, error, message):
    path = checkpoint(tmp_path, Method())
    with pytest.raises(error, match=message):
        WarmStart(path, modules=modules).before_train(runner(Method()))


def test_it_loads_files_of_one_network(tmp_path):
    source, method = Method(), Method()
    save_tensors(tmp_path / "critic.safetensors", {k: v.half() for k, v in source.critic.state_dict().items()}, {})
    generator = method.generator[0].weight.detach().clone()
    WarmStart(modules={"critic": str(tmp_path / "critic.safetensors")}).before_train(runner(method))
    assert torch.equal(method.critic.weight, source.critic.weight.half().float())
    assert torch.equal(method.generator[0].weight, generator)
    with pytest.raises(AssetError, match="does not fit"):
        WarmStart(modules={"generator": str(tmp_path / "critic.safetensors")}).before_train(runner(Method()))


@pytest.mark.parametrize(
    ("source", "place"), [(None, "ema.generator"), ("start", "zoo:teacher_64/generator.safetensors")]
)
def test_a_source_is_for_checkpoints(source, place):
    with pytest.raises(InputError, match="needs a source for prefixes in a checkpoint"):
        WarmStart(source, modules={"generator": place})


def test_a_folder_without_checkpoints_is_named(tmp_path):
    with pytest.raises(AssetError, match="has no checkpoint; train"):
        WarmStart(tmp_path, modules={"generator": "ema.generator"}).before_train(runner(Method()))


class TestRates:
    def build(self, rates):
        config = {"generator": {"optimizer": {"type": "SGD", "lr": 0.5}, "rates": rates}}
        return OPTIM_WRAPPER_CONSTRUCTORS.build({"type": "OptimizerPerModule", "optim_wrapper_cfg": config})(Method())

    def test_a_part_learns_at_its_own_rate(self):
        groups = self.build({"1": 0.1})["generator"].optimizer.param_groups
        assert [(group["lr"], len(group["params"])) for group in groups] == [(0.5, 2), (0.05, 2)]

    def test_a_part_that_is_not_there_is_named(self):
        with pytest.raises(InputError, match="names 'mapping', which has no parameters; generator has 0, 1"):
            self.build({"mapping": 0.1})
