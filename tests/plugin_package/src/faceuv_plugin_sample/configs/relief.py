"""The recipe of the method: trains in seconds on one CPU core."""

from mmengine.config import read_base

with read_base():
    from faceuv.configs.base.runtime import *

stages = ["relief"]
relief = dict(
    type="train",
    model=dict(
        type="ReliefTraining",
        teacher=dict(type="EggGenerator", size=32),
        renderer=dict(type="torch"),
        losses=dict(
            photo=dict(type="HuberPhotometric", delta=0.1, weight=10.0),
            rough=dict(type="Roughness", weight=0.3),
        ),
    ),
    optim_wrapper=dict(optimizer=dict(type="Adam", lr=0.01)),
    train_cfg=dict(max_iters=300, val_interval=300),
    train_dataloader=dict(
        batch_size=16,
        num_workers=0,
        dataset=dict(type="EggCodes"),
        sampler=dict(type="SeekableSampler"),
        collate_fn=dict(type="default_collate"),
    ),
    custom_hooks=[dict(type="ImageSheets", interval=300, count=8)],
)
