"""An interpreter of pickle opcodes that makes plain values and nothing else.

The standard library's reader sets the state of whatever lies on its stack (BUILD), and so reaches into functions,
classes and dtypes. Here a name is only a :class:`~faceuv.files.pickles.values.Name`, a call makes what
:data:`~faceuv.files.pickles.values.CALLS` says, and BUILD completes only what this reader made.
"""

from __future__ import annotations

import io
import pickletools
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import torch

from faceuv.checks import shown
from faceuv.errors import AssetError
from faceuv.files.pickles.values import (
    CALLS,
    Budget,
    Name,
    Pending,
    Record,
    Storage,
    Stub,
    bad,
    built_array,
    built_dtype,
    check_key,
    is_storage_class,
    storage_of,
    storage_values,
)

OPCODES = 1_000_000  # network pickles have some ten thousand
_NAME = 200  # characters
_STORAGE_MAGIC = 0x1950A86A20F9469CFC6C
_STORAGE_VERSION = 1001
_LOAD_STORAGE = "torch.storage._load_from_bytes"
_RENAMED = {"__builtin__": "builtins", "copy_reg": "copyreg"}  # modules of Python 2


class Bounded:
    """A file of which no more is asked than it has: a length in a pickle can be any number."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file = file
        self.left = size

    def read(self, count: int) -> bytes:
        if count > self.left:
            raise EOFError(f"{count:,} bytes announced, {self.left:,} left")
        data = self.file.read(count)
        self.left -= len(data)
        return data

    def readline(self) -> bytes:
        line = self.file.readline(1 << 16)
        self.left -= len(line)
        return line


class Machine:
    """Runs one pickle after another out of ``file``.

    Args:
        expected: what the file should be, for messages.
        stubs: prefixes of the qualified names of classes that become stubs.
        kept: prefix of stubs' names → the entries of their state that are kept; of other stubs all are.
        inner: for the pickles inside a torch storage, which may name storage classes and nothing else.
    """

    def __init__(
        self,
        file: Bounded,
        budget: Budget,
        *,
        expected: str,
        stubs: tuple[str, ...] = (),
        kept: Mapping[str, tuple[str, ...]] | None = None,
        inner: bool = False,
    ) -> None:
        self.file = file
        self.budget = budget
        self.expected = expected
        self.stubs = stubs
        self.kept = dict(kept or {})
        self.inner = inner
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def load(self) -> Any:
        """The value of the next pickle of the file."""
        self.stack, self.marks, self.memo = [], [], {}
        for count, (opcode, argument, _) in enumerate(pickletools.genops(self.file)):  # type: ignore[arg-type]
            if count >= OPCODES:
                raise AssetError(
                    f"this pickle has more than {OPCODES:,} steps; a {self.expected} has far fewer: refused"
                )
            name = opcode.name
            if name == "STOP":
                return self.stack.pop()
            if name in _VALUES:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name]())
            elif name in _ACTIONS:
                _ACTIONS[name](self, argument)
            elif name not in ("PROTO", "FRAME"):
                raise AssetError(f"this pickle uses {name}, which no {self.expected} needs: refused, nothing was run")
        raise EOFError("the pickle has no end")  # genops says so itself

    # ------------------------------------------------------------------ stack and memo

    def to_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise IndexError("an empty stack")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def remember(self, key: int | None) -> None:
        key = len(self.memo) if key is None else key
        value = self.memo[key] = self.stack[-1]
        if isinstance(value, Pending):
            value.memo.append(key)

    def complete(self, pending: Pending, value: Any) -> None:
        """Put ``value`` where ``pending`` stood: on top of the stack and in the memo."""
        self.stack[-1] = value
        for key in pending.memo:
            if self.memo.get(key) is pending:
                self.memo[key] = value

    # ------------------------------------------------------------------ containers

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not list:
            raise bad("a list", target)
        target.extend(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise bad("a dictionary", target)
        for key, value in zip(items[::2], items[1::2]):
            check_key(key)
            target[key] = value

    def add_items(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not set:
            raise bad("a set", target)
        for item in items:
            check_key(item)
            target.add(item)

    def frozen(self, items: list[Any]) -> frozenset[Any]:
        for item in items:
            check_key(item)
        return frozenset(items)

    def dictionary(self, items: list[Any]) -> None:
        self.stack.append({})
        self.set_items(items)

    # ------------------------------------------------------------------ names, calls, states

    def name(self, module: Any, name: Any) -> Any:
        if not isinstance(module, str) or not isinstance(name, str):
            raise bad("a name", (module, name))
        qualified = f"{_RENAMED.get(module, module)}.{name}"
        if self.inner:
            allowed = is_storage_class(qualified)
        elif module == "torch" and isinstance(dtype := vars(torch).get(name), torch.dtype):
            return dtype
        else:
            stubbed = qualified.startswith(self.stubs) and "." not in name and len(qualified) <= _NAME
            allowed = stubbed or qualified in CALLS or qualified in (_LOAD_STORAGE, "copyreg._reconstructor")
        if not allowed:
            raise AssetError(
                f"this pickle asks for {shown(qualified, _NAME)[1:-1]}, which no {self.expected} needs: refused,"
                " nothing was run. Get the file from its authors again"
            )
        return Name(qualified)

    def call(self, function: Any, arguments: Any, keywords: Any = None) -> Any:
        if not isinstance(function, Name) or type(arguments) is not tuple:
            raise bad("a call", (function, arguments))
        qualified = function.qualified
        if qualified == "copyreg._reconstructor" and arguments and isinstance(arguments[0], Name):
            function, arguments = arguments[0], ()
            qualified = function.qualified
        if qualified == _LOAD_STORAGE:
            return self.storage(*arguments)
        if qualified in CALLS:
            make = CALLS[qualified]
            if make is None or keywords:
                raise bad("a call", function)
            try:
                return make(self.budget, *arguments)
            except TypeError as error:
                raise bad(f"a call of {qualified}", arguments) from error
        if keywords is not None and not isinstance(keywords, dict):
            raise bad("a call", keywords)
        self.budget.spend(512)
        return Stub(qualified, arguments, keywords)

    def build(self, state: Any) -> None:
        target = self.stack[-1]
        if isinstance(target, Stub):
            wanted = next(
                (names for prefix, names in self.kept.items() if target.qualified_name.startswith(prefix)), None
            )
            if wanted is not None and isinstance(state, dict):
                state = {name: state[name] for name in wanted if name in state}
            target.state = state
        elif isinstance(target, Pending) and target.dtype is not None:
            self.complete(target, built_dtype(target, state))
        elif isinstance(target, Pending):
            self.complete(target, built_array(state))
        elif not isinstance(target, (Record, dict)):  # attributes of dictionaries are not kept
            raise AssetError(f"this pickle sets the state of {shown(target)}: refused, nothing was changed")

    def storage(self, data: Any = None, *_: Any) -> Storage:
        """What ``torch.storage._load_from_bytes`` makes: five pickles and the numbers, in bytes inside the pickle."""
        if self.inner or not isinstance(data, bytes):
            raise bad("a torch storage", data)
        self.budget.spend(len(data))
        file = Bounded(io.BytesIO(data), len(data))
        inner = Machine(file, self.budget, expected="torch storage", inner=True)
        magic, version, system, reference, keys = (inner.load() for _ in range(5))
        if magic != _STORAGE_MAGIC or version != _STORAGE_VERSION or not isinstance(keys, list) or len(keys) != 1:
            raise bad("a torch storage", (magic, version, keys))
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise bad("a torch storage", system)
        dtype, count = storage_of(reference)
        if int.from_bytes(file.read(8), "little") != count:
            raise bad("a torch storage", reference)
        return storage_values(memoryview(data)[len(data) - file.left :], dtype, count)

    def refer(self, key: Any) -> Any:
        if not self.inner:
            raise AssetError(f"this pickle refers to data outside itself ({shown(key)}); expected a {self.expected}")
        storage_of(key)
        return key


def _push(make: Callable[[Machine, Any], Any]) -> Callable[[Machine, Any], None]:
    def action(machine: Machine, argument: Any) -> None:
        value = make(machine, argument)  # first: it may exchange the stack
        machine.stack.append(value)

    return action


def _mark(machine: Machine, _: Any) -> None:
    machine.marks.append(machine.stack)
    machine.stack = []


def _pop(machine: Machine, _: Any) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.to_mark()


def _instance(machine: Machine, argument: Any) -> Any:
    module, _, name = str(argument).partition(" ")
    return machine.call(machine.name(module, name), tuple(machine.to_mark()))


def _object(machine: Machine, _: Any) -> Any:
    kind, *arguments = machine.to_mark()
    return machine.call(kind, tuple(arguments))


# Opcodes whose argument is the value. (Texts of Python 2 are decoded as Latin-1.)
_VALUES = frozenset(
    {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"}
    | {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"}
    | {"BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
)
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_ACTIONS: dict[str, Callable[[Machine, Any], None]] = {
    "MARK": _mark,
    "POP": _pop,
    "POP_MARK": lambda machine, _: (machine.to_mark(), None)[1],
    "DUP": _push(lambda machine, _: machine.stack[-1]),
    "GET": _push(lambda machine, key: machine.memo[key]),
    "BINGET": _push(lambda machine, key: machine.memo[key]),
    "LONG_BINGET": _push(lambda machine, key: machine.memo[key]),
    "PUT": Machine.remember,
    "BINPUT": Machine.remember,
    "LONG_BINPUT": Machine.remember,
    "MEMOIZE": Machine.remember,
    "LIST": _push(lambda machine, _: machine.to_mark()),
    "TUPLE": _push(lambda machine, _: tuple(machine.to_mark())),
    "TUPLE1": _push(lambda machine, _: tuple(machine.pop(1))),
    "TUPLE2": _push(lambda machine, _: tuple(machine.pop(2))),
    "TUPLE3": _push(lambda machine, _: tuple(machine.pop(3))),
    "FROZENSET": _push(lambda machine, _: machine.frozen(machine.to_mark())),
    "DICT": lambda machine, _: machine.dictionary(machine.to_mark()),
    "APPEND": lambda machine, _: machine.extend(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.to_mark()),
    "SETITEM": lambda machine, _: machine.set_items(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.set_items(machine.to_mark()),
    "ADDITEMS": lambda machine, _: machine.add_items(machine.to_mark()),
    "GLOBAL": _push(lambda machine, names: machine.name(*names.split(" ", 1))),
    "STACK_GLOBAL": _push(lambda machine, _: machine.name(*machine.pop(2))),
    "REDUCE": _push(lambda machine, _: machine.call(*machine.pop(2))),
    "NEWOBJ": _push(lambda machine, _: machine.call(*machine.pop(2))),
    "NEWOBJ_EX": _push(lambda machine, _: machine.call(*machine.pop(3))),
    "OBJ": _push(_object),
    "INST": _push(_instance),
    "BUILD": lambda machine, _: machine.build(machine.stack.pop()),
    "PERSID": _push(Machine.refer),
    "BINPERSID": _push(lambda machine, _: machine.refer(machine.stack.pop())),
}
