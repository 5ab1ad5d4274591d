"""Skull, flesh, jaw and neck: everything but the features."""

from __future__ import annotations

from faceuv.models.faces.procedural.anatomy import Anatomy
from faceuv.models.faces.procedural.sdf import Array, Points, carve, chain, cone, ellipsoid, union


def cranium(p: Points, q: Anatomy) -> Array:
    """The brain case with its frontal bone."""
    d = ellipsoid(p, (0, 33, -8), (75 + q.cranium_width, 86 + q.cranium_height, 97 + q.cranium_depth))
    return union(d, ellipsoid(p, (0, 40, 26 + q.forehead_depth), (57, 42, 66)), 22)


def middle_face(d: Array, p: Points, q: Anatomy) -> Array:
    return union(d, ellipsoid(p, (0, -25, 18), (60.5 + q.face_width, 78, 70)), 22)


def jaw(d: Array, p: Points, q: Anatomy) -> Array:
    """Mandible from the ear over the jaw angle to the chin, floor of the mouth, mental protuberance."""
    wide = q.face_width
    ear = (58 + wide, -8, 12)
    angle = (45.5 + q.jaw_width + 0.6 * wide, -61 + q.jaw_angle_height, 20)
    chin = (10.5 + q.chin_width, -93 + q.chin_height, 80 + q.chin_depth)
    body = (0.5 * (angle[0] + chin[0]) + 4, 0.5 * (angle[1] + chin[1]) - 1, 54)
    ramus = chain(p, [ear, angle, body, chin], [11, 13 + q.jaw_fullness, 14 + q.jaw_fullness, 14.5])
    d = union(d, ramus, 24)
    d = union(d, ellipsoid(p, (0, -84, 55), (34, 24, 30)), 18)
    ball = (16 + q.chin_width, 14 + q.chin_roundness, 17.5 + 0.5 * q.chin_roundness)
    return union(d, ellipsoid(p, (0, -93.5 + q.chin_height, 83.5 + q.chin_depth), ball), 10)


def muzzle(d: Array, p: Points, q: Anatomy) -> Array:
    """The dental arch under the lips."""
    return union(d, ellipsoid(p, (0, -62 + q.mouth_height, 68), (30, 27, 31.5 + q.muzzle_depth)), 16)


def cheeks(d: Array, p: Points, q: Anatomy) -> Array:
    """Cheekbone, then the fat below it."""
    bone = (46.5 + q.cheekbone_width + 0.8 * q.face_width, -20 + q.cheekbone_height, 56 + q.cheekbone_depth)
    d = union(d, ellipsoid(p, bone, (20, 15.5, 25)), 26)
    soft = 0.9 * q.cheek_fullness
    return union(d, ellipsoid(p, (34 + 0.5 * q.face_width, -44, 58), (23 + soft, 26, 26 + soft)), 18)


def nose_flanks(d: Array, p: Points, q: Anatomy) -> Array:
    """Flesh between nose and cheek, so that the nose rises from the face in a slope and not from a trench."""
    return union(d, ellipsoid(p, (16 + 0.4 * q.alar_width, -19 - 0.7 * q.nose_length, 72), (10, 19, 17)), 12)


def temples(d: Array, p: Points, q: Anatomy) -> Array:
    hollow = (100 - q.temple_fullness + 0.5 * q.face_width, 20, 58)
    return carve(d, ellipsoid(p, hollow, (24, 40, 38)), 36)


def brow_ridge(d: Array, p: Points, q: Anatomy) -> Array:
    y, out = 16.5 + q.brow_height, q.brow_depth
    ridge = [
        (0, y - 1, 83.5 + q.glabella_depth),
        (16, y + 1.5, 83.5 + out),
        (34, y + 3.5, 77 + out),
        (49, y - 4, 58 + out),
    ]
    return union(d, chain(p, ridge, [10, 9.5, 9, 7]), 20)


def neck(d: Array, p: Points, q: Anatomy) -> Array:
    wide = q.neck_width
    return union(d, cone(p, (0, -70, -12), (0, -190, -25), 51 + wide, 54 + wide), 16)
