"""Where a run writes: few files of limited size, each whole or not at all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faceuv.errors import FaceUVError
from faceuv.files.artefacts import atomic_path
from tools.gpu.wheels import KitError

MOST_FILES, MOST_BYTES = 8, 16 * 2**20
FILES = (
    "smoke.json", "teacher.json", "teacher_generator.safetensors", "teacher_discriminator.safetensors",
    "teacher_samples.png", "bench.json", "bench.md",
)  # fmt: skip
"""Everything that the parts write; with the file that is being written there are never more than eight."""


class Folder:
    """The folder of ``--out``.

    A file that cannot be written whole is not written, and the one from before stays; a cut run leaves at most one
    unfinished file, which the next run removes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_dir():
            raise KitError(f"--out {path} is a file; expected a folder")
        path.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            for left in path.glob(f".{Path(name).stem}.*"):
                left.unlink(missing_ok=True)
        strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in FILES)
        if len(strangers) + len(FILES) + 1 > MOST_FILES:
            raise KitError(
                f"--out {path} holds {', '.join(strangers[:4])}: with what is written here it has more than"
                f" {MOST_FILES} files; choose an empty folder"
            )

    def file(self, name: str) -> Path:
        """The place of one of :data:`FILES`."""
        if name not in FILES:
            raise ValueError(f"{name} is none of the files that the kit writes")
        return self.path / name

    def write(self, name: str, write: Callable[[Path], object]) -> bool:
        """Let ``write`` fill the file; whether it is there now. A full disk, or one file too large, costs a line."""
        path = self.file(name)
        try:
            with (
                tempfile.TemporaryDirectory() as scratch
            ):  # elsewhere: here there is never more than one unfinished file
                made = Path(scratch) / name
                write(made)
                content = made.read_bytes()
            if len(content) > MOST_BYTES:
                raise KitError(f"it would have {len(content) / 2**20:.1f} MiB, at most {MOST_BYTES >> 20} are wanted")
            with atomic_path(path) as temporary:
                temporary.write_bytes(content)
        except (KitError, FaceUVError, OSError) as error:
            print(f"not written: {path}: {error}", flush=True)
            return False
        return True

    def write_json(self, name: str, content: Any) -> bool:
        """:meth:`write`, of JSON."""
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        return self.write(name, lambda path: path.write_text(text, encoding="utf-8"))

    def read_json(self, name: str) -> Any:
        """What an earlier run wrote; None without it."""
        path = self.file(name)
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise KitError(f"{path} is not JSON ({error}); delete it to start again") from error
