"""Fine detail: sizes in millimetres, seams, seeds, regions, eyes."""

import pytest
import torch

from faceuv import Face
from faceuv.errors import InputError
from faceuv.models.faces.appearance import EYE_COLOURS, NAMES, diffuse_map, has_appearance, look, maps, skin_detail
from faceuv.models.faces.appearance.eyes import drawn_once, eye_texture, named_eye_colour
from faceuv.models.faces.appearance.modes import Person
from faceuv.models.faces.appearance.splat import Marks, Triangles, draw, scatter
from faceuv.models.faces.appearance.strands import BARE_BROWS, brow_strands
from faceuv.models.faces.appearance.texels import Texels

SIZE = 512


def disc(texels, face, radius):
    """A disc of ``radius`` mm around the middle of a face, as drawn: its area in mm² on the surface."""
    triangles = Triangles.of(texels)
    marks = Marks(
        torch.tensor([face]), triangles.texels[[face]].mean(1), triangles.corners[[face]].mean(1), {}
    )  # fmt: skip
    canvas = torch.zeros(texels.size**2)
    draw(texels, marks, torch.tensor([radius]), lambda distance, marks: torch.ones_like(distance), canvas, how="max")
    owner = texels.face_id.view(-1)[canvas > 0]
    return float(triangles.to_mm[owner].mT.matmul(triangles.to_mm[owner]).det().sqrt().sum()), canvas


def test_marks_have_their_size_in_mm_whatever_the_chart(head, stretched):
    cheek = int((head.mean[head.faces].mean(1) - head.mean[head.landmarks[[41, 48]]].mean(0)).norm(dim=1).argmin())
    for model, size in ((head, SIZE), (head, 1024), (stretched, 1024)):
        area, _ = disc(Texels.of(model, size), cheek, 3.0)
        assert area == pytest.approx(9 * torch.pi, rel=0.1)


def test_as_many_pores_whatever_the_chart(head, stretched):
    counts = [
        len(scatter(Texels.of(m, SIZE), torch.ones(len(m.faces)), torch.Generator().manual_seed(0), 1.2))
        for m in (head, stretched)
    ]
    area = float(Triangles.of(Texels.of(head, SIZE)).area.sum())
    assert counts[0] == counts[1]
    assert 0.3 * area < counts[0] < area


def test_spacing_keeps_marks_apart(head):
    marks = scatter(Texels.of(head, SIZE), torch.full((len(head.faces),), 3.0), torch.Generator().manual_seed(0), 1.5)
    loose = scatter(Texels.of(head, SIZE), torch.full((len(head.faces),), 0.45), torch.Generator().manual_seed(0))

    def crowded(marks):
        at = marks.position[(marks.position - 100 * head.mean[head.landmarks[30]]).norm(dim=1) < 60]
        return float((torch.cdist(at, at).fill_diagonal_(9).amin(1) < 0.5).float().mean())

    assert crowded(marks) < 0.6 * crowded(loose)


def test_a_mark_on_a_seam_is_drawn_on_both_sides(split):
    texels = Texels.of(split, SIZE)
    triangles = Triangles.of(texels)
    assert len(triangles.seams) > 100
    nose = split.mean[split.landmarks[29]]
    seam = triangles.seams[:, 0]
    face = int(seam[(split.mean[split.faces[seam]].mean(1) - nose).norm(dim=1).argmin()])
    area, canvas = disc(texels, face, 4.0)
    islands = texels.island[texels.face_id.view(-1)[canvas > 0]].unique()
    assert len(islands) == 2
    assert area == pytest.approx(16 * torch.pi, rel=0.2)


def test_noise_does_not_see_the_seam(split):
    maps = look(split, torch.zeros(len(NAMES)), 3, SIZE)
    both = split.uv[[int(split.weld[-40]), len(split.weld) - 40]]
    at = (both * SIZE).long().clamp(0, SIZE - 1)
    near = maps.diffuse[:, at[:, 1], at[:, 0]]
    assert (split.uv[int(split.weld[-40])] - split.uv[-40]).abs().max() > 0.05
    assert (near[:, 0] - near[:, 1]).abs().max() < 0.06


def test_the_seed_decides(head):
    values = torch.randn(len(NAMES), generator=torch.Generator().manual_seed(1))
    first, again, other = (diffuse_map(head, values, seed, SIZE) for seed in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first - other).abs().mean() < 0.05  # the same person
    assert 0 <= float(first.min())
    assert float(first.max()) <= 1


def test_detail_adds_no_tone(head):
    """Averaged over millimetres the detailed map is the linear albedo, near the mean person."""
    values = torch.zeros(len(NAMES))
    drawn = diffuse_map(head, values, 4, SIZE)
    plain = head.albedo_map(values[None], SIZE, SIZE)[0]
    pool = torch.nn.functional.avg_pool2d
    chart = head.uv_mask(SIZE, SIZE)[0]
    apart = (pool((drawn - plain) * chart, 16).abs().amax(0)).flatten()
    assert apart.quantile(0.9) < 0.04


def test_pores_where_they_belong(head):
    texels = Texels.of(head, 1024)
    height = skin_detail(head, 2, 1024, age=20).height.view(-1)[texels.rows]

    def pits(zone):
        return float((height[texels.points.regions[zone] > 0.6] < -0.06).float().mean())

    assert pits("nose") > 0.01
    assert pits("nose") > 3 * pits("temples")
    assert pits("nose") > 3 * pits("neck")


def test_children_have_calm_skin(head):
    """Neither age is lined yet: what differs is how far the skin has grown up."""
    child, grown = (skin_detail(head, 2, SIZE, age=age) for age in (4, 18))
    assert float(child.height.std()) < 0.98 * float(grown.height.std())
    moles = [
        sum(float((skin_detail(head, seed, SIZE, age=age).pigment > 0.6).sum()) for seed in range(4)) for age in (4, 18)
    ]
    assert moles[0] == 0 < moles[1]


def test_age_digs_lines(head):
    young, old = (skin_detail(head, 2, SIZE, age=age).height for age in (20, 75))
    assert old.min() < 2 * young.min() < 0


def test_freckles_are_brown_spots_on_the_cheeks(head):
    texels = Texels.of(head, SIZE)
    none, many = (skin_detail(head, 2, SIZE, freckles=f, moles=0).pigment.view(-1)[texels.rows] for f in (0.0, 1.0))
    added = many - none
    zones = texels.points.regions
    assert added[zones["sunny"] > 0.7].mean() > 0.02
    assert added[zones["lips"] > 0.9].abs().max() < 0.3
    assert added[zones["sunny"] > 0.7].mean() > 5 * added[zones["neck"] > 0.7].mean()


def test_a_look_with_the_detail_of_another_is_the_same_look(head, monkeypatch):
    albedo = torch.randn(len(NAMES), generator=torch.Generator().manual_seed(0))
    first = look(head, albedo, 3, 128, age=35.0, freckles=0.0)
    other = look(head, -albedo, 3, 128, age=35.0, freckles=0.0)
    monkeypatch.setattr(maps, "skin_detail", None)  # it is not drawn again
    again = look(head, albedo, 3, 128, age=35.0, freckles=0.0, detail=other.detail)
    assert torch.equal(again.diffuse, first.diffuse) and again.detail is other.detail


def test_what_is_drawn_once_goes_on_as_if_it_were_drawn_again():
    drawn = []

    @drawn_once
    def draw(generator):
        drawn.append(1)
        return torch.rand(3, generator=generator)

    generators = [torch.Generator().manual_seed(seed) for seed in (0, 0, 1)]
    first, same, other = (draw(generator) for generator in generators)
    assert torch.equal(first, same) and not torch.equal(first, other) and len(drawn) == 2
    following = [torch.rand(2, generator=generator) for generator in generators[:2]]
    assert torch.equal(*following)
    for seed in range(9):
        draw(torch.Generator().manual_seed(seed))
    draw(torch.Generator().manual_seed(0))
    assert len(drawn) == 2 + 7 + 1  # the first one is no longer kept


def test_bare_brows_have_no_hairs(head):
    canonical = Texels.of(head, 256).canonical
    albedo = torch.zeros(len(NAMES))
    cover, _ = brow_strands(canonical, Person(albedo), torch.Generator().manual_seed(0))
    albedo[NAMES.index("brow_density")] = BARE_BROWS
    bare, _ = brow_strands(canonical, Person(albedo), torch.Generator().manual_seed(0))
    assert cover.max() > 0.5 and bare.max() == 0


@pytest.mark.parametrize("name", EYE_COLOURS)
def test_eyes_are_round_and_have_their_colour(name):
    span = torch.linspace(-1.8, 1.8, 181)
    y, x = torch.meshgrid(span, span, indexing="ij")
    distance, angle = torch.hypot(x, y).flatten(), torch.atan2(y, x).flatten()
    person = Person(torch.zeros(len(NAMES)))
    drawn = eye_texture(distance, angle, named_eye_colour(name), person, torch.Generator().manual_seed(0))
    assert drawn[distance < 0.3].max() < 0.1  # pupil
    assert drawn[(distance > 1.15) & (distance < 1.3)].mean() > 0.6  # white
    outer = drawn[(distance > 0.62) & (distance < 0.8)].mean(0)
    assert (outer - torch.tensor(EYE_COLOURS[name].outer)).abs().max() < 0.12
    edge = drawn.mean(1).view(181, 181)
    pupil = (edge < 0.055) & (torch.hypot(x, y) < 0.7)
    wide, high = (pupil.any(k).sum() * 0.02 / 2 for k in (0, 1))
    assert 0.28 < wide < 0.45
    assert wide == pytest.approx(float(high), abs=0.03)


def test_at_least_twelve_eye_colours_and_a_wrong_name(head):
    assert len(EYE_COLOURS) >= 12
    with pytest.raises(InputError, match="hazel"):
        diffuse_map(head, torch.zeros(len(NAMES)), 0, 64, eye_colour="hazl")


def test_random_faces_have_detail_by_default(head):
    face = Face.random(3, face_model=head, texture_size=256)
    assert face.maps.diffuse.shape == (1, 3, 256, 256)
    assert face.maps.displacement.abs().max() * 100 < 2.0  # mm
    assert torch.equal(face.maps.diffuse, Face.random(3, face_model=head, texture_size=256).maps.diffuse)
    assert Face.random(3, face_model=head, texture_size=None).maps is None


def test_heads_with_an_albedo_of_their_own_keep_it():
    face = Face.random(3, face_model={"type": "ProceduralFace", "rows": 97, "columns": 81})
    assert face.maps is None
    assert not has_appearance(face.face_model)
    with pytest.raises(InputError, match="brings its own"):
        face.with_detail(1)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"age": -1}, "age"), ({"freckles": 2.0}, "freckles"), ({"size": 0}, "size"), ({"size": 20_000}, "size")],
)
def test_bad_wishes_are_refused(head, options, message):
    with pytest.raises(InputError, match=message):
        look(head, torch.zeros(len(NAMES)), 0, **{"size": 64, **options})
