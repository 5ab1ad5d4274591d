"""The coefficient regressor on a CPU: image → 257 coefficients, trained on synthetic faces whose truth is exact.

``faceuv train regressor_synthetic``: draws its pictures once (the slow part on a CPU, see ``pictures``), then trains.
"""

from mmengine.config import read_base

with read_base():
    from .base.runtime import *

size = 64
batch_size = 64
pictures = 12_800  # after seeing each ten times, the network was no better on them than on held-out ones
iterations = 4500  # 288,000 pictures seen
face_model = dict(type="ProceduralFace", rows=97, columns=81, verbose=False)
faces = dict(type="SyntheticFaces", size=size, seed=0)

model = dict(
    type="CoefficientRegression",
    regressor=dict(
        type="CoefficientRegressor", size=size, stem=24, channels=(48, 96, 192), depths=(1, 2, 2), hidden=(64, 512)
    ),
    face_model=face_model,
    population=faces,
    # each in the unit of its points (%, mm, degrees), weighed so that what matters most for a fit weighs most
    losses=dict(
        landmarks=dict(type="MeanDistance", of="landmarks", weight=1.0),
        angles=dict(type="MeanDistance", of="angles", weight=0.4),
        shape=dict(type="MeanDistance", of="shape", weight=0.8),
        expression=dict(type="MeanDistance", of="expression", weight=1.0),
        position=dict(type="MeanDistance", of="position", weight=0.03),
        colours=dict(type="MeanDistance", of="colours", weight=0.15),
        light=dict(type="MeanDistance", of="light", weight=0.1),
        scores=dict(type="MeanDistance", of="scores", weight=0.05),
    ),
    roll_deg=5.0,
    perturbed=0.4,
    shares=dict(strength=0.7),
)
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.02),
    clip_grad=dict(max_norm=50.0),
)
# Warm-up, one rate for as long as there is time, then down to nothing, which makes the result.
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, begin=0, end=200, by_epoch=False),
    dict(
        type="LinearLR", start_factor=1.0, end_factor=0.005, begin=iterations * 2 // 3, end=iterations, by_epoch=False
    ),
]
train_cfg = dict(max_iters=iterations, val_interval=1000)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type="CachedImages", dataset=faces, length=pictures, workers=2, facts=("coefficients",)),
    sampler=dict(type="SeekableSampler"),
    collate_fn=dict(type="default_collate"),
)
# Held out: the faces of another seed.
val_cfg = dict()
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(
        type="CachedImages",
        dataset=dict(type="SyntheticFaces", size=size, seed=1),
        length=1024,
        workers=2,
        facts=("coefficients",),
    ),
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
)
val_evaluator = dict(type="CoefficientErrors", face_model=face_model, size=size)
test_cfg, test_dataloader, test_evaluator = val_cfg, val_dataloader, val_evaluator

default_hooks.merge(
    dict(
        checkpoint=dict(interval=500, max_keep_ckpts=2, save_best="landmarks_percent_mean", rule="less"),
        logger=dict(interval=50),
    )
)
custom_hooks = [
    dict(type="GeneratorEMA", modules=["regressor"], half_life=10_000),
    dict(type="ImageSheets", interval=2000, count=16, columns=8),
]
