"""The stepper at the paper's scale: the SVM direction of 200,000 codes scored by the mapper, and the step along it.

The paper publishes neither a size nor a schedule for the stepper; these are ours. The release's (the mapper's widths,
tanh, 1e-3, a tenth after epochs 5, 10 and 15, batch 16, the symmetric angle alone) are in ``stylefaceuv_ffhq_release``.
"""

from mmengine.config import read_base

with read_base():
    from .mapper_ffhq import *

steps = 20_000

stages = ["teacher", "fits", "mapper", "direction", "stepper"]
direction = dict(
    type="direction",
    generator=generator,
    mapper="{mapper}/mapper.safetensors",
    finder=dict(type="svm", score="yaw", samples=200_000, ratio=0.02),
)
stepper = dict(
    type="train",
    model=dict(
        type="YawStepping",
        fits="{fits}",
        mapper="{mapper}/mapper.safetensors",
        direction="{direction}/directions.safetensors",
        losses=dict(yaw=dict(type="MeanDistance", of="yaw")),
        range_deg=30.0,
    ),
    optim_wrapper=dict(constructor="OptimizerPerModule", stepper=dict(optimizer=dict(type="Adam", lr=5e-4))),
    param_scheduler=dict(stepper=[dict(type="CosineAnnealingLR", T_max=steps, by_epoch=False)]),
    train_cfg=dict(max_iters=steps, val_interval=5000),
    train_dataloader=dict(
        batch_size=64,
        num_workers=0,
        dataset=dict(type="CodeFits", folder="{fits}", split="train"),
        sampler=dict(type="SeekableSampler"),
        collate_fn=dict(type="default_collate"),
    ),
    val_cfg=dict(),
    val_dataloader=dict(
        batch_size=64,
        num_workers=0,
        dataset=dict(type="CodeFits", folder="{fits}", split="val", limit=512),
        sampler=dict(type="DefaultSampler", shuffle=False),
        collate_fn=dict(type="default_collate"),
    ),
    val_evaluator=dict(type="YawErrors"),
)
