"""A toy GAN and how to train it, in this process, in one of its own, or in several."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
import torch

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


@pytest.fixture
def forked():
    """Run ``function()`` in ranks of a gloo group, forked from here (nothing is imported again) → their exit codes."""

    import faceuv.engine  # noqa: F401  here, not in every rank

    def run(function, processes=2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def body(rank):
            torch.set_num_threads(1)
            ranks = {
                "RANK": rank,
                "LOCAL_RANK": rank,
                "WORLD_SIZE": processes,
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": port,
            }
            os.environ.update({name: str(value) for name, value in ranks.items()})
            code = 1
            try:
                function()
                code = 0
            except BaseException:
                traceback.print_exc()
            os._exit(code)

        context = multiprocessing.get_context("fork")
        children = [context.Process(target=body, args=(rank,)) for rank in range(processes)]
        for child in children:
            child.start()
        for child in children:
            child.join(90)
            child.kill()
        return [child.exitcode for child in children]

    return run
