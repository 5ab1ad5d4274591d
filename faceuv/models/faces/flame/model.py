"""FLAME as a face model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import AssetError, InputError
from faceuv.files.assets import Missing, find_asset, locate_asset
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.flame.articulation import LIMITS, POSE, ArticulatedPoints, coefficients_of_pose, posed
from faceuv.models.faces.flame.reading import IDENTITY_MODES
from faceuv.models.faces.points import LinearPoints, Points
from faceuv.models.faces.sampling import ALBEDO_SIGMA, EXPRESSION_SIGMA, IDENTITY_SIGMA, gaussian
from faceuv.registry import FACE_MODELS
from faceuv.structures import Coefficients

_MODES = ("identity_basis", "expression_basis")


@FACE_MODELS.register_module(name="FLAME")
class FLAME(FaceModel):
    """FLAME 2017, 2020, 2023 or 2023 Open (MPI for Intelligent Systems), from the files you hold.

    5,023 vertices, up to 300 identity and 100 expression modes. The last ten coefficients of ``expression`` are the
    pose of neck, jaw and eyes (``neck_pitch`` … ``eye_right_yaw``, a tenth of a radian each); they turn joints by
    linear blend skinning with FLAME's pose correctives. The rotation of the whole head is the group ``rotation``. FLAME
    has no teeth and no tongue; its colours are this library's linear albedo.

    ``faceuv convert flame generic_model.pkl --landmarks flame_static_embedding.pkl flame_dynamic_embedding.npy --uv
    head_template.obj`` writes the file once; then::

        face_model = dict(type="FLAME", identity=100, expression=50)

    Args:
        path: the file that ``faceuv convert flame`` wrote. Without it, ``flame.safetensors`` is looked for in
            ``$FACEUV_ASSETS`` and in the user's data folder.
        identity, expression: how many modes are used, the first ones; None is all of the file.
    """

    kind = "FLAME model"
    linear = False

    def __init__(
        self, path: str | Path | None = None, *, identity: int | None = 100, expression: int | None = 50
    ) -> None:
        path = Path(path) if path is not None else find_asset("flame")
        arrays, names, metadata = self.read(path)
        if metadata.get("type") != type(self).__name__ or "pose_correctives" not in arrays:
            raise AssetError(
                f"{path} holds the face model {metadata.get('type')!r}, expected {type(self).__name__!r};"
                " make it with: faceuv convert flame"
            )
        self._build(arrays, names, metadata, identity, expression)

    def _build(
        self,
        arrays: dict[str, Tensor],
        names: dict[str, list[str]],
        metadata: dict[str, Any],
        identity: int | None,
        expression: int | None,
    ) -> None:
        if len(arrays["joint_weights"]) != 5 or list(names["expression"][-len(POSE) :]) != list(POSE):
            raise AssetError("this is no FLAME: it needs five joints, and the pose as the last of the expression modes")
        first = _modes_used("identity", identity, arrays["identity_basis"].shape[2])
        modes = _modes_used("expression", expression, arrays["expression_basis"].shape[2] - len(POSE))
        arrays = dict(arrays)
        arrays["identity_basis"] = arrays["identity_basis"][:, :, :first].contiguous()
        for name, axis in (("expression_basis", 2), ("expression_limits", 0)):
            array = arrays[name]
            keep = torch.cat([torch.arange(modes), torch.arange(array.shape[axis] - len(POSE), array.shape[axis])])
            arrays[name] = array.index_select(axis, keep).contiguous()
        kept = {**names, "expression": [*names["expression"][:modes], *POSE]}
        kept["identity"] = list(names["identity"][:first]) if "identity" in names else []
        full = metadata.get("full_expression", {})
        metadata = {**metadata, "full_expression": {k: v for k, v in full.items() if k in kept["expression"]}}
        FaceModel.__init__(self, arrays, names=kept, metadata=metadata)

    @classmethod
    def missing_assets(cls, path: str | Path | None = None, **_: Any) -> list[Missing]:
        """The converted file, if it is not where it would be looked for."""
        return [] if path is not None or locate_asset("flame") else [Missing.asset("flame")]

    @classmethod
    def from_files(
        cls,
        path: str | Path,
        *,
        landmarks: Sequence[str | Path],
        uv: str | Path,
        identity_modes: int = IDENTITY_MODES,
    ) -> FLAME:
        """Read the files that users hold, with all modes; :meth:`save` then writes the one file for ``FLAME(path)``.

        Args:
            path: ``generic_model.pkl``, ``flame2023.pkl``, … or an ``.npz`` with the same keys.
            landmarks: ``flame_static_embedding.pkl`` and ``flame_dynamic_embedding.npy``, or DECA's
                ``landmark_embedding.npy``. Landmarks become the nearest vertices.
            uv: ``head_template.obj`` or ``FLAME_texture.npz``; or ``"cylindrical"`` to unwrap the head by formula.
            identity_modes: how many of the file's shape modes are identity (300); the others are expression.
        """
        from faceuv.models.faces.flame.convert import convert  # with scipy, for those who convert

        arrays, names, metadata = convert(path, landmarks, uv, identity_modes=identity_modes)
        model = cls.__new__(cls)  # the constructor reads a converted file, and there is none yet
        model._build(arrays, names, metadata, None, None)
        return model

    # ------------------------------------------------------------------ shape

    def _at_rest(self, identity: Tensor, expression: Tensor) -> tuple[Tensor, Tensor]:
        """Vertices ``(B, V, 3)`` before the pose, and the pose coefficients ``(B, 10)``."""
        check_shape("identity", identity, ("B", self.layout.identity))
        check_shape("expression", expression, ("B", self.layout.expression))
        modes, pose = expression.split([self.layout.expression - len(POSE), len(POSE)], 1)
        flat = self.mean.reshape(1, -1) + identity @ self.identity_basis.flatten(0, 1).T
        flat = flat + modes @ self.expression_basis[:, :, : modes.shape[1]].flatten(0, 1).T
        return flat.unflatten(1, (-1, 3)), pose

    def shape(self, identity: Tensor, expression: Tensor) -> Tensor:
        rest, pose = self._at_rest(identity, expression)
        regressor, weights, correctives = self._rig()
        return posed(rest, regressor @ rest, pose, weights, correctives)

    def points(self, vertices: Tensor) -> Points:
        regressor, weights, correctives = self._rig()
        basis = torch.cat([self.identity_basis, self.expression_basis[:, :, : -len(POSE)]], 2)
        joints = LinearPoints(regressor @ self.mean, torch.einsum("jv,vck->jck", regressor, basis))
        rest = LinearPoints(self.mean[vertices], basis[vertices])
        return ArticulatedPoints(rest, joints, weights[vertices], correctives[vertices])

    def _rig(self) -> tuple[Tensor, Tensor, Tensor]:
        """Joint weights ``(5, V)``, skin weights ``(V, 5)`` and pose correctives ``(V, 3, 36)``."""
        rig = self.joint_weights, self.skin_weights, self.pose_correctives
        if any(array is None for array in rig):
            raise AssetError("a FLAME model needs joint_weights, skin_weights and pose_correctives")
        return rig  # type: ignore[return-value]

    # ------------------------------------------------------------------ coefficients

    def coefficients_of(
        self,
        shape: Tensor,
        expression: Tensor,
        *,
        jaw: Tensor | None = None,
        neck: Tensor | None = None,
        eyes: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Parameters of other FLAME tools → identity ``(B, I)`` and expression ``(B, E)`` of this model.

        Args:
            shape, expression: ``(B, n)``; fewer than the model's modes are filled up with 0, more are an error.
            jaw, neck: axis-angle in radians ``(B, 3)``; ``eyes (B, 6)``, left first. None is at rest.
        """
        count = len(shape)
        rows = []
        for name, value, size in (
            ("shape", shape, self.layout.identity),
            ("expression", expression, self.layout.expression - len(POSE)),
        ):
            check_shape(name, value, (count, "n"))
            if value.shape[1] > size:
                raise InputError(
                    f"{name} has {value.shape[1]} parameters, this model {size} modes: build it with more"
                    " (identity=, expression=)"
                )
            rows.append(torch.nn.functional.pad(value.to(self.mean), (0, size - value.shape[1])))
        turns = []
        for name, turn, size in (("neck", neck, 3), ("jaw", jaw, 3), ("eyes", eyes, 6)):
            if turn is not None:
                check_shape(name, turn, (count, size))
            turns.append(self.mean.new_zeros(count, size) if turn is None else turn.to(self.mean))
        return rows[0], torch.cat([rows[1], coefficients_of_pose(*turns)], 1)

    def random_coefficients(self, generator: torch.Generator, **traits: Any) -> Coefficients:
        """A likely person ``(1, N)``: Gaussian modes, a mouth a little open at times, neck and eyes at rest."""
        if traits:
            return super().random_coefficients(generator, **traits)
        layout = self.layout
        identity = gaussian(layout.identity, IDENTITY_SIGMA, generator)
        modes = gaussian(layout.expression - len(POSE), EXPRESSION_SIGMA, generator)
        pose = torch.zeros(1, len(POSE))
        opened = gaussian(1, 1.0, generator) - 0.5
        pose[0, POSE.index("jaw_open")] = opened.clamp(0, LIMITS["jaw_open"][1])
        person = Coefficients.zeros(1, layout, device=self.mean.device, dtype=self.mean.dtype)
        return person.replace(
            identity=identity,
            expression=torch.cat([modes, pose], 1),
            albedo=gaussian(layout.albedo, ALBEDO_SIGMA, generator),
        )


def _modes_used(name: str, wanted: int | None, there: int) -> int:
    """How many modes are used: ``wanted`` of those ``there``; all for None."""
    if wanted is None:
        return there
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 1 <= wanted <= there:
        raise InputError(f"{name} must be 1 … {there} modes of FLAME, or None for all, got {wanted!r}")
    return wanted
