"""The teacher on a CPU: a StyleGAN2 of 64² synthetic faces, small enough to train on two cores.

First ``faceuv train stylegan2_synthetic_start``, which draws the pictures once and teaches the generator their latents;
then ``faceuv train stylegan2_synthetic``, the adversarial training, which continues from there.
"""

from mmengine.config import read_base

with read_base():
    from .base.synthetic_64 import *

r1_interval = 16
# A step of R1 every 16 iterations is one more step of the discriminator's optimiser: it runs a little slower for it.
lazy = r1_interval / (r1_interval + 1)

model = dict(
    type="StyleGAN2",
    generator=generator,
    discriminator=dict(type="StyleGAN2Discriminator", size=size, channel_base=1024, channel_max=128),
    losses=dict(
        generator=dict(type="GeneratorLogistic"),
        discriminator=dict(type="DiscriminatorLogistic"),
        r1=dict(type="R1Penalty", gamma=0.2, interval=r1_interval),
        # colour differences alone hardly notice a closed eye; the discriminator does
        paired=dict(type="PyramidL1", levels=3, weight=10.0),
        matched=dict(type="FeatureMatching", smallest=8, weight=1.0),
    ),
    noise="none",  # it would only speckle: at this size the drawn world has few textures
    paired_interval=2,
    discriminator_first=4_000,
)
# float32: CPUs without bfloat16 units (most) train half as fast in bfloat16; `--amp` where it wins
optim_wrapper = dict(
    constructor="OptimizerPerModule",
    generator=dict(optimizer=dict(type="Adam", lr=1e-3, betas=(0.0, 0.99)), rates=dict(mapping=0.1)),
    discriminator=dict(optimizer=dict(type="Adam", lr=2.5e-3 * lazy, betas=(0.0, 0.99**lazy))),
)
train_cfg = dict(max_iters=40_000, val_interval=2000)  # 320,000 images
train_dataloader.merge(dict(dataset=dict(length=12_288)))

default_hooks.merge(
    dict(
        checkpoint=dict(interval=500, max_keep_ckpts=2, save_best="frechet_random_discriminator_seed0", rule="less"),
        logger=dict(interval=50),
    )
)
custom_hooks = [
    dict(type="WarmStart", source="work_dirs/stylegan2_synthetic_start", modules=dict(generator="ema.generator")),
    dict(type="GeneratorEMA", modules=["generator"], half_life=5_000),
    dict(type="ImageSheets", interval=1000, count=64, columns=8),
]
