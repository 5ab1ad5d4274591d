"""The training step: which term trains what, that it learns, and what it refuses."""

import math

import pytest
import torch
from mmengine.optim import OptimWrapperDict

import faceuv
from faceuv.engine import load_config
from faceuv.engine.compat.optim import OptimWrapper
from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.models.liftedgan import SampleNumbers
from faceuv.models.liftedgan.objective import objective, run
from faceuv.models.liftedgan.scene import draw
from faceuv.registry import GENERATORS, MODELS, OPTIM_WRAPPER_CONSTRUCTORS
from faceuv.structures import Coefficients


def terms_of(method, count=4, seed=0):
    return method.terms(method.codes(torch.arange(count)), torch.Generator().manual_seed(seed))


def reached(method, term):
    """The networks that get a gradient of one term."""
    method.zero_grad()
    terms_of(method)[term].backward()
    parts = {"light": "D_L", "view": "D_V", "composer": "M", "shape": "D_S", "transformation": "D_T"}
    return {
        label
        for name, label in parts.items()
        if any(p.grad is not None and p.grad.abs().max() > 0 for p in getattr(method.lifting, name).parameters())
    }


class TestGradients:
    def test_each_term_trains_what_the_paper_says(self, build):
        method, _ = build()
        everything = {"D_L", "D_V", "M", "D_S", "D_T"}
        with torch.no_grad():  # a view to see by: at the start it is almost that of the neutral face
            method.lifting.view.mlp[-2].bias.copy_(torch.tensor([0.1, 0.4, 0.0, 0.0, 0.0, 0.0]))
        assert reached(method, "rec") == everything
        assert reached(method, "perturb_shape") == everything
        assert reached(method, "perturb_code") == {"M"}  # the render is its target
        assert reached(method, "cycle_view") == {"D_V", "M"}
        assert reached(method, "cycle_light") == {"D_L", "M"}
        assert reached(method, "prior") == {"M"}
        assert "D_S" in reached(method, "albedo") and "D_V" not in reached(method, "albedo")

    def test_targets_get_none(self, build):
        """G(w') is the target of perturb_shape, the render in the wanted view that of perturb_code."""
        method, _ = build()
        settings = dict(space=method.space, views=method.views)
        step = run(
            method.teacher.network, method.lifting, method.renderer.network, method.codes(torch.arange(2)),
            perturbation=method.perturbation, terms=method.losses.weights, rng=torch.Generator().manual_seed(0),
            clip=True, **settings,
        )  # fmt: skip
        assert not step.wanted.image.requires_grad and not step.target.requires_grad
        step.regenerated.retain_grad()
        found = objective(
            step, method.losses, method.distance.network, mean=method.code_mean, deviation=method.code_deviation,
            **settings,
        )  # fmt: skip
        found["perturb_shape"].backward(retain_graph=True)
        assert step.regenerated.grad is None
        found["perturb_code"].backward()
        assert step.regenerated.grad.abs().sum() > 0

    def test_the_teacher_gets_none(self, build, teacher):
        method, _ = build()
        torch.stack(list(terms_of(method).values())).sum().backward()
        assert all(p.grad is None for p in teacher.parameters())

    def test_a_step_in_one_batch_is_each_render_on_its_own(self, build):
        """The values are those of the published order of things: every pair drawn and compared by itself."""
        method, _ = build()
        w = method.codes(torch.arange(3))
        settings = dict(space=method.space, views=method.views)
        step = run(
            method.teacher.network, method.lifting, method.renderer.network, w, perturbation=method.perturbation,
            terms=method.losses.weights, rng=torch.Generator().manual_seed(0), clip=True, **settings,
        )  # fmt: skip
        found = objective(
            step, method.losses, method.distance.network, mean=method.code_mean, deviation=method.code_deviation,
            **settings,
        )  # fmt: skip
        networks, distance = method.lifting, method.distance.network
        renderer = method.renderer.network
        see = lambda image: distance.seen(image)  # noqa: E731
        drawn = [
            draw(renderer, lifted, method.space, method.views, 32).image
            for lifted in (
                step.lifted,
                step.lifted.mirrored(),
                step.lifted.replace(light=step.light_read, view=step.view_read),
                step.lifted.replace(light=step.light, view=step.view),
            )
        ]
        composed = networks.compose(w, step.light, step.view)
        again = method.teacher.network.synthesis(composed)
        wanted = {
            "rec": 5 * distance(see(drawn[0]), see(step.target)).mean(),
            "flip": 4 * distance(see(drawn[1]), see(step.target)).mean(),
            "perturb_shape": 2 * distance(see(drawn[2]), see(again)).mean(),
            "perturb_code": 2 * distance(see(again), see(drawn[3])).mean(),
            "cycle_view": 4 * (networks.decompose(composed)[1] - step.view)[:, :3].square().mean(),
        }
        for name, value in wanted.items():
            assert float(found[name]) == pytest.approx(float(value), rel=1e-4), name

    def test_terms_that_are_left_out_cost_nothing(self, build):
        method, _ = build(losses=dict.fromkeys(("perturb_shape", "perturb_code", "cycle_light", "cycle_view", "prior")))
        assert set(terms_of(method)) == {"rec", "flip", "albedo"}
        method, _ = build(losses={"flip": None})
        assert "flip" not in terms_of(method) and "perturb_code" in terms_of(method)


class TestTraining:
    def test_it_learns(self, build):
        method, optimizer = build(lr=3e-3)
        before = terms_of(method, 8)
        for k in range(30):
            method.train_step({"index": torch.arange(8) + 8 * k}, optimizer)
        after = terms_of(method, 8)
        assert sum(after.values()) < 0.8 * sum(before.values())
        assert after["rec"] < before["rec"] and after["flip"] < before["flip"]
        assert method.counted("images_seen") == 240

    def test_a_warm_up_begins_with_shapes_and_goes_on_with_turned_codes(self, build):
        """First no term on w', then M alone from terms on w', then all terms and networks."""
        method, optimizer = build(warmup=dict(shape=1, turning=1))
        logs, moved = [], []
        for k in range(3):
            before = {name: p.detach().clone() for name, p in method.lifting.named_parameters()}
            logs.append(set(method.train_step({"index": torch.arange(4) + 4 * k}, optimizer)))
            now = method.lifting.named_parameters()
            moved.append({name.split(".")[0] for name, p in now if not torch.equal(p, before[name])})
        everything = {"light", "view", "composer", "shape", "transformation"}
        assert logs[0] == {"rec", "flip", "albedo"} and moved[0] == everything
        assert logs[1] == {"perturb_code", "cycle_light", "cycle_view", "prior"} and moved[1] == {"composer"}
        assert logs[2] == set(method.losses.weights) and moved[2] == everything
        assert all(p.requires_grad for p in method.lifting.parameters())

    def test_terms_of_a_warm_up_are_those_of_a_whole_step(self, build):
        method, _ = build()
        w = method.codes(torch.arange(3))
        whole = method.terms(w, torch.Generator().manual_seed(0))
        for names in (("rec", "flip", "albedo"), ("perturb_code", "cycle_light", "cycle_view", "prior")):
            part = method.terms(w, torch.Generator().manual_seed(0), names)
            assert set(part) == set(names)
            for name in names:
                assert float(part[name].detach()) == pytest.approx(float(whole[name].detach()), rel=1e-4), name

    def test_without_terms_on_turned_codes_a_warm_up_has_shapes_alone(self, build):
        gone = dict.fromkeys(("perturb_shape", "perturb_code", "cycle_light", "cycle_view", "prior"))
        method, optimizer = build(losses=gone, warmup=dict(turning=1))
        assert set(method.train_step({"index": torch.arange(4)}, optimizer)) == {"rec", "flip", "albedo"}

    def test_a_step_is_a_function_of_seed_and_number(self, build):
        runs = []
        for _ in range(2):
            method, optimizer = build()
            method.train_step({"index": torch.arange(4)}, optimizer)
            logs = method.train_step({"index": torch.arange(4, 8)}, optimizer)
            runs.append(logs["perturb_code"])
        assert torch.equal(*runs)

    def test_a_checkpoint_goes_on_as_if_nothing_had_been(self, build):
        method, optimizer = build()
        method.train_step({"index": torch.arange(4)}, optimizer)
        kept, moments = method.state_dict(), optimizer.state_dict()
        other, resumed = build()
        other.load_state_dict(kept)
        resumed.load_state_dict(moments)
        first = method.train_step({"index": torch.arange(4, 8)}, optimizer)
        second = other.train_step({"index": torch.arange(4, 8)}, resumed)
        assert all(torch.equal(first[name], second[name]) for name in first)
        assert not any(key.startswith(("teacher", "distance", "renderer")) for key in kept)

    def test_the_teacher_of_exact_truth(self):
        """A few steps on three drawn scenes, without features to inject: renders come nearer to their pictures."""
        teacher = GENERATORS.build(
            dict(
                type="ProceduralGenerator", size=32, code_dim=384, samples=1, texture_size=64,
                face_model=dict(type="ProceduralFace", rows=49, columns=41),
            )
        )  # fmt: skip
        torch.manual_seed(0)
        config = dict(
            teacher=teacher, inject=False, networks=dict(dome=1.0), statistics=100, seed=3,
            space=dict(fov_deg=14.375), perturbation=dict(shift=0.0),
            losses=dict(
                rec=dict(type="LiftedImages", pair="rec", weight=5.0),
                cycle_view=dict(type="SquaredDifference", of="view", columns=3, weight=4.0),
                prior=dict(type="CodePrior", weight=0.5),
            ),
        )  # fmt: skip
        method = MODELS.build(dict(type="LiftedGAN", **config))
        with pytest.raises(InputError, match="inject=False"):
            MODELS.build(dict(type="LiftedGAN", **{**config, "inject": True}))
        optimizer = OptimWrapperDict(lifting=OptimWrapper(torch.optim.Adam(method.lifting.parameters(), lr=1e-3)))
        before = terms_of(method, 3)
        for _ in range(8):
            method.train_step({"index": torch.arange(3)}, optimizer)
        after = terms_of(method, 3)
        assert after["rec"] < 0.9 * before["rec"]
        truth = teacher.studio.coefficients(teacher.scene(method.codes(torch.arange(4))))
        assert isinstance(truth, Coefficients) and truth.rotation.abs().max() > 0.05  # there is something to find

    def test_samples_for_metrics_and_sheets(self, build):
        method, _ = build()
        rows = method({"index": torch.arange(3)})
        assert len(rows) == 3 and set(rows[0]) == {"real", "fake", "fake_random"}
        alone = method({"index": torch.tensor([2])})[0]
        assert torch.allclose(alone["fake_random"], rows[2]["fake_random"], atol=1e-4)
        assert not torch.equal(rows[0]["fake"], rows[0]["fake_random"])
        sheet = method.sample_images(2)["lifted"]
        assert sheet.shape == (2, 3, 32, 11 * 32) and 0 <= sheet.min() and sheet.max() <= 1

    def test_export(self, build, teacher, tmp_path):
        path = save_network(tmp_path / "teacher.safetensors", teacher)
        method, _ = build(teacher=dict(type="PretrainedGenerator", path=str(path)))
        folder = tmp_path / "work" / "lift"
        folder.mkdir(parents=True)
        assert method.export(folder) == ["lifting.safetensors", "generator.json"]
        found = faceuv.load(folder)
        assert found.name == "work" and found.space == method.space
        code = found.codes([1])
        assert torch.allclose(found.lifted(code).depth, method.lifted(code[:, 0]).depth, atol=1e-5)


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            (dict(losses=dict(rec=None)), "needs the loss 'rec'"),
            (dict(losses=dict(mirror=dict(type="CodePrior"))), "no loss 'mirror'"),
            (dict(space=dict(fov=10)), "space has no setting 'fov'"),
            (dict(perturbation=dict(yaw_deg=120.0)), "0 … 90"),
            (dict(warmup=dict(shape=-1)), "count steps"),
            (dict(statistics=1), "statistics"),
            (dict(renderer=dict(type="torch", camera=dict(distance=3.0))), "leave camera out"),
            (dict(dtype="int8"), "dtype"),
        ],
    )
    def test_settings(self, build, changes, text):
        with pytest.raises(InputError, match=text):
            build(**changes)

    def test_networks_of_another_size(self, build, tmp_path):
        from faceuv.models.liftedgan import LiftingNetworks

        for shape, text in (((64, 10, 16, 8), "size, L, D"), ((32, 8, 16, 5), "features")):
            path = save_network(tmp_path / "lifting.safetensors", LiftingNetworks(*shape))
            with pytest.raises(InputError, match=text):
                build(networks=dict(weights=str(path)))

    def test_sample_numbers(self):
        numbers = SampleNumbers(3, first=10)
        assert [int(numbers[k]["index"]) for k in range(3)] == [10, 11, 12]
        with pytest.raises(IndexError):
            numbers[3]
        with pytest.raises(InputError):
            SampleNumbers(0)

    def test_a_view_that_is_not_finite(self, build):
        method, _ = build()
        with torch.no_grad():
            method.lifting.view.mlp[-2].bias[1] = math.nan
        with pytest.raises(InputError, match="NaN"):
            terms_of(method)


def test_pose_is_found_without_labels():
    """120 steps on drawn cats, whose truth is known: D_V begins to tell where heads look, and what D_V reads off
    turned codes is what was asked for."""
    config = load_config("liftedgan_cats_32").lift
    torch.manual_seed(0)
    method = MODELS.build(config.model)
    optimizer = OPTIM_WRAPPER_CONSTRUCTORS.build(
        dict(type="OptimizerPerModule", optim_wrapper_cfg={"lifting": dict(config.optim_wrapper["lifting"])})
    )(method)
    teacher = method.teacher.network

    def state():
        latents = teacher.sample_latents(64, generator=torch.Generator().manual_seed(9))
        w = teacher.mapping(latents)
        with torch.no_grad():
            yaw = method.views.pose(method.lifting.decompose(w)[1])[0][:, 1]
        truth = teacher.truth(w).rotation[:, 1]
        return float(torch.corrcoef(torch.stack([yaw, truth]))[0, 1]), float(
            terms_of(method, 16)["cycle_view"].detach()
        )

    _, cycle = state()
    for k in range(120):
        method.train_step({"index": torch.arange(4) + 4 * k}, optimizer)
    agreement, cycle_after = state()
    assert agreement > 0.5 and cycle_after < 0.5 * cycle
