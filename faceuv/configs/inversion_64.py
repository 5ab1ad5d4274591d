"""Inversion for the zoo's 64² generator of faces: the encoder, then the branch of local detail. ``faceuv train
inversion_64``.

Both learn from pictures that the generator draws. The encoder starts with the weights of the zoo's regressor, which
gives the coefficients as it is.

Ablations, one line each: ``--cfg-options``
``encoder.model.drawn=0`` · ``encoder.model.mixed=1`` · ``encoder.model.losses.perceptual=None`` ·
``local.model.local.displacement_mm=0`` (colours only, as in the paper) · ``local.model.losses.symmetric=None`` ·
``local.model.detail.strength=0`` (the branch sees the encoder's errors alone, as in the paper)
"""

from mmengine.config import read_base

with read_base():
    from .base.sampled_codes import *

faces = "quickstart"
face_model = dict(type="ProceduralFace", rows=49, columns=41, verbose=False)
regressor = "zoo:regressor/weights.safetensors"
plain = dict(type="torch", antialias=None)
encoder_iterations = 5000
local_iterations = 1500

stages = ["encoder", "local"]
encoder = dict(
    type="train",
    model=dict(
        type="CodeEncoding",
        faces=faces,
        face_model=face_model,
        renderer=plain,
        # the regressor as it is gives the coefficients: trained on the generator's pictures, it reads others worse
        encoder=dict(reader=regressor, regressor=regressor, width=48, hidden=256),
        growth=dict(yaw_deg=45.0, over=encoder_iterations),
        drawn=0.5,
        losses=dict(
            code=dict(type="CodeDistance", weight=1.0),
            image=dict(type="PhotometricLoss", norm="squared", weight=10.0),
            perceptual=dict(type="DiscriminatorPerceptual", zoo="teacher_64", weight=0.8),
        ),
        dtype="float16",
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule",
        encoder=dict(
            optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.01),
            rates={"reader": 0.2},
            clip_grad=dict(max_norm=5.0),
        ),
    ),
    param_scheduler=dict(encoder=[dict(type="CosineAnnealingLR", T_max=encoder_iterations, by_epoch=False)]),
    train_cfg=dict(max_iters=encoder_iterations, val_interval=1000),
    train_dataloader=dict(training_numbers, batch_size=16),
    val_cfg=dict(),
    val_dataloader=dict(held_out_numbers, batch_size=32),
    val_evaluator=dict(type="MeanErrors"),
    custom_hooks=[
        dict(type="GeneratorEMA", modules=["encoder"], half_life=4_000),
        dict(type="ImageSheets", interval=1000, count=8, columns=1),
    ],
    default_hooks=often,
)
local = dict(
    type="train",
    model=dict(
        type="LocalDetailing",
        faces=faces,
        encoder="{encoder}/encoder.safetensors",
        face_model=face_model,
        renderer=plain,
        local=dict(widths=(32, 48, 64, 96), colour=0.6, displacement_mm=2.0),
        growth=dict(yaw_deg=45.0, over=local_iterations // 2),
        detail=dict(strength=1.0),
        losses=dict(
            image=dict(type="PhotometricLoss", norm="squared", weight=10.0),
            perceptual=dict(type="DiscriminatorPerceptual", zoo="teacher_64", weight=0.8),
            diffuse=dict(type="PhotometricLoss", norm="length", weight=5.0),
            positions=dict(type="PhotometricLoss", norm="length", epsilon=0.1, weight=0.02),  # mm
            small=dict(type="MapPenalty", of="delta", unit=0.1, weight=0.01),
            symmetric=dict(type="PhotometricLoss", norm="squared", weight=0.1),
        ),
        dtype="float16",
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule",
        local=dict(optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.01), clip_grad=dict(max_norm=5.0)),
    ),
    param_scheduler=dict(local=[dict(type="CosineAnnealingLR", T_max=local_iterations, by_epoch=False)]),
    train_cfg=dict(max_iters=local_iterations, val_interval=500),
    train_dataloader=dict(training_numbers, batch_size=8),
    val_cfg=dict(),
    val_dataloader=held_out_numbers,
    val_evaluator=dict(
        type="HiddenViews", losses=dict(perceptual=dict(type="DiscriminatorPerceptual", zoo="teacher_64"))
    ),
    custom_hooks=[
        dict(type="GeneratorEMA", modules=["local"], half_life=2_000),
        dict(type="ImageSheets", interval=500, count=8, columns=1),
    ],
    default_hooks=often,
)
