"""What lies where in each figure, and what a picture of it shows."""

from __future__ import annotations

import pytest
import torch

from faceuv.errors import InputError
from faceuv.export.tables import angle_heading
from faceuv.figures import (
    FigureRenderer,
    FigureStyle,
    edit_strip,
    expression_grid,
    interpolation_strip,
    light_grid,
    mixing_grid,
    sheets,
    turntable,
    yaw_strip,
)

STYLE = FigureStyle(size=32)


@pytest.fixture
def table(monkeypatch):
    """What the last table was made of: ``cells``, ``columns``, ``rows``."""
    seen = {}
    real = sheets.picture_table

    def picture_table(cells, **headings):
        seen.update(cells=[list(row) for row in cells], **headings)
        return real(cells, **headings)

    monkeypatch.setattr(sheets, "picture_table", picture_table)
    return seen


class Counter:
    def __init__(self):
        self.calls = []

    def __call__(self, done, wanted):
        self.calls.append((done, wanted))

    def assert_complete(self):
        done, wanted = self.calls[-1]
        assert done == wanted == len(self.calls)


def test_yaw_strip(faces, table):
    counter = Counter()
    sheet = yaw_strip(faces, [1, 2], yaws=[-30, 0, 60], style=STYLE, progress=counter)
    counter.assert_complete()
    assert sheet.shape[0] == 3
    assert sheet.shape[2] > 4 * 32
    assert table["columns"] == ["teacher", "-30°", "0°", "+60°"]
    assert table["rows"] == ["seed 1", "seed 2"]
    code = faces.codes(2)
    own = torch.nn.functional.interpolate(faces.image(code), (32, 32), mode="bicubic", antialias=True)[0].clamp(0, 1)
    assert torch.equal(table["cells"][1][0], own)
    wanted = faces.generate(code, yaw_deg=60, size=32)[0]
    assert torch.equal(table["cells"][1][3], wanted)
    assert not torch.equal(table["cells"][0][3], wanted)


def test_interpolation_goes_from_one_seed_to_the_other(faces, table):
    counter = Counter()
    interpolation_strip(faces, 3, 4, steps=3, style=STYLE, progress=counter)
    counter.assert_complete()
    assert table["rows"] == ["image", "render", "shape"]
    assert table["columns"] == ["seed 3", "0.5", "seed 4"]
    renderer = FigureRenderer(faces, STYLE)
    for column, seed in ((0, 3), (2, 4)):
        assert torch.equal(table["cells"][0][column], renderer.original(renderer.code(seed)))
        assert torch.allclose(table["cells"][1][column], faces.sample(seed).render(32), atol=1e-5)
    shape, render = table["cells"][2][1], table["cells"][1][1]
    colourful = (render.amax(0) - render.amin(0)).mean()
    assert (shape.amax(0) - shape.amin(0)).mean() < 0.03 < colourful  # but for the tint of wall and light
    assert not torch.equal(table["cells"][1][0], render)


def test_light_grid(faces, table):
    light_grid(faces, [1], lights=["left", "right"], style=STYLE)
    assert table["columns"] == ["teacher", "own light", "left", "right"]
    _, own, left, right = table["cells"][0]
    code = faces.codes(1)
    assert torch.equal(own, faces.generate(code, size=32)[0])
    assert torch.equal(left, faces.generate(code, size=32, light="left")[0])
    assert left[:, 8:24, :16].mean() > right[:, 8:24, :16].mean() + 0.02  # the viewer's left is the brighter one


def test_expressions_go_before_the_look(faces, table):
    style = FigureStyle(size=32, expression={"jaw_open": 0.5, "smile": 0.2}, light="warm")
    expression_grid(faces, [1], expressions=[{"smile": 1.0}, {"jaw_open": 1.0, "blink": 0.5}], style=style)
    assert table["columns"] == [
        "teacher", "own expression\njaw_open 0.5\nsmile 0.2", "smile 1", "jaw_open 1\nblink 0.5",
    ]  # fmt: skip
    wanted = faces.generate(faces.codes(1), size=32, expression={"jaw_open": 0.5, "smile": 1.0}, light="warm")[0]
    assert torch.equal(table["cells"][0][2], wanted)
    assert not torch.equal(table["cells"][0][1], wanted)


def test_mixing_takes_rows_from_both_sides(faces, table):
    mixing_grid(faces, [1, 2], [3, 4], layer=0, style=STYLE)
    renderer = FigureRenderer(faces, STYLE)
    cells = table["cells"]
    assert cells[0][0] is None
    assert torch.equal(cells[0][2], renderer.original(renderer.code(4)))
    assert torch.equal(cells[2][0], renderer.original(renderer.code(2)))
    assert torch.equal(cells[1][2], renderer.render(renderer.code(4)))  # no row is of the left column
    mixing_grid(faces, [1, 2], [3, 4], layer=6, style=STYLE)
    assert torch.equal(table["cells"][1][2], renderer.render(renderer.code(1)))
    assert table["rows"] == ["", "coarse:\nseed 1", "coarse:\nseed 2"]


def test_edits_make_coefficients_and_maps_anew(faces, table):
    along = faces.directions["wide"]
    edit_strip(faces, [1, 2], along, sigmas=[-2, 0, 2], style=STYLE)
    assert table["columns"] == ["wide -2 sd", "unmoved", "wide +2 sd"]
    assert table["rows"] == ["seed 1\nteacher", "seed 1\nours", "seed 2\nteacher", "seed 2\nours"]
    moved = along.move(faces.codes(2), 2 * along.scale)
    assert torch.equal(table["cells"][3][2], faces.generate(moved, size=32)[0])
    assert torch.equal(table["cells"][3][1], faces.generate(faces.codes(2), size=32)[0])


def test_a_turntable_is_a_loop_of_faces_side_by_side(faces):
    counter = Counter()
    frames = list(
        turntable(faces, [1, 2], frames=4, swing_deg=50, style=FigureStyle(size=32, over="studio"), progress=counter)
    )
    counter.assert_complete()
    assert [tuple(frame.shape) for frame in frames] == [(3, 32, 64)] * 4
    assert torch.equal(frames[0], frames[2])  # from the front, on the way to either side
    assert not torch.equal(frames[1], frames[3])


@pytest.mark.parametrize("yaw", [-90.0, -60.0, 0.0, 60.0, 90.0])
def test_heads_in_the_studio_are_in_the_middle_and_whole(faces, yaw):
    face = faces.sample(1).with_pose(yaw_deg=yaw).centred()
    mask = face.render_full(64).mask[0, 0]
    border = torch.cat([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    assert float(border.max()) == 0
    rows, columns = (mask > 0.5).nonzero().unbind(1)
    assert abs(float(rows.min() + rows.max()) / 2 - 31.5) < 5
    assert abs(float(columns.min() + columns.max()) / 2 - 31.5) < 8
    assert int(rows.max() - rows.min()) > 40


def test_the_studio_shows_no_teacher(faces):
    code = faces.codes(1)
    picture = FigureRenderer(faces, FigureStyle(size=32, over="studio")).render(code)
    assert torch.allclose(picture[:, 0, 0], torch.tensor([0.86, 0.87, 0.89]), atol=1e-3)


def test_truncation_reaches_the_codes(faces):
    near = FigureRenderer(faces, FigureStyle(truncation=0.5))
    assert torch.equal(near.code(5), faces.codes(5, truncation=0.5))
    assert near.sample(5).metadata["truncation"] == 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 8}, "at least 16 pixels, got 8"),
        ({"light": "moon"}, "no light is called 'moon'; known: studio"),
        (
            {"seam": "lapacian"},
            "seam must be one of hard, feather, laplacian, got 'lapacian'. Did you mean 'laplacian'",
        ),
        ({"over": "beach"}, "over must be one of teacher, studio, got 'beach'"),
    ],
)
def test_looks_that_nobody_knows(settings, message):
    with pytest.raises(InputError, match=message):
        FigureStyle(**settings)


def test_unknown_names_are_told_before_anything_is_drawn(faces, monkeypatch):
    monkeypatch.setattr(type(faces), "codes", None)
    with pytest.raises(InputError, match="no movement is called 'smirk'. Did you mean 'smile'"):
        yaw_strip(faces, [1], style=FigureStyle(expression={"smirk": 1.0}))
    with pytest.raises(InputError, match="no movement is called 'smirk'"):
        expression_grid(faces, [1], expressions=[{"smile": 1.0}, {"smirk": 1.0}])
    with pytest.raises(InputError, match="no light is called 'moon'"):
        light_grid(faces, [1], lights=["left", "moon"])
    with pytest.raises(InputError, match="at least one of seeds, got none"):
        yaw_strip(faces, [])
    with pytest.raises(InputError, match="at least 2 steps, its ends, got 1"):
        interpolation_strip(faces, 1, 2, steps=1)
    with pytest.raises(InputError, match="at least one frame, got 0"):
        next(turntable(faces, [1], frames=0))


def test_angles_are_written_with_their_sign():
    assert [angle_heading(angle) for angle in (-60.0, 0.0, -0.0, 7.5)] == ["-60°", "0°", "0°", "+7.5°"]
