"""Nodes, skin and animation of a glTF file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from faceuv.export.gltf_buffer import Buffer
from faceuv.export.gltf_geometry import Precision
from faceuv.export.mesh_file import METRES_PER_DECIMETRE, MeshFile, in_metres
from faceuv.export.rig import REST, Animation, Quaternion, Skeleton, rotation_quaternion, rotation_vector


def scene(buffer: Buffer, mesh: MeshFile, precision: Precision) -> dict[str, Any]:
    """The entries ``scene``, ``scenes``, ``nodes`` and, where there are joints or movements, ``skins`` and
    ``animations``. Node 0 is the mesh; a skinned mesh takes its place from its joints, so both are roots."""
    node: dict[str, Any] = {"name": mesh.name, "mesh": 0}
    if mesh.metadata:
        node["extras"] = mesh.metadata
    found: dict[str, Any] = {"scene": 0, "scenes": [{"nodes": [0]}], "nodes": [node]}
    skeleton = mesh.skeleton
    if skeleton is None:
        if precision.position.one:
            node |= {"translation": precision.centre.tolist(), "scale": [precision.scale] * 3}
    else:
        node["skin"] = 0
        root = 1 + skeleton.parents.index(-1)
        found["scenes"][0]["nodes"].append(root)
        found["nodes"] += _joints(skeleton, mesh.pose)
        joints = [1 + k for k in range(len(skeleton.joints))]
        inverse = buffer.numbers(_inverse_binds(skeleton, precision))
        found["skins"] = [{"joints": joints, "skeleton": root, "inverseBindMatrices": inverse}]
    if mesh.animation is not None:
        found["animations"] = [_animation(buffer, mesh, mesh.animation)]
    return found


def _joints(skeleton: Skeleton, pose: Mapping[str, Quaternion]) -> list[dict[str, Any]]:
    places = skeleton.positions.astype(np.float64) * METRES_PER_DECIMETRE
    nodes = []
    for k, (joint, parent) in enumerate(zip(skeleton.joints, skeleton.parents)):
        place = places[k] - places[parent] if parent >= 0 else places[k]
        node: dict[str, Any] = {"name": joint, "translation": place.tolist()}
        if pose.get(joint, REST) != REST:
            node["rotation"] = [float(value) for value in pose[joint]]
        children = [1 + child for child, above in enumerate(skeleton.parents) if above == k]
        if children:
            node["children"] = children
        nodes.append(node)
    return nodes


def _inverse_binds(skeleton: Skeleton, precision: Precision) -> np.ndarray:
    """``(J, 16)``, column by column: stored positions → metres → the joint's frame."""
    matrices = np.tile(np.eye(4), (len(skeleton.joints), 1, 1))
    matrices[:, :3, :3] *= precision.scale
    matrices[:, :3, 3] = precision.centre - in_metres(skeleton.positions)
    return matrices.transpose(0, 2, 1).reshape(-1, 16)


def _animation(buffer: Buffer, mesh: MeshFile, animation: Animation) -> dict[str, Any]:
    times = buffer.numbers(animation.times[:, None], bounds=True)
    channels: list[dict[str, Any]] = []
    samplers: list[dict[str, Any]] = []

    def channel(node: int, path: str, output: np.ndarray) -> None:
        channels.append({"sampler": len(samplers), "target": {"node": node, "path": path}})
        samplers.append({"input": times, "output": buffer.numbers(output), "interpolation": "LINEAR"})

    if animation.targets:
        names = list(mesh.morph_targets)
        weights = np.tile([mesh.morph_weights.get(name, 0.0) for name in names], (len(animation.times), 1))
        weights[:, [names.index(target) for target in animation.targets]] = animation.weights
        channel(0, "weights", weights.reshape(-1, 1))
    if mesh.skeleton is not None:
        for joint, turns in animation_rotations(mesh, animation).items():
            channel(1 + mesh.skeleton.index(joint), "rotation", turns)
    return {"name": animation.name, "channels": channels, "samplers": samplers}


def animation_rotations(mesh: MeshFile, animation: Animation) -> dict[str, np.ndarray]:
    """Joint → quaternions ``(T, 4)``: those of the animation, and for eyes that it moves by weights alone the turns
    that these weights mean."""
    found = dict(animation.rotations)
    vectors: dict[str, np.ndarray] = {}
    for movement, (joint, full) in mesh.eye_look.items():
        if movement in animation.targets and joint not in animation.rotations:
            amount = animation.weights[:, [animation.targets.index(movement)]]
            turn = amount * rotation_vector(np.asarray(full, np.float64))[None]
            vectors[joint] = vectors.get(joint, 0) + turn
    return found | {joint: rotation_quaternion(vector) for joint, vector in vectors.items()}
