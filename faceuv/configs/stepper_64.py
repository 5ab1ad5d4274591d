"""The stepper for the zoo's 64² teacher: the mapper, the yaw direction, and the network of steps along it.

``faceuv train stepper_64``: four stages, on a CPU in minutes.
"""

from mmengine.config import read_base

with read_base():
    from .mapper_64 import *

steps = 1200

stages = ["fits", "mapper", "direction", "stepper"]
direction = dict(
    type="direction",
    generator=generator,
    mapper="{mapper}/mapper.safetensors",
    # with so large a ridge: how codes of another yaw differ on average, which keeps turned codes among the generator's
    finder=dict(type="regression", score="yaw", samples=50_000, ridge=100.0),
)
stepper = dict(
    type="train",
    model=dict(
        type="YawStepping",
        fits="{fits}",
        mapper="{mapper}/mapper.safetensors",
        direction="{direction}/directions.safetensors",
        losses=dict(yaw=dict(type="MeanDistance", of="yaw")),
        widths=(128, 128),
        # the second judge: pictures of the turned codes, read by a network that knows no codes
        generator=generator,
        regressor="zoo:regressor/weights.safetensors",
        dtype="float16",
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule",
        stepper=dict(optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.02), rates={"network.0": 0.1}),
    ),
    param_scheduler=dict(stepper=[dict(type="CosineAnnealingLR", T_max=steps, by_epoch=False)]),
    train_cfg=dict(max_iters=steps, val_interval=steps),
    train_dataloader=dict(
        batch_size=128,
        num_workers=0,
        dataset=dict(type="CodeFits", folder="{fits}", split="train"),
        sampler=dict(type="SeekableSampler"),
        collate_fn=dict(type="default_collate"),
    ),
    val_cfg=dict(),
    val_dataloader=dict(
        batch_size=32,
        num_workers=0,
        dataset=dict(type="CodeFits", folder="{fits}", split="val", limit=64),
        sampler=dict(type="DefaultSampler", shuffle=False),
        collate_fn=dict(type="default_collate"),
    ),
    val_evaluator=dict(type="YawErrors"),
)
