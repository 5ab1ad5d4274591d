"""The teacher of whole heads: adversarial training after ``stylegan2_heads_start``."""

from mmengine.config import read_base

with read_base():
    from .stylegan2_calm import *

heads = dict(face_model=dict(type="MakeHuman", verbose=False))
train_dataloader.merge(dict(dataset=dict(dataset=heads, length=20_480)))
val_dataloader.merge(dict(dataset=dict(dataset=heads)))
custom_hooks[0].merge(dict(source="work_dirs/stylegan2_heads_start"))
