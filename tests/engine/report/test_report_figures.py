"""The report's figures: what is in them, for subjects that can do everything and for those that cannot."""

from __future__ import annotations

import pytest
import torch
from toy_subjects import Maps, Pictures

from faceuv.engine.report.figures import _round_up as round_up
from faceuv.engine.report.figures import curve_chart, enlarged, face_sheet, map_sheet, view_sheet, yaw_strips
from faceuv.errors import InputError
from faceuv.export.surfaces import displacement_colours, grey_surface
from faceuv.models.stylefaceuv.sheets import grey_shape
from faceuv.models.stylefaceuv.subjects import LinearSubject, UVSubject

SIDE = 128  # of a picture in a figure


def dark(sheet):
    """How much of a sheet is black: pictures over black are, paper is not."""
    return float((sheet.amax(0) < 0.02).float().mean())


def test_a_strip_has_a_row_for_every_subject_and_a_column_for_every_yaw(small, protocol):
    subjects = [LinearSubject(small.setting, "linear"), Pictures(small.setting, "half")]
    two = yaw_strips(subjects, protocol, 2)
    one = yaw_strips(subjects[:1], protocol, 1)
    assert list(two) == ["yaw_0", "yaw_1"] and list(one) == ["yaw_0"]
    assert two["yaw_0"].shape[1] - one["yaw_0"].shape[1] >= SIDE
    assert two["yaw_0"].shape[2] >= 8 * SIDE
    # the row of a subject at half the brightness is darker than the teacher's own picture beside it
    row = two["yaw_0"][:, -SIDE - 4 : -4]
    first = row.shape[2] - 8 * (SIDE + 4)
    teacher, turned = row[:, :, first : first + SIDE], row[:, :, first + SIDE + 4 :]
    assert float(turned.mean()) < float(teacher.mean())


def test_the_sheet_of_views_shows_a_shape_only_where_there_is_a_surface(small, instruments, protocol):
    with_shape = view_sheet(LinearSubject(small.setting, "linear"), instruments, protocol, 2)
    without = view_sheet(Pictures(small.setting, "half"), instruments, protocol, 2)
    assert with_shape.shape[2] - without.shape[2] >= SIDE and with_shape.shape[1] == without.shape[1]
    assert dark(with_shape) > dark(without) + 0.02  # the shape stands over black


def test_the_sheet_of_maps_shows_what_maps_there_are(small, instruments, protocol):
    both = map_sheet(UVSubject(small.setting, "ours", generator=small.uv), instruments, protocol, 2)
    colours = map_sheet(Maps(small.setting, "painted"), instruments, protocol, 2)
    assert both.shape[2] - colours.shape[2] >= SIDE
    with pytest.raises(InputError, match="'half' has no maps to show"):
        map_sheet(Pictures(small.setting, "half"), instruments, protocol, 2)


def test_faces_stand_side_by_side(small, protocol):
    sheet = face_sheet(Pictures(small.setting, "half"), protocol, 3)
    assert sheet.shape[2] >= 6 * SIDE and sheet.shape[1] >= 2 * SIDE


def test_the_chart_draws_the_curves_that_there_are():
    point = {"value": 0.5, "error": 0.1, "samples": 3}
    none = {"value": None, "error": None, "samples": 0}
    entries = {
        "a": {"curves": {"identity": [point, point, point], "texels": [point, none, point]}},
        "b": {"curves": {"identity": [point, point, point]}},
        "c": {"curves": {"texels_unlit": [none, none, none]}},
    }
    chart = curve_chart({"subjects": entries, "yaw_deg": [-40.0, 0.0, 40.0]})
    alone = curve_chart({"subjects": {"b": entries["b"]}, "yaw_deg": [-40.0, 0.0, 40.0]})
    assert chart.shape[2] > 1.8 * alone.shape[2]  # two panels, identity and texels, beside one


def test_small_pictures_grow_by_a_whole_factor():
    assert enlarged(torch.rand(3, 48, 48)).shape == (3, 144, 144)
    large = torch.rand(3, 200, 200)
    assert torch.equal(enlarged(large), large)


@pytest.mark.parametrize(
    ("value", "wanted"), [(0.0, 0.01), (0.0121, 0.015), (0.03, 0.03), (0.031, 0.05), (0.8, 1.0), (4.0, 5.0), (1.0, 1.0)]
)
def test_scales_end_at_round_numbers(value, wanted):
    assert round_up(value) == pytest.approx(wanted)


def test_the_grey_surface_is_the_grey_shape_of_the_training_sheets(small):
    codes = small.teacher.sample_codes(2, generator=torch.Generator().manual_seed(2))
    own = small.setting.mapper(codes)
    maps = small.uv(codes)
    drawn = small.setting.renderer(own, maps, size=64)
    difference = (grey_surface(drawn) - grey_shape(small.setting.renderer, own, maps, 64)).abs()
    assert float(difference.mean()) < 0.01 and float(grey_surface(drawn).mean()) > 0.1


def test_no_displacement_is_grey_and_the_ends_of_the_scale_are_full():
    values = torch.tensor([-0.02, 0.0, 0.02, 0.05]).reshape(1, 1, 1, 4).expand(1, 3, 1, 4)
    assert displacement_colours(values, 0.02)[0, 0, 0].tolist() == [0.0, 0.5, 1.0, 1.0]
