"""The warm start of the CPU teacher: its generator learns 64² synthetic faces from their latents, picture by picture.

``faceuv train stylegan2_synthetic_start``, then ``stylegan2_synthetic``, which continues from its checkpoint.
"""

from mmengine.config import read_base

with read_base():
    from .base.synthetic_64 import *

model = dict(
    type="PairedGenerator",
    generator=generator,
    losses=dict(image=dict(type="PyramidL1", levels=3, weight=10.0)),
    noise="none",
    gains=dict(pose=8.0, framing=4.0, light=3.0, background=3.0, hair=3.0, beard=3.0, glasses=3.0, clothes=2.0),
)
optim_wrapper = dict(
    constructor="OptimizerPerModule",
    generator=dict(optimizer=dict(type="Adam", lr=2.5e-3, betas=(0.9, 0.99))),
)
train_cfg = dict(max_iters=25_000, val_interval=2500)  # 200,000 images
val_dataloader.merge(dict(dataset=dict(facts=("latent",))))
test_dataloader = val_dataloader

default_hooks.merge(dict(checkpoint=dict(interval=500, max_keep_ckpts=2), logger=dict(interval=100)))
custom_hooks = [
    dict(type="GeneratorEMA", modules=["generator"], half_life=5_000),
    dict(type="ImageSheets", interval=1000, count=64, columns=8),
]
