"""The procedural face model, on a small chart: what it promises about its arrays, its modes and its movements."""

import pytest
import torch

from faceuv.errors import InputError
from faceuv.geometry.uv import bake
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.faces.procedural.build import REFERENCE
from faceuv.models.faces.procedural.grid import CURVES, Grid
from faceuv.models.faces.procedural.landmarks import MIRROR, landmarks
from faceuv.models.faces.procedural.template import Template
from faceuv.models.faces.procedural.twin import Twin
from faceuv.registry import FACE_MODELS

ROWS, COLUMNS = 81, 65


@pytest.fixture(scope="module")
def model():
    return ProceduralFace(ROWS, COLUMNS, cache=False, verbose=False)


@pytest.fixture(scope="module")
def reference():
    """On the chart on which modes are found."""
    return ProceduralFace(REFERENCE.rows, REFERENCE.columns, verbose=False)


@pytest.fixture(scope="module")
def grid():
    return Grid(ROWS, COLUMNS)


def face_weight(grid):
    return torch.from_numpy(Template.build(grid).face_weight())


def posed(model, **amounts):
    """Vertices (V, 3) of the average face with movements."""
    return model.shape(model.mean.new_zeros(1, 80), model.expression_coefficients(**amounts))[0]


class TestArrays:
    def test_interface_of_bfm(self, model):
        assert (model.layout.identity, model.layout.expression, model.layout.albedo) == (80, 64, 80)
        assert model.mean.shape == (ROWS * COLUMNS, 3)
        assert all(torch.isfinite(array).all() for array in model.arrays().values() if array.is_floating_point())

    def test_registered(self):
        assert FACE_MODELS.get("ProceduralFace") is ProceduralFace

    def test_albedo_in_range(self, model):
        assert 0 <= float(model.mean_albedo.min()) and float(model.mean_albedo.max()) <= 1

    def test_uv_fills_the_square_and_runs_right_and_down(self, model, grid):
        uv = model.uv.reshape(ROWS, COLUMNS, 2)
        assert torch.equal(uv[0, 0], torch.zeros(2)) and torch.equal(uv[-1, -1], torch.ones(2))
        assert (uv[:, 1:, 0] > uv[:, :-1, 0]).all() and (uv[1:, :, 1] > uv[:-1, :, 1]).all()
        # u = 0 lies on the viewer's left
        assert model.mean[:, 0].reshape(ROWS, COLUMNS)[grid.row("chin"), 0] < 0

    def test_chart_is_injective(self, model):
        a, b, c = (model.uv[model.faces[:, k]] for k in range(3))
        area = (b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]
        assert (area < 0).all()  # one orientation: counter-clockwise on the face is clockwise with v down
        assert float(area.abs().sum() / 2) == pytest.approx(1.0, abs=1e-4)

    def test_no_degenerate_triangle(self, model):
        a, b, c = (model.mean[model.faces[:, k]] for k in range(3))
        area = torch.linalg.cross(b - a, c - a).norm(dim=1) / 2 * 1e4
        assert float(area.min()) > 1e-4  # mm²

    def test_faces_look_outward(self, model):
        a, b, c = (model.mean[model.faces[:, k]] for k in range(3))
        normal = torch.linalg.cross(b - a, c - a)
        outward = (normal * torch.stack([a[:, 0], torch.zeros_like(a[:, 1]), a[:, 2] + 0.68], 1)).sum(1) > 0
        on_skin = model.skin_mask[model.faces].all(1)
        assert float(outward[on_skin].float().mean()) > 0.98  # below nose and chin the skin may turn back
        front = on_skin & (a[:, 0].abs() < 0.3) & (a[:, 1] > 0.45)
        assert (normal[front, 2] > 0).all()


class TestSymmetry:
    def test_mirror_is_an_involution(self, model):
        index = torch.arange(len(model.mean))
        assert torch.equal(model.mirror[model.mirror], index)
        assert int((model.mirror == index).sum()) == ROWS  # the midline

    def test_mean_is_symmetric(self, model):
        reflected = model.mean[model.mirror] * torch.tensor([-1.0, 1.0, 1.0])
        assert torch.allclose(model.mean, reflected, atol=1e-4)
        assert torch.allclose(model.mean_albedo, model.mean_albedo[model.mirror], atol=1e-4)

    def test_identity_modes_are_symmetric_or_antisymmetric(self, model):
        reflected = model.identity_basis[model.mirror] * torch.tensor([-1.0, 1.0, 1.0])[:, None]
        for k, name in enumerate(model.mode_names["identity"]):
            sign = -1.0 if name.startswith("asymmetry") else 1.0
            assert torch.allclose(model.identity_basis[..., k], sign * reflected[..., k], atol=2e-4), name

    def test_left_and_right_are_the_subjects(self, model):
        left = model.expression_basis[..., model.mode_index("expression", "smile_left")].norm(dim=1)
        assert float((left * model.mean[:, 0]).sum()) > 0  # the subject's left is at +x
        right = model.expression_basis[..., model.mode_index("expression", "smile_right")].norm(dim=1)
        assert torch.allclose(left, right[model.mirror], atol=1e-5)


class TestModes:
    def test_identity_is_orthogonal_over_the_face(self, reference):
        weight = face_weight(REFERENCE)
        basis = (reference.identity_basis.double() * weight.sqrt()[:, None, None]).flatten(0, 1)
        gram = basis.T @ basis
        size = gram.diagonal().sqrt()
        assert float(((gram / size[:, None] / size).abs() - torch.eye(80)).abs().max()) < 2e-3

    def test_no_null_identity_mode(self, reference):
        rms = rms_over_face(reference.identity_basis, REFERENCE)
        assert float(rms.min()) > 0.05 and (rms[:-1] >= rms[1:] - 1e-3).all()  # mm, sorted

    @pytest.mark.parametrize("group", ["identity", "expression", "albedo"])
    def test_a_coefficient_means_the_same_on_every_chart(self, model, reference, group):
        """Modes that were found again on each chart would differ by 0.6 of what people do."""
        assert model.mode_names == reference.mode_names
        maps = [
            bake(getattr(face, f"{group}_basis").flatten(1)[None], face.chart(64, 64)) for face in (model, reference)
        ]
        apart = float((maps[0] - maps[1]).square().mean().sqrt() / maps[1].square().mean().sqrt())
        assert apart < 0.15

    def test_people_differ_by_a_few_millimetres(self, model, grid):
        total = float(rms_over_face(model.identity_basis, grid).square().sum().sqrt())
        assert 2.5 < total < 4.0

    def test_no_null_expression_mode(self, model):
        largest = model.expression_basis.norm(dim=1).amax(0) * 100
        assert float(largest.min()) > 0.3 and float(largest.max()) < 8  # mm

    def test_no_null_albedo_mode_and_a_sane_total(self, model):
        rms = model.albedo_basis.square().mean((0, 1)).sqrt()
        assert float(rms.min()) > 4e-4
        assert 0.03 < float(rms.square().sum().sqrt()) < 0.15

    def test_random_people_stay_near_the_average(self, model):
        generator = torch.Generator().manual_seed(0)
        identity = torch.randn(50, 80, generator=generator)
        offset = (model.shape(identity, torch.zeros(50, 64)) - model.mean).norm(dim=2)
        assert float(offset[:, model.skin_mask].max()) < 0.25  # dm

    def test_names_are_unique(self, model):
        for names in model.mode_names.values():
            assert len(set(names)) == len(names)

    def test_traits_change_what_they_say(self, model):
        wide = model.shape(model.identity_coefficients(jaw_width=2.0), torch.zeros(1, 64))[0]
        jaw = model.landmarks[[4, 12]]
        gain = wide[jaw[1], 0] - wide[jaw[0], 0] - (model.mean[jaw[1], 0] - model.mean[jaw[0], 0])
        assert float(gain) > 0.05  # dm


def rms_over_face(basis, grid):
    """Millimetres, per mode."""
    return (basis.double().square().sum(1) * face_weight(grid)[:, None]).sum(0).sqrt() * 100


class TestFrame:
    def test_scale_and_place_fit_the_papers_camera(self, model, grid):
        points = model.mean[model.landmarks]
        left, right = points[42:48].mean(0), points[36:42].mean(0)
        assert 0.58 < float(left[0] - right[0]) < 0.68
        assert 0.24 < float(left[1]) < 0.34
        assert 0.4 < float(model.mean[:, 2].max()) < 0.6
        assert abs(float(model.mean[:, 0].mean())) < 1e-4
        mouth = points[[48, 54]].mean(0)
        assert -0.42 < float(mouth[1]) < -0.30
        hairline = model.mean.reshape(ROWS, COLUMNS, 3)[grid.row("hairline"), grid.middle]
        assert 1.6 < float(hairline[1] - points[8, 1]) < 2.1  # of 2.5 dm in the picture


class TestLandmarks:
    def test_distinct_and_mirrored(self, model):
        assert len(set(model.landmarks.tolist())) == 68
        assert torch.equal(model.mirror[model.landmarks], model.landmarks[torch.tensor(MIRROR)])

    def test_ibug_order(self, model):
        x, y, z = model.mean[model.landmarks].T
        assert (x[:17].diff() > 0).all()  # the jaw runs from the viewer's left to the right …
        assert (y[:9].diff() < 0).all() and (y[8:17].diff() > 0).all()  # … down to the chin and up again
        assert (x[17:27].diff() > 0).all() and (y[17:27] > y[36:48].max()).all()  # brows above the eyes
        assert (y[27:31].diff() < 0).all() and (z[27:31].diff() > 0).all()  # down the bridge to the tip
        assert (x[31:36].diff() > 0).all() and x[30].abs() < 1e-6 and x[33].abs() < 1e-6
        assert x[36] < x[39] < 0 < x[42] < x[45]  # eye corners
        assert (y[37:39] > y[[41, 40]]).all() and (y[43:45] > y[[47, 46]]).all()
        assert x[48] < x[51] < x[54] and y[51] > y[62] > y[66] > y[57]  # lips from outside in
        assert x[60] < x[62] < x[64] and x[60] > x[48]

    def test_the_same_points_of_the_head_on_a_fine_chart(self, reference):
        coarse, fine = Template.build(REFERENCE), Template.build(Grid(201, 161))
        found = fine.positions[landmarks(Twin(coarse, fine))]
        apart = torch.from_numpy(found - coarse.positions[reference.landmarks.numpy()]).norm(dim=1)
        assert float(apart.mean()) < 0.6 and float(apart.max()) < 2.5  # mm

    def test_jaw_is_on_the_outline_not_behind_the_ears(self, model):
        assert float(model.mean[model.landmarks[:17], 2].min()) > -0.68  # in front of the ears' axis


class TestSkinMask:
    def test_leaves_out_what_is_not_skin(self, model, grid):
        template = Template.build(grid)
        mask = model.skin_mask
        assert not mask[torch.from_numpy(template.in_eye)].any()
        assert not mask[torch.from_numpy(template.in_mouth)].any()
        assert not mask[model.landmarks[[36, 39, 42, 45, 48, 51, 54, 57]]].any()
        assert not mask[model.landmarks[[18, 19, 24, 25]]].any()  # brows
        assert mask[model.landmarks[27:31]].all()  # the bridge of the nose
        assert 0.25 < float(mask.float().mean()) < 0.7
        assert torch.equal(mask, mask[model.mirror])


class TestMovements:
    def test_a_blink_shuts_the_eye(self, model, grid):
        template = Template.build(grid)
        shut = posed(model, blink=1.0).reshape(ROWS, COLUMNS, 3)
        upper, lower = shut[grid.row("upper_lid")], shut[grid.row("lower_lid")]
        along = torch.from_numpy(template.lid_along).reshape(ROWS, COLUMNS)[0].abs() < 0.95
        assert float((upper - lower)[along, 1].max()) <= 0.0
        assert float((upper - lower)[along, 2].min()) >= 0.0  # the upper lid closes in front

    @pytest.mark.parametrize("amount", [0.25, 0.5, 0.75, 1.0])
    def test_lids_stay_outside_the_ball(self, model, grid, amount):
        template = Template.build(grid)
        eye = torch.from_numpy(template.in_eye)
        ball = model.mean[eye & (model.mean[:, 0] > 0)]
        centre = torch.tensor([0.315, 0.29, 0.095])
        moved = posed(model, blink=amount).reshape(ROWS, COLUMNS, 3)[grid.row("crease") : grid.row("upper_lid") + 1]
        lids = moved[:, torch.from_numpy(template.lid_along).reshape(ROWS, COLUMNS)[0].abs() < 0.85].reshape(-1, 3)
        lids = lids[lids[:, 0] > 0]
        assert len(ball) > 20
        assert float((lids - centre).norm(dim=1).min()) > 0.119  # the ball's radius is 0.122, and it yields

    def test_jaw_opens_the_mouth(self, model):
        inner = model.landmarks[[62, 66]]

        def gap(amount):
            upper, lower = posed(model, jaw_open=amount)[inner]
            return float(upper[1] - lower[1]) * 100

        assert gap(0.0) < 1.5
        assert 18 < gap(1.0) < 32  # mm
        assert gap(0.5) == pytest.approx((gap(0.0) + gap(1.0)) / 2, abs=1e-2)

    def test_teeth_stay_with_the_skull(self, model, grid):
        open_mouth = posed(model, jaw_open=1.0).reshape(ROWS, COLUMNS, 3)
        row = grid.row("upper_lip_edge") + 1
        rest = model.mean.reshape(ROWS, COLUMNS, 3)
        assert float((open_mouth - rest)[row, grid.middle].norm()) < 0.02

    def test_a_smile_widens_and_lifts_the_mouth(self, model):
        corners = model.landmarks[[48, 54]]
        move = posed(model, smile=1.0)[corners] - model.mean[corners]
        assert float(move[1, 0]) > 0.03 and float(move[0, 0]) < -0.03 and float(move[:, 1].min()) > 0.03

    def test_unit_coefficient_is_a_fraction_of_the_full_movement(self, model):
        full = model.full_expression
        assert set(full) == {name for name in model.mode_names["expression"] if not name.startswith("detail")}
        assert all(value >= 2 for value in full.values())

    def test_combined_names_drive_both_sides(self, model):
        both = model.expression_coefficients(blink=0.5)
        each = model.expression_coefficients(blink_left=0.5, blink_right=0.5)
        assert torch.equal(both, each) and int((both != 0).sum()) == 2
        assert int((model.expression_coefficients(brow_up=1.0) != 0).sum()) == 6

    def test_unknown_names_list_the_known_ones(self, model):
        with pytest.raises(InputError, match=r"no movement is called 'grin'; known: .*smile"):
            model.expression_coefficients(grin=1.0)
        with pytest.raises(InputError, match=r"no measure is called 'beauty'; known: .*jaw_width"):
            model.identity_coefficients(beauty=1.0)


class TestResolution:
    @pytest.mark.parametrize(
        ("rows", "columns", "message"),
        [
            (20, 65, "rows must be a whole number of at least 49, got 20"),
            (81, 11, "columns must be a whole number of at least 33, got 11"),
            (81, 64, "columns must be odd, so that the face has a midline, got 64; try 65"),
            (81.5, 65, "rows must be a whole number"),
            (True, 65, "rows must be a whole number"),
        ],
    )
    def test_bad_resolutions(self, rows, columns, message):
        with pytest.raises(InputError, match=message):
            ProceduralFace(rows, columns)

    @pytest.mark.parametrize("rows", [49, 60, 81, 137, 201, 260])
    def test_every_curve_has_a_row_of_its_own(self, rows):
        grid = Grid(rows, 33)
        found = [grid.row(name) for name in CURVES]
        assert len(set(found)) == len(CURVES)
        assert [float(grid.v[row]) for row in found] == pytest.approx(list(CURVES.values()))
        assert (grid.v[1:] > grid.v[:-1]).all()
