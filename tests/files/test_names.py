"""Names out of data as file names, and paths that must stay in their folder."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import AssetError
from faceuv.files.names import LONGEST, below, file_name, file_names


@given(st.text(max_size=300))
def test_any_text_is_one_part_of_a_path(tmp_path_factory, text):
    name = file_name(text)
    assert name and name not in (".", "..") and os.path.basename(name) == name
    assert not set(name) & set('/\\:*?"<>|\0\n') and not name.startswith(".") and name.strip(" .") == name
    assert len(name.encode()) <= LONGEST + 1
    assert file_name(name) == name


@pytest.mark.parametrize("plain", ["yaw", "edits_smile left", "Ä-ü_3", "a.b", "v1.0"])
def test_good_names_stay(plain):
    assert file_name(plain) == plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("../../x", "_.._x"), ("/etc/passwd", "_etc_passwd"), ("C:\\x", "C_x"), ("", "unnamed"), ("..", "unnamed"),
        (".hidden", "hidden"), ("con", "con_"), ("LPT1.txt", "LPT1.txt_"), ("a\nb", "a_b"),
    ],
)  # fmt: skip
def test_bad_names_change(text, expected):
    assert file_name(text) == expected


def test_names_that_would_share_a_file_get_numbers():
    assert file_names(["a/b", "a:b", "A_B", "c", "a_b_1"]) == ["a_b", "a_b_2", "A_B_3", "c", "a_b_1"]


@given(st.lists(st.text(max_size=8), max_size=8))
def test_each_name_has_a_file_of_its_own(names):
    found = file_names(names)
    assert len(found) == len(names) == len({name.casefold() for name in found})


@pytest.mark.parametrize("name", ["a", "a/b.png", "a b", "..a", "a/..b"])
def test_below(tmp_path, name):
    assert below(tmp_path, name, "a file") == tmp_path / name


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "../x", "a/../../x", "a/../b", "/etc/passwd", "..\\x", "a\0b", None, 3, ["a"]],
)
def test_not_below(tmp_path, name):
    with pytest.raises(AssetError) as caught:
        below(tmp_path / "folder", name, "a file of the test")
    assert "a file of the test" in str(caught.value) and "\n" not in str(caught.value)


def test_links_that_lead_out(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "out").symlink_to(tmp_path)
    with pytest.raises(AssetError, match="leads out of its folder"):
        below(tmp_path / "folder", "out/thesis.pdf", "a file of the test")
