"""StyleFaceUV's recipe under a generator that is no StyleGAN2: one that a plug-in registers."""

from __future__ import annotations

import copy
import json

import pytest
import torch

import faceuv
from faceuv.engine.stages import run_stages
from faceuv.errors import InputError
from faceuv.models.stylefaceuv import load_uv_generator
from faceuv.registry import GENERATORS


class Ramps(torch.nn.Module):
    """Codes ``(B, 3, 5)`` → pictures that are brighter to one side; nothing of it is a StyleGAN2."""

    num_layers, code_dim = 3, 5

    def __init__(self, size=16):
        super().__init__()
        self.size = size
        self.register_buffer("mean_code", torch.zeros(5), persistent=False)

    def sample_latents(self, count, *, generator=None):
        return torch.randn(count, 5, generator=generator).to(self.mean_code)

    def mapping(self, z):
        return z

    def synthesis(self, code):
        code = code[:, None].repeat(1, 3, 1) if code.dim() == 2 else code
        line = torch.linspace(-1, 1, self.size, device=code.device)
        colour = code[:, 1, :3, None, None]
        return (colour + code[:, 0, 0, None, None, None] * line).sigmoid().expand(-1, -1, self.size, -1)

    def sample_codes(self, count, *, truncation=1.0, generator=None):
        return (self.sample_latents(count, generator=generator) * truncation)[:, None].repeat(1, 3, 1)


@pytest.fixture
def stages(tiny, tmp_path, monkeypatch):
    """The tiny recipe without the stage that reads a checkpoint, all of it with Ramps."""
    monkeypatch.setitem(GENERATORS._module_dict, "Ramps", Ramps)
    made = copy.deepcopy(tiny.tiny_recipe(tmp_path))
    del made["teacher"]
    ramps = {"type": "Ramps"}
    for stage in ("fits", "direction", "report"):
        made[stage]["generator"] = ramps
    made["uv"]["model"] |= {"teacher": ramps, "uv_generator": {"channel_base": 64, "channel_max": 4}}
    return made


def silent(line):
    """Instead of print."""


def test_from_codes_to_the_report(stages, recipe, tmp_path):
    run_stages(recipe(**stages), log=silent)
    work = tmp_path / "work"
    uv = load_uv_generator(work / "uv" / "uv_generator.safetensors")
    assert (uv.num_layers, uv.code_dim, uv.size, uv.channels) == (3, 5, 16, {4: 4, 8: 4, 16: 4})
    subjects = json.loads((work / "report" / "metrics.json").read_text())["subjects"]
    assert set(subjects) == {"ours", "linear", "turned 2D"}

    generator = faceuv.load(work)
    assert isinstance(generator.teacher, Ramps)
    picture = generator.generate(generator.codes([1, 2]), yaw_deg=10.0)
    assert picture.shape == (2, 3, 16, 16)
    assert generator.sample(seed=1).maps.diffuse.shape == (1, 3, 16, 16)


def test_the_maps_learn_its_pictures(stages, recipe, tmp_path):
    """More steps bring the renders nearer to the teacher's pictures."""
    stages["uv"]["model"] |= {
        "losses": {"photo": {"type": "PhotometricLoss", "norm": "squared", "weight": 10.0}},
        "views": {"names": ["original"]}, "discriminator": None,
    }  # fmt: skip
    del stages["uv"]["optim_wrapper"]["discriminator"], stages["report"]
    stages["uv"]["train_cfg"]["max_iters"] = 60
    stages["uv"]["default_hooks"]["logger"]["interval"] = 1
    run_stages(recipe(**stages), log=silent)
    lines = next((tmp_path / "work" / "uv").rglob("scalars.json")).read_text().splitlines()
    photo = [json.loads(line)["photo"] for line in lines if "photo" in line]
    assert len(photo) == 60
    assert sum(photo[-10:]) < 0.8 * sum(photo[:10])


def test_what_it_lacks_is_said_with_the_plan(stages, recipe, monkeypatch):
    monkeypatch.delattr(Ramps, "sample_codes")
    with pytest.raises(InputError, match="Ramps has no sample_codes"):
        run_stages(recipe(**stages), plan_only=True, rehearsal=True, log=silent)
