"""Processor time of ``faceuv head`` on one core, stage by stage, after loading: skimage's astronaut and drawn people.

    python benchmarks/head_speed.py --heads ICTFaceKit MakeHuman --texture-size 512 --out head_speed.md
    python benchmarks/head_speed.py --photographs folder/*.jpg --drawn 0      # your own

Find: the search for faces. Landmarks: the points in the square, the first fit and the drawing laid onto the picture.
Fit: shape, expression, colours and gaze. Texture: all maps. Hair: style and colour. Each photograph is read
``--repeats`` times and the fastest counts: other work on the machine only makes a run slower. First: the first
photograph of the process, with which all is made that heads of a model share. The astronaut comes with
scikit-image.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from benchmarks.head import people, photographs
from faceuv.data.images import read_picture
from faceuv.photo import PhotoHeads, making, shots

STAGES = ("find", "landmarks", "fit", "texture", "hair", "rest", "all")
_TIMED = {  # stage → where its function is called
    "find": (making, "find_faces"),
    "landmarks": (shots, "_landmarks"),
    "fitted": (making, "fitted"),
    "texture": (making, "head_texture"),
    "hair": (making, "hair_pixels"),
}


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Seconds of processor time by stage, of what is done within."""
    spent: dict[str, float] = defaultdict(float)

    def clocked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **settings: Any) -> Any:
            start = time.process_time()
            try:
                return function(*args, **settings)
            finally:
                spent[name] += time.process_time() - start

        return run

    with ExitStack() as stack:
        for name, (module, function) in _TIMED.items():
            stack.enter_context(mock.patch.object(module, function, clocked(name, getattr(module, function))))
        start = time.process_time()
        yield spent
        spent["all"] = time.process_time() - start
    spent["fit"] = spent.pop("fitted", 0.0) - spent["landmarks"]
    spent["rest"] = spent["all"] - sum(spent[name] for name in STAGES[:5])


def pictures(files: list[Path]) -> dict[str, Tensor]:
    """Name → ``(3, H, W)``; the astronaut without files."""
    found = {file.name: read_picture(file) for file in files}
    if not files:
        try:
            from skimage.data import astronaut
        except ImportError as error:
            raise SystemExit(f"{error}: pip install scikit-image, or give --photographs") from error
        found["astronaut"] = torch.from_numpy(astronaut()).permute(2, 0, 1).float() / 255
    return found


def drawn(maker: PhotoHeads, count: int, size: int) -> dict[str, Tensor]:
    """Name → ``(3, size, size)`` of drawn people."""
    worn = [hair for _, hair, _, _ in people(maker.face_model, count, 256)]
    return {f"drawn {k + 1}": photographs(one, size, 1, k)[0][0] for k, one in enumerate(worn)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", nargs="+", default=["ICTFaceKit", "MakeHuman"])
    parser.add_argument("--photographs", type=Path, nargs="*", default=[], help="files, in place of the astronaut")
    parser.add_argument("--drawn", type=int, default=3, help="how many drawn people")
    parser.add_argument("--size", type=int, default=512, help="of their photographs, pixels")
    parser.add_argument("--texture-size", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="where the table goes, besides the screen")
    options = parser.parse_args()
    lines = [f"| head | photograph | {' | '.join(STAGES)} |", "| --- | --- |" + " ---: |" * len(STAGES)]
    print("\n".join(lines), flush=True)
    for name in options.heads:
        start = time.process_time()
        maker = PhotoHeads(name, texture_size=options.texture_size)
        loading = time.process_time() - start
        shown = pictures(options.photographs)
        start = time.process_time()
        maker.of(next(iter(shown.values())), most=1)  # what all photographs share is made with the first
        first = time.process_time() - start
        shown |= drawn(maker, options.drawn, options.size)
        rows: list[dict[str, float]] = []
        for picture_name, picture in shown.items():
            runs = []
            for _ in range(options.repeats):
                with timed() as spent:
                    made = maker.of(picture, picture_name, most=1)[0]
                runs.append(dict(spent))
            rows.append(min(runs, key=lambda run: run["all"]))
            remark = f" ({made})" if isinstance(made, str) else ""
            lines.append(_line(name, picture_name + remark, rows[-1]))
            print(lines[-1], flush=True)
        median = {stage: statistics.median(row[stage] for row in rows) for stage in STAGES}
        lines += [
            _line(name, "median", median),
            _line(name, "first", {"all": first}),
            _line(name, "loading", {"all": loading}),
        ]
        print("\n".join(lines[-3:]), flush=True)
    if options.out is not None:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _line(head: str, picture: str, spent: dict[str, float]) -> str:
    return f"| {head} | {picture} | {' | '.join(f'{spent[k]:.2f}' if k in spent else '' for k in STAGES)} |"


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
