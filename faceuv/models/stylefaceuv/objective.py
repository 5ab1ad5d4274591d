"""The objective of StyleFaceUV in one place: equations 3–9 of the paper (Chung et al., BMVC 2022).

A training step asks for the terms of one phase after the other (:meth:`StyleFaceUV.train_step`)::

    generator      L_G^mv = L_G^ori + λ_mv · L_G^sym,    L_G = softplus(−D(I_r)) + λ_rec · L_rec          (6, 8)
                   L_rec  = L_photo + λ_percept · L_percept                                               (3, 4)
                   L_photo = ‖I_r − I_t‖² · M_r / |M_r|                                                   (5)
    discriminator  L_D^mv = L_D^ori + λ_mv · L_D^sym,    L_D = softplus(D(I_r)) + softplus(−D(I_t))       (7, 9)
    r1             γ/2 · E ‖∇D(I_t)‖²                                                                     (7)

I_t is the teacher's image, I_r the render, M_r the render's coverage times the weights of its pixels. The factors λ are
the terms' weights in the config: 10 for ``photo`` and 10 · 0.2 for ``percept``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from faceuv.models.base.loss_terms import LossTerms
from faceuv.models.stylefaceuv.options import AdversarialOptions
from faceuv.models.stylefaceuv.teacher_views import ViewBatch
from faceuv.models.stylefaceuv.views import ViewRender
from faceuv.models.stylegan2 import StyleGAN2Discriminator

Phase = Literal["generator", "discriminator", "r1"]
DISCRIMINATOR_TERMS = ("discriminator", "r1")
ADVERSARIAL_TERMS = ("adversarial", *DISCRIMINATOR_TERMS)


def objective(
    phase: Phase,
    views: ViewBatch,
    render: ViewRender,
    discriminator: StyleGAN2Discriminator | None,
    losses: LossTerms,
    *,
    view_weights: Sequence[float],
    adversarial: AdversarialOptions,
) -> dict[str, Tensor]:
    """The loss terms of one phase: name → weighted scalar. Their sum is what the phase's optimiser descends.

    A term is taken per view: ``photo`` of the original, ``photo_symmetric`` of the symmetric view. A term about the
    maps of B faces has no views.

    Args:
        phase: whose terms: the UV generator's, the discriminator's, or the discriminator's R1.
        views: V views of B faces: the teacher's images I_t ``(V·B, 3, S, S)``.
        render: the same views, drawn with the UV generator's maps: I_r, M_r and the maps.
        discriminator: D; None without adversarial terms.
        losses: ``adversarial``, ``discriminator`` and ``r1`` read scores, every other term reads images and maps.
        view_weights: 1 for the original view, λ_mv for the symmetric one.
        adversarial: what D is shown.
    """
    terms: dict[str, Tensor] = {}
    count = len(views.images)  # V·B

    def add(name: str, pred: Mapping[str, Any], target: Mapping[str, Any]) -> None:
        """A term's mean over each view, weighted."""
        values = losses.per_image(name, pred, target).float()
        names = views.names if len(values) == count else views.names[:1]
        for view, mean, weight in zip(names, values.unflatten(0, (len(names), -1)).mean(1), view_weights):
            terms[name if view == "original" else f"{name}_{view}"] = weight * mean  # eq. 8, 9: L^ori + λ_mv · L^sym

    def scores(image: Tensor, *, raw: bool = False) -> Tensor:
        """D(I), ``(V·B, 1)``."""
        assert discriminator is not None
        batches = image.chunk(len(views.names)) if adversarial.per_view else (image,)
        return torch.cat([discriminator(batch, raw=raw) for batch in batches])

    # -- The UV generator: look like the teacher's images, and real to D ------------------------------------------
    if phase == "generator":
        found = {"diffuse": render.maps.diffuse, "displacement": render.maps.displacement}
        pred = {"image": render.image, "mask": render.mask, **{k: m for k, m in found.items() if m is not None}}
        absent = set(found) - set(pred)  # an ablation without one of the maps has no penalty on it
        target = {"image": views.images}
        if render.weights is not None:
            target["mask"] = render.weights
        for name, loss in losses.terms.items():
            if name == "adversarial":
                fake, _ = shown_to_discriminator(render, views.images, adversarial)
                add(name, {"scores": scores(fake)}, {})  # eq. 6: −log D(I_r)
            elif name not in DISCRIMINATOR_TERMS and getattr(loss, "of", "image") not in absent:
                add(name, pred, target)  # eq. 3–5: λ_rec (L_photo + λ_percept L_percept)

    # -- The discriminator: tell renders from the teacher's images, in every view ---------------------------------
    elif phase == "discriminator":
        fake, real = shown_to_discriminator(render.detach(), views.images, adversarial)
        add("discriminator", {"scores": scores(fake)}, {"scores": scores(real)})  # eq. 7: −log D(I_t) − log(1 − D(I_r))

    # -- R1, every 16th step of the discriminator, in full precision ----------------------------------------------
    else:
        with torch.autocast(views.images.device.type, enabled=False):
            _, real = shown_to_discriminator(render.detach(), views.images, adversarial)
            image = (real * 2 - 1).requires_grad_()  # γ counts in the network's own units, [−1, 1]
            add("r1", {}, {"image": image, "scores": scores(image, raw=True)})  # eq. 7: γ/2 · E ‖∇D(I_t)‖²

    return terms


def shown_to_discriminator(
    render: ViewRender, images: Tensor, adversarial: AdversarialOptions
) -> tuple[Tensor, Tensor]:
    """The fake and the real images ``(V·B, 3, S, S)`` that D is shown, of renders and of the teacher's images."""
    if adversarial.sees == "pasted":
        return render.over(images), images
    if adversarial.sees == "covered":
        return render.image, images * render.mask.detach()
    return render.image, images
