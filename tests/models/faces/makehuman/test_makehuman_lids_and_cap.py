"""Lids that end at each other, and the cap that closes the neck from below."""

from __future__ import annotations

import numpy as np
import torch

from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.uv import bake
from faceuv.models.faces import FaceRenderer
from faceuv.models.faces.cap import CAP, _mixtures, neck_border
from faceuv.models.faces.region import face_weight
from faceuv.structures import Coefficients, UVMaps


def lid_edges(makehuman):
    """Side → upper and lower visible edge, as first copies, by x: three edges from the inside of the lids."""
    faces = makehuman.weld[makehuman.faces].numpy()
    skin, socket = (faces[makehuman.faces_of(name).numpy()] for name in ("skin", "eye_blend"))
    at = makehuman.mean.numpy()
    inside = np.intersect1d(skin, socket)
    for side, sign in (("Left", 1), ("Right", -1)):
        near, seen = inside[sign * at[inside, 0] > 0], inside[sign * at[inside, 0] > 0]
        for _ in range(3):
            around = np.unique(skin[np.isin(skin, near).any(1)])
            near, seen = np.setdiff1d(around, seen), np.union1d(around, seen)
        ends = at[near[[at[near, 0].argmin(), at[near, 0].argmax()]]]
        over = at[near, 1] >= np.interp(at[near, 0], ends[:, 0], ends[:, 1])
        yield side, near[over], near[~over]


def test_the_upper_lid_ends_at_the_lower_one_and_does_not_hang_over_it(makehuman):
    """At full blink the height between the lids' edges is −2 … 0.2 mm, whoever blinks: it was −5 mm."""
    people = torch.cat([makehuman.random_coefficients(torch.Generator().manual_seed(k)).identity for k in range(12)])
    shut = makehuman.expression_coefficients(eyeBlinkLeft=1.0, eyeBlinkRight=1.0).expand(12, -1)
    shapes = makehuman.shape(people, shut).numpy()
    rest = makehuman.shape(people, torch.zeros_like(shut)).numpy()
    for _, upper, lower in lid_edges(makehuman):
        for points, low, high in ((shapes, -2.0, 0.2), (rest, 2.0, 15.0)):
            for one in points:
                up, down = (one[rim][one[rim, 0].argsort()] for rim in (upper, lower))
                ends = max(up[0, 0], down[0, 0]), min(up[-1, 0], down[-1, 0])
                places = np.linspace(*ends, 9)[2:-2]
                height = 100 * (np.interp(places, *up[:, :2].T) - np.interp(places, *down[:, :2].T))
                assert low < height.min() and height.max() < high


def test_half_a_blink_is_half_the_way(makehuman):
    half = makehuman.expression_coefficients(eyeBlinkLeft=0.5)
    person = torch.randn(1, makehuman.layout.identity, generator=torch.Generator().manual_seed(2))
    rest, middle, whole = (makehuman.shape(person, k * half) for k in (0, 1, 2))
    torch.testing.assert_close(middle - rest, (whole - rest) / 2, atol=1e-5, rtol=0)


class TestCap:
    def test_skin_and_cap_have_no_border_below(self, makehuman):
        both = makehuman.faces[makehuman.faces_of("skin", "inner_mouth", "eye_blend", CAP)].numpy()
        at = makehuman.mean.double().numpy()
        place = np.unique(np.rint(at * 1e5).astype(int), axis=0, return_inverse=True)[1].reshape(-1)
        skin = makehuman.faces[makehuman.faces_of("skin")].numpy()
        assert neck_border(at, skin, makehuman.weld.numpy()) is not None
        assert neck_border(at, place[both], None) is None

    def test_it_looks_down_and_is_no_plain_skin(self, makehuman):
        chosen = makehuman.vertices_of(CAP)
        faces = makehuman.faces[makehuman.faces_of(CAP)]
        a, b, c = makehuman.mean[faces].unbind(1)
        normal = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=1)
        assert float(normal[:, 1].max()) < -0.3
        assert not bool(makehuman.skin_mask[chosen].any())
        assert bool((makehuman.weld[chosen] == chosen.nonzero()[:, 0]).all())  # its edge is sharp

    def test_its_rim_stays_on_the_skin_of_every_person_and_movement(self, makehuman):
        skin = makehuman.faces[makehuman.faces_of("skin")].numpy()
        loop = neck_border(makehuman.mean.double().numpy(), skin, makehuman.weld.numpy())
        rim = makehuman.vertices_of(CAP).nonzero()[: len(loop), 0]
        generator = torch.Generator().manual_seed(3)
        person = torch.randn(1, makehuman.layout.identity, generator=generator)
        moved = makehuman.shape(person, torch.rand(1, makehuman.layout.expression, generator=generator))[0]
        torch.testing.assert_close(moved[rim], moved[torch.from_numpy(loop)], atol=1e-5, rtol=0)

    def test_it_is_mirrored_and_has_a_place_of_its_own_in_the_chart(self, makehuman):
        chosen = makehuman.vertices_of(CAP)
        assert bool(chosen[makehuman.mirror[chosen]].all())
        flip = makehuman.mean.new_tensor([-1.0, 1.0, 1.0])
        mirrored = makehuman.mean[makehuman.mirror][chosen] * flip
        torch.testing.assert_close(mirrored, makehuman.mean[chosen], atol=1e-4, rtol=0)
        owner = makehuman.chart(256, 256).face_id
        mine = makehuman.faces_of(CAP)[owner.clamp_min(0)] & (owner >= 0)
        rows, columns = mine.nonzero().unbind(1)
        assert len(rows) > 100 and int(rows.min()) > 230 and int(columns.min()) > 220

    def test_a_tilted_border_gives_a_plane(self):
        angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        circle = np.stack([np.cos(angle), 0.3 * np.cos(angle) + 0.1 * np.sin(angle), np.sin(angle)], 1)
        cap = _mixtures(angle) @ circle
        np.testing.assert_allclose(cap[:, 1], 0.3 * cap[:, 0] + 0.1 * cap[:, 2], atol=1e-12)
        np.testing.assert_allclose(_mixtures(angle).sum(1), 1, atol=1e-12)
        np.testing.assert_allclose(cap[:20], circle, atol=1e-12)

    def test_pictures_from_below_show_a_cut(self, makehuman):
        from faceuv.renderers.surface import world_mesh

        below = Coefficients.zeros(1, makehuman.layout)
        below = below.replace(rotation=torch.tensor([[-0.9, 0.0, 0.0]]), translation=torch.tensor([[0.0, 1.0, 0.0]]))
        renderer = FaceRenderer(makehuman)
        face_id = renderer.renderer.look(world_mesh(renderer.surface(below)), height=128, width=128).face_id[0]
        seen = makehuman.faces_of(CAP)[face_id.clamp_min(0)] & (face_id >= 0)
        assert int(seen.sum()) > 500


def test_the_weight_of_the_face_ends_at_hair_ears_and_chin(makehuman):
    """The skin mask of a whole head goes on to crown, nape and shoulders, which had two thirds of the weight."""
    weight = face_weight(makehuman)
    x, y, z = makehuman.mean.unbind(1)
    marks = makehuman.mean[makehuman.landmarks]
    assert abs(float(weight.sum()) - 1) < 1e-4
    assert float(weight[z < marks[:17, 2].min()].sum()) == 0
    assert float(weight[y < marks[8, 1] - 0.05].sum()) == 0
    assert float(weight[y > marks[17:27, 1].max() + 0.55].sum()) == 0
    brows = marks[17:27, 1].mean()
    assert float(weight[(y > brows + 0.1) & (x.abs() < 0.3)].sum()) > 0.05  # the forehead is a part of the face
    assert float(weight[(y < marks[33, 1]) & (z > 0)].sum()) > 0.15  # and so are mouth and chin


def test_pictures_have_the_normals_of_files_at_seams(makehuman):
    """Without relief the normal map is that of the welded vertices, at rims of lids and lips too: it was 38° off. What
    closes the seams of a small map moves texels beyond the chart."""
    flat = UVMaps(displacement=torch.zeros(1, 3, 128, 128))
    one = Coefficients.zeros(1, makehuman.layout)
    found = FaceRenderer(makehuman, normals="map").surface(one, flat).normal_map
    chart = makehuman.chart(128, 128)
    normals = vertex_normals(makehuman.mean[None], makehuman.faces, makehuman.weld)
    expected = torch.nn.functional.normalize(bake(normals, chart), dim=1)
    angle = (found * expected).sum(1).clamp(-1, 1).acos().rad2deg()
    assert float(angle[:, chart.face_id >= 0].max()) < 0.3
