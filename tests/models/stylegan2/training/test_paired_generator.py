from __future__ import annotations

import pytest
import torch
from mmengine.optim import OptimWrapperDict

from faceuv.engine.compat.optim import OptimWrapper
from faceuv.errors import InputError
from faceuv.registry import LOSSES, MODELS
from faceuv.synthetic.seeds import FACTORS

GENERATOR = {
    "type": "StyleGAN2Generator",
    "size": 8,
    "latent_dim": 4,
    "code_dim": 8,
    "mapping_depth": 2,
    "mapping_rate": 1.0,
    "channel_base": 64,
    "channel_max": 8,
}
CONFIG = {
    "type": "PairedGenerator",
    "generator": GENERATOR,
    "losses": {"image": {"type": "PyramidL1", "levels": 2}},
}


def build(**changes):
    torch.manual_seed(0)
    method = MODELS.build({**CONFIG, **changes})
    optimizer = torch.optim.Adam(method.generator.parameters(), lr=1e-2, betas=(0.9, 0.99))
    return method, OptimWrapperDict(generator=OptimWrapper(optimizer))


def pairs_of(latent):
    """Pictures whose brightness left and right are two numbers of the latent."""
    image = torch.full((len(latent), 3, 8, 8), 0.5)
    image[..., :4] += 0.2 * latent[:, 0, None, None, None].tanh()
    image[..., 4:] += 0.2 * latent[:, 1, None, None, None].tanh()
    return {"image": image, "latent": latent}


def test_it_learns_what_latents_show_and_generalises():
    method, optimizers = build()
    rng = torch.Generator().manual_seed(1)
    held_out = pairs_of(torch.randn(64, 4, generator=rng))

    def error():
        return float(torch.stack([(o["real"] - o["fake"]).abs().mean() for o in method(held_out)]).mean())

    flat = float((held_out["image"] - held_out["image"].mean(0)).abs().mean())
    for _ in range(250):
        logs = method.train_step(pairs_of(torch.randn(16, 4, generator=rng)), optimizers)
    method.eval()
    assert set(logs) == {"image"}
    assert error() < 0.5 * flat  # better than the mean picture for everybody
    assert int(method.images_seen) == 4000
    assert method.sample_images(3)["samples"].shape == (3, 3, 8, 8)


def test_gains_make_factors_loud_and_keep_the_whole():
    wide = {**GENERATOR, "latent_dim": sum(FACTORS.values())}
    plain, _ = build(generator=wide)
    loud, _ = build(generator=wide, gains={"pose": 8.0})
    weight, louder = (m.generator.mapping.layers[0].weight.detach() for m in (plain, loud))
    ratio = (louder / weight).mean(0)
    start = sum(width for name, width in FACTORS.items() if list(FACTORS).index(name) < list(FACTORS).index("pose"))
    assert torch.allclose(ratio[start : start + 3] / ratio[0], torch.tensor(8.0))
    assert float(ratio.square().mean()) == pytest.approx(1.0, rel=1e-4)


@pytest.mark.parametrize(
    ("latent_dim", "gains", "message"),
    [(sum(FACTORS.values()), {"poses": 2.0}, r"no factors \['poses'\]"), (4, {"pose": 2.0}, "latent_dim=383")],
)
def test_gains_that_mean_nothing_are_refused(latent_dim, gains, message):
    with pytest.raises(InputError, match=message):
        build(generator={**GENERATOR, "latent_dim": latent_dim}, gains=gains)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"image": torch.zeros(2, 3, 8, 8)}, "pairs need the latents"),
        ({"image": torch.zeros(2, 3, 8, 8), "latent": torch.zeros(2, 5)}, "latents"),
        ({"image": torch.zeros(2, 3, 16, 16), "latent": torch.zeros(2, 4)}, "images"),
    ],
)
def test_wrong_batches_are_refused(data, message):
    method, optimizers = build()
    with pytest.raises(InputError, match=message):
        method.train_step(data, optimizers)


class TestPyramidL1:
    def test_known_answer(self):
        image = torch.zeros(1, 1, 2, 2)
        image[0, 0, 0, 0] = 1.0  # a quarter at either level
        loss = LOSSES.build({"type": "PyramidL1", "levels": 2})
        assert float(loss({"image": image}, {"image": torch.zeros_like(image)})) == pytest.approx(0.25)
        checker = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])[None, None]  # vanishes at the coarse level
        assert float(loss({"image": checker}, {"image": torch.zeros_like(checker)})) == pytest.approx(0.5)

    def test_bad_input(self):
        with pytest.raises(InputError, match="at least 1"):
            LOSSES.build({"type": "PyramidL1", "levels": 0})
        loss = LOSSES.build({"type": "PyramidL1", "levels": 3})
        with pytest.raises(InputError, match="at least 4 pixels wide"):
            loss({"image": torch.zeros(1, 3, 2, 2)}, {"image": torch.zeros(1, 3, 2, 2)})
