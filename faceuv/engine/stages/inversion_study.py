"""The stage that compares inverters by one protocol, on drawn faces whose truth is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmengine.device import get_device
from mmengine.dist import barrier, is_main_process

from faceuv.checks import whole_number
from faceuv.engine.stages.base import Stage, StageContext, StageResult
from faceuv.errors import InputError
from faceuv.files.artefacts import atomic_path, load_tensors, save_tensors
from faceuv.registry import INVERTERS, MODELS, STAGES

RESULTS, TABLE, SHEET = "study.json", "inversion.md", "sheet.png"
_SHOWN = 8  # faces of the sheet


@STAGES.register_module(name="inversion_study")
class InversionStudyStage(Stage):
    """Measures inverters on pictures of drawn faces, with the generator's face model, and on hidden views of the same
    faces; leaves ``study.json``, ``inversion.md`` and ``sheet.png``. A finished subject is kept: an interrupted stage
    goes on with the next one.

    Args:
        faces: the generator of faces: an entry of the zoo, a folder or a work dir.
        inverters: name → config of an inverter, ``dict(type="EncoderInverter", detail=False)``.
        count: of faces.
        losses: name → config of a loss that measures, such as ``perceptual``.
        identity: config of a network that tells persons apart, such as ``RegressorIdentity`` or ``DlibIdentity``.
        truncation: ψ of the drawn faces.
        seed: of the faces.
        detail: names of the subject with local detail and of the same without it: what the branch gains is written
            down.
    """

    seeded: ClassVar[bool] = False

    def __init__(
        self,
        faces: str,
        inverters: Mapping[str, Mapping[str, Any]],
        *,
        count: int = 64,
        losses: Mapping[str, Any] | None = None,
        identity: Mapping[str, Any] | str | None = None,
        truncation: float = 1.0,
        seed: int = 91,
        detail: tuple[str, str] | None = None,
    ) -> None:
        self.faces, self.count = faces, whole_number("count", count, low=2)
        self.inverters = {name: dict(config) for name, config in inverters.items()}
        if not self.inverters:
            raise InputError("an inversion_study needs inverters, dict(encoder=dict(type='EncoderInverter'))")
        self.losses, self.truncation, self.seed = dict(losses or {}), float(truncation), int(seed)
        self.identity = identity
        self.detail = None if detail is None else tuple(detail)
        if self.detail is not None and (len(self.detail) != 2 or not set(self.detail) <= set(self.inverters)):
            raise InputError(f"detail names two of the inverters {', '.join(self.inverters)}, got {detail}")

    @classmethod
    def small(cls, settings: Mapping[str, Any], runner: Mapping[str, Any]) -> dict[str, Any]:
        """Two faces, and three steps of every optimisation."""
        inverters = {
            name: {**config, "steps": 3} if "steps" in config else dict(config)
            for name, config in settings["inverters"].items()
        }
        return {**settings, "inverters": inverters, "count": 2}

    def check(self) -> None:
        """The inverters and the network exist."""
        if self.identity is not None:
            MODELS.get(self.identity if isinstance(self.identity, str) else self.identity.get("type", ""))
        for config in self.inverters.values():
            INVERTERS.get(config.get("type", ""))

    def run(self, context: StageContext) -> StageResult:
        """Measure and write, on the first rank."""
        if is_main_process():
            self._run(context.folder)
        barrier()
        return StageResult([RESULTS, TABLE, SHEET], {"faces": self.count, "subjects": len(self.inverters)})

    def _run(self, folder: Path) -> None:
        from faceuv.evaluation.inversion_study import (
            COLUMNS,
            InversionStudy,
            drawn_cases,
            reduction,
            study_table,
            summary,
        )
        from faceuv.evaluation.reconstruction import measuring_losses
        from faceuv.export import save_png
        from faceuv.models.base.face_generator import FaceGenerator
        from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
        from faceuv.synthetic.generator import ProceduralGenerator

        device = get_device()
        generator = FaceGenerator.load(self.faces)
        if not isinstance(generator, StyleFaceUVGenerator):
            raise InputError(f"{generator.name!r} has no coefficients and UV maps: give an Inversion or StyleFaceUV")
        generator.to(device)
        world = ProceduralGenerator(generator.size, face_model=generator.face_model).to(device)
        cases = drawn_cases(world, self.count, seed=self.seed, truncation=self.truncation)
        losses = {name: loss.to(device) for name, loss in measuring_losses(self.losses).items()}
        identity = None if self.identity is None else MODELS.build(self.identity)
        study = InversionStudy(generator, cases, losses, identity)
        found: dict[str, Any] = {}
        columns = [cases.picture[:_SHOWN]]
        hidden = [cases.hidden[:_SHOWN]]
        for number, (name, config) in enumerate(self.inverters.items()):
            table, pictures = self._kept(folder / f"subject_{number:02d}.safetensors", study, config)
            found[name] = summary(table)
            columns.append(pictures["render"][:_SHOWN].to(cases.picture))
            hidden.append(pictures["hidden"][:_SHOWN].to(cases.picture))
        result: dict[str, Any] = {"faces": self.count, "seed": self.seed, "measures": COLUMNS, "subjects": found}
        result["spaces"] = {name: getattr(loss, "space", type(loss).__name__) for name, loss in losses.items()}
        if identity is not None:
            result["likeness"] = {"network": identity.name, **study.likeness()}
        text = f"# Inversion of {self.count} drawn faces\n\nMean ± standard error.\n\n" + study_table(found) + "\n"
        if self.detail is not None:
            with_detail, without = (found[name] for name in self.detail)
            gains = {part: reduction(with_detail, without, f"hidden_{part}") for part in ("seen", "unseen")}
            result["detail"] = gains
            text += (
                f"\n{self.detail[0]} beside {self.detail[1]}, hidden view: error of seen texels"
                f" {-gains['seen']:+.1f} %, of unseen ones {-gains['unseen']:+.1f} %.\n"
            )
        if identity is not None:
            seen = result["likeness"]
            text += (
                f"\nIdentity by {seen['network']}, cosines: a person's picture and hidden view {seen['same']:.3f}, two"
                f" persons {seen['others']:.3f} ± {seen['spread']:.3f}; {100 * seen['found']:.0f} % of"
                f" {seen['faces']:.0f} persons are found again among all hidden views.\n"
            )
        text += "\n" + "\n".join(f"- `{name}`: {meaning}" for name, meaning in COLUMNS.items()) + "\n"
        text += f"\nColumns of the sheet: the picture; {', '.join(self.inverters)}; the hidden view; the same again.\n"
        sheet = torch.cat([torch.cat(list(column), 1) for column in (*columns, *hidden)], 2)
        save_png(folder / SHEET, sheet.clamp(0, 1))
        for name, content in ((RESULTS, json.dumps(result, indent=1)), (TABLE, text)):
            with atomic_path(folder / name) as temporary:
                temporary.write_text(content, encoding="utf-8")

    def _kept(self, path: Path, study: Any, config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The figures and pictures of one subject, from its file if it is finished."""
        if path.is_file():
            tensors, facts = load_tensors(path, kind="inversion_subject")
            wanted = {"config": repr(dict(config)), "faces": self.faces, "identity": repr(self.identity)}
            if all(facts.get(name) == value for name, value in wanted.items()):
                table = {name[6:]: value for name, value in tensors.items() if name.startswith("table.")}
                return table, {name: tensors[name] for name in ("render", "hidden")}
        table, pictures = study.measure(config)
        tensors = {f"table.{name}": value for name, value in table.items()}
        tensors |= {name: value[:_SHOWN].cpu().contiguous() for name, value in pictures.items()}
        facts = {"kind": "inversion_subject", "config": repr(dict(config)), "faces": self.faces}
        facts["identity"] = repr(self.identity)
        save_tensors(path, tensors, facts)
        return table, pictures
