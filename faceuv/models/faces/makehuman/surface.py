"""The mesh: head, neck and shoulders cut from MakeHuman's body, eyeballs, teeth, tongue, lashes, in one atlas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from faceuv.models.faces.makehuman.cage import Cage, cut, joined, subdivided
from faceuv.models.faces.makehuman.chart import evened, placed, upright
from faceuv.models.faces.makehuman.eyeball import affine_weights, ball, fitted_sphere
from faceuv.models.faces.makehuman.lips import closing
from faceuv.models.faces.makehuman.source import Array, BaseMesh, MakeHumanData

SIDES = {"left": "l", "right": "r"}  # the subject's
# Piece of the atlas → part of the contract; eyeballs are divided by polygons.
PIECES = {
    "head": "skin",
    "shoulders": "skin",
    "mouth": "inner_mouth",
    "socket_left": "eye_blend",
    "socket_right": "eye_blend",
    "teeth_upper": "teeth",
    "teeth_lower": "teeth",
    "tongue": "tongue",
    "eye_left": "sclera_left",
    "eye_right": "sclera_right",
    "lashes_upper_left": "lashes",
    "lashes_upper_right": "lashes",
    "lashes_lower_left": "lashes",
    "lashes_lower_right": "lashes",
}
NAMES = list(PIECES)
PARTS = [
    "skin",
    "inner_mouth",
    "tongue",
    "teeth",
    "sclera_left",
    "sclera_right",
    "iris_left",
    "iris_right",
    "eye_blend",
    "lashes",
]
_IRIS_OFFSET = 100  # added to the piece of polygons of iris and pupil
# The bust: where (|x| / width)^p + (depth below the chin / depth)^p < 1, decimetres on the average person.
_WIDTH, _DEPTH, _POWER, _ABOVE = 1.32, 1.5, 2.6, 0.45
_FRONT = 0.05  # dm behind the foremost tooth, up to which teeth are front teeth
_FACE_WORTH = 8.0  # texels of the face against those of the scalp, per area


@dataclass(frozen=True)
class HeadSurface:
    """The mesh and how its vertices follow from MakeHuman's."""

    rest: sparse.csr_matrix  # (V, 19158): people at rest, with lips that meet
    offset: Array  # (V, 3) of everybody at rest
    moving: sparse.csr_matrix  # (V, 19158): movements
    uv: Array  # (V, 2), v down
    weld: Array  # (V,)
    polygons: Array  # (P, 4)
    polygon_part: Array  # (P,) index into PARTS
    faces: Array  # (F, 3)
    part: Array  # (F,)
    layer_faces: Array  # (G, 3)
    layer_part: Array  # (G,)
    piece: Array  # (V,) index into NAMES
    mirror: Array  # (V,)

    def vertices_of(self, *pieces: str) -> Array:
        """The vertices of pieces, as a mask ``(V,)``."""
        return np.isin(self.piece, [NAMES.index(name) for name in pieces])


def build_surface(data: MakeHumanData, mean: Array, levels: int) -> HeadSurface:
    """The surface at ``levels`` of Catmull–Clark subdivision; ``mean (19158, 3)`` is the average person."""
    base = data.base
    body, rim = _body(base, mean)
    cages = [body]
    for name, group in (("teeth_upper", "upper-teeth"), ("teeth_lower", "lower-teeth"), ("tongue", "tongue")):
        cages.append(_group(base, f"helper-{group}", name))
    for side, letter in SIDES.items():
        cages.append(_group(base, f"helper-{letter}-eyelashes-2", f"lashes_upper_{side}"))
        cages.append(_group(base, f"helper-{letter}-eyelashes-1", f"lashes_lower_{side}"))
    for _ in range(levels):
        cages = [subdivided(cage) for cage in cages]
    cages[1] = _meeting(cages[1], cages[2], mean)
    at = cages[0].points @ mean
    cages[0] = cut(cages[0], _bust(at, mean, base))
    cages += [_eye(base, mean, side) for side in SIDES]
    whole = joined(cages)
    whole = Cage(whole.points, whole.polygons, _atlas(whole, mean), whole.uv_polygons, whole.part)
    return _split(whole, mean, closing(base, mean, rim))


def _body(base: BaseMesh, mean: Array) -> tuple[Cage, Array]:
    """Body quads around the head with their pieces; the vertices of the lips' inner edge."""
    sides = np.concatenate([base.uv_quads[:, [k, (k + 1) % 4]] for k in range(4)])
    size = len(base.uv)
    graph = sparse.coo_matrix((np.ones(len(sides)), (sides[:, 0], sides[:, 1])), shape=(size, size))
    island = connected_components(graph, directed=False)[1][base.uv_quads[:, 0]]
    near = (base.groups == "body") & ((mean[base.quads, 1] > 4.6) & (abs(mean[base.quads, 0]) < 2.2)).any(1)
    piece = np.full(len(base.quads), -1)
    for label in np.unique(island[near]):
        quads = base.quads[(island == label) & (base.groups == "body")]
        at = mean[quads].reshape(-1, 3)
        name = "mouth"
        if len(quads) > 1000:
            name = "head" if at[:, 1].max() > mean[base.vertices_of("helper-l-eye"), 1].max() else "shoulders"
        elif abs(at[:, 0].mean()) > 0.05:
            name = "socket_left" if at[:, 0].mean() > 0 else "socket_right"
        piece[island == label] = NAMES.index(name)
    rim = np.intersect1d(base.quads[piece == NAMES.index("head")], base.quads[piece == NAMES.index("mouth")])
    return _cage(base, near, piece[near]), rim


def _cage(base: BaseMesh, keep: Array, piece: Array) -> Cage:
    points = sparse.identity(len(base.vertices), format="csr")
    return Cage(points, base.quads[keep], base.uv, base.uv_quads[keep], piece).compact()


def _group(base: BaseMesh, group: str, name: str) -> Cage:
    keep = base.groups == group
    return _cage(base, keep, np.full(int(keep.sum()), NAMES.index(name)))


def _meeting(upper: Cage, lower: Cage, mean: Array) -> Cage:
    """The upper row of teeth, longer, so that it meets the lower one: subdivision rounds the edges off, and a smile
    would show the tongue in a gap of 4 mm."""
    at, other = upper.points @ mean, lower.points @ mean
    front, behind = (row[:, 2] > row[:, 2].max() - _FRONT for row in (at, other))
    edge, top = at[front, 1].min(), at[front, 1].max()
    # down is the way from the top of the front teeth to their edge, for every person: of teeth on both sides
    low, high = (front & (abs(at[:, 1] - height) < 1e-6) for height in (edge, top))
    down = sparse.csr_matrix(upper.points[low].mean(0) - upper.points[high].mean(0))
    share = (edge - other[behind, 1].max()) / (top - edge) * (top - at[:, 1]) / (top - edge)
    points = upper.points + sparse.csr_matrix(share[:, None]) @ down
    return Cage(points.tocsr(), upper.polygons, upper.uv, upper.uv_polygons, upper.part)


def _bust(at: Array, mean: Array, base: BaseMesh) -> Array:
    """Positive where a point belongs to head, neck and shoulders."""
    below = mean[base.vertices_of("helper-l-eye"), 1].mean() - _ABOVE
    return 1 - (abs(at[:, 0]) / _WIDTH) ** _POWER - (np.maximum(0, below - at[:, 1]) / _DEPTH) ** _POWER


def _eye(base: BaseMesh, mean: Array, side: str) -> Cage:
    """A round eyeball whose points are linear in the vertices of MakeHuman's eye helper."""
    helper = base.vertices_of(f"helper-{SIDES[side]}-eye")
    centre, radius = fitted_sphere(mean[helper])
    made = ball()
    weights = affine_weights(mean[helper], centre + radius * made.points)
    points = sparse.lil_matrix((len(weights), len(mean)))
    points[:, helper] = weights
    piece = np.full(len(made.polygons), NAMES.index(f"eye_{side}"))
    piece[made.iris] += _IRIS_OFFSET
    return Cage(points.tocsr(), made.polygons, made.uv, made.polygons, piece)


def triangulated(polygons: Array, at: Array) -> tuple[Array, Array]:
    """Triangles ``(F, 3)`` of quads (divided along the shorter diagonal) and triangles, and the polygon of each."""
    quads = polygons[:, 3] >= 0
    corner = at[np.where(polygons >= 0, polygons, 0)]
    first = np.linalg.norm(corner[:, 0] - corner[:, 2], axis=1)
    second = np.linalg.norm(corner[:, 1] - corner[:, 3], axis=1)
    turn = quads & (second < first * (1 - 1e-6))
    rolled = np.where(turn[:, None], np.roll(polygons, -1, axis=1), polygons)
    triangles = np.stack([rolled[:, [0, 1, 2]], rolled[:, [0, 2, 3]]], 1)
    keep = np.stack([np.ones(len(polygons), bool), quads], 1)
    owner = np.repeat(np.arange(len(polygons)), 2).reshape(-1, 2)
    return triangles[keep], owner[keep]


def _atlas(cage: Cage, mean: Array) -> Array:
    """Texture coordinates of every piece in the atlas, v down."""
    at = cage.points @ mean
    uv = cage.uv.copy()
    for number, name in enumerate(NAMES):
        chosen = cage.part % _IRIS_OFFSET == number
        corner, texture = cage.polygons[chosen], cage.uv_polygons[chosen]
        present = corner >= 0
        used, first = np.unique(texture[present], return_index=True)
        place = at[corner[present][first]]
        if name.startswith("eye"):
            inside = np.c_[uv[used, 0], 1 - uv[used, 1]]
        elif name in ("head", "shoulders", "mouth", "tongue"):
            inside = upright(uv[used], place[:, 0], place[:, 1] if name != "tongue" else place[:, 2])
            if name == "tongue":
                inside[:, 0] = 1 - inside[:, 0]  # seen from above, tip down
        else:
            inside = (uv[used] - uv[used].min(0)) / (uv[used].max(0) - uv[used].min(0))
            inside[:, 1] = 1 - inside[:, 1]
        if name == "head":
            lookup = np.zeros(len(uv), np.int64)
            lookup[used] = np.arange(len(used))
            position, owner = triangulated(corner, at)
            flat = _same_corners(position, owner, corner, texture)
            inside = evened(inside, lookup[flat], _worth(at[position]))
        uv[used] = placed(inside, name)
    return uv


def _same_corners(triangles: Array, owner: Array, corner: Array, texture: Array) -> Array:
    """The texture coordinates of the corners of triangles of polygons."""
    match = triangles[:, :, None] == corner[owner][:, None, :]
    return np.take_along_axis(texture[owner], match.argmax(2), axis=1)


def _worth(corners: Array) -> Array:
    """Area of triangles ``(F, 3, 3)`` times how much their texels matter: the face most."""
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    middle = corners.mean(1)
    front = 1 / (1 + np.exp(-(middle[:, 2] - 0.95) / 0.12))  # decimetres: before the ears
    below = 1 / (1 + np.exp((middle[:, 1] - 8.05) / 0.08)) * 1 / (1 + np.exp(-(middle[:, 1] - 6.25) / 0.08))
    return area * (1 + (_FACE_WORTH - 1) * front * below)


def _split(cage: Cage, mean: Array, closed: tuple[sparse.csr_matrix, Array]) -> HeadSurface:
    """Vertices, one for each pair of point and texture coordinate; parts, triangles and layers."""
    piece = cage.part % _IRIS_OFFSET
    present = cage.polygons >= 0
    pairs = np.stack([cage.polygons[present], cage.uv_polygons[present]], 1)
    unique, index = np.unique(pairs, axis=0, return_inverse=True)
    polygons = np.full(cage.polygons.shape, -1)
    polygons[present] = index.ravel()
    weld = np.full(cage.points.shape[0], len(unique))
    np.minimum.at(weld, unique[:, 0], np.arange(len(unique)))
    moving = cage.points[unique[:, 0]].tocsr()
    rest, offset = (moving @ closed[0]).tocsr(), moving @ closed[1]
    at = rest @ mean + offset
    part = np.array([PARTS.index(PIECES[NAMES[number]]) for number in piece])
    for side in SIDES:
        iris = cage.part == NAMES.index(f"eye_{side}") + _IRIS_OFFSET
        part[iris] = PARTS.index(f"iris_{side}")
    layer = part == PARTS.index("lashes")
    faces, owner = triangulated(polygons[~layer], at)
    layer_faces, layer_owner = triangulated(polygons[layer], at)
    of_vertex = np.zeros(len(unique), np.int64)
    of_vertex[index.ravel()] = np.repeat(piece, present.sum(1))
    return HeadSurface(
        rest=rest,
        offset=offset,
        moving=moving,
        uv=cage.uv[unique[:, 1]],
        weld=weld[unique[:, 0]],
        polygons=polygons[~layer],
        polygon_part=part[~layer],
        faces=faces,
        part=part[~layer][owner],
        layer_faces=layer_faces,
        layer_part=part[layer][layer_owner],
        piece=of_vertex,
        mirror=_mirror(at, polygons, of_vertex),
    )


def _mirror(at: Array, polygons: Array, piece: Array) -> Array:
    """The vertex on the other side: the same point reflected; at seams the copy whose polygons lie there."""
    present = polygons >= 0
    middle = (at[np.where(present, polygons, 0)] * present[:, :, None]).sum(1) / present.sum(1)[:, None]
    around = np.zeros_like(at)
    count = np.zeros(len(at))
    np.add.at(around, polygons[present], np.repeat(middle, present.sum(1), axis=0))
    np.add.at(count, polygons[present], 1)
    around /= count[:, None]
    twin = np.array([NAMES.index(_twin(name)) for name in NAMES])
    flip = np.array([-1.0, 1.0, 1.0])
    here = np.c_[at, around, 10.0 * piece]
    there = np.c_[at * flip, around * flip, 10.0 * twin[piece]]
    return cKDTree(here).query(there)[1]


def _twin(name: str) -> str:
    if name.endswith("left"):
        return name.removesuffix("left") + "right"
    return name.removesuffix("right") + "left" if name.endswith("right") else name
