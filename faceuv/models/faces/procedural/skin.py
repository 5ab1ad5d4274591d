"""The whole skin as one signed distance: the parts in the order in which a sculptor adds them."""

from __future__ import annotations

from faceuv.models.faces.procedural import ear, eye, head, mouth, nose
from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.sdf import Array, Points


def skin(p: Points, q: Anatomy) -> Array:
    """Distance to the skin, negative inside; ``p.x`` is the distance from the midline (the head is symmetric)."""
    d = head.cranium(p, q)
    for part in (
        head.middle_face,
        head.jaw,
        head.muzzle,
        head.cheeks,
        head.temples,
        head.brow_ridge,
        eye.orbit,
        head.nose_flanks,
    ):
        d = part(d, p, q)
    for part in (nose.nose, mouth.furrows, mouth.lips, eye.lids, head.neck, ear.ear):
        d = part(d, p, q)
    return d
