"""The landmark network on a CPU: a cut-out of 64² → 68 points and whether there is a face, trained on synthetic faces.

``faceuv train landmarks_synthetic``: draws its pictures once (the slow part on a CPU, see ``pictures``), then trains.
"""

from mmengine.config import read_base

with read_base():
    from .base.runtime import *

size = 64  # of the pictures and of the network's cut-outs
batch_size = 32
pictures = 12_800
iterations = 2000  # 64,000 cut-outs seen
warm_up, cool_down = 100, 500
faces = dict(type="SyntheticFaces", size=size, seed=0)

model = dict(
    type="LandmarkRegression",
    network=dict(type="LandmarkNetwork", size=size, widths=(16, 32, 64, 96), hidden=192, heatmaps=True),
    face_model=dict(type="ProceduralFace", rows=97, columns=81, verbose=False),
    population=faces,
    losses=dict(
        points=dict(type="MeanDistance", of="points", smooth=0.2, weight=1.0),  # % of the frame's side
        face=dict(type="DiscriminatorLogistic", weight=0.3),
    ),
    shift=0.15,
    zoom=(0.7, 1.3),
    turn_deg=30.0,
    without_face=0.15,
    shares=dict(occlusion=0.25, colour=0.5, blur=0.15, resolution=0.2, noise=0.25, jpeg=0.2),
)
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1.5e-3, weight_decay=0.02, fused=True),
    clip_grad=dict(max_norm=20.0),
)
# level, then down at the end: a run that is cut short was a run until then
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, begin=0, end=warm_up, by_epoch=False),
    dict(
        type="LinearLR", start_factor=1.0, end_factor=0.01, begin=iterations - cool_down, end=iterations, by_epoch=False
    ),
]
train_cfg = dict(max_iters=iterations, val_interval=500)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type="CachedImages", dataset=faces, length=pictures, workers=2, facts=("coefficients",)),
    sampler=dict(type="SeekableSampler"),
    collate_fn=dict(type="default_collate"),
)
# Held out: the faces of another seed, each in a frame of its own, beside pictures without a face.
val_cfg = dict()
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    dataset=dict(
        type="CachedImages",
        dataset=dict(type="SyntheticFaces", size=size, seed=1),
        length=512,
        workers=2,
        facts=("coefficients",),
    ),
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
)
val_evaluator = dict(type="LandmarkErrors")
test_cfg, test_dataloader, test_evaluator = val_cfg, val_dataloader, val_evaluator

default_hooks.merge(
    dict(
        checkpoint=dict(interval=250, max_keep_ckpts=2, save_best="landmarks_mean", rule="less"),
        logger=dict(interval=50),
    )
)
custom_hooks = [
    dict(type="GeneratorEMA", modules=["network"], half_life=5_000),
    dict(type="ImageSheets", interval=1000, count=16, columns=8),
]
