"""Loaders for trainings on numbered samples of a generator: numbers for training, others for evaluation; checkpoints of
short trainings. Change them by ``dict(training_numbers, batch_size=…)``.
"""

from mmengine.config import read_base

with read_base():
    from .runtime import *

training_numbers = dict(
    batch_size=4,
    num_workers=0,
    dataset=dict(type="SampleNumbers", length=1_000_000),
    sampler=dict(type="SeekableSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
)
held_out_numbers = dict(
    batch_size=16,
    num_workers=0,
    dataset=dict(type="SampleNumbers", length=256, first=2_000_000),
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
)
often = dict(
    logger=dict(type="LoggerHook", interval=50),
    checkpoint=dict(type="CheckpointHook", interval=250, max_keep_ckpts=2),
)
