"""Pictures to learn from: drawn on the device in large batches, kept there as bytes."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from faceuv.errors import FaceUVError
from faceuv.files.artefacts import atomic_path
from faceuv.models.faces.base import FaceModel
from faceuv.registry import FACE_MODELS
from faceuv.synthetic import SyntheticFaces
from tools.gpu.machine import Machine
from tools.gpu.wheels import KitError

_AT_ONCE, _AT_ONCE_TOY = 256, 4  # scenes; a GPU is idle between the many small kernels of fewer
_SHARE = 0.4  # of the free memory that pictures may take
_LEVELS = 2.0  # two devices round differently, by so many of 255 levels on average at most


class Pictures(NamedTuple):
    """``images (N, 3, S, S)`` uint8 and ``latents (N, Z)`` on the device; ``rate`` pictures drawn per second."""

    images: Tensor
    latents: Tensor
    rate: float


def face_model_of(name: str | None) -> FaceModel | None:
    """The model of ``--face-model``: a registered one by name, or one read from a file; None is the studio's own."""
    if name is None:
        return None
    try:
        if not name.endswith(".safetensors"):
            model: FaceModel = FACE_MODELS.build(name)
            return model
        arrays, names, metadata = FaceModel.read(name)
        return FaceModel(arrays, names=names, metadata=metadata)
    except FaceUVError as error:
        raise KitError(f"--face-model {name}: {error}") from error


def studio(
    machine: Machine, world: str, size: int, seed: int, face_model: str | None = None
) -> tuple[SyntheticFaces, int]:
    """The faces, and how many of them the device's memory lets us draw at once."""
    samples = 1 if machine.toy else 2
    faces = SyntheticFaces(
        size=size, seed=seed, world=world, samples=samples, device=machine.device, face_model=face_model_of(face_model)
    )
    wanted = _AT_ONCE_TOY if machine.toy or not machine.on_gpu else _AT_ONCE
    together, _ = machine.shrinking("scenes at once", wanted, 1, lambda count: draw(faces, 0, count))
    return faces, together


@torch.no_grad()
def draw(faces: SyntheticFaces, start: int, count: int) -> tuple[Tensor, Tensor]:
    """Pictures ``start`` … ``start + count − 1`` as bytes, and their latents."""
    scene = faces.scene(faces.seeds(range(start, start + count)))
    image = faces.studio(scene).image
    return (image * 255).round_().to(torch.uint8), scene.latent()


def pictures(
    machine: Machine,
    count: int,
    *,
    size: int,
    world: str,
    face_model: str | None = None,
    seed: int = 0,
    seconds: float,
    keep: Path | None = None,
) -> Pictures:
    """Draw ``count`` pictures, or as many as memory and ``seconds`` allow; read them from ``keep`` where they lie."""
    room = machine.free_gib() * _SHARE * 2**30 / (3 * size * size)
    if room < count:
        print(f"{count} pictures would take too much of the GPU's memory, drawing {int(room)}", flush=True)
        count = int(room)
    faces, together = studio(machine, world, size, seed, face_model)
    told: dict[str, Any] = {"type": "SyntheticFaces", "size": size, "world": world, "seed": seed}
    told["face_model"] = None if face_model is None else Path(face_model).stem
    if keep is not None and keep.exists():
        return _read(keep, told, count, faces)
    images = torch.empty(count, 3, size, size, dtype=torch.uint8, device=machine.device)
    latents: list[Tensor] = []
    machine.wait()
    start = shown = time.monotonic()
    done = 0
    while done < count and (done == 0 or time.monotonic() - start < seconds):
        part = min(together, count - done)
        images[done : done + part], latent = draw(faces, done, part)
        latents.append(latent)
        done += part
        if time.monotonic() - shown > 10:
            machine.wait()
            shown = time.monotonic()
            print(f"drawn {done} of {count} pictures, {done / (shown - start):.0f}/s", flush=True)
    machine.wait()
    rate = done / (time.monotonic() - start)
    print(f"drawn {done} pictures of {size}² in the world {world!r}, {together} at once: {rate:.0f}/s", flush=True)
    found = Pictures(images[:done], torch.cat(latents), rate)
    if keep is not None:
        _keep(keep, told, found)
    return found


def _keep(path: Path, told: Mapping[str, Any], found: Pictures) -> None:
    try:
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, found.images.cpu().numpy(), allow_pickle=False)
        with atomic_path(_beside(path)) as temporary:
            temporary.write_text(json.dumps(told), encoding="utf-8")
    except Exception as error:  # the run does not need it: it only saves another one the drawing
        print(f"pictures not kept: {error}", flush=True)


def _beside(path: Path) -> Path:
    return path.with_suffix(".json")


def _read(path: Path, told: Mapping[str, Any], count: int, faces: SyntheticFaces) -> Pictures:
    again = f"delete it and {_beside(path).name} to draw them again, or name another file with --pictures"
    try:
        found = json.loads(_beside(path).read_text(encoding="utf-8"))
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise KitError(f"{path} cannot be read ({error}); {again}") from error
    if found != told:
        differ = {key: value for key, value in found.items() if told.get(key) != value}
        raise KitError(f"{path} holds pictures of {differ}, not of { {key: told[key] for key in differ} }; {again}")
    images = torch.from_numpy(np.array(array[:count])).to(faces.device)
    latents = torch.cat([faces.scene(faces.seeds(rows)).latent() for rows in _parts(len(images))])
    new, _ = draw(faces, 0, 1)
    if new.shape[1:] != images.shape[1:] or float((new[0].float() - images[0].float()).abs().mean()) > _LEVELS:
        raise KitError(f"{path} holds other pictures than are drawn now, of another version; {again}")
    print(f"read {len(images)} pictures from {path}", flush=True)
    return Pictures(images, latents, 0.0)


def _parts(count: int, step: int = 1024) -> list[range]:
    return [range(start, min(start + step, count)) for start in range(0, count, step)]
