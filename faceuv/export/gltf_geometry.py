"""Primitives of a glTF mesh: one per part, each with its own vertices, morph targets and skin weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from faceuv.export.gltf_buffer import BYTE, FLOAT, JOINT, SHORT, UBYTE, USHORT, Buffer, Component
from faceuv.export.mesh_file import METRES_PER_DECIMETRE, MeshFile, linear_from_srgb
from faceuv.export.morphs import TargetMove, target_moves
from faceuv.export.parts import Part

INFLUENCES = 4  # joints of a vertex in a file


@dataclass(frozen=True, eq=False)
class Precision:
    """How vertices are stored: ``position = scale · stored + centre``, metres, and the components."""

    centre: np.ndarray
    scale: float
    position: Component = FLOAT
    normal: Component = FLOAT
    turn: Component = FLOAT
    uv: Component = FLOAT
    weight: Component = FLOAT

    @classmethod
    def of(cls, mesh: MeshFile, quantised: bool) -> Precision:
        """Floats, or 16-bit positions, normals and uv and 8-bit turns of normals (KHR_mesh_quantization)."""
        if not quantised:
            return cls(np.zeros(3), 1.0)
        low, high = mesh.metres.min(0).astype(np.float64), mesh.metres.max(0).astype(np.float64)
        largest = max((float(np.abs(t).max(initial=0)) for t in mesh.morph_targets.values()), default=0.0)
        scale = max(float((high - low).max()) / 2, largest * METRES_PER_DECIMETRE, 1e-6)
        uv = [array for array in (mesh.uv, *(part.uv for part in mesh.parts)) if array is not None]
        inside = all(float(array.min()) >= 0 and float(array.max()) <= 1 for array in uv)
        return cls((low + high) / 2, scale, SHORT, SHORT, BYTE, USHORT if inside else FLOAT, UBYTE)


def primitives(buffer: Buffer, mesh: MeshFile, precision: Precision) -> list[dict[str, Any]]:
    """One entry per part of the mesh; ``material`` is the part's number."""
    selections = [_Selection.of(part, mesh, alone=len(mesh.parts) == 1) for part in mesh.parts]
    entries = []
    for number, chosen in enumerate(selections):
        entry: dict[str, Any] = {
            "attributes": _attributes(buffer, mesh, chosen, precision),
            "indices": buffer.indices(chosen.faces, len(chosen.vertices)),
            "material": number,
        }
        if mesh.morph_targets:
            entry["targets"] = []
        entries.append(entry)
    users = _users(selections)
    for moves in target_moves(mesh):
        rows = np.concatenate([moves.moved, moves.turned])
        reached = users[rows].any(0)
        for entry, chosen, moves_here in zip(entries, selections, reached):
            entry["targets"].append(_target(buffer, chosen, moves if moves_here else None, precision))
    return entries


@dataclass(eq=False)
class _Selection:
    """The vertices of a part: ``vertices (v,)`` in the mesh, ``local (V,)`` their number in the part or −1."""

    part: Part
    vertices: np.ndarray
    local: np.ndarray
    faces: np.ndarray
    still: dict[str, int] | None = None  # the target of a movement that does not reach the part

    @classmethod
    def of(cls, part: Part, mesh: MeshFile, alone: bool) -> _Selection:
        count = len(mesh.vertices)
        vertices = np.arange(count) if alone else np.unique(part.faces)
        local = np.full(count, -1)
        local[vertices] = np.arange(len(vertices))
        return cls(part, vertices, local, local[part.faces])

    def pick(self, rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values at rows of the mesh → at rows of the part, in their order."""
        own = self.local[rows]
        inside = own >= 0
        return own[inside], values[inside]


def _users(selections: list[_Selection]) -> np.ndarray:
    """``(V, P)``: which parts use a vertex."""
    return np.stack([chosen.local >= 0 for chosen in selections], 1)


def _attributes(buffer: Buffer, mesh: MeshFile, chosen: _Selection, precision: Precision) -> dict[str, int]:
    part, rows = chosen.part, chosen.vertices
    stored = (mesh.metres[rows] - precision.centre) / precision.scale if precision.position.one else mesh.metres[rows]
    attributes = {
        "POSITION": buffer.attribute(stored, precision.position, bounds=True),
        "NORMAL": buffer.attribute(mesh.normals[rows], precision.normal),
    }
    if mesh.tangents is not None and part.material.detail:
        attributes["TANGENT"] = buffer.attribute(mesh.tangents[rows], precision.normal)
    uv = part.uv if part.uv is not None else mesh.uv
    pictured = part.uv is not None or part.material.textured or part.material.detail
    if uv is not None and pictured:
        attributes["TEXCOORD_0"] = buffer.attribute(uv[rows], precision.uv)
    if part.colours is not None:
        attributes["COLOR_0"] = buffer.attribute(part.colours[rows])
    elif mesh.colours is not None and part.material.textured:
        attributes["COLOR_0"] = buffer.attribute(linear_from_srgb(mesh.colours[rows]))
    if mesh.skeleton is not None:
        joints, weights = influences(mesh.skeleton.weights[rows])
        weights = whole_weights(weights) if precision.weight.one else weights
        attributes["JOINTS_0"] = buffer.attribute(np.where(weights > 0, joints, 0), JOINT)
        attributes["WEIGHTS_0"] = buffer.attribute(weights, precision.weight)
    return attributes


def influences(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Skin weights ``(V, J)`` → the four strongest joints ``(V, 4)`` and their weights, which sum to 1."""
    width = max(weights.shape[1], INFLUENCES)
    padded = np.zeros((len(weights), width), np.float64)
    padded[:, : weights.shape[1]] = weights
    joints = np.argsort(-padded, axis=1, kind="stable")[:, :INFLUENCES]
    strongest = np.take_along_axis(padded, joints, 1)
    strongest[strongest < 1e-4] = 0  # of no influence
    strongest /= strongest.sum(1, keepdims=True)
    return joints, strongest


def whole_weights(weights: np.ndarray) -> np.ndarray:
    """The weights in steps of 1/255 that still sum to 1: what rounding leaves goes to the strongest joint."""
    levels = np.rint(weights * UBYTE.one)
    levels[:, 0] += UBYTE.one - levels.sum(1)
    return levels / UBYTE.one


def _target(buffer: Buffer, chosen: _Selection, moves: TargetMove | None, precision: Precision) -> dict[str, int]:
    """The target of a part; ``moves`` is None where they do not reach it."""
    count = len(chosen.vertices)
    if moves is None:
        if chosen.still is None:
            nowhere, nothing = np.zeros(0, np.int64), np.zeros((0, 3))
            chosen.still = _stored_target(buffer, nowhere, nothing, nowhere, nothing, count, precision)
        return chosen.still
    moved, offsets = chosen.pick(moves.moved, moves.offsets)
    turned, turns = chosen.pick(moves.turned, moves.turns)
    return _stored_target(buffer, moved, offsets, turned, turns, count, precision)


def _stored_target(
    buffer: Buffer,
    moved: np.ndarray,
    offsets: np.ndarray,
    turned: np.ndarray,
    turns: np.ndarray,
    count: int,
    precision: Precision,
) -> dict[str, int]:
    scaled = offsets / precision.scale if precision.position.one else offsets
    return {
        "POSITION": buffer.sparse(moved, scaled, count, precision.position, bounds=True),
        "NORMAL": buffer.sparse(turned, turns, count, precision.turn),
    }
