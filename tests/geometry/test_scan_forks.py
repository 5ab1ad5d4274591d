"""Processes that are forked after a render with numba can render, too."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs numba"),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]

COMMON = """
import os, sys, time
import torch
from faceuv.geometry.scan_numba import scan_triangles_numba
torch.set_num_threads(2)
generator = torch.Generator().manual_seed(0)
pixels = torch.rand(3, 30, 3, generator=generator) * 16 + torch.tensor([0.0, 0.0, 1.0])
faces = torch.arange(30).reshape(10, 3)
def draw():
    return scan_triangles_numba(pixels, faces, 16, 16)
first = draw()
"""
FORKS = """
def code():
    child = os.fork()
    if not child:
        torch.set_num_threads(THREADS)
        os._exit(0 if torch.equal(draw(), first) else 3)
    for _ in range(600):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, 9)
    return "hangs"
codes = [code() for _ in range(3)]
print(codes, torch.equal(draw(), first))
"""
WORKERS = """
class Renders(torch.utils.data.Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return draw()
loader = torch.utils.data.DataLoader(Renders(), num_workers=2, multiprocessing_context="fork", timeout=60)
print([torch.equal(item[0], first) for item in loader])
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", COMMON + code], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


@pytest.mark.parametrize("threads", [1, 2])
def test_forked_children(threads):
    assert run(FORKS.replace("THREADS", str(threads))) == "[0, 0, 0] True"


def test_workers_of_a_data_loader():
    assert run(WORKERS) == "[True, True, True, True]"


def test_several_threads_at_once():
    code = """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    print(all(torch.equal(found, first) for found in pool.map(lambda _: draw(), range(40))))
"""
    assert run(code) == "True"
