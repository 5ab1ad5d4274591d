"""The stage that compares subjects, a method and its baselines for instance, and writes a report about them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from faceuv.engine.config_ranges import check_ranges
from faceuv.engine.config_types import check_arguments
from faceuv.engine.stages.base import Stage, StageContext, StageResult
from faceuv.errors import InputError
from faceuv.registry import STAGES

# what a plan's last line shows of all the numbers
_SHOWN = ("l1", "l1_symmetric", "identity_far", "texels_unlit_far", "scene_normal_seen_deg", "scene_albedo_unseen")


@STAGES.register_module(name="report")
class ReportStage(Stage):
    """Measures any number of subjects by one protocol: ``dict(type="report", subjects=dict(ours=dict(type="uv", …)))``;
    leaves ``metrics.json``, ``report.html``, ``report.md``, figures and faces as meshes.

    Settings are those of :class:`~faceuv.engine.report.ReportSettings`: ``generator``, ``subjects``,
    ``features``, and ``mapper``, ``stepper``, ``face_model`` and the rest if wanted.
    """

    neutral: ClassVar[tuple[str, ...]] = ("protocol.batch",)

    @classmethod
    def check_settings(cls, settings: Mapping[str, Any], where: str) -> None:
        """As every stage's; the settings are those of the report."""
        from faceuv.engine.report import ReportSettings

        for name in ("uv", "others"):  # of version 0.1
            if name in settings:
                raise InputError(
                    f"{where}: a report has no setting {name!r} any more; write subjects=dict(ours=dict(type='uv',"
                    " path=…), linear=dict(type='linear'), …), each UV generator under a name of its own"
                )
        check_arguments(ReportSettings, "the report", settings, where)
        check_ranges(settings, where)

    def __init__(self, **settings: Any) -> None:
        from faceuv.engine.report import ReportSettings  # measures and networks, which other recipes do not need

        self.check_settings(settings, "a stage of type 'report'")
        try:
            self.settings = ReportSettings(**settings)
        except TypeError as error:
            raise InputError(f"a stage of type 'report': {error}") from error

    def check(self) -> None:
        """Raise for problems that are known before the earlier stages have run."""
        self.settings.check()

    @classmethod
    def small(cls, settings: Mapping[str, Any], runner: Mapping[str, Any]) -> dict[str, Any]:
        """A rehearsal measures nothing, so that no count matters."""
        return dict(settings)

    def rehearse(self, context: StageContext) -> None:
        """Build the networks, the subjects and what measures them, and draw one face of each subject."""
        from faceuv.engine.report import rehearse_report

        rehearse_report(self.settings)

    def run(self, context: StageContext) -> StageResult:
        """Measure, draw, write."""
        from faceuv.engine.report import make_report

        title = f"{context.folder.parent.name}: {context.name}"
        outputs, report = make_report(self.settings, context.folder, title=title, log=context.log)
        method = report["subjects"][report["method"]]["metrics"] if report else {}
        shown = {name: method[name]["value"] for name in _SHOWN if method.get(name, {}).get("value") is not None}
        return StageResult(outputs, {**shown, "measured in s": report.get("seconds", 0.0)})
