"""docs/results.md agrees with itself: what claims and prose say are the numbers of its table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[3] / "docs" / "results.md").read_text(encoding="utf-8")
MEASURED = PAGE.split("<!-- results: begin -->")[1].split("<!-- results: end -->")[0]
PROSE = " ".join(PAGE.split("<!-- results: end -->")[1].split())


def table(text: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return [row for row in rows if not set("".join(row)) <= set("-| ")]


def numbers() -> dict[str, dict[str, float]]:
    """Measure → subject → value."""
    head, *rows = table(MEASURED.split("### All numbers")[1].split("###")[0])
    names = [name.replace(" ", "_") for name in head]
    found = {}
    for name, *cells in rows:
        values = {names[k]: float(cell.split(" ±")[0]) for k, cell in enumerate(cells, 1) if re.match(r"-?\d", cell)}
        found[name.split("`")[1]] = values
    return found


def claims() -> list[tuple[str, list[str], list[str]]]:
    """(verdict, heading, row) of every row of every claim."""
    parts = re.split(
        r"^\*\*(.+?)\*\*$", MEASURED.split("### Claims")[1].split("### All numbers")[0], flags=re.MULTILINE
    )
    return [
        (said, head, row)
        for said, text in zip(parts[1::2], parts[2::2])
        for head, *rows in [table(text)]
        for row in rows
    ]


@pytest.mark.parametrize(("said", "head", "row"), claims(), ids=lambda value: value[0][:40] if value else "")
def test_a_claim_shows_numbers_of_the_table_and_judges_by_them(said, head, row):
    name, first, second, gain, _, right = row
    known = numbers()[name.split("`")[1]]
    ours, other = (known[column.replace(" ", "_")] for column in head[1:3])
    assert (float(first), float(second)) == (ours, other)
    size, error = (float(text) for text in gain.split(" ± "))
    better = (ours - other) * (1 if "↑" in name else -1)
    rounding = 0.51 * sum(10.0 ** (-len(f"{value:.3g}".partition(".")[2])) for value in (ours, other))
    assert abs(size - better) <= max(rounding, 0.06 * abs(size)), (size, better)
    # gain and error are rounded: at the border of 1.96 standard errors both answers are right
    allowed = {"not told apart"} if abs(size) < 1.7 * error else {"yes" if size > 0 else "no"}
    allowed |= {"not told apart", "yes" if size > 0 else "no"} if 1.7 * error <= abs(size) <= 2.4 * error else set()
    assert right in allowed, (size, error, right)


def test_a_verdict_counts_its_rows():
    for said in dict.fromkeys(said for said, _, _ in claims()):
        answers = [row[-1] for one, _, row in claims() if one == said]
        verdict = said.rsplit(": ", 1)[-1] if "mixed" not in said else said.split("mixed: ")[1]
        right, wrong = answers.count("yes"), answers.count("no")
        for word, count in (("right in", right), ("holds in", right), ("wrong in", wrong)):
            if found := re.search(rf"{word} (\d+)", verdict):
                assert int(found[1]) == count, (said, answers)
        if verdict == "holds.":
            assert right == len(answers)
        if verdict == "does not hold.":
            assert not right


def test_the_prose_on_masks_has_all_four_measures_of_the_symmetric_view():
    known = numbers()
    for name in ("l1_symmetric", "psnr_symmetric", "ssim_symmetric", "perceptual_symmetric"):
        found = re.search(rf"`{name}` ([\d.]*\d) against ([\d.]*\d)", PROSE)
        assert found, name
        assert [float(found[1]), float(found[2])] == [known[name]["full"], known[name]["no_mask"]]
