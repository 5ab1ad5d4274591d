"""The mapper at the paper's scale: 36,000 fits of a 256² FFHQ teacher, the paper's two networks, its loss and schedule.

The teacher is rosinality's ``550000.pt`` (256², config-f) among the assets, or another, ``--cfg-options
teacher.path=…``; the face model is BFM 2009 (``faceuv convert bfm``), the landmarks are those of face-alignment. The
plan lists what is missing (docs/ffhq.md).
"""

from mmengine.config import read_base

with read_base():
    from .base.runtime import *

generator = dict(type="PretrainedGenerator", path="{teacher}/generator.safetensors", size=256)
face_model = dict(type="BFM2009")
fitter = dict(
    type="fitter",
    face_model=face_model,
    detector=dict(type="FaceAlignmentLandmarks"),
    schedule="fast",
    centre="mean",
)

stages = ["teacher", "fits", "mapper"]
teacher = dict(type="teacher", path="asset:stylegan2_ffhq256", size=256)
fits = dict(
    type="fits",
    generator=generator,
    source=fitter,
    count=38_820,  # the UV generator learns from all of them, the mapper from the first 36,000
    batch=64,
)
mapper = dict(
    type="train",
    model=dict(type="CoefficientMapping", fits="{fits}", losses=dict(raw=dict(type="RawL1"))),
    optim_wrapper=dict(constructor="OptimizerPerModule", mapper=dict(optimizer=dict(type="Adam", lr=1e-5))),
    param_scheduler=dict(mapper=[dict(type="MultiStepLR", milestones=[5, 10, 15], gamma=0.1, by_epoch=True)]),
    train_cfg=dict(by_epoch=True, max_epochs=22, val_interval=1),
    train_dataloader=dict(
        batch_size=16,
        num_workers=0,
        dataset=dict(type="CodeFits", folder="{fits}", split="train", held_out=10, limit=32_400),
        sampler=dict(type="DefaultSampler", shuffle=True),
        collate_fn=dict(type="default_collate"),
    ),
    val_cfg=dict(),
    val_dataloader=dict(
        batch_size=64,
        num_workers=0,
        dataset=dict(type="CodeFits", folder="{fits}", split="val", held_out=10, limit=3_600),
        sampler=dict(type="DefaultSampler", shuffle=False),
        collate_fn=dict(type="default_collate"),
    ),
    val_evaluator=dict(type="CoefficientErrors", face_model=face_model, size=256),
    default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1, max_keep_ckpts=2)),
)
