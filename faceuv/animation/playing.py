"""An animation on a face: pictures frame by frame, films, and what the face cannot show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation
from torch import Tensor

from faceuv.animation.data import ARKitAnimation
from faceuv.errors import InputError
from faceuv.export import save_video
from faceuv.export.rig import Animation
from faceuv.export.video import VIDEO_SUFFIXES, check_video
from faceuv.face import Face
from faceuv.geometry import euler_to_matrix
from faceuv.models.faces.arkit import NAMES

SUFFIXES = (*VIDEO_SUFFIXES, ".glb")
_HEAD = "head"  # the joint
_VISIBLE = 0.01  # an amount below which nobody misses a shape


def animated(face: Face, animation: ARKitAnimation, *, head: bool = True) -> Iterator[Face]:
    """The face at each moment of the animation. Shapes that its model cannot express have no effect (see
    :func:`not_shown`); shapes that the animation does not name stay as they are in ``face``.

    Args:
        head: turn the head as the animation says, relative to the face's own pose.
    """
    if face.face_model is None:
        raise InputError("an animation needs the coefficients of a face model, and this face is a surface without them")
    expressible = set(face.face_model.arkit_table().expressible)
    columns = [(name, NAMES.index(name)) for name in animation.named if name in expressible]
    rotation = face.pose[0]
    for k in range(len(animation)):
        now = face.with_arkit({name: float(animation.weights[k, column]) for name, column in columns})
        if head and animation.head is not None:
            pitch, yaw, roll = (rotation[0] + animation.head[k].to(rotation)).rad2deg().tolist()
            now = now.with_pose(yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll)
        yield now


def not_shown(face: Face, animation: ARKitAnimation) -> dict[str, float]:
    """Shapes that the animation uses and the face's model cannot express → their largest amount."""
    if face.face_model is None:
        return {}
    largest = animation.weights.amax(0)
    missing = face.face_model.arkit_table().missing
    used = {name: float(largest[NAMES.index(name)]) for name in missing}
    return {name: amount for name, amount in used.items() if amount >= _VISIBLE}


def pictures(
    face: Face,
    animation: ARKitAnimation,
    size: int | tuple[int, int] = 512,
    *,
    head: bool = True,
    centred: bool = True,
    **options: Any,
) -> Iterator[Tensor]:
    """Pictures ``(3, H, W)`` in [0, 1] of the face at each moment; ``options`` are those of :meth:`Face.render`."""
    for moment in animated(face, animation, head=head):
        yield moment.render(size, centred=centred, **options)


def save_animation(
    path: str | Path,
    face: Face,
    animation: ARKitAnimation,
    *,
    fps: float = 25.0,
    size: int | tuple[int, int] = 512,
    head: bool = True,
    **options: Any,
) -> Path:
    """Write a film (``.mp4``, ``.gif``) at ``fps`` frames per second, or a mesh that moves (``.glb``).

    A GLB holds the moments of the animation as they are, as weights of its morph targets; the head's turn is that of
    its joint ``head``. ``options`` of a film are those of :meth:`Face.render`, of a GLB those of :meth:`Face.save`.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".glb":
        return _save_glb(path, face, animation, head=head, **options)
    if suffix not in VIDEO_SUFFIXES:
        raise InputError(f"cannot write {path.name}: an animation ends in {', '.join(SUFFIXES)}")
    check_video(path, fps=fps)
    return save_video(path, pictures(face, animation.at(fps), size, head=head, **options), fps=fps)


def turns_head(face: Face, animation: ARKitAnimation) -> bool:
    """Whether a GLB of this face can turn the head as the animation does; True if the animation does not."""
    joints = () if face.face_model is None else face.face_model.metadata.get("joints", ())
    return animation.head is None or not animation.head.any() or _HEAD in joints


def _save_glb(path: Path, face: Face, animation: ARKitAnimation, *, head: bool, **options: Any) -> Path:
    model = face.face_model
    if model is None:
        raise InputError("an animation needs the coefficients of a face model, and this face is a surface without them")
    if options.get("blend_shapes") is False:
        raise InputError("an animated GLB needs its morph targets: leave blend_shapes as it is")
    expressible = set(model.arkit_table().expressible)
    targets = tuple(name for name in animation.named if name in expressible)
    # The modes that the animation drives are at rest in the mesh, so that its weights say all.
    calm = face.with_arkit(dict.fromkeys(targets, 0.0))
    rotations: dict[str, np.ndarray] = {}
    if head and animation.head is not None and _HEAD in model.metadata.get("joints", ()):
        matrices = euler_to_matrix(animation.head.double()).numpy()
        rotations[_HEAD] = Rotation.from_matrix(matrices).as_quat()
    weights = animation.weights[:, [NAMES.index(name) for name in targets]]
    moving = Animation(animation.times.numpy(), weights.numpy(), targets, rotations, name=path.stem)
    return calm.save(path, animation=moving, **options)
