"""The reader of other people's pickles: files that are made to do harm, and mutations of good ones."""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch

from faceuv.errors import AssetError
from faceuv.files.pickles import Stub, read_pickle


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def dtype(code: str, state: bytes = b"") -> bytes:
    """A dtype by its code; ``state`` are the pushed parts of the tuple that BUILD sets."""
    made = name("numpy", "dtype") + b"(" + text(code) + number(0) + number(1) + b"tR"
    return made + (b"(" + state + b"tb" if state else b"")


LITTLE = number(3) + text("<") + b"NNN" + number(-1) + number(-1) + number(0)


def array(kind: bytes, data: bytes, shape: int = 1) -> bytes:
    made = name("numpy._core.multiarray", "_reconstruct")
    made += b"(" + name("numpy", "ndarray") + b"(" + number(0) + b"t" + b"B" + struct.pack("<I", 1) + b"b" + b"tR"
    payload = b"B" + struct.pack("<I", len(data)) + data
    return made + b"(" + number(1) + b"(" + number(shape) + b"t" + kind + b"\x89" + payload + b"tb"


def read(tmp_path: Path, program: bytes):
    path = tmp_path / "file.pkl"
    path.write_bytes(b"\x80\x04" + program + b".")
    return read_pickle(path, expected="test pickle", stubs=("dnnlib.", "training."))


# A dtype with an object field over eight bytes of the file, as text, so that no process dies of a failing test.
OBJECT_FIELD = (
    number(3) + text("|") + b"N" + b"(" + text("a") + b"t" + b"}" + text("a") + b"(" + dtype("O8") + number(0) + b"ts"
    + number(8) + number(1) + number(0)
)  # fmt: skip
HOSTILE = {
    "a structure with an object field": array(dtype("V8", OBJECT_FIELD), b"AAAAAAAA"),
    "a state that makes a plain dtype a structure": array(
        dtype("f8", number(3) + text("<") + b"N" + b"(" + text("a") + b"t" + b"}" + number(8) + number(1) + number(0)),
        b"AAAAAAAA",
    ),
    "an array of objects": array(dtype("O8", LITTLE), b"AAAAAAAA"),
    "an array longer than its data": array(dtype("f8", LITTLE), b"AAAAAAAA", shape=1 << 28),
    "an array shorter than its data": array(dtype("f4", LITTLE), b"AAAAAAAA"),
    "a negative size": array(dtype("f8", LITTLE), b"AAAAAAAA", shape=-1),
    "an array without its state": b"]" + array(dtype("f8", LITTLE), b"A" * 8)[: -len(b"tb") - 90] + b"0a",
    "a scalar of objects": name("numpy._core.multiarray", "scalar") + b"(" + dtype("O8", LITTLE) + b"C\x08AAAAAAAAtR",
    "a function's defaults": name("torch._utils", "_rebuild_tensor_v2")
    + b"(N}" + text("__defaults__") + b"(K\x01K\x02K\x03tstb",
    "a class's attributes": name("dnnlib", "EasyDict") + b"}" + text("poisoned") + b"K\x01sb",
    "a tensor's attributes": name("torch.storage", "_load_from_bytes") + b"C\x01a\x85R}b",
    "a bytearray of a size": name("builtins", "bytearray") + b"J\xff\xff\xff\x7f\x85R",
    "a list of a bytearray's size": name("builtins", "list") + b"J\xff\xff\xff\x7f\x85R",
    "bytes that are not there": b"\x8e" + struct.pack("<Q", 1 << 31),
    "a bytearray that is not there": b"\x96" + struct.pack("<Q", 1 << 31),
    "a text that is not there": b"\x8d" + struct.pack("<Q", 1 << 40),
    "a list that holds itself": b"]\x94h\x00a",
    "a dictionary that holds itself": b"}\x94K\x01h\x00s",
    "an object that holds itself": b"}q\x00" + name("training.x", "Y") + b"h\x00\x85Rq\x01"
    + b"0h\x00" + text("a") + b"h\x01s",
    "two to the power of 45 lists": b"]K\x01a" + b"".join(b"q%c0](h%ch%ce" % (k, k, k) for k in range(45)),
    "tuples that take for ever to hash": b"})" + b"".join(b"q%c0h%ch%c\x86" % (k, k, k) for k in range(45))
    + b"K\x01s",
    "deep nesting": b"]" * 5000 + b"a" * 4999,
    "deep tuples": b")" + b"\x85" * 5000,
    "one array ten thousand times": array(dtype("f8", LITTLE), b"A" * 80_000, 10_000) + b"q\x000("
    + b"h\x00" * 10_000 + b"l",
    "the same long text encoded over and over": b"X" + struct.pack("<I", 1 << 20) + b"a" * (1 << 20) + b"q\x000"
    + name("_codecs", "encode") + b"q\x010(" + b"h\x01h\x00\x85R" * 2000 + b"l",
    "a million lists": b"(" + b"]" * 1_000_001 + b"l",
    "an extension code": b"\x82\x01",
    "a buffer outside the file": b"\x97",
    "data outside the file": text("x") + b"Q",
    "a name with dots": name("training.networks", "os.system") + b")R",
    "a lazy module of torch": name("torch", "onnx"),
    "a name without end": text("training") + b"X" + struct.pack("<I", 100_000) + b"a" * 100_000 + b"\x93",
    "a key that is an array": b"}" + array(dtype("f8", LITTLE), b"A" * 8) + b"K\x01s",
    "a whole number of a million digits": b"I" + b"9" * 1_000_000 + b"\n",
    "an empty stack": b"0",
    "no mark": b"e",
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("program", HOSTILE.values(), ids=HOSTILE)
def test_is_refused_in_one_short_line(tmp_path, program):
    with pytest.raises(AssetError) as caught:
        read(tmp_path, program)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 700 + len(str(tmp_path)), message


def test_nothing_of_torch_is_changed(tmp_path):
    before = torch._utils._rebuild_tensor_v2.__defaults__
    with pytest.raises(AssetError, match="nothing was changed"):
        read(tmp_path, HOSTILE["a function's defaults"])
    assert torch._utils._rebuild_tensor_v2.__defaults__ == before


def test_refuses_a_gigabyte_without_taking_it(tmp_path):
    """A process that may take 600 MB more reads the files that ask for 2 GiB, and answers."""
    for number_, key in enumerate(
        ["a bytearray of a size", "bytes that are not there", "a bytearray that is not there"]
    ):
        (tmp_path / f"{number_}.pkl").write_bytes(b"\x80\x04" + HOSTILE[key] + b".")
    code = (
        "import pathlib, resource, sys\n"
        "from faceuv.errors import AssetError\n"
        "from faceuv.files.pickles import read_pickle\n"
        "used = int(pathlib.Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 600_000_000,) * 2)\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).glob('*.pkl')):\n"
        "    try:\n"
        "        read_pickle(path, expected='test pickle', stubs=())\n"
        "    except AssetError as error:\n"
        "        print('refused', 'MemoryError' in str(error))\n"
    )
    if not Path("/proc/self/statm").is_file():
        pytest.skip("the limit is set from /proc")
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == ["refused False"] * 3, done.stderr


# ------------------------------------------------------------------------------------------ what is read


def samples() -> list[object]:
    generator = torch.Generator().manual_seed(0)
    plain = {"a": [1, 2.5, None, True, "text", b"bytes", (1, 2)], "b": {1, 2}, "c": OrderedDict(x=1), 3: 10**30}
    arrays = [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
        np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(1, 0, 2),
        np.arange(4, dtype=">f8"),
        np.zeros((0, 3)),
        np.array([True, False]),
        np.array([1 + 2j]),
        np.float32(1.5),
        np.int64(-7),
    ]
    layer = torch.nn.Conv2d(2, 3, 1)
    tensors = [
        torch.randn(2, 3, generator=generator),
        torch.arange(6).reshape(2, 3).T,
        torch.zeros(0),
        torch.ones(2).half(),
    ]
    return [plain, arrays, [torch.nn.Parameter(torch.ones(2)), *tensors, torch.Size([1, 2]), torch.float16], layer]


def same(first, second) -> bool:
    if isinstance(first, torch.Tensor):
        return isinstance(second, torch.Tensor) and first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, (np.ndarray, np.generic)):
        alike = type(first) is type(second) and first.dtype == second.dtype
        return alike and np.shape(first) == np.shape(second) and bool(np.all(first == second))
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    return bool(first == second)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("which", [0, 1, 2])
def test_reads_what_pickle_writes(tmp_path, protocol, which):
    value = samples()[which]
    path = tmp_path / "good.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    assert same(value, read_pickle(path, expected="test pickle", stubs=()))


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_classes_become_stubs_with_their_state(tmp_path, protocol):
    layer = samples()[3]
    path = tmp_path / "layer.pkl"
    path.write_bytes(pickle.dumps(layer, protocol))
    stub = read_pickle(path, expected="test pickle", stubs=("torch.nn.modules.",))
    assert isinstance(stub, Stub) and stub.qualified_name == "torch.nn.modules.conv.Conv2d"
    assert torch.equal(stub.state["_parameters"]["weight"], layer.weight)
    assert stub.state["in_channels"] == 2
    with pytest.raises(AssetError, match=r"asks for torch.nn.modules.conv.Conv2d, which no test pickle needs: refused"):
        read_pickle(path, expected="test pickle", stubs=("training.",))


# ------------------------------------------------------------------------------------------ mutations

FUZZ = """
import faulthandler, pickle, random, resource, sys, time
from pathlib import Path
import torch
from faceuv.errors import AssetError
from faceuv.files.pickles import read_pickle
faulthandler.enable()
folder, count = Path(sys.argv[1]), int(sys.argv[2])
defaults = torch._utils._rebuild_tensor_v2.__defaults__
good = [path.read_bytes() for path in sorted(folder.glob("*.good"))]
draw = random.Random(0)
opcodes = bytes(ord(code) if isinstance(code, str) else code for code in "()].0ab}esutRcq\\x81\\x85\\x93\\x94\\x8c")
path, slowest, read, refused = folder / "mutant.pkl", 0.0, 0, 0
for turn in range(count):
    data = bytearray(draw.choice(good))
    for _ in range(draw.choice([1, 1, 2, 5, 20])):
        where = draw.randrange(len(data))
        what = draw.randrange(5)
        if what == 0:
            data[where] ^= 1 << draw.randrange(8)
        elif what == 1:
            data[where] = draw.choice(opcodes)
        elif what == 2:
            del data[where : where + draw.randrange(1, 9)]
        elif what == 3:
            start = draw.randrange(len(data))
            data[where:where] = data[start : start + draw.randrange(1, 60)]
        else:
            data[where : where + 4] = draw.choice([b"\\xff\\xff\\xff\\x7f", b"\\xff" * 4, b"\\0\\0\\0\\x80"])
        data = data or bytearray(b".")
    path.write_bytes(data)
    start = time.perf_counter()
    try:
        read_pickle(path, expected="test pickle", stubs=("torch.nn.modules.",))
        read += 1
    except AssetError as error:
        refused += 1
        assert len(str(error)) < 1000 and "\\n" not in str(error), str(error)
    slowest = max(slowest, time.perf_counter() - start)
assert torch._utils._rebuild_tensor_v2.__defaults__ == defaults
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
print(read, refused, f"{slowest:.3f} s", f"{peak} MB")
assert slowest < 5
"""


def test_mutations_of_good_files_are_read_or_refused(tmp_path, request):
    """In a process of their own: a reader that lets memory be misread dies there."""
    for k, value in enumerate(samples()):
        for protocol in (2, 4, 5):
            (tmp_path / f"{k}-{protocol}.good").write_bytes(pickle.dumps(value, protocol))
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, str(tmp_path), "1500"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    read_count, refused, *_ = done.stdout.split()
    assert int(read_count) > 20 and int(refused) > 200, done.stdout
