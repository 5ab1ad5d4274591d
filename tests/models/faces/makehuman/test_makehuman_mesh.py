"""The mesh of MakeHuman's heads: border, seams, parts, landmarks, joints."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from faceuv.models.faces import FaceRenderer
from faceuv.models.faces.makehuman.eyeball import IRIS_DEG, ball
from faceuv.renderers.surface import world_mesh
from faceuv.structures import Coefficients


@pytest.fixture(scope="module")
def border(makehuman):
    """The edges of the welded skin that one face has, as a loop of vertices."""
    faces = makehuman.weld[makehuman.faces[makehuman.faces_of("skin", "inner_mouth", "eye_blend")]]
    sides = torch.cat([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    edges, count = sides.sort(1).values.unique(dim=0, return_counts=True)
    return edges[count == 1]


def test_the_surface_has_one_border_below_the_shoulders(makehuman, border):
    at = makehuman.mean[border].mean(1)
    assert float(at[:, 1].max()) < float(makehuman.mean[makehuman.landmarks[8], 1])
    following = {int(a): [] for a in border.flatten()}
    for a, b in border.tolist():
        following[a].append(b)
        following[b].append(a)
    assert all(len(neighbours) == 2 for neighbours in following.values())
    loop = [int(border[0, 0])]
    while True:
        ahead = [v for v in following[loop[-1]] if v not in loop[-2:]]
        if not ahead or (len(loop) > 2 and loop[0] in following[loop[-1]] and len(loop) == len(following)):
            break
        loop.append(ahead[0])
    assert len(loop) == len(following)


def test_the_border_has_no_saw_teeth(makehuman, border):
    following: dict[int, list[int]] = {}
    for a, b in border.tolist():
        following.setdefault(a, []).append(b)
        following.setdefault(b, []).append(a)
    for vertex, (before, after) in following.items():
        one, two = makehuman.mean[vertex] - makehuman.mean[before], makehuman.mean[after] - makehuman.mean[vertex]
        assert float(torch.cosine_similarity(one, two, dim=0)) > math.cos(math.radians(50)), vertex


def test_the_atlas_is_unfolded_and_the_face_has_a_third_of_it(makehuman):
    assert 0 <= float(makehuman.uv.min())
    assert float(makehuman.uv.max()) <= 1
    a, b, c = makehuman.uv[makehuman.faces].double().unbind(1)
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert bool((area < 0).all())  # v runs down: every triangle is seen from outside
    middle = makehuman.mean[makehuman.faces].mean(1)
    chin, crown = makehuman.mean[makehuman.landmarks[8], 1], makehuman.mean[makehuman.landmarks[19], 1] + 0.45
    face = makehuman.faces_of("skin") & (middle[:, 2] > -0.25) & (middle[:, 1] > chin) & (middle[:, 1] < crown)
    assert float(-area[face].sum()) > 0.3


def test_chart_has_no_overlap(makehuman):
    chart = makehuman.chart(512, 512)
    texels = torch.bincount(chart.face_id[chart.face_id >= 0].flatten(), minlength=len(makehuman.faces)).double()
    a, b, c = makehuman.uv[makehuman.faces].double().unbind(1)
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).abs() / 2
    assert float((texels / 512**2 - area).sum().abs()) < 0.01


def test_symmetry(makehuman):
    flip = torch.tensor([-1.0, 1.0, 1.0])
    own = torch.arange(len(makehuman.mean))
    assert torch.equal(makehuman.mirror[makehuman.mirror], own)
    assert torch.allclose(makehuman.mean[makehuman.mirror] * flip, makehuman.mean, atol=2e-5)
    left = makehuman.vertices_of("sclera_left", "iris_left")
    assert torch.equal(left[makehuman.mirror], makehuman.vertices_of("sclera_right", "iris_right"))
    assert float(makehuman.mean[left, 0].min()) > 0  # the subject's left is the viewer's right
    blink = makehuman.expression_basis[..., makehuman.mode_index("expression", "eyeBlinkLeft")]
    other = makehuman.expression_basis[..., makehuman.mode_index("expression", "eyeBlinkRight")]
    assert torch.allclose(blink[makehuman.mirror] * flip, other, atol=1e-3)


def test_landmarks_lie_where_ibug_has_them(makehuman):
    points = makehuman.mean[makehuman.landmarks]
    eyes = points[36:48].mean(0)
    assert torch.allclose(eyes, torch.tensor([0.0, 0.2974, 0.1831]), atol=2e-3)  # as the procedural face
    assert torch.equal(makehuman.mirror[makehuman.landmarks[:17]], makehuman.landmarks[:17].flip(0))
    assert bool((points[:17, 0].diff() > 0).all())
    assert bool((points[27:31, 1].diff() < 0).all())
    assert int(points[:, 2].argmax()) == 30
    assert float((points[37:39, 1] - points[40:42, 1].flip(0)).min()) > 0.05
    assert float(points[51, 1]) > float(points[62, 1]) > float(points[66, 1]) > float(points[57, 1])
    brow = points[17:22, 1].mean() - points[36:42, 1].mean()
    assert 0.1 < float(brow) < 0.25


def test_jaw_landmarks_lie_on_the_silhouette(makehuman):
    """Seen from the front, no skin of face or jaw lies more than 3 mm further out at the height of a landmark."""
    skin = makehuman.mean[makehuman.vertices_of("skin")]
    for number in range(2, 7):
        point = makehuman.mean[makehuman.landmarks[number]]
        beside = skin[(skin[:, 1] - point[1]).abs() < 0.02]
        face = beside[(beside[:, 2] > point[2] - 0.1)]
        assert float(point[0] - face[:, 0].min()) < 0.03, number


def test_contour_lines_start_at_the_landmark_and_stay_on_the_cheek(makehuman):
    assert torch.equal(makehuman.contour[:, 0], makehuman.landmarks[:17])
    assert torch.equal(makehuman.mirror[makehuman.contour[:8]], makehuman.contour[9:].flip(0))
    at = makehuman.mean[makehuman.contour]
    climb = (at[..., 1] - at[:, :1, 1]).abs().amax(1)
    assert float(climb[:4].max()) < 0.2 and float(climb.max()) < 0.4  # lines run towards the nose: low ones climb
    assert float(at[2, :, 2].max() - at[2, 0, 2]) > 0.3


def test_joints_follow_the_identity(makehuman):
    people = torch.randn(6, makehuman.layout.identity, generator=torch.Generator().manual_seed(1))
    vertices = makehuman.shape(people, torch.zeros(6, 52))
    joints = makehuman.joints(vertices)
    for number, side in ((2, "left"), (3, "right")):
        ball = vertices[:, makehuman.vertices_of(f"sclera_{side}", f"iris_{side}")]
        distance = (ball - joints[:, number, None]).norm(dim=2)
        assert float((distance.amax(1) - distance.amin(1)).max()) < 0.02  # round about the joint, to 2 mm
    assert bool((joints[:, 0, 1] < joints[:, 1, 1]).all())
    moved = makehuman.joints(vertices + torch.tensor([0.0, 0.3, -0.2]))
    assert torch.allclose(moved - joints, torch.tensor([0.0, 0.3, -0.2]).expand_as(joints), atol=1e-4)


def test_skin_weights(makehuman):
    weights = makehuman.skin_weights
    assert torch.allclose(weights.sum(1), torch.ones(len(weights)), atol=1e-5)
    assert float(weights[makehuman.landmarks, 1].min()) > 0.95
    assert float(weights[makehuman.vertices_of("iris_left"), 2].min()) == 1
    lowest = makehuman.mean[:, 1].argmin()
    assert float(weights[lowest, 0]) > 0.95


def test_eyes_are_closed_at_full_blink(makehuman):
    """No white and no iris is seen, from the front and from above, on the average head and on random people."""
    renderer = FaceRenderer(makehuman)
    eyeballs = makehuman.faces_of("sclera_left", "sclera_right", "iris_left", "iris_right")
    people = 0.85 * torch.randn(3, makehuman.layout.identity, generator=torch.Generator().manual_seed(4))
    people[0] = 0
    open_eyes = Coefficients.zeros(3, makehuman.layout).replace(identity=people)
    shut = makehuman.expression_coefficients(eyeBlinkLeft=1.0, eyeBlinkRight=1.0).expand(3, -1)

    def seen(coefficients: Coefficients) -> list[int]:
        world = world_mesh(renderer.surface(coefficients))
        face_id = renderer.renderer.look(world, height=256, width=256).face_id
        return [int(eyeballs[ids[ids >= 0]].sum()) for ids in face_id]

    assert min(seen(open_eyes)) > 200
    assert max(seen(open_eyes.replace(expression=shut))) <= 2


def test_the_white_between_the_lids_has_texels_enough():
    """Outside the iris a degree of the eyeball has at least half as many texels as inside: no rays around the iris."""
    made = ball()
    away = np.degrees(np.arccos(np.clip(made.points[:, 2], -1, 1)))
    radius = np.hypot(*(made.uv - 0.5).T)

    def per_degree(low, high):
        inside = (away >= low - 0.1) & (away <= high + 0.1)
        return np.ptp(radius[inside]) / np.ptp(away[inside])

    assert per_degree(IRIS_DEG, 60) > 0.4 * per_degree(0, IRIS_DEG)
    assert radius.max() <= 0.5 + 1e-9


@pytest.mark.parametrize("age", [6, 30, 80])
def test_the_rows_of_teeth_meet_behind_closed_lips(makehuman, age):
    """In a gap between them a smile would show the tongue."""
    still = torch.zeros(1, makehuman.layout.expression)
    at = makehuman.shape(makehuman.identity_coefficients(age=age, gender="female"), still)[0]
    jaw = still.clone()
    jaw[0, makehuman.mode_index("expression", "jawOpen")] = 1.0
    opened = makehuman.shape(torch.zeros(1, makehuman.layout.identity), jaw)[0] - makehuman.mean
    rows = makehuman.vertices_of("teeth").nonzero()[:, 0]
    lower = opened[rows].norm(dim=1) > 0.01
    rows = [rows[~lower], rows[lower]]
    front = [row[at[row, 2] > at[row, 2].max() - 0.05] for row in rows]
    upper_edge, lower_edge = float(at[front[0], 1].min()), float(at[front[1], 1].max())
    assert abs(upper_edge - lower_edge) < 0.01
    assert upper_edge < float(at[makehuman.landmarks[62], 1])
