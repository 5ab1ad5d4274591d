"""The recipe of the method: trains in seconds on one CPU core."""

from mmengine.config import read_base

with read_base():
    from faceuv.configs.base.runtime import *

stages = ["relief", "report"]
eggs = dict(type="EggGenerator", size=32)
relief = dict(
    type="train",
    model=dict(
        type="ReliefTraining",
        teacher=eggs,
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
report = dict(
    type="report",
    generator=eggs,
    subjects={"ours": dict(type="sample_relief", path="{relief}/relief.safetensors")},
    features=dict(
        type="DiscriminatorFeatures",
        network=dict(type="StyleGAN2Discriminator", size=32, channel_base=64, channel_max=8),
    ),
    protocol=dict(pictures=16, curve=8, truth=0, yaws_deg=[-40, 0, 40], far_deg=40, batch=8),
    faces=0,
    strips=2,
)
