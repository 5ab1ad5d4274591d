from __future__ import annotations

import pytest
import torch
from mmengine.registry import OPTIM_WRAPPERS as ROOT
from torch import nn

from faceuv.engine import OptimizerPerModule, OptimWrapper, start_processes
from faceuv.engine.compat import distributed
from faceuv.engine.compat.optim import amp_precision
from faceuv.engine.training import use_precision
from faceuv.errors import InputError, UnknownName


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator, self.discriminator = nn.Linear(3, 2), nn.Linear(2, 1)


def test_one_optimizer_per_named_module_and_no_other_parameter():
    pair = Pair()
    build = OptimizerPerModule(
        {
            "generator": {"optimizer": {"type": "Adam", "lr": 0.1}},
            "discriminator": {"optimizer": {"type": "SGD", "lr": 0.2}, "precision": "bfloat16"},
        }
    )
    wrappers = build(pair)
    assert wrappers["generator"].optimizer.param_groups[0]["params"] == list(pair.generator.parameters())
    assert isinstance(wrappers["discriminator"].optimizer, torch.optim.SGD)
    assert wrappers["discriminator"].precision == "bfloat16"


def test_configs_of_several_optimizers_that_are_wrong():
    with pytest.raises(
        InputError, match="names 'encoder', which Pair has no sub-module for; it has discriminator, generator"
    ):
        OptimizerPerModule({"encoder": {"optimizer": {"type": "Adam"}}})(Pair())
    with pytest.raises(InputError, match=r"optim_wrapper.generator needs an 'optimizer', got \['lr'\]"):
        OptimizerPerModule({"generator": {"lr": 1}})(Pair())
    with pytest.raises(UnknownName, match="no optimizer is called 'Adamm'"):
        OptimizerPerModule({"generator": {"optimizer": {"type": "Adamm"}}})(Pair())


def test_bfloat16_on_a_cpu_computes_in_bfloat16_and_steps_in_float32():
    layer = nn.Linear(4, 4)
    wrapper = ROOT.build({"type": "faceuv.OptimWrapper", "optimizer": torch.optim.SGD(layer.parameters(), 0.1),
                          "precision": "bfloat16"})  # fmt: skip
    before = layer.weight.clone()
    with wrapper.optim_context(layer):
        out = layer(torch.ones(2, 4))
        assert out.dtype == torch.bfloat16
    wrapper.update_params(out.float().mean())
    assert layer.weight.dtype == torch.float32
    assert not torch.equal(layer.weight, before)


def test_precisions_that_cannot_be():
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), 0.1)
    with pytest.raises(InputError, match="float16 training needs a GPU, the model is on the cpu: use bfloat16"):
        OptimWrapper(optimizer, precision="float16")
    with pytest.raises(InputError, match="unknown precision 'half'; choose one of float32, bfloat16, float16"):
        OptimWrapper(optimizer, precision="half")


def test_amp_reaches_one_optimizer_or_each_of_several():
    one = {"optimizer": {"type": "Adam"}}
    use_precision(one, "bfloat16")
    assert one["precision"] == "bfloat16"
    several = {"constructor": "OptimizerPerModule", "generator": {"optimizer": {"type": "Adam"}}}
    use_precision(several, amp_precision())
    assert several["generator"]["precision"] in ("bfloat16", "float16")
    with pytest.raises(InputError, match="--amp works with type='OptimWrapper', the config has 'AmpOptimWrapper'"):
        use_precision({"type": "AmpOptimWrapper", "optimizer": {}}, "bfloat16")


def test_the_place_in_an_accumulation_is_saved():
    layer = nn.Linear(1, 1)
    wrapper = OptimWrapper(torch.optim.SGD(layer.parameters(), 0.1), accumulative_counts=2)
    wrapper.backward(layer(torch.ones(1, 1)).sum())
    other = OptimWrapper(torch.optim.SGD(layer.parameters(), 0.1), accumulative_counts=2)
    other.load_state_dict(wrapper.state_dict())
    assert other.inner_count == 1


@pytest.mark.parametrize("launcher", ["slurm", "mpi"])
def test_launchers_are_translated_for_torch(monkeypatch, launcher):
    names = {
        "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
        "mpi": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
    }[launcher]
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "x")  # so that what is set below is undone
        monkeypatch.delenv(name)
    with pytest.raises(InputError, match=rf"--launcher {launcher} needs {names[0]}, .* in the environment: start with"):
        start_processes(launcher)
    for name, value in zip(names, "352"):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SLURM_NODELIST", "node[3-4]")
    monkeypatch.setattr(distributed, "_first_slurm_host", lambda: "node3")
    monkeypatch.setattr(distributed.torch.cuda, "is_available", lambda: False)
    started = []
    monkeypatch.setattr(distributed.dist, "init_process_group", lambda backend, timeout: started.append(backend))
    start_processes(launcher)
    import os

    assert [os.environ[name] for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")] == ["3", "5", "2"]
    assert os.environ["MASTER_ADDR"] == ("node3" if launcher == "slurm" else "127.0.0.1")
    assert started == ["gloo"]


def test_an_unknown_launcher():
    with pytest.raises(InputError, match="unknown launcher 'ssh'; choose one of none, pytorch, slurm, mpi"):
        start_processes("ssh")


def test_a_part_of_a_network_learns_at_its_own_rate():
    model = nn.Module()
    model.generator = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    config = {"optimizer": {"type": "SGD", "lr": 0.5}, "rates": {"1": 0.01}}
    groups = OptimizerPerModule({"generator": config})(model)["generator"].optimizer.param_groups
    assert [(group["lr"], group["params"]) for group in groups] == [
        (0.5, list(model.generator[0].parameters())),
        (0.005, list(model.generator[1].parameters())),
    ]


@pytest.mark.parametrize(("clip", "moved"), [(None, 5.0), ({"max_norm": 2.0}, 2.0)])
def test_gradients_are_clipped_before_the_step(clip, moved):
    weight = nn.Parameter(torch.zeros(2))
    wrapper = OptimWrapper(torch.optim.SGD([weight], lr=1.0), clip_grad=clip)
    wrapper.update_params((weight * torch.tensor([3.0, 4.0])).sum())
    assert float(weight.detach().norm()) == pytest.approx(moved, rel=1e-4)
