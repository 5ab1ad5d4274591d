"""Pickles that try to run something."""

from __future__ import annotations

import io
import os
import pickle
import subprocess

import numpy as np
import pytest
import torch

from faceuv.errors import AssetError
from faceuv.models.stylegan2 import load_generator


class Evil:
    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


class TestMaliciousPickles:
    def dump(self, value, path, protocol):
        path.write_bytes(pickle.dumps({"G_ema": value}, protocol=protocol))
        return path

    @pytest.mark.parametrize("protocol", [2, 4, 5])
    @pytest.mark.parametrize(
        ("make", "name"),
        [
            (lambda p: Evil(os.system, f"touch {p}"), "posix.system|nt.system"),
            (lambda p: Evil(eval, f"open({str(p)!r}, 'w')"), "builtins.eval"),
            (lambda p: Evil(getattr, "x", "upper"), "builtins.getattr"),
            (lambda p: Evil(torch.load, str(p)), "torch.serialization.load"),
            (lambda p: Evil(subprocess.run, ["touch", str(p)]), "subprocess.run|commands.run"),
        ],
    )
    def test_is_refused_by_name_and_not_run(self, tmp_path, make, name, protocol):
        trace = tmp_path / "trace"
        path = self.dump(make(trace), tmp_path / "evil.pkl", protocol)
        with pytest.raises(AssetError, match=f"asks for ({name}), which no StyleGAN2 network pickle needs: refused"):
            load_generator(path)
        assert not trace.exists()

    def test_nested_storages_are_read_with_the_same_care(self, tmp_path):
        trace = tmp_path / "trace"
        inner = io.BytesIO()
        torch.save(Evil(os.system, f"touch {trace}"), inner, _use_new_zipfile_serialization=False)
        path = self.dump(Evil(torch.storage._load_from_bytes, inner.getvalue()), tmp_path / "evil.pkl", 2)
        with pytest.raises(AssetError, match="asks for (posix|nt).system, which no torch storage needs: refused"):
            load_generator(path)
        assert not trace.exists()

    def test_dotted_names_do_not_reach_through_stubs(self, tmp_path):
        path = tmp_path / "evil.pkl"
        name = b"training.networks", b"os.system"
        program = b"".join(b"\x8c" + bytes([len(n)]) + n for n in name)
        path.write_bytes(b"\x80\x04" + program + b"\x93.")
        with pytest.raises(AssetError, match="asks for training.networks.os.system"):
            load_generator(path)

    def test_truncated(self, tmp_path):
        path = self.dump({"a": np.zeros(100)}, tmp_path / "cut.pkl", 2)
        path.write_bytes(path.read_bytes()[:-50])
        with pytest.raises(AssetError, match="may be truncated"):
            load_generator(path)
