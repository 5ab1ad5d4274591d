"""The objective, phase by phase, against the paper's equations written out with torch alone."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch.nn.functional import softplus

from faceuv.models.stylefaceuv.objective import shown_to_discriminator


def drawn(world, **changes):
    """The method, a batch's views and their renders, bright enough that some colours leave [0, 1]."""
    method, optimizers = world.build(**changes)
    batch = world.batch(4)
    fitted = batch["coefficients"]
    layout = world.fitted.layout
    fitted[:, layout.slice("lighting")] = fitted[:, layout.slice("lighting")] + 0.6
    views = method.teacher_views(batch["code"], fitted)
    return method, optimizers, views, method.draw(views, method.uv_generator, mask=method.mask)


def of_views(values):
    """The mean of each view of ``(2·B, 1)``, weighted as in equations 8 and 9."""
    first, second = values.flatten().chunk(2)
    return first.mean(), 0.75 * second.mean()


class TestDiscriminator:
    def test_it_is_the_logistic_loss_of_every_view(self, world):
        """Equations 7 and 9: −log D(I_t) − log(1 − D(I_r)), with D = sigmoid of the score, in both views."""
        method, _, views, render = drawn(world)
        found = method.terms("discriminator", views, render)
        assert list(found) == ["discriminator", "discriminator_symmetric"]
        with torch.no_grad():
            fake = method.discriminator(render.over(views.images))
            real = method.discriminator(views.images)
            wanted = of_views(-torch.log(torch.sigmoid(real)) - torch.log(1 - torch.sigmoid(fake)))
        assert float((fake - real).abs().max()) > 1e-3  # so that swapping them shows
        torch.testing.assert_close(tuple(found.values()), wanted)

    def test_a_better_discriminator_scores_teacher_images_higher(self, world):
        """The sign: training on the terms moves real scores up and fake scores down."""
        method, optimizers, views, render = drawn(world, adversarial={"sees": "render"})
        render = render.detach()

        def gap():
            with torch.no_grad():
                fake, real = shown_to_discriminator(render, views.images, method.adversarial)
                return (method.discriminator(real) - method.discriminator(fake)).flatten().chunk(2)

        before = gap()
        for _ in range(60):
            method.update(optimizers["discriminator"], lambda: method.terms("discriminator", views, render))
        for view, (new, old) in enumerate(zip(gap(), before)):
            assert float(new.mean()) > float(old.mean()) + 0.1, view

    def test_no_gradient_reaches_the_uv_generator(self, world):
        method, _, views, render = drawn(world)
        sum(method.terms("discriminator", views, render).values()).backward()
        assert all(parameter.grad is None for parameter in method.uv_generator.parameters())
        assert any(parameter.grad is not None for parameter in method.discriminator.parameters())

    def test_the_step_updates_on_both_views(self, world):
        """One step of the method moves the discriminator as the two views' terms say, not as one view's."""
        both, one = (world.build(views={"symmetric_weight": weight})[0] for weight in (0.75, 1e-6))
        moved = []
        for method in (both, one):
            torch.manual_seed(0)
            optimizer = torch.optim.SGD(method.discriminator.parameters(), lr=0.1)
            batch = world.batch(4)
            views = method.teacher_views(batch["code"], batch["coefficients"])
            render = method.draw(views, method.uv_generator, mask=method.mask)
            sum(method.terms("discriminator", views, render).values()).backward()
            optimizer.step()
            moved.append(world.weights(method.discriminator))
        assert not torch.allclose(*moved, rtol=0, atol=1e-6)


class TestR1:
    def test_it_is_half_gamma_times_the_squared_gradient_in_the_network_s_units(self, world):
        """Equation 7's last term, lazy: interval · γ/2 · E ‖∂D/∂x‖² with x in [−1, 1]."""
        method, _, views, render = drawn(world)
        found = method.terms("r1", views, render)
        assert list(found) == ["r1", "r1_symmetric"]
        x = (views.images * 2 - 1).requires_grad_()
        (gradient,) = torch.autograd.grad(method.discriminator((x + 1) / 2).sum(), x)
        squared = gradient.square().flatten(1).sum(1)
        wanted = of_views(2 * 10.0 / 2 * squared)  # interval 2, γ 10
        torch.testing.assert_close(tuple(found.values()), wanted)

    def test_it_is_taken_on_what_the_discriminator_is_shown(self, world):
        method, _, views, render = drawn(world, adversarial={"sees": "covered"})
        x = (views.images * render.mask * 2 - 1).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(method.discriminator(x, raw=True).sum(), x)
        wanted = of_views(10.0 * gradient.square().flatten(1).sum(1))
        torch.testing.assert_close(tuple(method.terms("r1", views, render).values()), wanted)


class TestGenerator:
    def test_the_adversarial_term_rewards_what_passes_for_real(self, world):
        """Equation 6: −log D(I_r)."""
        method, _, views, render = drawn(world)
        found = method.terms("generator", views, render)
        with torch.no_grad():
            scores = method.discriminator(render.over(views.images))
        wanted = of_views(-torch.log(torch.sigmoid(scores)))
        torch.testing.assert_close((found["adversarial"], found["adversarial_symmetric"]), wanted)

    def test_the_photometric_term_written_out(self, world):
        """Equation 5, in each view: Σ M ‖I_r − I_t‖² over the number of pixels with M > 0."""
        losses = {"photo": {"type": "PhotometricLoss", "norm": "squared", "divide_by": "pixels", "weight": 10.0}}
        method, _, views, render = drawn(world, losses=losses)
        found = method.terms("generator", views, render)
        mask = render.mask * render.weights
        squared = ((render.image - views.images) ** 2).sum(1, keepdim=True)
        valid = (mask > 0).sum((1, 2, 3))
        assert bool((valid > mask.sum((1, 2, 3)) + 1)[4:].any())  # half weights, so that both counts differ
        values = 10 * (mask * squared).sum((1, 2, 3)) / valid
        torch.testing.assert_close((found["photo"], found["photo_symmetric"]), of_views(values))


class TestWhatTheDiscriminatorIsShown:
    @pytest.mark.parametrize("sees", ["pasted", "render", "covered"])
    def test_inside_and_outside_of_the_face(self, world, sees):
        method, _, views, render = drawn(world, adversarial={"sees": sees})
        fake, real = shown_to_discriminator(render, views.images, method.adversarial)
        outside, inside = ((render.mask == value).expand_as(fake) for value in (0, 1))
        assert bool(outside.any() and inside.any())
        black = torch.zeros_like(views.images)
        assert torch.equal(fake[inside], render.image[inside])
        assert torch.equal(real[inside], views.images[inside])
        assert torch.equal(fake[outside], (views.images if sees == "pasted" else black)[outside])
        assert torch.equal(real[outside], (black if sees == "covered" else views.images)[outside])

    def test_per_view_the_minibatch_deviation_compares_one_view(self, world):
        together, *_ = drawn(world)
        method, _, views, render = drawn(world, adversarial={"per_view": True})
        method.discriminator.load_state_dict(together.discriminator.state_dict())
        found = method.terms("discriminator", views, render)
        with torch.no_grad():
            fake, real = render.over(views.images), views.images
            losses = [
                (softplus(method.discriminator(f)) + softplus(-method.discriminator(r))).mean()
                for f, r in zip(fake.chunk(2), real.chunk(2))
            ]
        torch.testing.assert_close(tuple(found.values()), (losses[0], 0.75 * losses[1]))
        mixed = together.terms("discriminator", views, render)
        assert float((mixed["discriminator"] - found["discriminator"]).abs()) > 1e-6

    def test_renders_can_be_clamped(self, world):
        plain = drawn(world)[3]
        method, _, views, render = drawn(world, views={"clamp": True})
        assert float(plain.image.max()) > 1
        assert torch.equal(render.image, plain.image.clamp_min(0).minimum(plain.mask))
        fake, _ = shown_to_discriminator(render, views.images, method.adversarial)
        assert float(fake.max()) <= 1


class TestPace:
    def test_a_step_descends_the_terms_with_the_masks_of_the_settings(self, world):
        method, optimizers, views, render = drawn(world)
        wanted = {name: float(term) for name, term in method.terms("generator", views, render).items()}
        unmasked = method.terms("generator", views, method.draw(views, method.uv_generator))
        batch = world.batch(4)
        batch["coefficients"] = views.coefficients.data[:4]
        logs = method.train_step(batch, optimizers)
        assert {name: float(logs[name]) for name in wanted} == pytest.approx(wanted, rel=1e-5)
        assert float(unmasked["percept_symmetric"]) != pytest.approx(wanted["percept_symmetric"], rel=1e-3)

    def test_r1_comes_every_interval_steps_of_the_discriminator(self, world):
        """Not of the generator, of which there are more."""
        losses = copy.deepcopy(world.losses)
        losses["r1"]["interval"] = 2
        method, optimizers = world.build(losses=losses, adversarial={"every": 2})
        logs = [method.train_step(world.batch(), optimizers) for _ in range(7)]
        assert ["discriminator" in log for log in logs] == [True, False] * 3 + [True]
        assert ["r1" in log for log in logs] == [True, False, False, False, True, False, False]

    def test_the_logged_displacement_is_in_millimetres(self, world):
        """Maps are in decimetres; the log's mean length of a displacement is in millimetres."""
        method, optimizers = world.build()
        with torch.no_grad():
            method.uv_generator.displacement.layers[-1].weight.normal_()
            maps = method.uv_generator(world.batch()["code"])
        logs = method.train_step(world.batch(), optimizers)
        lengths = maps.displacement.double().square().sum(1).sqrt()
        assert float(lengths.mean()) > 0
        assert float(logs["displacement_mm"]) == pytest.approx(100 * float(lengths.mean()), rel=1e-4)
        assert math.isclose(method.uv_generator.displacement_scale, 0.01)  # ±1 mm by default
