"""The 52 shapes as movements of the procedural face, found by comparison with scanned heads' shapes and by eye.

An amount of 1 is a full movement of the procedural face. What it cannot express: its eyes are painted on one surface
with the lids, so they do not turn (the eight ``eyeLook…``), and its tongue stays in the mouth (``tongueOut``).
``mouthClose`` pulls the lips together by about a third of a wide open jaw.
"""

from __future__ import annotations

from faceuv.models.faces.arkit.names import mirrored_name

_WHOLE: dict[str, dict[str, float]] = {
    "jawForward": {"jaw_forward": 1.5},
    "jawLeft": {"jaw_left": 1.2, "mouth_left": 0.2},
    "jawRight": {"jaw_left": -1.2, "mouth_left": -0.2},
    "jawOpen": {"jaw_open": 1.0},
    "mouthClose": {
        "lower_lip_drop_left": -0.9,
        "lower_lip_drop_right": -0.9,
        "upper_lip_raise_left": -0.35,
        "upper_lip_raise_right": -0.35,
        "chin_raise": 0.8,
    },
    "mouthFunnel": {"funnel": 1.4, "pucker": 0.2, "jaw_forward": 0.3},
    "mouthPucker": {"pucker": 1.5, "lip_press": 0.4, "jaw_forward": 0.3},
    "mouthLeft": {"mouth_left": 0.75, "jaw_left": 0.4},
    "mouthRight": {"mouth_left": -0.75, "jaw_left": -0.4},
    "mouthRollLower": {"lower_lip_roll": 1.6, "chin_raise": 0.5, "lip_press": 0.4},
    "mouthRollUpper": {"upper_lip_roll": 1.6, "lip_press": 0.4, "nose_down": 0.4},
    "mouthShrugLower": {"chin_raise": 1.6, "lower_lip_out": 1.0},
    "mouthShrugUpper": {"upper_lip_raise_left": 0.6, "upper_lip_raise_right": 0.6, "chin_raise": 0.2},
    "browInnerUp": {
        "brow_inner_up_left": 1.0,
        "brow_inner_up_right": 1.0,
        "brow_middle_up_left": 0.5,
        "brow_middle_up_right": 0.5,
    },
    "cheekPuff": {"cheek_puff_left": 1.5, "cheek_puff_right": 1.5, "lip_press": 0.6, "pucker": 0.3},
}
_LEFT: dict[str, dict[str, float]] = {
    "eyeBlinkLeft": {"blink_left": 1.0},
    "eyeSquintLeft": {"squint_left": 0.8, "cheek_raise_left": 0.4},
    "eyeWideLeft": {"eye_wide_left": 1.1},
    "mouthSmileLeft": {"smile_left": 1.3, "cheek_raise_left": 0.3},
    "mouthFrownLeft": {"frown_left": 0.9, "chin_raise": 0.2},
    "mouthDimpleLeft": {"dimple_left": 1.2, "smile_left": 0.3},
    "mouthStretchLeft": {"mouth_stretch_left": 0.9, "frown_left": 0.5},
    "mouthPressLeft": {
        "lip_press": 0.4,
        "upper_lip_roll": 0.35,
        "lower_lip_roll": 0.35,
        "chin_raise": 0.5,
        "dimple_left": 0.3,
    },
    "mouthLowerDownLeft": {"lower_lip_drop_left": 0.7},
    "mouthUpperUpLeft": {"upper_lip_raise_left": 0.9, "nose_sneer_left": 0.5, "cheek_raise_left": 0.3},
    "browDownLeft": {"brow_down_left": 1.2},
    "browOuterUpLeft": {"brow_outer_up_left": 1.0, "brow_middle_up_left": 1.0},
    "cheekSquintLeft": {"cheek_raise_left": 1.4, "squint_left": 0.3},
    "noseSneerLeft": {"nose_sneer_left": 1.5, "cheek_raise_left": 0.4, "upper_lip_raise_left": 0.4},
}


def _other_side(movements: dict[str, float]) -> dict[str, float]:
    return {name.replace("_left", "_right"): amount for name, amount in movements.items()}


MOVEMENTS: dict[str, dict[str, float]] = {
    **_WHOLE,
    **_LEFT,
    **{mirrored_name(name): _other_side(movements) for name, movements in _LEFT.items()},
}
"""ARKit name → movements of the procedural face; 43 of the 52."""
