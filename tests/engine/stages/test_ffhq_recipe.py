"""The paper's recipe, whole: what it asks for, and that it runs on stand-ins in the files that people hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from faceuv.cli.main import main
from faceuv.engine.stages.record import Record
from faceuv.files.artefacts import sha256_of
from faceuv.models.stylefaceuv import load_uv_generator
from faceuv.models.stylegan2 import load_discriminator, load_generator

CONFIG = Path(__file__).parents[3] / "configs" / "stylefaceuv_ffhq.py"
STAGES = ["teacher", "fits", "mapper", "direction", "stepper", "uv", "report"]


@pytest.fixture
def assets(tmp_path, monkeypatch):
    """An empty folder for assets, and no other place where any could be."""
    folder = tmp_path / "assets"
    folder.mkdir()
    monkeypatch.setenv("FACEUV_ASSETS", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return folder


def test_all_that_is_missing_is_one_message_with_the_plan(assets, tmp_path, capsys):
    assert main(["train", str(CONFIG), "--plan", "--work-dir", str(tmp_path / "w")]) == 2
    out, error = capsys.readouterr()
    assert out.count("runs  missing") == len(STAGES)
    assert error.startswith("faceuv: error: 4 things that the recipe needs are not here:\n(1) 550000.pt")
    for words in (
        "in rosinality's layout), for teacher",
        "https://github.com/rosinality/stylegan2-pytorch",
        "UV chart), for fits, mapper, uv, report",
        "register at https://faces.dmi.unibas.ch/bfm/",
        "then run: faceuv convert bfm --raw BFM_FOLDER --uv BFM_UV.mat",
        'then run: pip install "faceuv[landmarks]"',
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        f"mv vgg16-397923af.pth {assets}/",
        f"it was looked for in {assets}, {tmp_path / 'data' / 'faceuv'}, {tmp_path / 'hub' / 'checkpoints'}",
    ):
        assert words in error, words
    assert error.count("get it:") == error.count("then run:") == 4
    assert not (tmp_path / "w" / "fits").exists()


def test_the_recipe_runs_on_stand_ins(assets, toys, monkeypatch, tmp_path):
    """At 256², L = 14, D = 512, with 35,709 vertices and VGG-16, in the layouts that users hold. Made smaller, for a
    CPU's sake: the counts, the channels of the teacher (16 for 512) and the widths of the mapper and the stepper."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "toy"))
    import ffhq_assets

    from faceuv.models.faces.bfm2009 import BFM2009

    given = tmp_path / "given"
    given.mkdir()
    front, uv = ffhq_assets.write_bfm(given)
    assert main(["convert", "bfm", "--front", str(front), "--uv", str(uv)]) == 0  # the command that users are told
    assert (assets / "bfm2009.safetensors").is_file()
    ffhq_assets.write_teacher(assets / "550000.pt", channel_max=16)
    vgg = ffhq_assets.write_vgg(assets / "vgg16-397923af.pth")
    landmarks = ffhq_assets.write_landmarks(given / "landmarks.safetensors", BFM2009(), 12)
    work = tmp_path / "work"
    options = {
        "fits.count": 12,
        "fits.batch": 4,
        "fits.source.detector.type": "PrecomputedLandmarks",
        "fits.source.detector.path": landmarks,
        "fits.source.schedule": "landmarks",
        "mapper.model.widths": "[32]",
        "mapper.train_cfg.max_epochs": 1,
        "mapper.train_dataloader.batch_size": 4,
        "direction.finder.samples": 600,
        "stepper.model.widths": "[16]",
        "stepper.train_cfg.max_iters": 2,
        "stepper.train_cfg.val_interval": 2,
        "stepper.train_dataloader.batch_size": 4,
        "uv.model.losses.percept.sha256": sha256_of(vgg)[:12],
        "uv.train_cfg.max_iters": 2,
        "uv.train_dataloader.batch_size": 1,
        "uv.custom_hooks.1.interval": 1000,
        "report.losses.perceptual": None,  # VGG again: the training has had it
        "report.truth": "[]",  # precomputed landmarks are those of the fits' pictures
        "report.source": None,
        "report.protocol.pictures": 4,
        "report.protocol.curve": 1,
        "report.protocol.truth": 0,
        "report.protocol.yaws_deg": "[0,30]",
        "report.faces": 1,
        "report.strips": 1,
    }
    words = [f"{key}={value}" for key, value in options.items()]
    assert main(["train", str(CONFIG), "--work-dir", str(work), "--no-rehearsal", "--cfg-options", *words]) == 0
    records = {name: Record.read(work / name) for name in STAGES}
    assert all(record.complete for record in records.values())
    assert records["fits"].summary["codes"] == 12
    teacher = load_generator(work / "teacher" / "generator.safetensors")
    assert (teacher.size, teacher.num_layers, teacher.code_dim) == (256, 14, 512)
    assert load_discriminator(work / "teacher" / "discriminator.safetensors").size == 256
    maps = load_uv_generator(work / "uv" / "uv_generator.safetensors")(teacher.sample_codes(1))
    assert maps.diffuse.shape == maps.displacement.shape == (1, 3, 256, 256)
    assert bool(torch.isfinite(maps.diffuse).all())
    assert json.loads((work / "report" / "metrics.json").read_text())["subjects"]["ours"]
    assert (work / "report" / "report.html").is_file()
