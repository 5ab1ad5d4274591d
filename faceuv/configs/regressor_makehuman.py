"""The coefficient regressor of a whole head, MakeHuman: ``regressor_synthetic`` on pictures of its people.

``faceuv train regressor_makehuman``; ``faceuv fit --face-model MakeHuman --regressor work_dirs/regressor_makehuman/…``
starts fits with it. MakeHuman comes with ``faceuv[heads]``.
"""

from mmengine.config import read_base

with read_base():
    from .regressor_synthetic import *

face_model = dict(type="MakeHuman", verbose=False)
heads = dict(face_model=face_model)
# not mirrored: the mirror images of its last identity modes are not among its modes
model.merge(dict(face_model=dict(_delete_=True, **face_model), population=heads, mirror=False))
train_dataloader.merge(dict(dataset=dict(dataset=heads)))
val_dataloader.merge(dict(dataset=dict(dataset=heads)))
val_evaluator.merge(dict(face_model=dict(_delete_=True, **face_model)))
