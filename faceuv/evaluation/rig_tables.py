"""The page of a study of rigs: editors side by side, rows of the code, range, verdicts on StyleRig's claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from faceuv.evaluation.comparison import Comparison, compare
from faceuv.evaluation.summary import rounded
from faceuv.models.stylerig.claims import CLAIMS, RigClaim
from faceuv.models.stylerig.errors import OF_CONTROL

Report = Mapping[str, Any]
_HEADS = {
    "yaw": ("yaw_deg",),
    "pose": ("pose_deg",),
    "expression": ("expression_percent",),
    "light": ("light_percent",),
    "all": tuple(OF_CONTROL.values()),
}


def rig_table(report: Report, rows: Mapping[str, Tensor]) -> str:
    """Markdown of ``metrics.json`` and of the numbers per pair, ``"editor/edit/metric" (N,)``."""
    lines = [
        f"{report['pairs']} pairs of codes, read by {report['judge'].get('type')}, Fréchet distances in the space"
        f" `{report['space']}` (unedited pictures: {rounded(report['frechet_floor'])}), identity by"
        f" `{report['identity']}`."
    ]
    for edit, names in _HEADS.items():
        lines += [
            "",
            f"### Transfer of {'everything' if edit == 'all' else 'the ' + edit}",
            "",
            *_edit(report, edit, names),
        ]
    if any("expression" in edits for edits in report["editors"].values()):
        lines += ["", "### How mouths follow the expression", "", *_mouths(report)]
    lines += ["", "### Which rows move", "", *_energy(report)]
    if report["ranges"]:
        lines += ["", "### Range of the first rig", "", *_ranges(report)]
    lines += ["", "### Claims", "", *(line for claim in CLAIMS for line in _claim(claim, rows))]
    return "\n".join(lines) + "\n"


def _edit(report: Report, edit: str, names: tuple[str, ...]) -> list[str]:
    """One row per editor: error after, error without an edit, leakage, identity, Fréchet."""
    found = {name: edits[edit] for name, edits in report["editors"].items() if edit in edits}
    if not found:
        return ["No editor does it."]
    metrics = next(iter(found.values()))["metrics"]
    leaked = [name for name in metrics if name.endswith("_leaked")]
    heads = [name for pair in names for name in (pair, f"{pair}_unedited")] + leaked + ["identity"]
    lines = [f"| | {' | '.join(f'`{head}`' for head in heads)} | Fréchet |", "|---|" + "---|" * (len(heads) + 1)]
    for name, one in found.items():
        cells = [_number(one["metrics"][head]) for head in heads]
        lines.append(f"| {name} | {' | '.join(cells)} | {rounded(one['frechet'])} |")
    return lines


def _number(found: Mapping[str, float]) -> str:
    return f"{rounded(found['value'])} ± {rounded(found['error'], 1)}"


def _mouths(report: Report) -> list[str]:
    """Per editor: gain and correlation of what was reached with what was asked."""
    names = {"mouth_width": "width", "mouth_opening": "opening"}
    lines = [
        "| | " + " | ".join(f"{short}: gain | correlation" for short in names.values()) + " |",
        "|---|" + "---|" * (2 * len(names)),
    ]
    for editor, edits in report["editors"].items():
        if "expression" in edits:
            found = edits["expression"]["mouth"]
            cells = [f"{found[name]['gain']:.2f} | {found[name]['correlation']:.2f}" for name in names]
            lines.append(f"| {editor} | {' | '.join(cells)} |")
    return lines


def _energy(report: Report) -> list[str]:
    """The share of each row in the steps of the first rig, in %."""
    name, edits = next(iter(report["editors"].items()))
    layers = len(next(iter(edits.values()))["energy"])
    lines = [
        f"Share of each row of the code in the squared length of the steps of `{name}`, in %.",
        "",
        f"| | {' | '.join(map(str, range(layers)))} |",
        "|---|" + "---|" * layers,
    ]
    for edit in ("pose", "expression", "light"):
        if edit in edits:
            lines.append(f"| {edit} | {' | '.join(f'{100 * share:.0f}' for share in edits[edit]['energy'])} |")
    return lines


def _ranges(report: Report) -> list[str]:
    """Angles: gain, error by size, where the error doubles."""
    ranges = report["ranges"]
    sizes = next(iter(ranges.values()))["sizes"]
    lines = [
        f"| | degrees per degree asked for | {' | '.join(f'error at {size:g}°' for size in sizes)} | doubles at |",
        "|---|" + "---|" * (len(sizes) + 2),
    ]
    for name, one in ranges.items():
        doubles = "–" if one["doubles"] is None else f"{one['doubles']:.0f}°"
        errors = " | ".join(rounded(error) for error in one["errors"])
        lines.append(f"| {name} | {one['gain']:.2f} | {errors} | {doubles} |")
    return lines


def _claim(claim: RigClaim, rows: Mapping[str, Tensor]) -> list[str]:
    """Title, and each comparison with its verdict."""
    lines = [
        f"**{claim.title}**",
        "",
        "| | should be better | than | gain | pairs | right? |",
        "|---|---|---|---|---|---|",
    ]
    for one in claim.comparisons:
        found: Comparison = compare(one.metric, rows.get(one.better), rows.get(one.worse))
        if not found.pairs:
            lines.append(f"| `{one.metric}` | {one.better} | {one.worse} | – | 0 | not measured |")
            continue
        gain = f"{found.gain:+.2g} ± {rounded(found.error, 1)}"
        lines.append(
            f"| `{one.metric}` | {one.better}: {rounded(found.better)} | {one.worse}: {rounded(found.worse)} | {gain} |"
            f" {found.pairs} | {found.verdict} |"
        )
    return [*lines, ""]
