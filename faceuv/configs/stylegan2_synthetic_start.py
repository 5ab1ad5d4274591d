"""The warm start of the CPU teacher: its generator learns 64² synthetic faces from their latents, picture by picture.

``faceuv train stylegan2_synthetic_start``, then ``stylegan2_synthetic``, which goes on from its checkpoint.
"""

from mmengine.config import read_base

with read_base():
    from faceuv.configs.base.runtime import *

size = 64
batch_size = 8
pictures = 8192

model = dict(
    type="PairedGenerator",
    # latent_dim: the normal numbers that decide about a scene. The mapping learns at full rate: here it has to find
    # out which of them matter. Adversarial training slows it down again, with its optimiser's settings.
    generator=dict(
        type="StyleGAN2Generator",
        size=size,
        latent_dim=383,
        code_dim=128,
        mapping_depth=4,
        mapping_rate=1.0,
        channel_base=2048,
        channel_max=128,
    ),
    losses=dict(image=dict(type="PyramidL1", levels=3, weight=10.0)),
    noise="none",
    gains=dict(pose=8.0, framing=4.0, light=3.0, background=3.0, hair=3.0, beard=3.0, glasses=3.0, clothes=2.0),
)
optim_wrapper = dict(
    constructor="OptimizerPerModule",
    generator=dict(optimizer=dict(type="Adam", lr=2.5e-3, betas=(0.9, 0.99))),
)
train_cfg = dict(max_iters=25_000, val_interval=2500)  # 200,000 images
faces = dict(type="SyntheticFaces", size=size)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type="CachedImages", dataset=dict(faces, seed=0), length=pictures, workers=2, facts=("latent",)),
    sampler=dict(type="SeekableSampler"),
    collate_fn=dict(type="default_collate"),
)
val_cfg = dict()
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    dataset=dict(type="CachedImages", dataset=dict(faces, seed=1), length=1024, workers=2, facts=("latent",)),
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
)
val_evaluator = dict(
    type="FrechetDistance",
    features=dict(type="DiscriminatorFeatures", network=dict(type="StyleGAN2Discriminator", size=size,
                  channel_base=1024, channel_max=64), seed=0),
)  # fmt: skip
test_cfg, test_dataloader, test_evaluator = val_cfg, val_dataloader, val_evaluator

default_hooks.merge(dict(checkpoint=dict(interval=500, max_keep_ckpts=2), logger=dict(interval=100)))
custom_hooks = [
    dict(type="GeneratorEMA", modules=["generator"], half_life=5_000),
    dict(type="ImageSheets", interval=1000, count=64, columns=8),
]
