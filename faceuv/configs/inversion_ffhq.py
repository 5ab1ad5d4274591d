"""Inversion at the paper's scale: the 256² FFHQ teacher and the StyleFaceUV generator of ``stylefaceuv_ffhq``, then the
encoder and the branch of local detail, for photographs. The files are those of docs/ffhq.md, and an ArcFace of yours,
``work_dirs/assets/backbone.pth``.

Learning rates, weights and the growth of the poses are the paper's where it has them; steps are a third of its own,
because a picture of 256² is read whole. It takes days of one GPU, and was not run at its full size.
"""

from mmengine.config import read_base

with read_base():
    from .base.sampled_codes import held_out_numbers, often, training_numbers
    from .stylefaceuv_ffhq import *

encoder_iterations = 150_000
local_iterations = 50_000
arcface = dict(
    type="IdentityDistance",
    features=dict(
        type="ArcFaceIdentity",
        weights="work_dirs/assets/backbone.pth",
        detector=dict(type="FaceAlignmentLandmarks"),
    ),
    max_yaw_deg=60.0,
    weight=0.1,
)
reader = dict(size=256, stem=32, channels=(64, 128, 256, 384, 512), depths=(1, 2, 2, 2, 2), hidden=(128, 1024))
training_numbers.merge(dict(batch_size=8, num_workers=2, dataset=dict(length=10_000_000)))
held_out_numbers.merge(dict(batch_size=8, dataset=dict(length=500, first=20_000_000)))
often.merge(dict(checkpoint=dict(interval=2000, max_keep_ckpts=3)))

stages = ["teacher", "fits", "mapper", "direction", "stepper", "uv", "encoder", "local"]
encoder = dict(
    type="train",
    model=dict(
        type="CodeEncoding",
        faces="{uv}",
        encoder=dict(reader=reader, width=256, hidden=512),
        growth=dict(yaw_deg=30.0, over=encoder_iterations),
        drawn=0.5,
        losses=dict(
            code=dict(type="CodeDistance", weight=1.0),
            image=dict(type="PhotometricLoss", norm="squared", weight=1.0),
            perceptual=dict(type="LPIPS", weight=0.8),
            identity=arcface,
            vertices=dict(type="MeanDistance", of="vertices", weight=0.1),
            normals=dict(type="MeanDistance", of="normals", weight=1.0),
            diffuse=dict(type="MeanDistance", of="diffuse", smooth=1.0, weight=0.02),
            displacement=dict(type="MeanDistance", of="displacement", weight=0.2),
            landmarks=dict(type="MeanDistance", of="landmarks", weight=0.2),
            angles=dict(type="MeanDistance", of="angles", weight=0.05),
            position=dict(type="MeanDistance", of="position", weight=0.003),
            colours=dict(type="MeanDistance", of="colours", weight=0.02),
            light=dict(type="MeanDistance", of="light", weight=0.02),
        ),
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule",
        encoder=dict(optimizer=dict(type="Adam", lr=5e-5), clip_grad=dict(max_norm=5.0)),
    ),
    train_cfg=dict(max_iters=encoder_iterations, val_interval=10_000),
    train_dataloader=training_numbers,
    val_cfg=dict(),
    val_dataloader=held_out_numbers,
    val_evaluator=dict(type="MeanErrors"),
    custom_hooks=[
        dict(type="GeneratorEMA", modules=["encoder"], half_life=10_000),
        dict(type="ImageSheets", interval=5000, count=8, columns=1),
    ],
    default_hooks=often,
)
local = dict(
    type="train",
    model=dict(
        type="LocalDetailing",
        faces="{uv}",
        encoder="{encoder}/encoder.safetensors",
        local=dict(widths=(32, 64, 128, 256, 256), colour=0.6, displacement_mm=2.0),
        growth=dict(yaw_deg=45.0, over=local_iterations),
        losses=dict(
            image=dict(type="PhotometricLoss", norm="squared", weight=1.0),
            perceptual=dict(type="LPIPS", weight=0.8),
            diffuse=dict(type="PhotometricLoss", norm="length", weight=1.0),
            positions=dict(type="PhotometricLoss", norm="length", epsilon=0.1, weight=0.02),  # mm
            small=dict(type="MapPenalty", of="delta", unit=0.1, weight=0.01),
            symmetric=dict(type="PhotometricLoss", norm="squared", weight=0.1),
        ),
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule",
        local=dict(optimizer=dict(type="Adam", lr=1e-4), clip_grad=dict(max_norm=5.0)),
    ),
    train_cfg=dict(max_iters=local_iterations, val_interval=5000),
    train_dataloader=training_numbers,
    val_cfg=dict(),
    val_dataloader=held_out_numbers,
    val_evaluator=dict(type="HiddenViews", losses=dict(perceptual=dict(type="LPIPS"))),
    custom_hooks=[
        dict(type="GeneratorEMA", modules=["local"], half_life=10_000),
        dict(type="ImageSheets", interval=5000, count=8, columns=1),
    ],
    default_hooks=often,
)
