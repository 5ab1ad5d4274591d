"""A world small enough for tests of the protocol, and metrics on several processes."""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import traceback

import pytest
import torch
from small_evaluation import small_evaluation


@pytest.fixture(scope="session")
def small():
    """See :func:`small_evaluation.small_evaluation`."""
    return small_evaluation()


def _in_ranks(function, processes, folder):
    """Run ``function(rank)`` in forked ranks of a gloo group; rank 0's result."""

    def body(rank):
        torch.set_num_threads(1)
        code = 1
        try:
            os.environ["LOCAL_RANK"] = str(rank)
            torch.distributed.init_process_group(
                "gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=processes
            )
            (folder / f"{rank}.json").write_text(json.dumps(function(rank)))
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)

    children = [multiprocessing.get_context("fork").Process(target=body, args=(rank,)) for rank in range(processes)]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
        child.kill()
    assert [child.exitcode for child in children] == [0] * processes
    found = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(processes)]
    assert all(result == found[0] for result in found)  # every rank knows the results
    return found[0]


@pytest.fixture
def in_ranks(tmp_path):
    """``in_ranks(function, processes)``: what every rank's ``function(rank)`` gives."""
    return functools.partial(_in_ranks, folder=tmp_path)
