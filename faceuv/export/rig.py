"""Joints, movements over time, and eyes that look at a point. Rotations are unit quaternions (x, y, z, w)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from faceuv.errors import InputError, did_you_mean

EYES = ("eye_left", "eye_right")
REST = (0.0, 0.0, 0.0, 1.0)
EYE_LIMIT = math.radians(35.0)  # a human eye turns no farther without its head
_TOLERANCE = 1e-3

Quaternion = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Skeleton:
    """Joints of a head, all of them unturned at rest.

    joints            names, e.g. neck, head, eye_left, eye_right; left is the subject's
    parents           index of each joint's parent, −1 for the root; parents come before their children
    positions (J, 3)  float32, decimetres, object frame
    weights (V, J)    float32, linear blend skinning, rows sum to 1
    """

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    positions: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        count = len(self.joints)
        if count == 0 or len(set(self.joints)) != count:
            raise InputError(f"a skeleton needs joints with different names, got {', '.join(self.joints) or 'none'}")
        if len(self.parents) != count or any(not -1 <= p < k for k, p in enumerate(self.parents)):
            raise InputError(
                f"joint_parents must give each of the {count} joints an earlier joint or −1, got {list(self.parents)}"
            )
        if self.parents.count(-1) != 1:
            raise InputError(f"a skeleton has one root (parent −1), got {self.parents.count(-1)}")
        if self.positions.shape != (count, 3) or self.weights.ndim != 2 or self.weights.shape[1] != count:
            raise InputError(
                f"a skeleton of {count} joints needs positions ({count}, 3) and weights (V, {count}), got"
                f" {self.positions.shape} and {self.weights.shape}"
            )
        if float(self.weights.min()) < 0 or np.abs(self.weights.sum(1) - 1).max() > _TOLERANCE:
            raise InputError("skin weights must be ≥ 0 and their rows sum to 1")

    def index(self, joint: str) -> int:
        """The number of a joint; the error names the known ones."""
        if joint not in self.joints:
            raise InputError(f"no joint is called {joint!r}{did_you_mean(joint, self.joints)};"
                             f" known: {', '.join(self.joints)}")  # fmt: skip
        return self.joints.index(joint)

    def looking_at(self, point: Sequence[float]) -> dict[str, Quaternion]:
        """Rotations of the eye joints that make both eyes look at ``point (3,)``, decimetres, object frame; an eye
        turns 35° at most."""
        if not set(EYES) <= set(self.joints):
            raise no_eyes(self.joints)
        target = np.asarray(point, np.float64)
        if target.shape != (3,) or not np.isfinite(target).all():
            raise InputError(f"a look needs a point of three finite numbers (decimetres), got {point!r}")
        return {eye: _turned_to(target - self.positions[self.index(eye)]) for eye in EYES}


def no_eyes(joints: Sequence[str]) -> InputError:
    """The error of a face without eyes that is asked to look at something."""
    has = f"its joints are {', '.join(joints)}" if joints else "it has no joints"
    return InputError(
        f"a look needs the joints {EYES[0]} and {EYES[1]}, and this face model has no eyes that turn ({has}); take a"
        " whole head: face_model='ICTFaceKit' or 'MakeHuman'"
    )


def _turned_to(direction: np.ndarray) -> Quaternion:
    """From +z to a direction: first up or down about x, then sideways about y, as eyes move."""
    x, y, z = direction / max(float(np.linalg.norm(direction)), 1e-12)
    yaw, pitch = math.atan2(x, z), -math.asin(min(max(y, -1.0), 1.0))
    yaw, pitch = (min(max(angle, -EYE_LIMIT), EYE_LIMIT) for angle in (yaw, pitch))
    return multiplied(axis_turn((0, 1, 0), yaw), axis_turn((1, 0, 0), pitch))


def axis_turn(axis: Sequence[float], angle: float) -> Quaternion:
    """The turn by ``angle`` radians about a unit axis."""
    sine = math.sin(angle / 2)
    return (axis[0] * sine, axis[1] * sine, axis[2] * sine, math.cos(angle / 2))


def rotation_quaternion(vector: np.ndarray) -> np.ndarray:
    """Rotation vectors ``(…, 3)``, axis times radians → ``(…, 4)``."""
    angle = np.linalg.norm(vector, axis=-1, keepdims=True)
    half = angle / 2
    return np.concatenate([vector * 0.5 * np.sinc(half / np.pi), np.cos(half)], -1)


def multiplied(first: Quaternion, second: Quaternion) -> Quaternion:
    """The turn ``first`` after the turn ``second``."""
    ax, ay, az, aw = first
    bx, by, bz, bw = second
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


@dataclass(frozen=True, eq=False)
class Animation:
    """Movements over time, for :meth:`MeshFile.build(animation=…)`: they become the channels of one GLB animation.

    times (T,)      seconds, from 0 on, each later than the one before
    weights (T, M)  of the morph targets ``targets`` at each time; other targets stay as they are
    targets         M names of morph targets
    rotations       joint name → (T, 4) unit quaternions (x, y, z, w)
    name            of the animation in the file

    >>> blink = Animation(times, weights, ("eyeBlinkLeft", "eyeBlinkRight"))      # doctest: +SKIP
    >>> face.save("blink.glb", animation=blink)                                   # doctest: +SKIP
    """

    times: np.ndarray
    weights: np.ndarray
    targets: tuple[str, ...]
    rotations: Mapping[str, np.ndarray] = field(default_factory=dict)
    name: str = "animation"

    def __post_init__(self) -> None:
        times = np.asarray(self.times, np.float32)
        weights = np.asarray(self.weights, np.float32)
        targets = tuple(self.targets)
        if times.ndim != 1 or len(times) == 0 or not np.isfinite(times).all():
            raise InputError(f"times of an animation must be finite seconds (T,), got shape {times.shape}")
        if float(times[0]) < 0 or (len(times) > 1 and float(np.diff(times).min()) <= 0):
            raise InputError("times of an animation must start at 0 or later and grow from frame to frame")
        if weights.shape != (len(times), len(targets)) or not np.isfinite(weights).all():
            raise InputError(
                f"weights of an animation must be finite and of shape (T, M) = ({len(times)}, {len(targets)}), one"
                f" column per target, got {weights.shape}"
            )
        if len(set(targets)) != len(targets):
            raise InputError("an animation names a morph target twice")
        rotations = {}
        for joint, turns in self.rotations.items():
            turn = np.asarray(turns, np.float32)
            if turn.shape != (len(times), 4) or not np.isfinite(turn).all():
                raise InputError(f"rotations of {joint!r} must be quaternions ({len(times)}, 4), got {turn.shape}")
            length = np.linalg.norm(turn, axis=1, keepdims=True)
            if np.abs(length - 1).max() > 0.01:
                raise InputError(f"rotations of {joint!r} must be unit quaternions (x, y, z, w); normalise them")
            rotations[joint] = turn / length
        for name, value in (("times", times), ("weights", weights), ("targets", targets), ("rotations", rotations)):
            object.__setattr__(self, name, value)


def rotation_vector(quaternion: np.ndarray) -> np.ndarray:
    """A unit quaternion ``(4,)`` → axis times radians ``(3,)``."""
    sine = float(np.linalg.norm(quaternion[:3]))
    angle = 2 * math.atan2(sine, float(quaternion[3]))
    return quaternion[:3] * (angle / sine if sine > 1e-12 else 2.0)
