"""Codes to faces: what belongs to whom, what is recomputed, and what is refused."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from faceuv.errors import InputError, UnknownName
from faceuv.geometry import named_light
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.models.stylefaceuv.behind import without_face
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
from faceuv.renderers.pasting import paste


def same(a, b):
    return torch.equal(a.coefficients.data, b.coefficients.data) and torch.equal(a.maps.diffuse, b.maps.diffuse)


class TestCodes:
    def test_a_seed_is_a_code_in_any_company(self, generator):
        assert torch.equal(generator.codes(7), generator.codes([3, 7, 9])[1:2])
        assert not torch.equal(generator.codes(7), generator.codes(8))
        assert generator.codes(range(3)).shape == (3, generator.num_layers, generator.code_dim)

    def test_the_global_generator_is_left_alone(self, generator):
        before = torch.get_rng_state()
        generator.sample(3)
        assert torch.equal(torch.get_rng_state(), before)

    def test_truncation_draws_nearer_to_the_mean(self, generator):
        mean = generator.teacher.mean_code
        near, far = generator.codes(5, truncation=0.25), generator.codes(5)
        assert torch.allclose(near - mean, 0.25 * (far - mean), atol=1e-6)

    def test_interpolation_is_a_straight_line(self, generator):
        a, b = generator.codes([1, 2]).split(1)
        strip = generator.interpolate(a, b, [0.0, 0.25, 1.0])
        assert torch.equal(strip[0], a[0]) and torch.allclose(strip[2], b[0])
        assert torch.allclose(strip[1], 0.75 * a[0] + 0.25 * b[0], atol=1e-6)
        pair = generator.codes([1, 2])
        assert torch.allclose(generator.interpolate(pair, pair.flip(0), 0.5)[0], pair.mean(0), atol=1e-6)
        with pytest.raises(InputError, match=r"one each or as many as each other, got \(2, 1, 3\)"):
            generator.interpolate(pair, a, [0.0, 0.5, 1.0])

    def test_mixing_takes_rows(self, generator):
        a, b = generator.codes([1, 2]).split(1)
        mixed = generator.mix(a, b, 2)
        assert torch.equal(mixed[:, :2], a[:, :2]) and torch.equal(mixed[:, 2:], b[:, 2:])

    def test_an_edit_is_in_standard_deviations_and_recomputes_the_maps(self, generator):
        code, yaw = generator.codes(1), generator.directions["yaw"]
        moved = generator.edit(code, "yaw", 2.0)
        assert torch.allclose(moved, code + 2 * yaw.scale * yaw.vector, atol=1e-6)
        assert torch.equal(moved, generator.edit(code, yaw, 2.0))
        assert generator.edit(code, yaw, torch.tensor([-1.0, 0.0, 1.0])).shape[0] == 3
        assert not torch.equal(generator.face(moved).maps.diffuse, generator.face(code).maps.diffuse)

    def test_turning_is_the_steppers(self, generator):
        code = generator.codes([1, 2])
        assert torch.equal(generator.turn(code, 20), generator.stepper.move(code, math.radians(20)))
        each = generator.turn(code, [10.0, -10.0])
        assert torch.allclose(each[1:], generator.turn(code[1:], -10.0), atol=1e-6)

    def test_the_symmetric_view_looks_the_other_way(self, generator):
        code = generator.codes(4)
        yaw = generator.mapper.yaw(code)
        assert torch.allclose(generator.symmetric(code), generator.stepper.move(code, -yaw), atol=1e-6)


class TestFaces:
    def test_sampling_is_deterministic(self, generator, make):
        assert same(generator.sample(7), generator.sample(7))
        assert same(generator.sample(7), make().sample(7))
        assert not same(generator.sample(7), generator.sample(8))

    def test_a_face_has_what_the_networks_say(self, generator):
        code = generator.codes(7)
        face = generator.sample(7)
        assert torch.equal(face.coefficients.data, generator.mapper(code).data)
        assert torch.equal(face.maps.displacement, generator.uv_generator(code).displacement)
        assert face.metadata == {"generator": "small", "seed": 7, "truncation": 1.0}

    def test_many_faces_are_each_alone(self, generator):
        faces = generator.faces(generator.codes([7, 8]))
        assert same(faces[0], generator.sample(7)) and same(faces[1], generator.sample(8))

    def test_a_face_can_be_changed_and_saved(self, generator, tmp_path):
        face = generator.sample(1).with_expression(smile=0.5).with_pose(yaw_deg=20).with_lighting("left")
        assert face.render(24).shape == (3, 24, 24)
        assert face.save(tmp_path / "face.glb").stat().st_size > 1000
        again = type(face).load(face.save(tmp_path / "face.safetensors"), renderer="torch")
        assert again.face_model.config() == {"type": "OvalFace", "side": 15}
        assert torch.equal(again.render(16), face.render(16))

    def test_displacements_show_in_the_normals_of_pixels(self, generator):
        face = generator.sample(1).with_lighting("left")
        smooth = face.with_maps(type(face.maps)(diffuse=face.maps.diffuse))
        assert not torch.allclose(face.render_full(48).normal, smooth.render_full(48).normal, atol=1e-2)

    def test_faces_between_two(self, generator):
        a, b = generator.sample(1), generator.sample(2)
        half = a.interpolate(b, 0.5)
        assert torch.allclose(half.coefficients.data, (a.coefficients.data + b.coefficients.data) / 2, atol=1e-6)
        assert torch.allclose(half.maps.diffuse, (a.maps.diffuse + b.maps.diffuse) / 2, atol=1e-6)
        assert same(a.interpolate(b, 0.0), a)
        assert a.with_maps(None).interpolate(b.with_maps(None), 0.5).maps is None
        with pytest.raises(InputError, match="diffuse maps of one size in both"):
            a.interpolate(b.with_maps(None), 0.5)


class TestPictures:
    def test_the_original_pose_lies_over_the_teachers_picture(self, generator):
        code = generator.codes([1, 2])
        picture = generator.generate(code, seam="hard")
        drawn = FaceRenderer(generator.face_model, "torch", normals="map")(
            generator.mapper(code), generator.uv_generator(code), size=16
        )
        expected = paste(drawn.image, drawn.mask, generator.image(code), seam="hard").clamp(0, 1)
        assert torch.allclose(picture, expected, atol=1e-6)

    def test_another_yaw_lies_over_the_moved_codes_picture_with_the_codes_own_maps(self, generator):
        code = generator.codes([1, 2])
        moved = generator.turn(code, 25.0)
        there = generator.mapper(moved)
        rotation = there.rotation.clone()
        rotation[:, 1] = math.radians(25)
        coefficients = generator.mapper(code).replace(rotation=rotation, translation=there.translation)
        drawn = FaceRenderer(generator.face_model, "torch", normals="map")(
            coefficients, generator.uv_generator(code), size=16
        )
        picture = generator.image(moved)
        expected = paste(drawn.image, drawn.mask, picture, seam="hard").clamp(0, 1)
        found = generator.generate(code, yaw_deg=25.0, seam="hard", behind="picture")
        assert torch.allclose(found, expected, atol=1e-5)

    @pytest.mark.parametrize("yaw", [60.0, -60.0])
    def test_what_looks_out_of_the_picture_s_head_is_filled(self, make, yaw):
        """A camera that sees the head small, with a wall around it; this teacher turns by 8° at most."""
        generator = make(renderer=dict(type="torch", camera=dict(focal=2.0)))
        code = generator.codes([1, 2])
        moved = generator.turn(code, yaw)
        there = generator.mapper(moved)
        rotation = there.rotation.clone()
        rotation[:, 1] = math.radians(yaw)
        renderer = FaceRenderer(generator.face_model, generator.renderer, normals="map")
        coefficients = generator.mapper(code).replace(rotation=rotation, translation=there.translation)
        drawn, head = renderer(coefficients, generator.uv_generator(code), size=16), renderer(there, size=16).mask
        lag = abs(yaw) - there.rotation[:, 1].rad2deg() * math.copysign(1, yaw)
        behind = without_face(generator.image(moved), head, drawn.mask, torch.tensor([yaw, yaw]), lag)
        expected = paste(drawn.image, drawn.mask, behind, seam="hard").clamp(0, 1)
        filled = generator.generate(code, yaw_deg=yaw, seam="hard")
        assert torch.allclose(filled, expected, atol=1e-5)
        picture = generator.generate(code, yaw_deg=yaw, seam="hard", behind="picture")
        assert float((filled - picture).abs().max()) > 0.05

    def test_without_a_yaw_nothing_is_filled(self, make):
        generator = make(renderer=dict(type="torch", camera=dict(focal=2.0)))
        code = generator.codes([1, 2])
        for pose in ({}, {"pitch_deg": 30.0}, {"roll_deg": -30.0}):
            assert torch.equal(generator.generate(code, **pose), generator.generate(code, behind="picture", **pose))
        with pytest.raises(InputError, match="^behind must be 'filled' or 'picture', got 'nothing'$"):
            generator.generate(code, behind="nothing")

    def test_a_light_changes_the_face_and_not_the_background(self, generator):
        code = generator.codes(1)
        plain, lit = generator.generate(code, seam="hard"), generator.generate(code, light="right", seam="hard")
        mask = generator.face(code).render_full(16).mask
        outside = (mask == 0).expand_as(plain)
        assert torch.equal(plain[outside], lit[outside])
        assert float((plain - lit).abs().max()) > 0.02

    def test_one_yaw_per_code_and_another_size(self, generator):
        code = generator.codes(1).expand(3, -1, -1)
        strip = generator.generate(code, yaw_deg=[-30.0, 0.0, 30.0], size=24, expression={"jaw_open": 1.0})
        assert strip.shape == (3, 3, 24, 24)
        assert float(strip.min()) >= 0 and float(strip.max()) <= 1
        assert torch.allclose(strip[2:], generator.generate(code[:1], yaw_deg=30, size=24,
                                                            expression={"jaw_open": 1.0}), atol=1e-5)  # fmt: skip

    def test_expression_and_light_by_coefficients(self, generator):
        code, model = generator.codes([1, 2]), generator.face_model
        by_name = generator.generate(code, expression={"smile": 1.0}, light="warm")
        values = generator.mapper(code).expression.clone()
        values[:, 1] = 3.0
        assert model.movement("smile") == {1: 3.0}
        assert torch.allclose(generator.generate(code, expression=values, light=named_light("warm")), by_name)


class TestBadInput:
    @pytest.mark.parametrize("yaw", [91, -120.5, [0.0, 100.0]])
    def test_yaw_out_of_range(self, generator, yaw):
        with pytest.raises(InputError, match=r"yaw_deg must lie in −90 … 90 \(degrees\), got"):
            generator.generate(generator.codes([1, 2]), yaw_deg=yaw)

    def test_nan_and_infinity(self, generator):
        code = generator.codes(1)
        with pytest.raises(InputError, match="yaw_deg must be a finite number"):
            generator.generate(code, yaw_deg=float("nan"))
        with pytest.raises(InputError, match="yaw_deg holds NaN or infinity"):
            generator.generate(code, yaw_deg=torch.tensor([float("nan")]))
        with pytest.raises(InputError, match="a code holds NaN"):
            generator.face(code * float("nan"))
        with pytest.raises(InputError, match="t holds NaN"):
            generator.interpolate(code, code, float("inf"))
        with pytest.raises(InputError, match="step holds NaN"):
            generator.edit(code, "yaw", float("nan"))

    def test_a_code_of_another_generator(self, generator):
        other = torch.zeros(1, generator.num_layers + 2, generator.code_dim)
        for read in (generator.face, generator.image, generator.generate, generator.symmetric):
            with pytest.raises(InputError, match=r"'small' cannot read this code, perhaps of another generator"):
                read(other)

    def test_several_codes_are_not_one_face(self, generator):
        with pytest.raises(InputError, match=r"face\(\) makes one face, got 2 codes; faces\(\) makes many"):
            generator.face(generator.codes([1, 2]))

    def test_unknown_names_list_the_known(self, generator):
        code = generator.codes(1)
        with pytest.raises(
            UnknownName, match="no direction of 'small' is called 'yau'; known: yaw. Did you mean 'yaw'"
        ):
            generator.edit(code, "yau", 1)
        with pytest.raises(InputError, match="no movement is called 'smiel'. Did you mean 'smile'"):
            generator.generate(code, expression={"smiel": 1.0})
        with pytest.raises(InputError, match="no light is called 'moon'; known: studio"):
            generator.generate(code, light="moon")
        with pytest.raises(InputError, match="seam must be one of"):
            generator.generate(code, seam="soft")

    def test_a_direction_of_another_generator(self, generator, make):
        with pytest.raises(InputError, match="find one for this generator"):
            generator.edit(generator.codes(1), make(size=32).directions["yaw"], 1.0)

    @pytest.mark.parametrize("size", [0, 2.5, True])
    def test_size_is_a_whole_number(self, generator, size):
        with pytest.raises(InputError, match="size must be a whole number of pixels"):
            generator.generate(generator.codes(1), size=size)

    def test_no_seeds(self, generator):
        with pytest.raises(InputError, match="needs at least one seed"):
            generator.codes([])

    def test_without_a_stepper_there_is_no_other_yaw(self, make):
        without = make(stepper=None)
        code = without.codes(1)
        assert without.generate(code).shape == (1, 3, 16, 16)
        for turn in (lambda: without.generate(code, yaw_deg=10), lambda: without.symmetric(code)):
            with pytest.raises(InputError, match=r"'small' has no (stepper|editor that turns codes) \(F_yaw\)"):
                turn()

    @pytest.mark.parametrize("part", ["mapper", "uv_generator", "stepper", "directions"])
    def test_parts_of_another_generator(self, make, part):
        with pytest.raises(InputError, match="L = 8|another|find one|train one"):
            make(**{part: make.parts(size=32)[part]})

    def test_a_face_model_of_another_layout(self, make):
        arrays = make.parts()["face_model"].arrays()
        other = FaceModel({**arrays, "identity_basis": arrays["identity_basis"][..., :1]})
        with pytest.raises(InputError, match="trained for another face model"):
            make(face_model=other)

    def test_two_directions_of_one_name(self, make):
        direction = make.parts()["directions"][0]
        with pytest.raises(InputError, match="two directions are called 'yaw'"):
            make(directions=[direction, direction])


def test_it_moves_as_one(make):
    moved = make().to("cpu")
    assert isinstance(moved, StyleFaceUVGenerator) and moved.device == torch.device("cpu")


def test_importing_faceuv_stays_light():
    """``faceuv.load`` and ``faceuv.FaceGenerator`` are there, and neither torch nor MMEngine is until they are used."""
    code = "import sys, faceuv; assert {'load', 'FaceGenerator'} <= set(dir(faceuv)); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
