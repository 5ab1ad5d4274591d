"""OpenCV, which MMEngine's hooks and visualisers import: why it does not start here, in one line."""

from __future__ import annotations

from faceuv.errors import MissingDependency

FIX = "pip install --force-reinstall --no-deps opencv-python-headless"


def why_not() -> str:
    """Why ``import cv2`` fails, or "" where it works. Small systems often lack a library that its usual wheel loads."""
    try:
        import cv2  # noqa: F401
    except ImportError as error:
        return str(error).splitlines()[0]
    return ""


def check_opencv() -> None:
    """Raise a line with the remedy where OpenCV does not start."""
    if why := why_not():
        raise MissingDependency(
            f"MMEngine's training engine needs OpenCV, which does not start ({why}): {FIX}; sampling, rendering and"
            " heads from photographs work without it"
        )
