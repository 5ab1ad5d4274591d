"""RigNet: what it starts as, what it is given, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.models.base.contracts import CodeEditor
from faceuv.models.stylefaceuv.mappers import CoefficientMapper
from faceuv.models.stylerig import Rig, RigNet, RigTurner, load_rignet
from faceuv.models.stylerig.groups import controls_of, edited_columns, random_columns
from faceuv.models.stylerig.rignet import fingerprint_of
from faceuv.structures import CoefficientLayout, Coefficients

L, D = 6, 5
LAYOUT = CoefficientLayout(identity=3, expression=4, albedo=2)


def network(**settings: object) -> RigNet:
    torch.manual_seed(0)
    made = RigNet(L, D, LAYOUT, encoding=3, **settings)  # type: ignore[arg-type]
    with torch.no_grad():
        made.code_mean.fill_(0.3)
        made.code_scale.fill_(2.0)
        made.spread.copy_(2.0 * torch.eye(D))
        made.mean.normal_()
        made.deviation.fill_(0.5)
    return made


def trained(**settings: object) -> RigNet:
    """One whose decoders are not zero any more."""
    made = network(**settings)
    with torch.no_grad():
        for parameter in made.decode.parameters():
            parameter.normal_()
    return made


def mapper(seed: int = 0) -> CoefficientMapper:
    torch.manual_seed(seed)
    return CoefficientMapper(L, D, LAYOUT, widths=(7,)).eval().requires_grad_(False)


def codes(count: int = 3, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, L, D, generator=torch.Generator().manual_seed(seed))


class TestGroups:
    def test_columns_of_a_control(self) -> None:
        columns = edited_columns(LAYOUT, ("pose", "light"))
        assert columns.nonzero().flatten().tolist() == [*range(9, 12), *range(12, 39)]
        assert edited_columns(LAYOUT, "all").sum() == 3 + 4 + 27

    def test_random_choices_are_even_and_never_empty(self) -> None:
        chosen = random_columns(LAYOUT, "all", 1400, torch.Generator().manual_seed(0))
        names = ("pose", "expression", "light")
        parts = torch.stack([chosen[:, edited_columns(LAYOUT, name)].all(1) for name in names])
        kinds = (parts * torch.tensor([[1], [2], [4]])).sum(0)
        counts = torch.bincount(kinds, minlength=8)
        assert counts[0] == 0 and counts[1:].min() > 150
        assert torch.equal(chosen.any(1), torch.ones(1400, dtype=torch.bool))
        for name, whole in zip(names, parts):
            assert torch.equal(chosen[:, edited_columns(LAYOUT, name)].any(1), whole)  # a group as a whole

    def test_names(self) -> None:
        assert controls_of(["light", "pose", "light"]) == ("pose", "light")
        assert controls_of("all") == ("pose", "expression", "light")
        for wrong, words in (
            ("poes", "the controls are pose, expression, light.* Did you mean 'pose'"),
            ([], "at least one control, got none"),
            ("identity", "identity is always kept"),
        ):
            with pytest.raises(InputError, match=words):
                controls_of(wrong)


class TestRigNet:
    @pytest.mark.parametrize("decoder", ["linear", "bilinear", "hidden"])
    @pytest.mark.parametrize("given", ["wanted", "change"])
    def test_it_starts_as_the_identity(self, decoder: str, given: str) -> None:
        rig = network(decoder=decoder, given=given)
        w, wanted, own = codes(), torch.randn(3, LAYOUT.size), torch.randn(3, LAYOUT.size)
        assert torch.equal(rig(w, wanted, own), w)
        rig(w, wanted, own).square().sum().backward()
        assert rig.decode.weight.grad is not None and bool(rig.decode.weight.grad.any())

    def test_the_step_is_the_paper_s_formula(self) -> None:
        rig = trained()
        w, wanted = codes(), torch.randn(3, LAYOUT.size)
        rows, p = (w - 0.3) / 2.0, (wanted - rig.mean) / 0.5
        for row in range(L):
            e = rows[:, row] @ rig.encode.weight[row] + rig.encode.bias[row]
            d = torch.cat([e, p], 1) @ rig.decode.weight[row] + rig.decode.bias[row]
            assert torch.allclose(rig(w, wanted, wanted)[:, row], w[:, row] + 2.0 * d, atol=1e-5)

    def test_rows_do_not_see_each_other(self) -> None:
        rig, w, wanted = trained(), codes(), torch.randn(3, LAYOUT.size)
        other = w.clone()
        other[:, 2] += 1
        changed = (rig(w, wanted, wanted) != rig(other, wanted, wanted)).any(2).any(0)
        assert changed.tolist() == [row == 2 for row in range(L)]

    def test_a_bilinear_step_depends_on_the_code(self) -> None:
        a, b, other = torch.zeros(1, LAYOUT.size), torch.ones(1, LAYOUT.size), codes(1, 9)
        for decoder, depends in (("linear", False), ("bilinear", True)):
            rig = trained(decoder=decoder)
            change = [rig.step(w, b, b) - rig.step(w, a, a) for w in (codes(1), other)]
            assert (not torch.allclose(*change, atol=1e-4)) == depends

    def test_given_the_change_only_the_change_counts(self) -> None:
        rig, w = trained(given="change"), codes()
        own, shift = torch.randn(2, 3, LAYOUT.size)
        assert torch.allclose(rig.step(w, own + shift, own), rig.step(w, shift, torch.zeros_like(own)), atol=1e-4)

    def test_a_reach_bounds_each_change_and_leaves_small_ones(self) -> None:
        near, free, w = trained(given="change", reach=2.0), trained(given="change"), codes()
        own, shift = torch.randn(2, 3, LAYOUT.size)
        within = shift.clamp(-0.99, 0.99)  # a deviation is 0.5
        assert torch.equal(near.step(w, own + within, own), free.step(w, own + within, own))
        far = torch.zeros_like(own)
        far[:, 4] = 50.0
        assert torch.allclose(near.step(w, own + far, own), free.step(w, own + far.clamp(max=1.0), own), atol=1e-4)
        assert not torch.allclose(near.step(w, own + far, own), free.step(w, own + far, own), atol=1.0)

    def test_a_file_gives_the_same_network(self, tmp_path: Path) -> None:
        rig = trained(decoder="bilinear", given="change", reach=3.0, controls=("pose",), trained_for="abc")
        found = load_rignet(save_network(tmp_path / "rig.safetensors", rig))
        w, wanted = codes(), torch.randn(3, LAYOUT.size)
        assert torch.equal(found(w, wanted, wanted), rig(w, wanted, wanted))
        assert found.reach == 3.0 and "reach" not in trained().settings()  # files of others stay as they are
        assert found.settings() == rig.settings()

    def test_statistics(self) -> None:
        rig, data = network(), torch.randn(400, LAYOUT.size)
        data[:, LAYOUT.slice("lighting")] *= 0.1
        data[:, LAYOUT.slice("rotation").start] = 0  # never turns about x
        rig.set_statistics(codes(400) * 3 + 1, Coefficients(data, LAYOUT))
        assert torch.allclose(rig.code_mean, torch.ones(D), atol=0.3)
        assert float(rig.code_scale) == pytest.approx(3, rel=0.1)
        assert torch.allclose(rig.deviation[LAYOUT.slice("lighting")], torch.full((27,), 0.1), rtol=0.2)
        assert 0.001 < float(rig.deviation[LAYOUT.slice("rotation").start]) < 0.1

    def test_units_of_the_covariance(self) -> None:
        data = codes(4000) @ torch.diag(torch.tensor([3.0, 1.0, 0.5, 0.2, 0.0]))
        numbers = Coefficients(torch.randn(4000, LAYOUT.size), LAYOUT)
        rig, plain = network(units="covariance"), network()
        for one in (rig, plain):
            one.set_statistics(data, numbers)
        step = torch.randn(4000, L, D, generator=torch.Generator().manual_seed(3))
        moved = (rig.moved(data, step) - data).flatten(0, 1)
        assert torch.allclose(torch.cov(moved.T), torch.cov(data.flatten(0, 1).T), atol=0.15)  # among the codes
        assert float(moved[:, 4].abs().max()) < 1e-3  # not where codes do not differ
        even = (plain.moved(data, step) - data).flatten(0, 1).std(0)
        assert torch.allclose(even, even.mean().expand(D), rtol=0.05)

    def test_bad_settings(self) -> None:
        for settings, words in (
            (dict(decoder="billinear"), "Did you mean 'bilinear'"),
            (dict(given="delta"), "given is one of wanted, change"),
            (dict(hidden=0), "hidden must be a whole number"),
            (dict(given="change", reach=0.0), "reach limits changes, given='change', to more than 0; got 0.0"),
            (dict(reach=3.0), "got 3.0 and 'wanted'"),
        ):
            with pytest.raises(InputError, match=words):
                RigNet(L, D, LAYOUT, **settings)  # type: ignore[arg-type]


class TestRig:
    def rig(self) -> Rig:
        return Rig(trained(), mapper())

    def test_a_transfer_asks_for_the_source_s_group_and_nothing_else(self) -> None:
        rig, (w, v) = self.rig(), codes(2).split(1)
        wanted, own, other = rig.transferred(w, v, ("expression",)), rig.mapper(w), rig.mapper(v)
        assert torch.equal(wanted.expression, other.expression)
        for group in ("identity", "albedo", "rotation", "lighting", "translation"):
            assert torch.equal(wanted.view(group), own.view(group))
        assert torch.equal(rig.transfer(w, v, "expression"), rig.move(w, wanted))
        assert isinstance(rig, CodeEditor)

    def test_sliders(self) -> None:
        rig, w = self.rig(), codes()
        own = rig.mapper(w)
        wanted = rig.slid(w, yaw_deg=[10.0, 20.0, 30.0], light="left", coefficient={("expression", 2): 1.5})
        assert torch.allclose(wanted.rotation[:, 1].rad2deg(), torch.tensor([10.0, 20.0, 30.0]), atol=1e-4)
        assert torch.equal(wanted.rotation[:, [0, 2]], own.rotation[:, [0, 2]])
        assert wanted.expression[:, 2].tolist() == [1.5] * 3
        assert torch.equal(wanted.expression[:, :2], own.expression[:, :2])
        assert torch.equal(wanted.identity, own.identity)
        assert not torch.equal(wanted.lighting, own.lighting)
        assert torch.equal(rig.slide(w, yaw_deg=5.0), rig.move(w, rig.slid(w, yaw_deg=5.0)))

    def test_mixing_keeps_the_rig(self) -> None:
        rig, (a, b) = self.rig(), codes(2).split(1)
        mixed = torch.cat([a[:, :2], b[:, 2:]], 1)
        own, kept = rig.mapper(mixed), rig.mapper(a)
        wanted = own.replace(rotation=kept.rotation, lighting=kept.lighting)
        assert torch.allclose(rig.mix(a, b, 2, keep=("pose", "light")), rig.move(mixed, wanted))

    def test_turning_like_the_stepper(self) -> None:
        rig, w = self.rig(), codes()
        turner, yaw = RigTurner(rig), torch.tensor([0.1, -0.2, 0.3])
        assert torch.equal(turner.move(w, yaw), rig.slide(w, yaw_deg=yaw.rad2deg()).detach()) or torch.allclose(
            turner.move(w, yaw), rig.slide(w, yaw_deg=yaw.rad2deg()), atol=1e-5
        )
        assert (turner.num_layers, turner.code_dim) == (L, D)

    def test_bad_input(self) -> None:
        rig, w = self.rig(), codes()
        other = Coefficients.zeros(1, CoefficientLayout(identity=1, expression=4, albedo=2))
        for act, words in (
            (lambda: rig.move(w, other), "of another face model"),
            (lambda: rig.move(w, 0.3), "moves codes to Coefficients, got float"),
            (lambda: rig.transfer(w, codes(3, 2), "pse"), "no control is called 'pse'"),
            (lambda: rig.transfer(w, codes(3, 2), ()), "at least one control"),
            (lambda: rig.transfer(w, torch.cat([codes(2, 2), w[2:]]), "pose"), "code 2 is its own source"),
            (lambda: rig.transfer(w, codes(2, 2), "pose"), "one code or one for each of 3, got 2"),
            (lambda: rig.slide(w), "an empty edit"),
            (lambda: rig.slide(w, coefficient={("expression", 4): 1.0}), "columns 0 … 3, got 4"),
            (lambda: rig.slide(w, expression={"smile": 1.0}), "give face_model"),
            (lambda: rig.transfer(codes()[:, :4], w, "pose"), "shape"),
            (lambda: Rig(RigNet(L + 1, D, LAYOUT), mapper()), "L = 6, D = 5; the generator has L = 7"),
            (lambda: Rig(RigNet(L, D), mapper()), "layout"),
            (lambda: Rig(trained(controls=("pose",)), mapper()).transfer(w, codes(3, 2), "light"), "to edit pose, not"),
            (lambda: Rig(trained(trained_for=fingerprint_of(mapper(1))), mapper()), "was trained with the mapper"),
        ):
            with pytest.raises(InputError, match=words):
                act()

    def test_the_fingerprint_survives_half_precision(self, tmp_path: Path) -> None:
        from faceuv.models.stylefaceuv import load_mapper

        f3d = mapper()
        half = load_mapper(save_network(tmp_path / "m.safetensors", f3d, dtype=torch.float16))
        assert not torch.equal(half.face[0].weight, f3d.face[0].weight)  # type: ignore[arg-type]
        assert fingerprint_of(half) == fingerprint_of(f3d) != fingerprint_of(mapper(1))
