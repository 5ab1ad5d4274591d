"""A recipe of the plug-in on the runtime of faceuv."""

from mmengine.config import read_base

with read_base():
    from faceuv.configs.base.runtime import *

model = dict(
    type="FitColour",
    renderer=dict(type="painter", antialias=None),
    losses=dict(photo=dict(type="HuberPhotometric", delta=0.1, weight=10.0)),
)
optim_wrapper = dict(optimizer=dict(type="Adam", lr=0.05))
train_cfg = dict(max_iters=40, val_interval=40)
train_dataloader = dict(
    batch_size=1,
    num_workers=0,
    dataset=dict(type="Orange"),
    sampler=dict(type="SeekableSampler"),
    collate_fn=dict(type="default_collate"),
)
custom_hooks = [dict(type="ImageSheets", interval=40, count=1)]
default_hooks.merge(dict(logger=dict(interval=20)))
