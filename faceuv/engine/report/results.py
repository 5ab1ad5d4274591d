"""The page of results: a table of several reports and the verdict on each claim, between two markers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from faceuv.engine.report.markdown import code_cell, plain, plain_cell
from faceuv.errors import InputError
from faceuv.evaluation.comparison import ClaimResult, Run, check_claims
from faceuv.evaluation.meanings import meaning, order
from faceuv.evaluation.summary import rounded
from faceuv.files.artefacts import atomic_path
from faceuv.models.base.subject import METHOD, Claim

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
_NEW = "# Results\n\nMeasured numbers; `tools/results.py` writes them.\n\n"


def results_text(runs: Sequence[Run], *, commands: Sequence[str] = (), claims: Sequence[Claim] | None = None) -> str:
    """Markdown of the comparison: what was measured, the claims, the table, the commands. By default the claims are
    those that the first report's method makes."""
    results = check_claims(runs, claims)
    first = runs[0].report
    protocol = first["protocol"]
    lines = [
        f"{protocol['pictures']} faces (seed {protocol['seed']}), {protocol['curve']} of them turned to"
        f" {len(first['yaw_deg'])} angles from {min(first['yaw_deg']):g}° to {max(first['yaw_deg']):g}°,"
        f" {protocol['truth']} compared with the truth. Distances in the space"
        f" {code_cell(first['spaces']['distances'])}, identity by {code_cell(first['spaces']['identity'])}.",
        "",
        "### Claims",
        "",
        "Each compares the same faces, pair by pair. A measure counts as right or wrong if its mean gain is more than"
        " 1.96 standard errors from none.",
    ]
    if not results:
        lines += ["", f"The method {code_cell(runs[0].method)} makes no claims."]
    for result in results:
        lines += ["", *_claim(result)]
    lines += ["", "### All numbers", "", *_table(runs), "", "± is one standard error of the mean over faces."]
    if commands:
        lines += ["", "### Commands", "", "```bash", *commands, "```"]
    return "\n".join(lines) + "\n"


def write_results(path: str | Path, text: str) -> Path:
    """Put ``text`` between the markers of the page ``path``; a page without them gets them at its end."""
    path = Path(path)
    page = path.read_text(encoding="utf-8") if path.is_file() else _NEW
    counts = page.count(BEGIN), page.count(END)
    if counts == (0, 0):
        page = page.rstrip() + f"\n\n{BEGIN}\n{END}\n"
    elif counts != (1, 1) or page.index(BEGIN) > page.index(END):
        raise InputError(
            f"{path} should hold the line {BEGIN} once, and {END} once after it; found {counts[0]} and {counts[1]}"
        )
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    with atomic_path(path) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")
    return path


def _claim(result: ClaimResult) -> list[str]:
    claim = result.claim
    lines = [f"**{plain(claim.title)}: {result.verdict}.**", ""]
    if result.verdict == "not measured":
        if not result.lacking:
            return [*lines, f"The reports have too few faces with numbers of {plain(', '.join(claim.metrics))}."]
        wanted = [
            f"the report {code_cell(run)}"
            if subject == METHOD
            else f"the subject {code_cell(subject)} in the report {code_cell(run)}"
            for run, subject in result.lacking
        ]
        return [*lines, f"It needs {' and '.join(wanted)}."]
    sides = [plain_cell(run if subject == METHOD else subject) for run, subject in (claim.better, claim.worse)]
    lines += [f"| | {sides[0]} | {sides[1]} | gain | faces | right? |", "|---|---|---|---|---|---|"]
    for found in result.comparisons:
        if not found.pairs:
            lines.append(f"| {code_cell(found.metric)} | – | – | – | 0 | not measured |")
            continue
        gain = f"{found.gain:+.2g}" + ("" if math.isnan(found.error) else f" ± {rounded(found.error, 1)}")
        arrow = "↓" if meaning(found.metric).better == "lower" else "↑"
        lines.append(
            f"| {code_cell(found.metric)} {arrow} | {rounded(found.better)} | {rounded(found.worse)} | {gain} |"
            f" {found.pairs} | {found.verdict} |"
        )
    return lines


def _table(runs: Sequence[Run]) -> list[str]:
    """The method of every run, and every other subject of the first."""
    columns = [(run.name, run, run.method) for run in runs]
    columns += [(name, runs[0], name) for name in runs[0].report["subjects"] if name != runs[0].method]
    names = order(list(dict.fromkeys(name for run in runs for name in run.report["meanings"])))
    heads = " | ".join(plain_cell(name) for name, _, _ in columns)
    lines = [f"| | {heads} | unit |", "|---|" + "---|" * (len(columns) + 1)]
    for name in names:
        cells = []
        for _, run, subject in columns:
            found = run.report["subjects"].get(subject, {}).get("metrics", {}).get(name, {"value": None})
            error = found.get("error")
            cells.append(rounded(found["value"]) + (f" ± {rounded(error, 1)}" if error else ""))
        if any(cell != "–" for cell in cells):
            about = meaning(name)
            arrow = "↓" if about.better == "lower" else "↑"
            lines.append(f"| {code_cell(name)} {arrow} | {' | '.join(cells)} | {about.unit} |")
    return lines
