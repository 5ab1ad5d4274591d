"""The plan of a recipe: its stages in order, what each one's folder holds, and which of them are to run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faceuv.engine.stages.base import Stage
from faceuv.engine.stages.fingerprint import Description, describe, fingerprint
from faceuv.engine.stages.given import check_files, check_samples
from faceuv.engine.stages.names import check_names, missing_assets
from faceuv.engine.stages.record import Finding, inspect_folder, refuse_foreign
from faceuv.engine.stages.references import inputs_of, resolve
from faceuv.engine.stages.same_generator import Facts, generator_facts
from faceuv.errors import FaceUVError, InputError, did_you_mean
from faceuv.files.assets import Missing, MissingAssets
from faceuv.registry import STAGES


@dataclass(frozen=True)
class PlannedStage:
    """One row of the plan."""

    name: str
    stage: Stage
    folder: Path
    inputs: Sequence[str]
    description: Description
    fingerprint: str
    finding: Finding
    chosen: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Its config as written."""

    @property
    def identity(self) -> str:
        """The fingerprint without settings that the stage extends, such as a larger count."""
        return fingerprint({k: v for k, v in self.description.items() if k not in self.stage.extends})

    @property
    def runs(self) -> bool:
        """Whether it is to run."""
        return self.chosen and self.finding.state != "fresh"


def stage_configs(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name → config of every stage, in order.

    ``stages`` lists names; the config of each is the variable of the same name (so that a recipe that inherits can
    change it by ``fits.merge(…)``, and the command line by ``--cfg-options fits.count=100``), or a dict with a
    ``name`` in the list itself.
    """
    listed = config["stages"]
    if isinstance(listed, (str, Mapping)) or not isinstance(listed, Sequence) or not listed:
        raise InputError(f"stages must be a list of names, stages=['fits', 'mapper'], got {listed!r}")
    found: dict[str, dict[str, Any]] = {}
    for entry in listed:
        own = dict(entry) if isinstance(entry, Mapping) else None
        name = own.pop("name", None) if own is not None else entry
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError(f"a stage needs a name that is a word, such as 'fits'; got {name!r}")
        if name in found:
            raise InputError(f"two stages are called {name!r}; each needs a folder of its own")
        settings = own if own is not None else config.get(name)
        if not isinstance(settings, Mapping) or "type" not in settings:
            known = ", ".join(STAGES.names())
            raise InputError(f"the stage {name!r} needs a config {name} = dict(type=…) with one of the types {known}")
        found[name] = plain(settings)
    return found


def make_plan(
    config: Mapping[str, Any],
    work_dir: str | Path,
    *,
    seed: int = 0,
    only: str | None = None,
    start: str | None = None,
    verify: bool = False,
) -> list[PlannedStage]:
    """Look at every stage of ``config``: what its folder holds, and whether it runs.

    Args:
        only: this stage alone is chosen.
        start: this stage and those after it are chosen.
        verify: compare the contents of all outputs with the recorded hashes.

    Names of parts and references that lead nowhere are errors here; see also :func:`check_plan`.
    """
    configs, root = stage_configs(config), Path(work_dir)
    folders = {name: root / name for name in configs}
    for option, name in (("--stage", only), ("--from", start)):
        if name is not None and name not in configs:
            raise InputError(f"{option} {name}: the stages are {', '.join(configs)}{did_you_mean(name, configs)}")
    first = list(configs).index(start) if start is not None else 0
    rows: dict[str, PlannedStage] = {}
    for index, (name, settings) in enumerate(configs.items()):
        inputs = inputs_of(name, settings, list(rows), list(configs))
        settings = {key: value for key, value in settings.items() if key != "inputs"}
        check_names(settings, f"the stage {name!r}")
        stage = _build(name, settings, folders)
        if not isinstance(stage, Stage):
            raise InputError(f"the stage {name!r} is a {type(stage).__name__}; a stage derives from faceuv's Stage")
        description = describe(settings, neutral=stage.neutral, inputs={i: rows[i].fingerprint for i in inputs})
        description |= {"stage version": stage.version} | ({"recipe seed": seed} if stage.seeded else {})
        mark = fingerprint(description)
        finding = inspect_folder(folders[name], description, mark, stage.extends, verify=verify)
        chosen = index >= first and (only is None or name == only)
        rows[name] = PlannedStage(name, stage, folders[name], inputs, description, mark, finding, chosen, settings)
    plan = list(rows.values())
    _check_inputs(plan)
    return plan


def _build(name: str, settings: dict[str, Any], folders: Mapping[str, Path]) -> Stage:
    """The stage of a config whose settings are known to be right."""
    part = STAGES.get(settings["type"])
    if inspect.isclass(part) and issubclass(part, Stage):
        part.check_settings({key: value for key, value in settings.items() if key != "type"}, f"the stage {name!r}")
    stage: Stage = STAGES.build(resolve(settings, folders))
    return stage


def check_plan(plan: Sequence[PlannedStage]) -> None:
    """Check every stage that is to run; the problems of all stages are one error."""
    needed: dict[Missing, list[str]] = {}
    errors: list[tuple[str, FaceUVError]] = []
    configs = {row.name: row.settings for row in plan}
    for row in plan:
        if not row.runs:
            continue
        for one in missing_assets(row.settings, f"the stage {row.name!r}"):
            needed.setdefault(one, []).append(row.name)
        try:
            refuse_foreign(row.name, row.folder)
            check_files(row.name, row.settings, configs)
            row.stage.check()
        except MissingAssets as lacking:
            for one in lacking.needed:
                needed.setdefault(one, []).append(row.name)
        except FaceUVError as error:
            errors.append((row.name, error))
    if not errors:
        errors += _mixed_generators(plan) or _too_few_samples(plan)
    if needed:
        together = MissingAssets(needed)
        if not errors:
            raise together
        errors.append((", ".join(dict.fromkeys(name for users in needed.values() for name in users)), together))
    if len(errors) == 1:
        raise errors[0][1]
    if errors:
        listed = "; ".join(f"({k}) {name}: {error}" for k, (name, error) in enumerate(errors, 1))
        raise FaceUVError(f"{len(errors)} stages cannot run yet: {listed}")


def _mixed_generators(plan: Sequence[PlannedStage]) -> list[tuple[str, FaceUVError]]:
    """The first stage whose networks are for different generators, if there is one."""
    made: dict[str, Facts] = {}
    kept = {row.name: row.folder for row in plan if row.finding.state == "fresh"}
    for row in plan:
        try:
            made[row.name] = generator_facts(row.settings, f"the stage {row.name!r}", made, kept)
        except FaceUVError as error:
            return [(row.name, error)]
    return []


def _too_few_samples(plan: Sequence[PlannedStage]) -> list[tuple[str, FaceUVError]]:
    """The first stage that reads more samples than there will be, if there is one: the others have the same reason."""
    configs = {row.name: row.settings for row in plan}
    for row in plan:
        if row.runs:
            try:
                check_samples(row.name, row.settings, configs)
            except InputError as error:
                return [(row.name, error)]
    return []


def show(plan: Sequence[PlannedStage]) -> str:
    """The plan as lines of text: stage, what is done with it, why."""
    lines = []
    width = max(len(row.name) for row in plan)
    for row in plan:
        what = "runs" if row.runs else "kept" if row.finding.state == "fresh" else "left"
        why = "; ".join(row.finding.why[:4]) + ("; …" if len(row.finding.why) > 4 else "")
        lines.append(f"{row.name:<{width}}  {what}  {row.finding.state}" + (f" ({why})" if why else ""))
    return "\n".join(lines)


def _check_inputs(plan: Sequence[PlannedStage]) -> None:
    """A chosen stage must find its inputs fresh, or made before it."""
    rows = {row.name: row for row in plan}
    for row in plan:
        if not row.runs:
            continue
        for name in row.inputs:
            given = rows[name]
            if given.finding.state != "fresh" and not given.runs:
                why = "; ".join(given.finding.why[:3])
                raise InputError(
                    f"the stage {row.name!r} needs {name!r}, which is {given.finding.state}"
                    + (f" ({why})" if why else "")
                    + f": run it too, with --from {name}"
                )


def plain(value: Any) -> Any:
    """Dicts and lists without MMEngine's wrappings."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value
