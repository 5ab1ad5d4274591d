from __future__ import annotations

import pytest

from faceuv.errors import FaceUVError
from faceuv.files import zoo
from faceuv.files.locate import locate


def test_an_entry_with_a_slash_is_its_folder():
    folder = locate("zoo:teacher_heads_64/")
    assert folder.is_dir()
    assert folder / "generator.safetensors" == zoo.path("teacher_heads_64", "generator.safetensors")


@pytest.mark.parametrize("name", ["zoo:teacher_heads_64", "zoo:teacher_heads/", "zoo:teacher_heads_64/../"])
def test_no_other_name_is_a_folder(name):
    with pytest.raises(FaceUVError, match=r"the zoo"):
        locate(name)
