"""A report as pages: Markdown beside the figures, and one HTML file that holds everything."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from faceuv.engine.report.markdown import code_cell, plain, plain_cell
from faceuv.evaluation.meanings import heading, order
from faceuv.evaluation.summary import rounded
from faceuv.export.images import encode

Report = Mapping[str, Any]

_CAPTIONS = {
    "curves": "What a face keeps when it turns: means over faces, bands of two standard errors.",
    "views": "The teacher's views of each face, what the method shows from there, and its bare shape.",
    "maps": "The method's maps of each face.",
    "faces": "The first faces from the left, the front and the right.",
}
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 8rem; overflow-wrap: anywhere; }
th:last-child, td:last-child { text-align: left; }
tbody th { font-weight: inherit; } td.best { font-weight: 700; }
td.skipped { white-space: normal; min-width: 6rem; font-size: .8em; opacity: .75; }
small { opacity: .75; } figure { margin: 1.2rem 0; } figcaption { font-size: .9rem; opacity: .8; }
figure img { max-width: 100%; height: auto; background: #fff; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; } dt { opacity: .75; } dd { margin: 0; }
dd { overflow-wrap: anywhere; }
@media (max-width: 34rem) {
  .about { display: none; } dl { display: block; } dd { margin: 0 0 .4rem 1rem; }
  .strip { overflow-x: auto; } .strip img { max-width: none; width: 52rem; } }
""".strip()


def groups(report: Report) -> dict[str, list[str]]:
    """Heading → metrics, in the order of the report; those that no subject has or lacks for a reason are left out."""
    names = [
        name
        for name in order(list(report["meanings"]))
        if any(cell(entry, name)["samples"] or reason(entry, name) for entry in report["subjects"].values())
    ]
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(heading(name), []).append(name)
    return found


def cell(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A subject's number, or one without a value."""
    found: Mapping[str, Any] = entry["metrics"].get(name, {"value": None, "samples": 0})
    return found


def reason(entry: Mapping[str, Any], name: str) -> str:
    """Why a subject has no number: ``"needs a surface"``; empty if it has one."""
    return str(entry["not_measured"].get(name, ""))


def best_of(report: Report, name: str) -> set[str]:
    """The subjects with the best value of a metric, as far as the table's digits tell, where several have one."""
    values = {subject: cell(entry, name)["value"] for subject, entry in report["subjects"].items()}
    known = {subject: value for subject, value in values.items() if value is not None}
    if len(known) < 2:
        return set()
    pick = min if report["meanings"][name]["better"] == "lower" else max
    best = rounded(pick(known.values()))
    return {subject for subject, value in known.items() if rounded(value) == best}


def _text(entry: Mapping[str, Any], name: str) -> str:
    """What a table shows of a subject's metric."""
    found = cell(entry, name)
    if found["value"] is None:
        return f"not measured: {reason(entry, name)}" if reason(entry, name) else "–"
    error = found.get("error")
    return rounded(found["value"]) + (f" ± {rounded(error, 1)}" if error else "")


def _samples(report: Report, name: str) -> str:
    counts = sorted({cell(entry, name)["samples"] for entry in report["subjects"].values()} - {0}) or [0]
    return "–".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))


def facts(report: Report) -> dict[str, str]:
    """What the numbers rest on."""
    protocol = report["protocol"]
    return {
        "faces": f"{protocol['pictures']}, of which {protocol['curve']} turned to every angle and {protocol['truth']}"
        f" compared with the truth; seed {protocol['seed']}, truncation {protocol['truncation']:g}",
        "angles": ", ".join(f"{angle:g}°" for angle in report["yaw_deg"])
        + f"; far turned: from {protocol['far_deg']:g}° on",
        "distances in the space": report["spaces"]["distances"],
        "identity by": report["spaces"]["identity"],
        "device": f"{report['device']}, measured in {report['seconds']:g} s",
        **{f"weights of {name}": f"SHA-256 {digest}…" for name, digest in report["files"].items()},
    }


def notes(report: Report) -> list[str]:
    """How to read it."""
    floor = ", ".join(f"{name} {rounded(entry['value'])}" for name, entry in report["floor"]["metrics"].items())
    return [
        "± is one standard error of the mean over faces. ↓ lower is better, ↑ higher is better; the best of a row is"
        " bold.",
        *(f"{name}: {entry['about']}." for name, entry in report["subjects"].items()),
        f"Distances of real pictures to real ones, as many of each: {floor}. Only FID and KID, in Inception's space,"
        " may be compared with published ones.",
        "“not measured” says what a measure needs and the subject's views do not carry.",
    ]


def legend(report: Report) -> list[str]:
    """What each metric is."""
    return [f"{name}: {report['meanings'][name]['about']}." for names in groups(report).values() for name in names]


def markdown_page(report: Report) -> str:
    """The report as Markdown, figures as files beside it."""
    subjects = list(report["subjects"])
    lines = [f"# {plain(str(report['title']))}", ""]
    lines += [f"- {plain(name)}: {plain(value)}" for name, value in facts(report).items()]
    for group, names in groups(report).items():
        lines += ["", f"## {group}", "", f"| | {' | '.join(map(plain_cell, subjects))} | unit | faces |"]
        lines += ["|---|" + "---|" * (len(subjects) + 2)]
        for name in names:
            meaning, best = report["meanings"][name], best_of(report, name)
            cells = [plain_cell(_text(report["subjects"][subject], name)) for subject in subjects]
            cells = [f"**{text}**" if subject in best else text for subject, text in zip(subjects, cells)]
            arrow = "↓" if meaning["better"] == "lower" else "↑"
            lines.append(
                f"| {code_cell(name)} {arrow} | {' | '.join(cells)} | {meaning['unit']} | {_samples(report, name)} |"
            )
    lines += ["", "## How to read it", ""]
    lines += [f"- {plain(note)}" for note in [*notes(report), *legend(report)]]
    lines += ["", "## Figures"]
    for name in report["figures"]:
        lines += ["", _caption(name), "", f"![{name}](figures/{name}.png)"]
    if report["faces"]:
        lines += ["", "## Faces", ""]
        if report.get("viewer"):
            lines += [f"[The faces in 3D]({report['viewer']}): open it in a browser", ""]
        lines += [", ".join(f"[{path}]({path})" for path in report["faces"])]
    return "\n".join(lines) + "\n"


def html_page(report: Report, figures: Mapping[str, Tensor]) -> str:
    """The report as one HTML file with its figures inside; readable on a phone."""
    title = html.escape(str(report["title"]))
    parts = [f"<h1>{title}</h1>", "<dl>"]
    parts += [f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts(report).items()]
    parts += ["</dl>"]
    shown = dict(figures)
    first = next((name for name in shown if name.startswith("yaw_")), None)
    if first is not None:
        parts.append(_figure(first, shown.pop(first)))
    for group, names in groups(report).items():
        parts += [f"<h2>{html.escape(group)}</h2>", _table(report, names)]
    parts += ["<h2>How to read it</h2>", "<ul>"]
    parts += [f"<li>{html.escape(note)}</li>" for note in [*notes(report), *legend(report)]]
    parts += ["</ul>", "<h2>Figures</h2>"]
    parts += [_figure(name, picture) for name, picture in shown.items()]
    if report["faces"]:
        links = ", ".join(f'<a href="{html.escape(path)}">{html.escape(path)}</a>' for path in report["faces"])
        parts.append("<h2>Faces</h2>")
        if report.get("viewer"):
            viewer = html.escape(report["viewer"])
            parts.append(
                f'<p><a href="{viewer}">The faces in 3D</a>: turn them, light them, move their expressions</p>'
            )
        parts += [f"<p>Meshes with textures, beside this file: {links}</p>"]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _table(report: Report, names: list[str]) -> str:
    subjects = list(report["subjects"])
    head = "".join(f'<th scope="col">{html.escape(subject)}</th>' for subject in subjects)
    rows = []
    for name in names:
        meaning, best = report["meanings"][name], best_of(report, name)
        arrow = "↓" if meaning["better"] == "lower" else "↑"
        label = f"{html.escape(name)} {arrow}<small class=about><br>{html.escape(meaning['about'])}</small>"
        cells = "".join(
            f"<td{_kind(entry, name, subject in best)}>{html.escape(_text(entry, name))}</td>"
            for subject, entry in report["subjects"].items()
        )
        unit = html.escape(" · ".join(part for part in (meaning["unit"], f"{_samples(report, name)} faces") if part))
        rows.append(f'<tr><th scope="row">{label}</th>{cells}<td><small>{unit}</small></td></tr>')
    return (
        f'<div class="scroll"><table><thead><tr><th></th>{head}<th></th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _kind(entry: Mapping[str, Any], name: str, best: bool) -> str:
    """The class of a cell."""
    return " class=skipped" if reason(entry, name) else " class=best" if best else ""


def _figure(name: str, picture: Tensor) -> str:
    data = base64.b64encode(encode(picture, kind="JPEG" if name != "curves" else "PNG", name=name)).decode()
    kind = "png" if name == "curves" else "jpeg"
    caption = html.escape(_caption(name))
    height, width = picture.shape[1:]
    return (
        f'<figure><div class="strip"><img src="data:image/{kind};base64,{data}" width="{width}" height="{height}"'
        f' alt="{caption}"></div><figcaption>{caption}</figcaption></figure>'
    )


def _caption(name: str) -> str:
    if name.startswith("yaw_"):
        return f"Face {name.removeprefix('yaw_')} from all sides, as every subject shows it."
    return _CAPTIONS[name]
