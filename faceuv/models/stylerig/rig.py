"""The rig: RigNet with the mapper that reads codes. Transfers, sliders, and everything else that is done with it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from faceuv.checks import check_finite
from faceuv.errors import InputError
from faceuv.models.base.codes import broadcast_code, mix
from faceuv.models.base.generator import check_same_codes
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.control import Degrees, Expression, Light, expressed, posed, relit
from faceuv.models.stylefaceuv.mappers import CoefficientMapper
from faceuv.models.stylerig.exact import ExactMapper
from faceuv.models.stylerig.groups import CONTROLS, Controls, controls_of, edited_columns
from faceuv.models.stylerig.rignet import RigNet, fingerprint_of
from faceuv.structures import Coefficients

Mapper = CoefficientMapper | ExactMapper


class Rig(nn.Module):
    """Moves codes so that their faces have wanted coefficients; a :class:`~faceuv.models.base.contracts.CodeEditor`.

    Args:
        network: RigNet.
        mapper: F of its training, which reads the coefficients of a code; another one is an error.
    """

    def __init__(self, network: RigNet, mapper: Mapper) -> None:
        super().__init__()
        check_same_codes(mapper, network)
        network.check_layout(mapper.layout)
        found = fingerprint_of(mapper)
        if network.trained_for not in ("", found):
            raise InputError(
                f"this RigNet was trained with the mapper {network.trained_for}, got the mapper {found}: its steps are"
                " for what that one reads; use that one, or train a RigNet with this one"
            )
        self.network, self.mapper = network, mapper

    @property
    def num_layers(self) -> int:
        """L."""
        return self.network.num_layers

    @property
    def code_dim(self) -> int:
        """D."""
        return self.network.code_dim

    def check(self, code: Tensor) -> Tensor:
        """``(B, D)`` or ``(B, L, D)`` → ``(B, L, D)``; a code of another generator is an error."""
        code = broadcast_code(code, self.num_layers, self.code_dim)
        check_finite("a code", code.flatten(1))
        return code

    def check_controls(self, controls: Controls) -> tuple[str, ...]:
        """Raise for a control that the network was not trained for."""
        names = controls_of(controls)
        lacking = [name for name in names if name not in self.network.controls]
        if lacking:
            raise InputError(
                f"this RigNet was trained to edit {', '.join(self.network.controls)}, not {', '.join(lacking)}"
            )
        return names

    def move(self, code: Tensor, target: Coefficients) -> Tensor:
        """The code ``(B, L, D)`` of the face with the coefficients ``target``, of one face or of B; differentiable.

        Groups that are to be kept have the values that :attr:`mapper` reads off ``code``.
        """
        if not isinstance(target, Coefficients):
            raise InputError(
                f"a rig moves codes to Coefficients, got {type(target).__name__}: see Rig.slide for others"
            )
        self.network.check_layout(target.layout)
        code = self.check(code)
        moved: Tensor = self.network(code, target.data.to(code), self.mapper(code).data)
        return moved

    def transferred(self, code: Tensor, source: Tensor, controls: Controls) -> Coefficients:
        """The coefficients of ``code`` with the edited groups of ``source``."""
        code, source = self.check(code), self.check(source)
        names = self.check_controls(controls)
        if len(source) not in (1, len(code)):
            raise InputError(f"sources are one code or one for each of {len(code)}, got {len(source)}")
        same = (code == source).flatten(1).all(1)
        if bool(same.any()):
            raise InputError(
                f"code {int(same.nonzero()[0])} is its own source: a transfer needs two different codes, or use move"
            )
        own, other = self.mapper(code), self.mapper(source)
        columns = edited_columns(own.layout, names).to(code.device)
        return Coefficients(torch.where(columns, other.data, own.data), own.layout)

    def transfer(self, code: Tensor, source: Tensor, controls: Controls = "all") -> Tensor:
        """The code of ``code``'s face with pose, expression or light of ``source``, one or several of them at once."""
        return self.move(code, self.transferred(code, source, controls))

    def slid(
        self,
        code: Tensor,
        *,
        yaw_deg: Degrees | None = None,
        pitch_deg: Degrees | None = None,
        roll_deg: Degrees | None = None,
        expression: Expression | None = None,
        light: Light | None = None,
        coefficient: Mapping[tuple[str, int], float] | None = None,
        face_model: FaceModel | None = None,
    ) -> Coefficients:
        """The coefficients of ``code`` with some of them set; see :meth:`slide`."""
        code = self.check(code)
        wanted = self.mapper(code)
        names = []
        if not (yaw_deg is None and pitch_deg is None and roll_deg is None):
            names.append("pose")
            wanted = posed(wanted, yaw_deg=yaw_deg, pitch_deg=pitch_deg, roll_deg=roll_deg)
        if expression is not None:
            names.append("expression")
            if face_model is None:
                raise InputError("named expressions are those of a face model; give face_model")
            face_model.check_layout(wanted)
            amounts = None if isinstance(expression, Tensor) else expression
            raw = expression if isinstance(expression, Tensor) else None
            wanted = expressed(wanted, face_model, raw, amounts)
        if light is not None:
            names.append("light")
            wanted = relit(wanted, light)
        if coefficient:
            wanted = Coefficients(wanted.data.clone(), wanted.layout)
            for (control, column), value in coefficient.items():
                (name,) = self.check_controls(control)
                group = wanted.layout.slice(CONTROLS[name])
                width = group.stop - group.start
                if not 0 <= column < width:
                    raise InputError(f"{control} has the columns 0 … {width - 1}, got {column}")
                wanted.data[:, group.start + column] = value
                names.append(control)
        if not names:
            raise InputError("an empty edit: give an angle, an expression, a light or a coefficient")
        self.check_controls(names)
        return wanted

    def slide(self, code: Tensor, **wanted: object) -> Tensor:
        """The code with single properties set: ``rig.slide(code, yaw_deg=20, expression=dict(smile=1.0),
        face_model=model)``.

        Keywords: ``yaw_deg``, ``pitch_deg``, ``roll_deg``, one or one per code; ``expression``, movements by name or
        coefficients; ``light``, a name or coefficients; ``coefficient``, ``{(control, column): value}``;
        ``face_model``, for named expressions.
        """
        return self.move(code, self.slid(code, **wanted))  # type: ignore[arg-type]

    def mix(self, coarse: Tensor, fine: Tensor, layer: int, *, keep: Controls = "all") -> Tensor:
        """Style mixing that keeps the rig: rows before ``layer`` of ``coarse``, the others of ``fine``, then moved to
        the pose, expression and light of ``coarse``, or to those of them that ``keep`` names."""
        coarse, fine = self.check(coarse), self.check(fine)
        coarse, fine = torch.broadcast_tensors(coarse, fine)
        mixed = mix(coarse, fine, layer)
        own, kept = self.mapper(mixed), self.mapper(coarse)
        columns = edited_columns(own.layout, self.check_controls(keep)).to(mixed.device)
        return self.move(mixed, Coefficients(torch.where(columns, kept.data, own.data), own.layout))


class RigTurner(nn.Module):
    """The rig as an editor of the yaw, in place of the stepper F_yaw: ``move(code, yaw)`` in radians."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        rig.check_controls("pose")
        self.rig = rig

    @property
    def num_layers(self) -> int:
        """L."""
        return self.rig.num_layers

    @property
    def code_dim(self) -> int:
        """D."""
        return self.rig.code_dim

    def move(self, code: Tensor, target: Tensor | float) -> Tensor:
        """The code of the face at ``target`` radians of yaw, one for all or ``(B,)``; pitch and roll are kept."""
        code = self.rig.check(code)
        yaw = torch.as_tensor(target, dtype=code.dtype, device=code.device)
        if yaw.ndim > 1 or (yaw.ndim == 1 and len(yaw) not in (1, len(code))):
            raise InputError(f"yaw must be one number or one per code ({len(code)},), got {tuple(yaw.shape)}")
        wanted = self.rig.mapper(code)
        rotation = wanted.rotation.clone()
        rotation[:, 1] = yaw.expand(len(code))
        return self.rig.move(code, wanted.replace(rotation=rotation))
