"""A toy GAN and how to train it, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "toy"


@pytest.fixture
def toy_path(monkeypatch):
    """The toy's modules can be imported."""
    monkeypatch.syspath_prepend(str(TOY))
    return TOY / "toy_gan.py"


@pytest.fixture
def toy_run(toy_path, tmp_path):
    """Train the toy here: ``toy_run("a", {"train_cfg.max_iters": 20}, resume=True)`` → runner, in ``tmp_path/a``."""
    from faceuv.engine import load_config, train

    def run(folder="run", options=None, config=None, **kwargs):
        return train(load_config(config or toy_path, options or {}), work_dir=tmp_path / folder, **kwargs)

    return run


@pytest.fixture
def toy_process(tmp_path):
    """Train the toy in a process of its own, with one thread: the arguments of tools/train.py → CompletedProcess."""

    def run(*arguments, processes=None, tool="train"):
        path = os.pathsep.join([str(ROOT), str(TOY), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"] if processes else []
        command = [sys.executable, *launch, str(ROOT / "tools" / f"{tool}.py"), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=120)

    return run
