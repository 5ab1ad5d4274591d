"""The calm teacher: adversarial training on images that are easier to learn, after ``stylegan2_calm_start``."""

from mmengine.config import read_base

with read_base():
    from .stylegan2_synthetic import *

calm = dict(world="calm")
train_dataloader.merge(dict(dataset=dict(dataset=calm, length=32_768)))
val_dataloader.merge(dict(dataset=dict(dataset=calm)))
model.merge(dict(discriminator_first=1_000))  # it has played before: only the new world is new to it
custom_hooks = [
    dict(
        type="WarmStart",
        source="work_dirs/stylegan2_calm_start",
        modules=dict(generator="ema.generator", discriminator="zoo:teacher_64/discriminator.safetensors"),
    ),
    dict(type="GeneratorEMA", modules=["generator"], half_life=10_000),
    dict(type="ImageSheets", interval=1000, count=64, columns=16),
]
