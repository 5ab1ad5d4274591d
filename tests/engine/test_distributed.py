from __future__ import annotations

import torch

ONE = {
    "train_cfg.max_iters": 16,
    "train_cfg.val_interval": 8,
    "default_hooks.checkpoint.interval": 8,
    "model.noise": 0,
    "param_scheduler.generator": [],
}
TWO = {**ONE, "train_dataloader.batch_size": 4}


def test_two_processes_do_what_one_does_with_the_doubled_batch_even_when_one_died(
    forked, toy_run, toy_path, tmp_path, capfd
):
    toy_run("one", ONE)  # first: what it imports, the ranks have
    text = toy_path.read_text() + '\ncustom_hooks += [dict(type="ToyKill", at=11, rank=1, code=3)]\n'
    (tmp_path / "toy_gan.py").write_text(text)
    died = forked(lambda: toy_run("two", TWO, config=tmp_path / "toy_gan.py", launcher="pytorch"))
    assert died == [1, 3]
    capfd.readouterr()
    assert (tmp_path / "two" / "last_checkpoint").read_text() == "iter_8.pth"

    assert forked(lambda: toy_run("two", TWO, launcher="pytorch", resume=True)) == [0, 0]
    out = capfd.readouterr().out
    assert "2 × CPU" in out
    assert out.count("iter 16/16") == 1  # one rank speaks
    states = [torch.load(tmp_path / name / "iter_16.pth", weights_only=True) for name in ("one", "two")]
    for name, expected in states[0]["state_dict"].items():
        torch.testing.assert_close(states[1]["state_dict"][name], expected, atol=2e-5, rtol=1e-4, msg=name)
    assert states[0]["data"] == states[1]["data"]
    assert states[0]["meta"].keys() == states[1]["meta"].keys()
    first, second = (state["torch"] for state in states[1]["random_states"])
    assert not torch.equal(first, second)  # ranks draw different noise


def test_a_nan_on_one_rank_stops_both(forked, toy_run, tmp_path, capfd):
    # unshuffled, 4 per rank: rank 1 draws sample 17 in the third step, rank 0 never does
    poisoned = {
        **TWO,
        "model_wrapper_cfg": {"type": "Replicated"},
        "train_dataloader.dataset.poison": 17,
        "train_dataloader.sampler.shuffle": False,
    }
    assert forked(lambda: toy_run("nan", poisoned, launcher="pytorch")) == [1, 1]
    assert capfd.readouterr().err.count("training stopped at iteration 3: the loss is not finite (photo = nan") == 2


def test_a_rank_whose_peer_died_says_so(forked, toy_run, capfd):
    def body():
        from toy_methods import ToyKill

        from faceuv.engine import Runner

        register = Runner.register_default_hooks

        def with_kill(self, hooks=None):
            register(self, hooks)
            self.register_hook(ToyKill(at=3, rank=1, code=3))

        Runner.register_default_hooks = with_kill
        toy_run("died", TWO, launcher="pytorch")

    assert forked(body) == [1, 3]
    assert "process 0 of 2 lost another one (" in capfd.readouterr().err


def test_a_wrapper_that_does_not_average_is_refused(forked, toy_run, capfd):
    options = {
        **TWO,
        "optim_wrapper": {"_delete_": True, "type": "AmpOptimWrapper", "optimizer": {"type": "Adam", "lr": 0.1}},
        "param_scheduler": None,
    }

    def plain_wrapper():
        from mmengine.optim import OptimWrapper as Plain

        from faceuv.registry import OPTIM_WRAPPERS

        OPTIM_WRAPPERS.register_module(name="PlainWrapper", module=type("PlainWrapper", (Plain,), {}))
        options["optim_wrapper"]["type"] = "PlainWrapper"
        toy_run("plain", options, launcher="pytorch")

    assert forked(plain_wrapper) == [1, 1]
    assert (
        "PlainWrapper, which does not average gradients over ranks: use type='OptimWrapper'" in capfd.readouterr().err
    )


def test_a_gradient_that_some_ranks_lack_counts_as_zero(forked, tmp_path):
    def body():
        import torch.distributed as dist
        from torch import nn

        from faceuv.engine.compat.distributed import average_gradients, start_processes

        start_processes("pytorch")
        both, some, none = (nn.Parameter(torch.zeros(2)) for _ in range(3))
        both.grad = torch.full((2,), 1.0 + 2 * dist.get_rank())
        if dist.get_rank() == 1:
            some.grad = torch.ones(2)
        average_gradients([both, some, none])
        assert both.grad.tolist() == [2, 2]
        assert some.grad.tolist() == [0.5, 0.5]
        assert none.grad is None

    assert forked(body) == [0, 0]
