"""The training of RigNet: reconstruction, edit and consistency, both ways between two codes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from faceuv.data.drawn import DrawnCodes
from faceuv.errors import InputError, did_you_mean
from faceuv.files.locate import locate
from faceuv.files.networks import save_network
from faceuv.models.base.fixed import Fixed
from faceuv.models.base.manifest import MANIFEST, manifest_for
from faceuv.models.base.method import BaseMethod
from faceuv.models.faces.base import FaceModel
from faceuv.models.stylefaceuv.mapper_training import weights_dtype
from faceuv.models.stylefaceuv.mappers import load_mapper
from faceuv.models.stylerig.drawing import Drawing, Drawn, compared_size, picture_of
from faceuv.models.stylerig.errors import KEPT_ALWAYS, OF_CONTROL, GroupErrors
from faceuv.models.stylerig.groups import ALL, Controls, controls_of, edited_columns, random_columns
from faceuv.models.stylerig.rig import Mapper
from faceuv.models.stylerig.rignet import RigNet, fingerprint_of
from faceuv.registry import MODELS
from faceuv.renderers.base import Renderer
from faceuv.structures import Coefficients

RIG_FILE = "rignet.safetensors"
TERMS = ("reconstruction", "edit", "consistency", "step", "expression")
_LOOKED_AT, _READS = 256, 0.9  # pictures, and the largest share of an unrelated face's error
OF_RIGNET = ("encoding", "decoder", "hidden", "given", "units", "reach")


@MODELS.register_module()
class StyleRig(BaseMethod):
    """StyleRig (Tewari et al., CVPR 2020): trains :class:`~faceuv.models.stylerig.RigNet` with a frozen mapper F. No
    generator runs: pictures, face masks and landmarks are those of the ``pictures`` stage.

    A batch is that of :class:`~faceuv.data.drawn.DrawnCodes`; its first half are the codes w, its second half the
    codes v. Optimiser: ``rig``. With p_w = F(w), ŵ = RigNet(w, p_w with the edited groups of p_v) and p̂ = F(ŵ)::

        reconstruction  RigNet(w, p_w) is w
        edit            p_v with the edited groups of p̂ still renders the picture of v
        consistency     p_w with all other groups of p̂ still renders the picture of w

    and the same with w and v swapped (the two-way cycle).

    Args:
        pictures: folder of the ``pictures`` stage.
        mapper: file of F, a :class:`~faceuv.models.stylefaceuv.CoefficientMapper`; or the config of an
            :class:`~faceuv.models.stylerig.ExactMapper`.
        face_model: of the mapper's coefficients; a coarse one of the same kind trains the same.
        losses: ``reconstruction`` of ``loss({"code"}, {"code"})``, codes in their standard deviations; ``edit`` and
            ``consistency`` of ``loss(pred, target)``, both ``{"image", "mask", "landmarks"}``. ``step``, which is ours,
            is the length of the edit's step, likewise of codes: it keeps ŵ near the generator's own. ``expression``,
            ours too, is of ``{"expression" (B, 68, 3)}``: how far the expression moves each landmark, in % of the eye
            distance, in p̂ and in the wanted coefficients; small pictures show too little of it for a loss on pixels.
            Each but ``edit`` may be absent.
        controls: what is edited: some of ``"pose"``, ``"expression"``, ``"light"``, or ``"all"``. With several, every
            pair of codes edits a random choice of them.
        cycle: False trains on w toward v only, half the work of a step.
        rig: settings of RigNet: ``encoding``, ``decoder``, ``hidden``, ``given``, ``units``, ``reach``.
        renderer: draws the faces.
        size: side at which faces are drawn and compared; the pictures' own by default, or one that divides it, at
            less cost.
        generator: config or file of the generator, named in the exported ``generator.json``.
        held_out, dtype: as for :class:`~faceuv.models.stylerig.SelfSupervisedMapping`.
    """

    networks: ClassVar[tuple[str, ...]] = ("rig",)
    exports: ClassVar[tuple[str, ...]] = (RIG_FILE, MANIFEST)

    def __init__(
        self,
        pictures: str | Path,
        mapper: str | Path | Mapping[str, Any] | Mapper,
        face_model: FaceModel | Mapping[str, Any] | str,
        losses: Mapping[str, Any],
        *,
        controls: Controls = "all",
        cycle: bool = True,
        rig: Mapping[str, Any] | None = None,
        renderer: Renderer | Mapping[str, Any] | str = "torch",
        size: int | None = None,
        generator: Mapping[str, Any] | None = None,
        full_face_model: Mapping[str, Any] | str | None = None,
        held_out: int = 10,
        dtype: str = "float32",
    ) -> None:
        super().__init__(losses)
        check_terms(list(self.losses.terms))
        data = DrawnCodes(pictures, split="train", held_out=held_out)
        self.mapper_source = mapper
        f3d: Mapper = load_mapper(locate(mapper)) if isinstance(mapper, (str, Path)) else MODELS.build(mapper)
        self.drawing: Fixed[Drawing] = Fixed(Drawing(face_model, compared_size(size, data.size), renderer))
        f3d.check_layout(self.drawing.network.face_model.layout)
        self.mapper: Fixed[Mapper] = Fixed(f3d)
        self.errors: Fixed[GroupErrors] = Fixed(GroupErrors(self.drawing.network.face_model))
        self.rig = RigNet(
            data.num_layers,
            data.code_dim,
            f3d.layout,
            controls=controls,
            trained_for=fingerprint_of(f3d),
            **dict(rig or {}),
        )
        f3d.check_fits(self.rig)
        with torch.no_grad():
            own = torch.cat([f3d(code).data for code in data.codes.split(512)])
        self.rig.set_statistics(data.codes, Coefficients(own, f3d.layout))
        self._check_reads(data, own)
        self.cycle, self.dtype = cycle, weights_dtype(dtype)
        self.generator = None if generator is None else dict(generator)
        self.full_face_model = full_face_model
        self.origin = {"pictures": len(data), "run": data.metadata.get("run"), "controls": list(self.rig.controls)}

    @classmethod
    def check_config(cls, config: Mapping[str, Any]) -> None:
        """Raise for what is wrong with a config before anything is loaded."""
        check_terms([name for name, term in (config.get("losses") or {}).items() if term is not None])
        controls_of(config.get("controls", "all"))
        for name in config.get("rig") or {}:
            if name not in OF_RIGNET:
                raise InputError(
                    f"rig has no setting {name!r}; it has {', '.join(OF_RIGNET)}{did_you_mean(name, OF_RIGNET)}"
                )

    @torch.no_grad()
    def _check_reads(self, data: DrawnCodes, own: Tensor) -> None:
        """Raise if the mapper does not read these codes: what it finds says no more of their pictures than of others'.
        A mapper of another generator with codes of the same shape is found by this alone."""
        count = min(len(own), _LOOKED_AT)
        points, _ = self.drawing.network.points(Coefficients(own[:count], self.rig.layout), self.drawing.network.size)
        away = points / self.drawing.network.size
        own_error, other_error = (
            torch.linalg.vector_norm(away.roll(turn, 0) - data.landmarks[:count], dim=2).mean() for turn in (0, 1)
        )
        if count > 1 and not own_error < _READS * other_error:
            shares = [f"{100 * float(error):.1f} % of the side" for error in (own_error, other_error)]
            raise InputError(
                f"the mapper does not read these codes: the landmarks of its faces are {shares[0]} away from those of"
                f" their pictures, and {shares[1]} from those of other pictures. It was trained for another generator:"
                " train one for this one"
            )

    # ------------------------------------------------------------ training

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of RigNet."""
        data = self.data_preprocessor(data, True)
        picture = picture_of(data, self.drawing.network.size)
        half = len(data["code"]) // 2
        if half < 1:
            raise InputError(f"a batch has pairs of codes, at least 2 of them, got {len(data['code'])}")
        w, v = torch.arange(half), torch.arange(half, 2 * half)
        columns = random_columns(self.rig.layout, self.rig.controls, half, None)
        code, source = (torch.cat([w, v]), torch.cat([v, w])) if self.cycle else (w, v)
        edited = columns.repeat(len(code) // half, 1).to(data["code"].device)
        return self.update(optim_wrapper["rig"], lambda: self.terms(data["code"], picture, code, source, edited))

    def terms(self, codes: Tensor, picture: Drawn, w: Tensor, v: Tensor, edited: Tensor) -> dict[str, Tensor]:
        """The weighted terms.

        Args:
            codes: of the batch ``(B, L, D)``; ``picture`` are their pictures.
            w, v: rows of the batch ``(K,)``: the codes that are edited, and those whose groups they get.
            edited: ``(K, N)`` bool, the columns of these groups.
        """
        mapper, rig = self.mapper.network, self.rig
        with torch.no_grad():
            own: Tensor = mapper(codes).data  # p_w and p_v
        found: dict[str, Tensor] = {}
        asked = torch.where(edited, own[v], own[w])
        step = rig.step(codes[w], asked, own[w])
        if "reconstruction" in self.losses.terms:
            still = rig.step(codes[w], own[w], own[w])
            found["reconstruction"] = self.losses.term(
                "reconstruction", {"code": still}, {"code": torch.zeros_like(still)}
            )
        if "step" in self.losses.terms:
            found["step"] = self.losses.term("step", {"code": step}, {"code": torch.zeros_like(step)})
        drawn: dict[str, tuple[Tensor, Tensor]] = {}  # term → coefficients, rows of the picture that they explain
        if {"edit", "consistency"} & set(self.losses.terms):
            read: Tensor = mapper(rig.moved(codes[w], step)).data  # p̂
            drawn = {
                "edit": (torch.where(edited, read, own[v]), v),
                "consistency": (torch.where(edited, own[w], read), w),
            }
            if "expression" in self.losses.terms:
                sides = [self.errors.network.movements(Coefficients(x, mapper.layout)) for x in (read, asked)]
                found["expression"] = self.losses.term("expression", *({"expression": side} for side in sides))
        wanted = [name for name in drawn if name in self.losses.terms]
        if wanted:
            rows = torch.cat([drawn[name][0] for name in wanted])
            faces = self.drawing.network(Coefficients(rows, mapper.layout))
            for k, name in enumerate(wanted):
                part = {key: value.chunk(len(wanted))[k] for key, value in faces.items()}
                target = {key: value[drawn[name][1]] for key, value in picture.items()}
                found[name] = self.losses.term(name, part, target)
        return found

    # ------------------------------------------------------------ evaluation

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For ``MeanErrors``, what the mapper reads off held-out codes that are edited toward their neighbours in the
        batch: for each control its error (``pose_deg``, …), the same for the unedited code (``pose_deg_before``), what
        changes of everything else, in the same units (``pose_deg_leaked``, ``shape_mm_leaked``), and how far codes go
        in standard deviations (``step``, ``step_reconstruction``)."""
        code, rig, mapper = data["code"], self.averaged("rig"), self.mapper.network
        assert isinstance(rig, RigNet)
        own = mapper(code)
        other = Coefficients(own.data.roll(1, 0), own.layout)
        still = rig.step(code, own.data, own.data)
        columns: dict[str, Tensor] = {"step_reconstruction": still.square().mean((1, 2)).sqrt()}
        leaked: dict[str, list[Tensor]] = {}
        steps = []
        for control in rig.controls:
            edited = edited_columns(own.layout, control).to(code.device)
            step = rig.step(code, torch.where(edited, other.data, own.data), own.data)
            steps.append(step.square().mean((1, 2)).sqrt())
            read = mapper(rig.moved(code, step))
            name = OF_CONTROL[control]
            columns[name] = self.errors.network(read, other)[name]
            columns[f"{name}_before"] = self.errors.network(own, other)[name]
            away = self.errors.network(read, own)
            for key in (*(OF_CONTROL[c] for c in ALL if c != control), *KEPT_ALWAYS):
                leaked.setdefault(f"{key}_leaked", []).append(away[key])
        columns |= {key: torch.stack(values).mean(0) for key, values in leaked.items()}
        columns["step"] = torch.stack(steps).mean(0)
        return [{name: value[k] for name, value in columns.items()} for k in range(len(code))]

    def sample_images(self, count: int) -> dict[str, Tensor]:
        """None: no generator runs in training; ``faceuv generate transfer`` draws what was learned."""
        return {}

    def export(self, folder: Path) -> list[str]:
        """Write ``rignet.safetensors``, and, with a ``generator``, ``generator.json``: a generator of faces."""
        rig = self.averaged("rig")
        assert isinstance(rig, RigNet)
        file = save_network(folder / RIG_FILE, rig, dtype=self.dtype, metadata=self.origin)
        if self.generator is None:
            return [RIG_FILE]
        model = self.full_face_model
        face_model = self.drawing.network.face_model.config() if model is None else model
        if not isinstance(self.mapper_source, (str, Path)):
            raise InputError("a generator of faces names its mapper's file; leave generator=None with another mapper")
        files: dict[str, str | Path] = {"mapper": self.mapper_source, "rig": file}
        settings: dict[str, Any] = {
            "face_model": dict(face_model) if isinstance(face_model, Mapping) else {"type": face_model}
        }
        if isinstance(self.generator.get("path"), (str, Path)):
            files["teacher"] = self.generator["path"]
        else:
            settings["teacher"] = self.generator
        facts = {"num_layers": rig.num_layers, "code_dim": rig.code_dim, "metadata": {"stage": folder.name}}
        manifest_for("StyleRig", folder, files, settings, name="", **facts).write(folder)
        return [RIG_FILE, MANIFEST]


def check_terms(names: list[str]) -> None:
    """Raise for terms that the method does not have, and if none asks for a change."""
    for name in names:
        if name not in TERMS:
            raise InputError(
                f"losses has the unknown term {name!r}; StyleRig has {', '.join(TERMS)}{did_you_mean(name, TERMS)}"
            )
    if "edit" not in names:
        raise InputError("without the loss 'edit' nothing is learned: StyleRig edits nothing, and ŵ = w is the best")
