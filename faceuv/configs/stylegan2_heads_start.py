"""The warm start of a teacher of whole heads: pairs of the calm world's MakeHuman people, on from the zoo's teacher.

``faceuv train stylegan2_heads_start``, then ``stylegan2_heads``. MakeHuman comes with ``faceuv[heads]``.
"""

from mmengine.config import read_base

with read_base():
    from .stylegan2_calm_start import *

heads = dict(face_model=dict(type="MakeHuman", verbose=False))
train_dataloader.merge(dict(dataset=dict(dataset=heads, length=20_480)))
val_dataloader.merge(dict(dataset=dict(dataset=heads)))
