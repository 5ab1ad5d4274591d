"""The stage that compares rigs with other editors of codes on the same pairs of faces."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from mmengine.device import get_device
from mmengine.dist import barrier, is_main_process

from faceuv.engine.stages.base import Stage, StageContext, StageResult
from faceuv.errors import InputError, did_you_mean
from faceuv.files.artefacts import atomic_path, save_tensors
from faceuv.registry import COEFFICIENT_SOURCES, DIRECTION_FINDERS, FACE_MODELS, GENERATORS, MODELS, STAGES

METRICS, SAMPLES, TABLE = "metrics.json", "samples.safetensors", "rig.md"
SAMPLES_KIND = "rig_samples"
KINDS = ("rig", "stepper", "direction", "ganspace", "layers")
_CALIBRATION = 2000  # codes


@STAGES.register_module(name="rig_study")
class RigStudyStage(Stage):
    """Measures editors of codes: control error, leakage, identity, Fréchet distance, share of each row, range of the
    first rig; leaves ``metrics.json``, ``samples.safetensors`` and ``rig.md``.

    Args:
        generator: config.
        mapper: file of a mapper that reads the codes' yaw for editors without one of their own.
        editors: name → ``dict(type="rig", path=…, mapper=…)``, ``dict(type="stepper", path=…)``,
            ``dict(type="direction", path=…)``, ``dict(type="ganspace", components=10)``, ``dict(type="layers")``.
        judge: config of the source that reads the pictures: one that no editor was trained with; ``"truth"`` of a
            procedural generator.
        face_model: of the coefficients.
        features: space of the Fréchet distance.
        identity: features of persons.
        pairs: how many pairs of codes.
        seed: of the codes; apart from the training's.
        reference: pictures that the Fréchet distance is taken to.
        batch: pictures at a time.
    """

    neutral: ClassVar[tuple[str, ...]] = ("batch",)

    def __init__(
        self,
        generator: Mapping[str, Any],
        mapper: str,
        editors: Mapping[str, Mapping[str, Any]],
        judge: Mapping[str, Any],
        face_model: Mapping[str, Any] | str,
        features: Mapping[str, Any],
        *,
        identity: Mapping[str, Any] | str = "RegressorIdentity",
        pairs: int = 1000,
        seed: int = 77,
        reference: int = 1000,
        batch: int = 32,
    ) -> None:
        for name, value, least in (("pairs", pairs, 2), ("reference", reference, 2), ("batch", batch, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")
        for name, editor in editors.items():
            kind = editor.get("type")
            if kind not in KINDS:
                near = did_you_mean(str(kind), KINDS)
                raise InputError(f"the editor {name!r} has the type {kind!r}; known: {', '.join(KINDS)}{near}")
        self.generator, self.mapper, self.editors = dict(generator), mapper, {k: dict(v) for k, v in editors.items()}
        self.judge, self.face_model, self.features, self.identity = dict(judge), face_model, dict(features), identity
        self.pairs, self.seed, self.reference, self.batch = pairs, seed, reference, batch

    def run(self, context: StageContext) -> StageResult:
        """Measure and write, on the first rank."""
        if is_main_process():
            self._run(context)
        barrier()
        return StageResult([METRICS, SAMPLES, TABLE], {"pairs": self.pairs, "editors": len(self.editors)})

    @torch.no_grad()
    def _run(self, context: StageContext) -> None:
        from faceuv.engine.direction_study.reading import CodeReader
        from faceuv.evaluation.rig_study import RigEditor, RigStudy, record
        from faceuv.evaluation.rig_tables import rig_table
        from faceuv.models.stylefaceuv.mappers import load_mapper
        from faceuv.models.stylerig.errors import GroupErrors

        device = get_device()
        generator = GENERATORS.build(self.generator).to(device).eval()
        source = COEFFICIENT_SOURCES.build(self.judge)
        source.check(self.generator)
        source.prepare(generator, device)
        reader = CodeReader(generator, source)
        features, identity = (MODELS.build(part).to(device).eval() for part in (self.features, self.identity))
        rng = torch.Generator().manual_seed(self.seed)
        code, other = (generator.sample_codes(self.pairs, generator=rng) for _ in range(2))
        rest = generator.sample_codes(self.reference, generator=rng)
        reference = torch.cat([features(generator.synthesis(part).clamp(0, 1)) for part in rest.split(self.batch)])
        mapper = load_mapper(self.mapper, generator).to(device)
        face_model = FACE_MODELS.build(self.face_model).to(device)
        study = RigStudy(
            reader.look,
            mapper,
            GroupErrors(face_model).to(device),
            identity,
            features,
            code,
            other,
            reference,
            self.batch,
        )
        editors = {name: self._editor(settings, generator, mapper, rng) for name, settings in self.editors.items()}
        found, floor = study.run(editors)
        rigs = {name: editor for name, editor in editors.items() if isinstance(editor, RigEditor)}
        ranges = study.ranges(next(iter(rigs.values())).rig) if rigs else {}
        about = {
            "pairs": self.pairs,
            "seed": self.seed,
            "judge": self.judge,
            "space": getattr(features, "space", type(features).__name__),
            "identity": getattr(identity, "name", type(identity).__name__),
        }
        report = record(found, floor, ranges, about)
        with atomic_path(context.folder / METRICS) as path:
            path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        rows = {
            f"{name}/{edit}/{key}": values.float().cpu().contiguous()
            for name, edits in found.items()
            for edit, one in edits.items()
            for key, values in one.rows.items()
        }
        save_tensors(context.folder / SAMPLES, rows, {"kind": SAMPLES_KIND})
        with atomic_path(context.folder / TABLE) as path:
            path.write_text(rig_table(report, rows), encoding="utf-8")

    def _editor(self, settings: Mapping[str, Any], generator: Any, mapper: Any, rng: torch.Generator) -> Any:
        from faceuv.evaluation.rig_study import DirectionEditor, LayerMixing, RigEditor, TurningEditor
        from faceuv.models.directions import Direction
        from faceuv.models.stylefaceuv.mappers import load_mapper, load_stepper
        from faceuv.models.stylerig.rig import Rig
        from faceuv.models.stylerig.rignet import load_rignet

        kind, device = settings["type"], generator.mean_code.device
        if kind == "layers":
            return LayerMixing()
        if kind == "rig":
            own = load_mapper(settings["mapper"], generator)
            return RigEditor(Rig(load_rignet(settings["path"], generator), own).to(device))
        if kind == "stepper":
            return TurningEditor(load_stepper(settings["path"], generator).to(device))
        codes = generator.sample_codes(_CALIBRATION, generator=rng)
        yaw = torch.cat([mapper.yaw(part) for part in codes.split(256)])
        if kind == "direction":
            return DirectionEditor(Direction.load(settings["path"], generator), codes, yaw)
        finder = DIRECTION_FINDERS.build(
            dict(type="ganspace", **{key: value for key, value in settings.items() if key != "type"})
        )
        return DirectionEditor(best_component(finder.find(generator), codes, yaw), codes, yaw)


def best_component(directions: Sequence[Any], codes: torch.Tensor, yaw: torch.Tensor) -> Any:
    """The direction whose positions of ``codes (N, L, D)`` go best with their ``yaw (N,)``."""
    places = torch.stack([direction.position(codes) for direction in directions])
    joint = torch.corrcoef(torch.cat([places, yaw[None]]).double())
    return directions[int(joint[-1, :-1].abs().argmax())]
