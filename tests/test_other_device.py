"""What would break on a GPU: ``other_device/cases.py``, in a process of its own.

PyTorch counts the devices that gradients pass through at the first backward pass, so the stand-in must be there before.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

CASES = Path(__file__).parent / "other_device" / "cases.py"


def test_nothing_would_break_on_a_second_device():
    command = [sys.executable, "-m", "pytest", str(CASES), "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = {**os.environ, "FACEUV_TEST_CACHE": os.environ["FACEUV_CACHE"]}  # faces and kernels that are there
    done = subprocess.run(command, capture_output=True, text=True, cwd=CASES.parents[2], env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    assert int(passed[1]) >= CASES.read_text(encoding="utf-8").count("def test_")
