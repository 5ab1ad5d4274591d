"""The objective of LiftedGAN in one place (Shi, Aggarwal, Jain, CVPR 2021, equations 2–9).

For codes w of the teacher G, the networks D_V, D_L, M, D_S, D_T give depth S, transformation map T, albedo A, view V
and light L (``scene.lift``), and R draws them. V', L' are random, w' = M(w, L', V'), and Ṽ', L̃' are what D_V, D_L read
off w'::

    rec            d(R(A, S, T, V, L), G(w))                                                   (2)
    flip           d(R(mirrored A and S, T, V, L), G(w))                                       (2)
    perturb_shape  d(R(A, S, T, Ṽ', L̃'), sg G(w'))     trains S, T, A, D_V, D_L                 (4)
    perturb_code   d(G(w'), sg R(A, S, T, V', L'))      trains M through G                      (4)
    cycle_light    ‖L̃' − L'‖²,   cycle_view  ‖Ṽ' − V'‖²                                         (5)
    identity       ‖f(G(w0)) − f(R(A, S, T, Ṽ', L̃'))‖² where |yaw of V'| < 25°                  (6)
    prior          ‖w' − μ‖² / 2σ²                                                              (3)
    albedo         ‖K_A‖_*                                                                      (7)

``sg`` stops the gradient. The weights λ stand in the configs. One step asks the teacher twice (G(w) without gradient;
w0 and w' together), draws all views of a batch in one call (and the one without gradient in another), and computes the
features of each image once; the release does each on its own, and runs M and G a second time for ``perturb_code``.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.models.base.generator import Generator
from faceuv.models.base.loss_terms import LossTerms
from faceuv.models.liftedgan.distance import ImageDistance, Seen
from faceuv.models.liftedgan.geometry import DepthSpace
from faceuv.models.liftedgan.networks import LiftingNetworks
from faceuv.models.liftedgan.parameters import ViewRange, frontal
from faceuv.models.liftedgan.scene import Drawn, Lifted, draw, from_picture, joined, last_features
from faceuv.models.liftedgan.terms import LiftedImages
from faceuv.renderers import Renderer

TERMS = (
    "rec", "flip", "perturb_shape", "perturb_code", "cycle_light", "cycle_view", "identity", "prior", "albedo",
)  # fmt: skip
SHAPE = ("rec", "flip", "albedo")
"""Terms that need no w'."""
TURNING = ("perturb_code", "cycle_light", "cycle_view", "prior")
"""Terms from which M learns to turn and relight codes, whatever the shapes are."""
PERTURBED = ("perturb_shape", "perturb_code", "cycle_light", "cycle_view", "identity", "prior")
"""Terms that need w'."""


@dataclass(frozen=True)
class Perturbation:
    """How V' and L' are drawn; a group of settings of the method, ``perturbation=dict(yaw_deg=45.0, …)``.

    yaw_deg, pitch_deg   uniform in ± so many degrees; roll is 0
    shift                raw x translation of −shift·sin(yaw): the release moves a turned face so that it stays in the
                         middle; 0 where the centre of rotation lies inside the head
    zoom                 raw z translation of zoom·(1 − cos(yaw)), toward the camera, where the teacher's pictures are
                         framed by something that gets narrower as the face turns, as the distance of the eyes
    """

    yaw_deg: float = 45.0
    pitch_deg: float = 15.0
    shift: float = 0.2
    zoom: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.yaw_deg <= 90 or not 0 <= self.pitch_deg <= 90:
            raise InputError(
                f"perturbation.yaw_deg and pitch_deg lie in 0 … 90 degrees, got {self.yaw_deg} and {self.pitch_deg}"
            )

    def view(self, count: int, views: ViewRange, rng: torch.Generator) -> Tensor:
        """Raw V' ``(count, 6)``, drawn on the CPU."""
        yaw, pitch = (torch.rand(2, count, generator=rng) * 2 - 1) * torch.tensor(
            [[math.radians(self.yaw_deg)], [math.radians(self.pitch_deg)]]
        )
        zero = torch.zeros_like(yaw)
        turned = views.view(torch.stack([pitch, yaw, zero], 1), torch.zeros(count, 3))
        return torch.cat(
            [turned[:, :3], torch.stack([-self.shift * yaw.sin(), zero, self.zoom * (1 - yaw.cos())], 1)], 1
        )

    @staticmethod
    def light(light: Tensor, rng: torch.Generator) -> Tensor:
        """L' ``(B, 4)``: strengths and directions of the batch, shuffled apart."""
        strengths, direction = (torch.randperm(len(light), generator=rng).to(light.device) for _ in range(2))
        return torch.cat([light[strengths, :2], light[direction, 2:]], 1)


@dataclass(frozen=True)
class WarmUp:
    """Steps at the beginning of a training that leave something out; a group of settings of the method,
    ``warmup=dict(shape=250, turning=150)``. The paper has none.

    As long as M does not turn a code, w' shows the pose that w has, and the terms on w' teach D_V and D_S that nothing
    turns: what ``rec`` and ``flip`` found is lost again. So there are ``shape`` steps with the terms :data:`SHAPE`
    alone, and then ``turning`` steps in which M alone learns, from the terms :data:`TURNING`.
    """

    shape: int = 0
    turning: int = 0

    def __post_init__(self) -> None:
        if self.shape < 0 or self.turning < 0:
            raise InputError(
                f"warmup.shape and warmup.turning count steps, got shape={self.shape} and turning={self.turning}"
            )

    def terms(self, step: int, names: Collection[str]) -> list[str]:
        """Which of the terms ``names`` count in the step."""
        if step < self.shape:
            return [name for name in names if name in SHAPE]
        if self.only_composer(step, names):
            return [name for name in names if name in TURNING]
        return list(names)

    def only_composer(self, step: int, names: Collection[str]) -> bool:
        """Whether M alone learns in the step; never where no term of ``names`` turns codes."""
        return self.shape <= step < self.shape + self.turning and any(name in TURNING for name in names)


@dataclass(frozen=True, eq=False)
class Step:
    """What a step computes before its losses.

    lifted       the batch, taken apart
    target       G(w) ``(B, 3, S, S)``
    rec, flip, perturbed   renders; they and the target are None where no term wants them
    wanted       R(A, S, T, V', L'), without gradient
    composed     w' ``(B, D)``
    regenerated  G(w')
    view, light  V', L' raw;  view_read, light_read  Ṽ', L̃'
    """

    lifted: Lifted
    target: Tensor | None = None
    rec: Drawn | None = None
    flip: Drawn | None = None
    perturbed: Drawn | None = None
    wanted: Drawn | None = None
    composed: Tensor | None = None
    regenerated: Tensor | None = None
    view: Tensor | None = None
    light: Tensor | None = None
    view_read: Tensor | None = None
    light_read: Tensor | None = None


def run(
    teacher: Generator,
    networks: LiftingNetworks,
    renderer: Renderer,
    w: Tensor,
    *,
    space: DepthSpace,
    views: ViewRange,
    perturbation: Perturbation,
    terms: Collection[str],
    rng: torch.Generator,
    clip: bool,
) -> Step:
    """Everything that the ``terms`` need of codes ``w (B, D)``."""
    size = teacher.size
    compared = "rec" in terms or "flip" in terms
    shaped = not set(terms) <= set(TURNING)  # otherwise nothing learns from the shapes
    more: dict[str, Any] = {}
    if compared:
        with torch.no_grad():
            more["target"] = teacher.synthesis(w).clamp(0, 1)
    light, view = networks.decompose(w)
    neutral = networks.compose(w, frontal(light), torch.zeros_like(view))
    perturb = any(name in terms for name in PERTURBED)
    if perturb:
        more["view"] = perturbation.view(len(w), views, rng).to(w)
        more["light"] = perturbation.light(light.detach(), rng)
        more["composed"] = networks.compose(w, more["light"], more["view"])
        more["light_read"], more["view_read"] = networks.decompose(more["composed"])
    picture, features, more["regenerated"] = _asked(teacher, networks, neutral, more.get("composed"), shaped)
    with nullcontext() if shaped else torch.no_grad():
        lifted = from_picture(networks, neutral, picture, features, space, light, view)

    kinds: dict[str, Lifted] = {}
    if compared:
        kinds["rec"] = lifted
    if "flip" in terms:
        kinds["flip"] = lifted.mirrored()
    if "perturb_shape" in terms or "identity" in terms:
        kinds["perturbed"] = lifted.replace(light=more["light_read"], view=more["view_read"])
    if kinds:
        drawn = draw(renderer, joined(*kinds.values()), space, views, size, clip=clip)
        more |= dict(zip(kinds, _rows(drawn, len(kinds))))
    if "perturb_code" in terms:
        with torch.no_grad():
            asked = lifted.detach().replace(light=more["light"], view=more["view"])
            more["wanted"] = draw(renderer, asked, space, views, size)
    return Step(lifted=lifted, **more)


def _asked(
    teacher: Generator, networks: LiftingNetworks, neutral: Tensor, composed: Tensor | None, shaped: bool
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The teacher's picture of w0, its last features, and the picture of w' if there is one; in one call, unless only
    w' needs a gradient."""
    wanted = networks.features > 0
    if not shaped:
        with torch.no_grad():
            picture, features = last_features(teacher, neutral, wanted=wanted)
        return picture, features, None if composed is None else teacher.synthesis(composed)
    codes = neutral if composed is None else torch.cat([neutral, composed])
    picture, features = last_features(teacher, codes, wanted=wanted)
    count = len(neutral)
    own = None if features is None else features[:count]
    return picture[:count], own, None if composed is None else picture[count:]


def _rows(drawn: Drawn, parts: int) -> list[Drawn]:
    columns = [value.chunk(parts) for value in vars(drawn).values()]
    return [Drawn(*row) for row in zip(*columns)]


def objective(
    step: Step,
    losses: LossTerms,
    distance: ImageDistance,
    *,
    space: DepthSpace,
    views: ViewRange,
    mean: Tensor,
    deviation: Tensor,
    names: Collection[str] | None = None,
) -> dict[str, Tensor]:
    """The weighted terms of a step: name → scalar.

    Args:
        names: of the terms that count; all of them if None.
        mean, deviation: μ ``(D,)`` and σ of the teacher's codes.
    """
    names = list(losses.terms) if names is None else names
    pred: dict[str, Any] = _distances(step, losses, distance, names)
    pred["albedo"] = step.lifted.albedo
    pred["foreground"] = (step.lifted.depth <= space.behind).to(step.lifted.depth)
    target: dict[str, Any] = {"mean": mean, "deviation": deviation}
    if step.composed is not None and step.view is not None:
        pred |= {"code": step.composed, "light": step.light_read, "view": step.view_read}
        target |= {"light": step.light, "view": step.view}
        pred["yaw"] = views.pose(step.view)[0][:, 1]
    if step.perturbed is not None:
        pred["image"], target["image"] = step.perturbed.image, step.lifted.neutral
    return {name: losses.term(name, pred, target) for name in names}


def _distances(step: Step, losses: LossTerms, distance: ImageDistance, names: Collection[str]) -> dict[str, Tensor]:
    """The distances ``(B,)`` of the pairs that the terms compare."""
    used = [losses.terms[name] for name in names]
    wanted = {loss.pair for loss in used if isinstance(loss, LiftedImages)}
    all_drawn = {"rec": step.rec, "flip": step.flip, "perturb_shape": step.perturbed}
    renders = {name: drawn for name, drawn in all_drawn.items() if name in wanted and drawn is not None}
    found: dict[str, Tensor] = {}
    seen: dict[str, Seen] = {}
    if renders:
        all_seen = distance.seen(torch.cat([d.image for d in renders.values()]))
        seen = dict(zip(renders, all_seen.chunk(len(renders))))
    if ("rec" in seen or "flip" in seen) and step.target is not None:
        with torch.no_grad():
            real = distance.seen(step.target)
        masks = [drawn.mask for name, drawn in renders.items() if name in ("rec", "flip")]
        both = masks[0] if len(masks) == 1 else masks[0] * masks[1]
        found |= {name: distance(seen[name], real, both) for name in ("rec", "flip") if name in seen}
    if step.regenerated is not None and wanted & {"perturb_shape", "perturb_code"}:
        regenerated = distance.seen(step.regenerated)
        if "perturb_shape" in seen:
            found["perturb_shape"] = distance(
                seen["perturb_shape"], regenerated.detach(), renders["perturb_shape"].mask
            )
        if "perturb_code" in wanted and step.wanted is not None:
            with torch.no_grad():
                render = distance.seen(step.wanted.image)
            found["perturb_code"] = distance(regenerated, render, step.wanted.mask)
    return found
