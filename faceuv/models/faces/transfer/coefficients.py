"""Coefficients of one model → of another, by least squares with the models' own priors, as small linear operators."""

from __future__ import annotations

import torch
from torch import Tensor

from faceuv.geometry.normals import face_normals, scatter_to_vertices
from faceuv.models.faces.arkit import NAMES
from faceuv.models.faces.arkit.procedural import MOVEMENTS
from faceuv.models.faces.arkit.table import movements_by_name
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.transfer.correspondence import Correspondence
from faceuv.models.faces.transfer.regions import REGIONS, regions
from faceuv.models.faces.transfer.skin import Skin

# Standard deviations of what a model cannot follow, over the weighted surface.
SHAPE_NOISE = 0.0015  # dm
EXPRESSION_NOISE = 0.001  # dm
COLOUR_NOISE = 0.03
_IMPORTANCE = {"face": 1.0, "ears": 0.15, "scalp": 0.25, "neck": 0.1}  # of identity
_MARGIN = 5.0  # times, of lids and lips, for movements
_ROUNDS = 300  # of the bounded least squares


class CoefficientTransfer:
    """Identity, expression and albedo of a source model as a target model shows them; batched, on any device.

    Identity: the target's surface lies on the source's, where the correspondence is sure. Albedo: so do the vertex
    colours. Expression: ARKit amounts, for the names that both models have; what these leave over follows the motion
    of the surface. Both steps keep amounts in 0 … 1 and coefficients within the target's ``expression_limits``. Two
    models with the same named modes share their coefficients.
    """

    def __init__(self, source: FaceModel, target: FaceModel, found: Correspondence) -> None:
        weight = _weights(target, found)
        turn = found.scale * found.rotation
        at = _At(source, found)
        goal = _turned(at(source.mean[..., None]), turn)[..., 0] + found.offset
        shapes = _Least(target.identity_basis, weight["identity"], SHAPE_NOISE)
        self.identity_matrix = shapes.onto(_turned(at(source.identity_basis), turn))
        self.identity_offset = shapes.onto((goal - target.mean.double().cpu())[..., None])[:, 0]
        theirs = _turned(at(_movements(source)), turn)
        moves = _Least(_movements(target), weight["expression"], EXPRESSION_NOISE)
        self.gram = moves.gram
        self.cross = moves.against(theirs)
        self.source_gram = _Least(theirs, weight["expression"], EXPRESSION_NOISE).gram
        self.same_modes = same_modes(source, target)
        here, there = shared_tables(source, target)
        self.source_table = here.double()
        self.target_table = there.double()
        limits = target.expression_limits
        free = torch.full((target.layout.expression, 2), torch.inf) * torch.tensor([-1.0, 1.0])
        self.limits = (free if limits is None else limits.cpu()).double()
        colours = _Least(target.albedo_basis, weight["albedo"], COLOUR_NOISE)
        seen = at(source.mean_albedo[..., None])[..., 0]
        self.albedo_matrix = colours.onto(at(source.albedo_basis))
        self.albedo_offset = colours.onto((seen - target.mean_albedo.double().cpu())[..., None])[:, 0]

    def identity(self, identity: Tensor) -> Tensor:
        """``(B, I)`` → ``(B, I')``."""
        return identity @ self.identity_matrix.to(identity).T + self.identity_offset.to(identity)

    def albedo(self, albedo: Tensor) -> Tensor:
        """``(B, A)`` → ``(B, A')``."""
        return albedo @ self.albedo_matrix.to(albedo).T + self.albedo_offset.to(albedo)

    def arkit(self, expression: Tensor) -> Tensor:
        """``(B, E)`` → amounts ``(B, N)`` in 0 … 1 of the ARKit shapes that both models have."""
        rows = expression.to(self.source_gram)
        pull = self.source_table @ self.source_gram
        gram, goal = pull @ self.source_table.T, rows @ pull.T
        one = gram.new_ones(len(gram))
        return bounded_least_squares(gram, goal, 0 * one, one)

    def expression(self, expression: Tensor) -> Tensor:
        """``(B, E)`` → ``(B, E')``, within the target's limits where it has them."""
        if self.same_modes:
            return expression
        amounts = self.arkit(expression)
        named = amounts @ self.target_table
        rest = expression.to(amounts) - amounts @ self.source_table
        low, high = self.limits.unbind(1)
        added = bounded_least_squares(self.gram, rest @ self.cross.T, low - named, high - named)
        return (named + added).clamp(low, high).to(expression)


def same_modes(source: FaceModel, target: FaceModel) -> bool:
    """Whether two models have the same expression modes: names that somebody gave, full movements and limits alike."""
    names = source.mode_names["expression"]
    given = names != [f"expression_{k:02d}" for k in range(len(names))]
    alike = source.metadata.get("full_expression") == target.metadata.get("full_expression")
    one, two = source.expression_limits, target.expression_limits
    limits = one is two if one is None or two is None else torch.equal(one.cpu(), two.cpu())
    return given and names == target.mode_names["expression"] and alike and limits


def shared_tables(source: FaceModel, target: FaceModel) -> tuple[Tensor, Tensor]:
    """The rows of both models' ARKit tables ``(N, E)``, ``(N, E')`` for the shapes that both have. A model whose modes
    have no names takes part in none: its table would be solved for as the rest of an expression is."""
    if not (_named(source) and _named(target)):
        return torch.zeros(0, source.layout.expression), torch.zeros(0, target.layout.expression)
    here, there = source.arkit_table(), target.arkit_table()
    both = [NAMES.index(name) for name in here.expressible if name in set(there.expressible)]
    return here.matrix[both].cpu(), there.matrix[both].cpu()


def _named(model: FaceModel) -> bool:
    known = set(model.movements())
    procedural = {movement for row in MOVEMENTS.values() for movement in row}
    return "arkit" in model.metadata or bool(movements_by_name(model)) or procedural <= known


def _movements(model: FaceModel) -> Tensor:
    """How vertices move with each expression coefficient, at rest: ``(V, 3, E)``."""
    identity, expression = model.layout.identity, model.layout.expression
    every = torch.arange(len(model.mean), device=model.mean.device)
    zeros = model.mean.new_zeros
    return model.slopes(zeros(1, identity), zeros(1, expression), every)[0, :, :, identity:]


def bounded_least_squares(gram: Tensor, goal: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """``x (B, E)`` that minimises ½ x·G·x − x·g for ``g = goal (B, E)``, with ``low ≤ x ≤ high`` (one for all or per
    row): accelerated projected gradients, in units in which G has a unit diagonal."""
    if not goal.numel():
        return goal
    size = gram.diagonal().clamp_min(1e-12).sqrt()
    gram, goal, low, high = gram / (size[:, None] * size), goal / size, low * size, high * size
    step = 1 / torch.linalg.eigvalsh(gram)[-1]
    x = torch.linalg.solve(gram + 1e-9 * torch.eye(len(gram)).to(gram), goal.T).T.clamp(low, high)
    ahead, momentum = x, 1.0
    for _ in range(_ROUNDS):
        after = (ahead - step * (ahead @ gram - goal)).clamp(low, high)
        growth = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = after + (momentum - 1) / growth * (after - x)
        x, momentum = after, growth
    return x / size


class _Least:
    """Weighted least squares of fields on a basis ``(V, 3, K)`` with a standard normal prior."""

    def __init__(self, basis: Tensor, weight: Tensor, noise: float) -> None:
        self.basis = basis.detach().cpu().double()
        self.scaled = self.basis * (weight / noise**2)[:, None, None]
        count = basis.shape[2]
        self.gram = self.scaled.flatten(0, 1).T @ self.basis.flatten(0, 1) + torch.eye(count, dtype=torch.float64)

    def against(self, fields: Tensor) -> Tensor:
        """Right-hand sides ``(K, N)`` of fields ``(V, 3, N)``."""
        return self.scaled.flatten(0, 1).T @ fields.flatten(0, 1)

    def onto(self, fields: Tensor) -> Tensor:
        """Coefficients ``(K, N)`` of fields ``(V, 3, N)``."""
        return torch.linalg.solve(self.gram, self.against(fields))


class _At:
    """Attributes of the source's vertices ``(V, 3, N)`` at the points of the target's vertices, in float64."""

    def __init__(self, source: FaceModel, found: Correspondence) -> None:
        self.corners = source.faces.cpu()[found.face]
        self.weights = found.weights.double()

    def __call__(self, values: Tensor) -> Tensor:
        values = values.detach().cpu()
        total = sum(values[self.corners[:, k]].double() * self.weights[:, k, None, None] for k in range(3))
        assert isinstance(total, Tensor)
        return total


def _turned(fields: Tensor, turn: Tensor) -> Tensor:
    """Vectors ``(V, 3, N)`` turned by ``(3, 3)``."""
    return torch.einsum("ij,vjn->vin", turn, fields)


def _weights(target: FaceModel, found: Correspondence) -> dict[str, Tensor]:
    """Weights ``(V,)`` of the target's vertices that sum to 1, per group of coefficients."""
    skin = Skin.of(target)
    mean, faces = target.mean.detach().cpu(), target.faces.cpu()
    area = scatter_to_vertices(face_normals(mean[None], faces).norm(dim=2, keepdim=True), faces, len(mean))[0, :, 0]
    base = area.double() * found.confidence.double()
    here = torch.from_numpy(skin.of_vertex)
    on_skin = here >= 0
    table = torch.tensor([_IMPORTANCE[name] for name in REGIONS], dtype=torch.float64)
    region = table[torch.from_numpy(regions(skin))][here.clamp_min(0)] * on_skin
    margin = torch.from_numpy((skin.labels >= 0).astype("f8"))[here.clamp_min(0)]
    plain = target.skin_mask.cpu().double() * 0.9 + 0.1
    found_weights = {
        "identity": base * region,
        "expression": base * region * (1 + (_MARGIN - 1) * margin),
        "albedo": base * region * plain,
    }
    return {name: value / value.sum().clamp_min(1e-12) for name, value in found_weights.items()}
