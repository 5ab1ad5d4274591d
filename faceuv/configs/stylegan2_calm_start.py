"""The calm teacher's warm start: pairs of a world that is easier to learn, on from the zoo's teacher.

``faceuv train stylegan2_calm_start``, then ``stylegan2_calm``. The latents of both worlds mean the same, so the
zoo's generator already draws most of each picture; see docs/teacher.md for what the calm world leaves out.
"""

from mmengine.config import read_base

with read_base():
    from .stylegan2_synthetic_start import *

calm = dict(world="calm")
train_dataloader.merge(dict(dataset=dict(dataset=calm, length=32_768)))
val_dataloader.merge(dict(dataset=dict(dataset=calm)))
model.merge(
    dict(
        losses=dict(
            # what a mean colour difference hardly notices, an eye that is shut, a discriminator does
            perceptual=dict(type="DiscriminatorPerceptual", zoo="teacher_64", weight=1.0),
        ),
        gains=None,
    )
)
train_cfg.merge(dict(max_iters=15_000, val_interval=1500))  # 120,000 images
custom_hooks = [
    dict(type="WarmStart", modules=dict(generator="zoo:teacher_64/generator.safetensors")),
    dict(type="GeneratorEMA", modules=["generator"], half_life=5_000),
    dict(type="ImageSheets", interval=500, count=64, columns=16),
]
