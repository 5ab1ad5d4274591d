"""A head and its re-ordered, re-framed, re-charted copy: everything moves between them exactly."""

from __future__ import annotations

import math

import pytest
import torch
from damage import damaged

from faceuv.errors import InputError
from faceuv.geometry import pose
from faceuv.geometry.uv import bake, sample_map
from faceuv.models.faces import FaceModel
from faceuv.models.faces.transfer import Transfer, between, borrowed
from faceuv.models.faces.transfer.coefficients import bounded_least_squares
from faceuv.models.faces.transfer.skin import Skin
from faceuv.models.faces.transfer.store import fingerprint, path_of
from faceuv.models.faces.transfer.transfer import smallest_turn
from faceuv.structures import Coefficients, UVMaps

from .conftest import SHIFT, TURN, arrays_of


def people(model, count=3, *, expression=0.0):
    generator = torch.Generator().manual_seed(3)
    found = torch.zeros(count, model.layout.size)
    found[:, model.layout.slice("identity")] = 0.8 * torch.randn(count, model.layout.identity, generator=generator)
    found[:, model.layout.slice("albedo")] = 0.8 * torch.randn(count, model.layout.albedo, generator=generator)
    found[:, model.layout.slice("expression")] = expression * torch.randn(
        count, model.layout.expression, generator=generator
    )
    found[:, model.layout.slice("rotation")] = 0.3 * torch.randn(count, 3, generator=generator)
    found[:, model.layout.slice("translation")] = 0.3 * torch.randn(count, 3, generator=generator)
    return Coefficients(found, model.layout)


class TestCorrespondence:
    def test_every_vertex_of_skin_finds_itself(self, head, there):
        found = there.correspondence
        spots = (head.mean[head.faces[found.face]] * found.weights[..., None]).sum(1)
        turned = spots.double() @ found.rotation.T + found.offset
        sure = found.confidence > 0
        assert float(sure.float().mean()) > 0.85  # eyes and the inside of the mouth are no skin
        assert float((turned - there.target.mean).norm(dim=1)[sure].max()) < 1e-4

    def test_the_frames_are_found(self, there, back):
        found = there.correspondence
        assert torch.allclose(found.rotation @ found.rotation.T, torch.eye(3).double(), atol=1e-9)
        assert float(torch.atan2(found.rotation[2, 1], found.rotation[2, 2])) == pytest.approx(TURN[0], abs=1e-4)
        assert torch.allclose(found.offset, torch.tensor(SHIFT).double(), atol=1e-3)
        assert float(found.scale) == 1
        assert torch.allclose(back.correspondence.rotation, found.rotation.T, atol=1e-12)

    def test_errors_by_region(self, there):
        assert set(there.errors) == {"face", "ears", "scalp", "neck", "all"}
        for error in there.errors.values():
            assert error["p95_mm"] < 0.01 and error["share"] > 0.9

    def test_eyes_and_the_inside_of_the_mouth_have_none(self, head, back):
        sure = back.correspondence.confidence.view(65, 45)
        rows = torch.tensor([0.40, 0.74]) * 64  # between the lids, between the lips
        eye = head.mean[head.landmarks[36:42]].mean(0)
        at_eye = (head.mean - eye).norm(dim=1).argmin()
        assert float(back.correspondence.confidence[at_eye]) == 0
        assert float(sure[int(rows[1]), 22]) == 0

    def test_landmarks_move(self, head, reordered, there):
        assert torch.equal(there.vertices(head.landmarks[:17]), reordered.landmarks[:17])

    def test_a_seamless_copy_of_another_resolution(self, head):
        """The head with every triangle cut in four: distances are 0, and back."""
        arrays = arrays_of(head)
        edges = torch.cat([head.faces[:, [0, 1]], head.faces[:, [1, 2]], head.faces[:, [2, 0]]]).sort(1).values
        edges, number = edges.unique(dim=0, return_inverse=True)
        ab, bc, ca = (number + len(head.mean)).view(3, -1)
        a, b, c = head.faces.unbind(1)
        arrays["faces"] = torch.cat([torch.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
        for name in ("mean", "identity_basis", "expression_basis", "mean_albedo", "albedo_basis", "uv"):
            arrays[name] = torch.cat([arrays[name], arrays[name][edges].mean(1)])
        arrays["skin_mask"] = torch.cat([arrays["skin_mask"], arrays["skin_mask"][edges].all(1)])
        arrays["mirror"] = torch.arange(len(arrays["mean"]))
        fine = FaceModel(arrays, names=head.mode_names, metadata=head.metadata)
        there = Transfer(head, fine, verbose=False, cache=False)
        assert there.errors["all"]["p95_mm"] < 0.05
        who = people(head)
        made = there.coefficients(who)
        gap = head.shape(made.identity, made.expression) - head.shape(who.identity, who.expression)
        assert float(gap.norm(dim=2)[:, head.skin_mask].median()) * 100 < 0.5


class TestCoefficients:
    def test_the_same_people_in_the_same_place(self, head, reordered, there):
        who = people(head)
        who = who.replace(expression=head.expression_coefficients(jaw_open=0.5))
        made = there.coefficients(who)
        old = pose(head.shape(who.identity, who.expression), who.rotation, who.translation)
        new = pose(reordered.shape(made.identity, made.expression), made.rotation, made.translation)
        where = there.vertices(torch.arange(len(head.mean)))
        gap = 100 * (new[:, where] - old).norm(dim=2)[:, head.skin_mask]
        assert float(gap.median()) < 0.5 and float(gap.quantile(0.95)) < 1.2  # mm; the prior holds a little back
        spread = 100 * (head.shape(who.identity, who.expression) - head.mean).norm(dim=2)[:, head.skin_mask]
        assert float(spread.median()) > 1.5  # what would be missed by the mean

    def test_movements_by_name_keep_their_amounts(self, head, there):
        for name in ("jaw_open", "blink_left", "smile_right", "brow_down_left"):
            moved = head.expression_coefficients(**{name: 0.7})
            made = there._numbers.expression(moved).flip(1)  # the copy's modes are in the other order
            assert float((made - moved).norm() / moved.norm()) < 0.25, name

    def test_what_has_no_name_moves_too(self, head, there):
        moved = torch.zeros(1, head.layout.expression)
        moved[0, head.mode_index("expression", "detail_00")] = 1.5
        made = there._numbers.expression(moved).flip(1)
        basis = head.expression_basis.flatten(0, 1)
        assert float((basis @ (made - moved)[0]).norm() / (basis @ moved[0]).norm()) < 0.3

    def test_models_without_names_move_by_least_squares(self, head, reordered):
        nameless = FaceModel(arrays_of(reordered))
        numbers = Transfer(head, nameless, verbose=False)._numbers
        assert len(numbers.source_table) == 0 and not numbers.same_modes
        moved = head.expression_coefficients(jaw_open=0.7, blink_left=0.5)
        basis = head.expression_basis.flatten(0, 1)
        gap = basis @ (numbers.expression(moved).flip(1) - moved)[0]
        assert float(gap.norm() / (basis @ moved[0]).norm()) < 0.1

    def test_the_same_modes_keep_their_coefficients(self, head):
        numbers = Transfer(head, FaceModel(arrays_of(head), names=head.mode_names, metadata=head.metadata))._numbers
        moved = torch.randn(2, head.layout.expression)
        assert torch.equal(numbers.expression(moved), moved)

    def test_light_is_carried_and_batches_do_not_matter(self, head, there):
        who = people(head, expression=0.5).replace(lighting=torch.rand(3, 27))
        made = there.coefficients(who)
        assert torch.equal(made.lighting, who.lighting)
        one = there.coefficients(who[1])
        assert torch.allclose(one.data, made[1].data, atol=1e-5)

    def test_limits_hold(self, head, reordered):
        arrays = arrays_of(reordered)
        arrays["expression_limits"] = torch.tensor([[0.0, 1.0]]).repeat(reordered.layout.expression, 1)
        limited = FaceModel(arrays, names=reordered.mode_names, metadata=head.metadata)
        made = Transfer(head, limited, verbose=False).coefficients(people(head, expression=2.0))
        assert float(made.expression.min()) >= 0 and float(made.expression.max()) <= 1

    def test_bounded_least_squares_agrees_with_scipy(self):
        from scipy.optimize import lsq_linear

        generator = torch.Generator().manual_seed(1)
        system = torch.randn(40, 12, generator=generator).double()
        aim = torch.randn(5, 40, generator=generator).double() * 3
        low, high = -0.1 * torch.ones(12).double(), 0.4 * torch.ones(12).double()
        found = bounded_least_squares(system.T @ system, aim @ system, low, high)
        for row, goal in zip(found, aim):
            known = lsq_linear(system.numpy(), goal.numpy(), bounds=(low.numpy(), high.numpy())).x
            assert torch.allclose(row, torch.from_numpy(known), atol=1e-5)


class TestMaps:
    def test_a_map_shows_the_same_on_the_same_points(self, head, reordered, there):
        colours = bake(0.5 + 0.3 * torch.sin(6 * head.mean)[None], head.chart(256, 256))
        made = there.maps(UVMaps(diffuse=colours), size=256)
        sure = there.correspondence.confidence == 1
        seen = sample_map(made.diffuse, reordered.uv)[0][sure]
        where = there.correspondence
        points = (head.mean[head.faces[where.face]] * where.weights[..., None]).sum(1)[sure]
        assert float((seen - (0.5 + 0.3 * torch.sin(6 * points))).abs().median()) < 0.01
        assert float((seen - (0.5 + 0.3 * torch.sin(6 * points))).abs().quantile(0.95)) < 0.05

    def test_displacement_turns_with_the_frame(self, head, there):
        constant = torch.tensor([0.0, 0.0, 0.05]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
        made = there.maps(UVMaps(displacement=constant), size=128).displacement[0]
        sure = (there.texels(128, 128).confidence == 1) & there.texels(128, 128).skin
        wanted = torch.tensor([0.0, -0.05 * math.sin(TURN[0]), 0.05 * math.cos(TURN[0])])
        assert torch.allclose(made[:, sure].mean(1), wanted, atol=1e-3)

    def test_eyes_keep_their_own_colours_and_are_not_displaced(self, head, reordered, there):
        red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
        made = there.maps(UVMaps(red, red * 0.05), size=256)
        eye = reordered.mean[reordered.landmarks[36:42]].mean(0)
        at = (reordered.mean - eye).norm(dim=1).argmin()
        seen = sample_map(made.diffuse, reordered.uv)[0, at]
        assert torch.allclose(seen, reordered.mean_albedo[at], atol=0.1)
        assert float(sample_map(made.displacement, reordered.uv)[0, at].abs().max()) < 1e-6

    def test_what_has_no_counterpart_continues_what_is_near(self, head):
        """A source without its forehead: the target's forehead takes the colour of the source's border."""
        arrays = arrays_of(head)
        low = head.mean[head.landmarks[19], 1] + 0.25
        arrays["faces"] = head.faces[(head.mean[head.faces][..., 1] < low).all(1)]
        cut = FaceModel(arrays, names=head.mode_names, metadata=head.metadata)
        there = Transfer(cut, head, verbose=False, cache=False)
        assert there.errors["scalp"]["share"] < 0.6
        blue = torch.tensor([0.1, 0.2, 0.9]).view(1, 3, 1, 1).expand(2, 3, 64, 64)
        made = there.maps(UVMaps(diffuse=blue), size=128).diffuse
        texels = there.texels(128, 128)
        missing = texels.skin & (texels.confidence == 0)
        assert int(missing.sum()) > 500
        assert torch.allclose(made[0][:, missing].mean(1), torch.tensor([0.1, 0.2, 0.9]), atol=1e-3)

    def test_offsets_of_a_movement(self, head, reordered, there):
        jaw = head.expression_basis[..., head.mode_index("expression", "jaw_open")][None]
        wanted = reordered.expression_basis[..., reordered.mode_index("expression", "jaw_open")]
        sure = there.correspondence.confidence == 1
        assert float((there.offsets(jaw)[0] - wanted)[sure].abs().max()) < 1e-3

    def test_smallest_turn(self):
        start = torch.nn.functional.normalize(torch.randn(20, 3), dim=1)
        end = torch.nn.functional.normalize(start + 0.5 * torch.randn(20, 3), dim=1)
        turn = smallest_turn(start, end)
        assert torch.allclose(torch.einsum("nij,nj->ni", turn, start), end, atol=1e-5)
        assert torch.allclose(turn @ turn.transpose(1, 2), torch.eye(3).expand(20, 3, 3), atol=1e-5)


class TestCache:
    def test_it_is_read_again_and_the_same(self, head, reordered, there):
        path = path_of(fingerprint(head), fingerprint(reordered))
        assert path.is_file()
        again = Transfer(head, reordered, verbose=False)
        fresh = Transfer(head, reordered, verbose=False, cache=False)
        for name, value in fresh.correspondence.tensors().items():
            assert torch.equal(value, again.correspondence.tensors()[name]), name

    def test_a_damaged_file_is_computed_again(self, head, reordered, there):
        path = path_of(fingerprint(head), fingerprint(reordered))
        whole = path.read_bytes()
        damaged(path, whole[:100])
        with pytest.warns(UserWarning, match="damaged"):
            again = Transfer(head, reordered, verbose=False)
        assert torch.equal(again.correspondence.face, there.correspondence.face)
        assert path.read_bytes() == whole

    def test_a_moved_landmark_is_another_model(self, head):
        arrays = arrays_of(head)
        arrays["landmarks"][30] += 1
        assert fingerprint(FaceModel(arrays)) != fingerprint(head)

    def test_between_keeps_the_last(self, head, reordered):
        assert between(head, reordered) is between(head, reordered)


class TestBadInput:
    def test_landmarks_that_are_one_vertex(self, head):
        arrays = arrays_of(head)
        arrays["landmarks"] = torch.zeros_like(arrays["landmarks"])
        with pytest.raises(InputError, match="68 landmarks"):
            Transfer(head, FaceModel(arrays), verbose=False, cache=False)

    def test_coefficients_of_another_model(self, there):
        with pytest.raises(InputError, match="layout"):
            there.coefficients(Coefficients(torch.zeros(1, 43), type(people(there.source).layout)(4, 3, 3)))


class TestBorrowing:
    def test_a_movement_that_the_target_lacks(self, head, reordered):
        keep = [k for k, name in enumerate(reordered.mode_names["expression"]) if name != "jaw_open"]
        arrays = arrays_of(reordered)
        wanted = arrays["expression_basis"][..., reordered.mode_index("expression", "jaw_open")]
        arrays["expression_basis"] = arrays["expression_basis"][..., keep]
        arrays["expression_limits"] = torch.tensor([[-9.0, 9.0]]).repeat(len(keep), 1)
        names = {"expression": [reordered.mode_names["expression"][k] for k in keep]}
        metadata = {key: value for key, value in head.metadata.items() if key != "traits"}
        poor = FaceModel(arrays, names=names, metadata=metadata)
        made = borrowed(poor, head, "jaw_open", verbose=False)
        rich = FaceModel(made[0], names=made[1], metadata=made[2])
        assert rich.movements().count("jaw_open") == 1 and rich.metadata["borrowed_expression"]
        assert rich.expression_limits[-1].tolist() == [0, 1]
        found = rich.expression_basis[..., -1]
        sure = Transfer(head, poor, verbose=False).correspondence.confidence == 1
        full = head.metadata["full_expression"]["jaw_open"]
        assert float((found - full * wanted)[sure].abs().max()) < 1e-3
        assert float(found[sure].abs().max()) > 0.1  # a jaw that opens by more than a centimetre

    def test_tongues_move_part_to_part(self, head, reordered):
        """The inside of the mouth as a tongue: it moves with the source's, though it is no skin."""
        models = []
        for model in (head, reordered):
            arrays = arrays_of(model)
            inside = torch.ones(len(model.faces), dtype=torch.bool)
            inside[Skin.of(model).model_face] = False
            low = model.mean[model.faces][..., 1].mean(1) < model.mean[model.landmarks[33], 1]
            arrays["part"] = (inside & low).long()
            kept = {key: value for key, value in model.metadata.items() if key != "parts"}
            models.append(FaceModel(arrays, names=model.mode_names, metadata={**kept, "parts": ["skin", "tongue"]}))
        source, target = models
        offsets = torch.tensor([0.0, 0.0, 0.2]).expand(1, len(source.mean), 3)
        made = Transfer(source, target, verbose=False, cache=False).offsets(offsets)[0]
        tongue = target.vertices_of("tongue")
        wanted = torch.tensor([0.0, -0.2 * math.sin(TURN[0]), 0.2 * math.cos(TURN[0])])
        assert int(tongue.sum()) > 10
        assert torch.allclose(made[tongue], wanted.expand(int(tongue.sum()), 3), atol=1e-3)

    def test_a_movement_that_it_has(self, head, reordered):
        with pytest.raises(InputError, match="lacks, got jaw_open"):
            borrowed(reordered, head, "jaw_open", verbose=False)
