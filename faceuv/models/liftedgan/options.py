"""Groups of settings: from configs, and in generator.json."""

from __future__ import annotations

import dataclasses
from typing import Any

from faceuv.models.liftedgan.geometry import DepthSpace
from faceuv.models.liftedgan.parameters import ViewRange


def stored_space(space: DepthSpace, views: ViewRange) -> dict[str, Any]:
    """The settings of generator.json, as JSON values."""
    return {
        "space": dataclasses.asdict(space),
        "views": {**dataclasses.asdict(views), "translation": list(views.translation)},
    }
