"""Where the eyes look, as amounts of ARKit's ``eyeLook…`` shapes."""

from __future__ import annotations

from faceuv.checks import finite_number
from faceuv.errors import InputError

FULL_GAZE_DEG = {"Up": 25.0, "Down": 30.0, "In": 35.0, "Out": 35.0}
"""The turn of an eye at amount 1; ARKit documents none. They are about what people reach without strain."""


def gaze_amounts(yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> dict[str, float]:
    """All eight ``eyeLook…`` amounts of both eyes looking in one direction.

    Args:
        yaw_deg: > 0 looks to the viewer's right, as a head's yaw turns; so the subject's left eye looks out and the
            right eye in. At most 35.
        pitch_deg: > 0 looks down, at most 30; < 0 looks up, at least -25.
    """
    yaw, pitch = finite_number("yaw_deg", yaw_deg), finite_number("pitch_deg", pitch_deg)
    sideways, up, down = FULL_GAZE_DEG["Out"], FULL_GAZE_DEG["Up"], FULL_GAZE_DEG["Down"]
    if abs(yaw) > sideways:
        raise InputError(f"eyes turn at most {sideways:g}° to a side, got yaw_deg={yaw:g}; turn the head: with_pose")
    if not -up <= pitch <= down:
        raise InputError(
            f"eyes look at most {up:g}° up (negative) and {down:g}° down, got pitch_deg={pitch:g}; tilt the head:"
            " with_pose"
        )
    right, left = max(yaw, 0.0) / sideways, max(-yaw, 0.0) / sideways
    amounts = {
        "eyeLookOutLeft": right,
        "eyeLookInLeft": left,
        "eyeLookInRight": right,
        "eyeLookOutRight": left,
    }
    for side in ("Left", "Right"):
        amounts[f"eyeLookDown{side}"] = max(pitch, 0.0) / down
        amounts[f"eyeLookUp{side}"] = max(-pitch, 0.0) / up
    return amounts
