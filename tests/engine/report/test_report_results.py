"""The page of results: what it says of claims, and what it leaves alone."""

from __future__ import annotations

import pytest
from small_reports import NOISE, base, run

from faceuv.engine.report.results import BEGIN, END, results_text, write_results
from faceuv.errors import InputError
from faceuv.models.base.subject import Claim


def runs():
    rows = {"ours/identity_far": base(0.8), "turned 2D/identity_far": base(0.6) + 0.01 * NOISE.flip(0)}
    rows |= {"ours/l1": base(0.1), "linear/l1": base(0.2) + 0.01 * NOISE.flip(0)}
    return [run("full", rows)]


def test_it_says_what_holds_and_what_was_not_measured():
    text = results_text(runs(), commands=["faceuv train x"])
    assert "**Ours beats 2D rotation at large yaw, in identity and in consistency: holds.**" in text
    assert "**View masks beat no mask: not measured.**\n\nIt needs the report `no_mask`." in text
    assert "| `identity_far` ↑ | full | turned 2D |" not in text
    assert "| | full | linear | turned 2D | unit |" in text and "```bash\nfaceuv train x\n```" in text


def test_only_what_is_between_the_markers_changes(tmp_path):
    page = tmp_path / "results.md"
    page.write_text(f"# Ours\n\nwords before\n\n{BEGIN}\nold\n{END}\n\nwords after\n")
    for text in ("first", "second"):
        write_results(page, text)
    assert page.read_text() == f"# Ours\n\nwords before\n\n{BEGIN}\n\nsecond\n{END}\n\nwords after\n"


def test_a_page_without_markers_gets_them(tmp_path):
    page = write_results(tmp_path / "new.md", "tables")
    assert page.read_text().startswith("# Results\n") and page.read_text().count("tables") == 1
    write_results(page, "others")
    assert "tables" not in page.read_text() and page.read_text().count(BEGIN) == 1


def test_a_broken_page_is_left_alone(tmp_path):
    page = tmp_path / "results.md"
    page.write_text(f"{END}\n{BEGIN}\n")
    with pytest.raises(InputError, match="once after it; found 1 and 1"):
        write_results(page, "numbers")
    assert page.read_text() == f"{END}\n{BEGIN}\n"


def test_a_subject_that_a_claim_lacks_is_named():
    claim = Claim("2D", ("full", "method"), ("full", "turned"), ("l1",))
    text = results_text([run("full", {"ours/l1": base()})], claims=[claim])
    assert "It needs the subject `turned` in the report `full`." in text


def test_too_few_faces_are_said():
    few = run("full", {"ours/l1": base()[:3], "linear/l1": base()[:3]})
    text = results_text([few], claims=[Claim("x", ("full", "method"), ("full", "linear"), ("l1",))])
    assert "**x: not measured.**\n\nThe reports have too few faces with numbers of l1." in text


def test_a_method_without_claims():
    mine = run("full", {"ours/l1": base()})
    mine.report["claims"] = []
    assert "The method `ours` makes no claims." in results_text([mine])


def test_the_method_of_each_report_has_a_column():
    runs = [
        run("a", {"mine/l1": base(0.1), "linear/l1": base(0.3)}, subjects=("mine", "linear")),
        run("b", {"theirs/l1": base(0.2)}, subjects=("theirs",)),
    ]
    text = results_text(runs, claims=[])
    assert "| | a | b | linear | unit |" in text
    row = next(line for line in text.splitlines() if line.startswith("| `l1` ↓ |"))
    wanted = [float(values.mean()) for values in (base(0.1), base(0.2), base(0.3))]
    assert [float(cell.split()[0]) for cell in row.split("|")[2:5]] == pytest.approx(wanted, rel=0.01)
