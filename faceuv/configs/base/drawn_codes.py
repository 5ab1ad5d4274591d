"""Loaders for trainings on codes whose pictures were drawn before, by the stage ``pictures``. Change them by
``dict(training_codes, batch_size=…)``.
"""

from mmengine.config import read_base

with read_base():
    from .runtime import *

training_codes = dict(
    batch_size=32,
    num_workers=0,
    dataset=dict(type="DrawnCodes", folder="{pictures}", split="train"),
    sampler=dict(type="SeekableSampler"),
    collate_fn=dict(type="default_collate"),
)
held_out_codes = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(type="DrawnCodes", folder="{pictures}", split="val", limit=512),
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
)
