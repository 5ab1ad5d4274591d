"""LiftedGAN on drawn cat heads, 32² pixels: minutes of one CPU core, and the truth of every code is known.

The teacher is the generator that draws them, which has no feature map to inject, and no network that knows cats
compares pictures or persons: mean absolute differences alone, and no identity term. For the rest see ``liftedgan_64``.

Ablations of table 2, one line each: ``--cfg-options`` ``lift.model.losses.flip=None`` ·
``lift.model.losses.perturb_shape=None lift.model.losses.perturb_code=None`` · ``lift.model.losses.albedo=None``
"""

from mmengine.config import read_base

with read_base():
    from .base.sampled_codes import *

generator = dict(type="CatHeads", size=32)
features = dict(
    type="DiscriminatorFeatures",
    network=dict(type="StyleGAN2Discriminator", size=32, channel_base=512, channel_max=64),
    seed=0,
)

stages = ["lift"]
lift = dict(
    type="train",
    model=dict(
        type="LiftedGAN",
        teacher=generator,
        networks=dict(centred=True, dome=1.0),
        inject=False,
        losses=dict(
            rec=dict(type="LiftedImages", pair="rec", weight=5.0),
            flip=dict(type="LiftedImages", pair="flip", weight=4.0),
            perturb_shape=dict(type="LiftedImages", pair="perturb_shape", weight=2.0),
            perturb_code=dict(type="LiftedImages", pair="perturb_code", weight=2.0),
            cycle_light=dict(type="SquaredDifference", of="light", weight=1.0),
            cycle_view=dict(type="SquaredDifference", of="view", columns=3, weight=1.0),
            prior=dict(type="CodePrior", weight=0.02),
            albedo=dict(type="AlbedoRank", weight=0.005),
        ),
        space=dict(fov_deg=12.1449128144154, distance=10.0, half_range=1.0, border=0.5),
        perturbation=dict(yaw_deg=45.0, pitch_deg=15.0, shift=0.0),
        truncation=1.0,
        statistics=5_000,
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule",
        lifting=dict(
            optimizer=dict(type="Adam", lr=4e-4, betas=(0.9, 0.999)),
            rates={"composer.linear": 5.0, "view.linear": 10.0, "light.linear": 10.0},
        ),
    ),
    train_cfg=dict(max_iters=6_000, val_interval=2_000),
    train_dataloader=training_numbers,
    val_cfg=dict(),
    val_dataloader=dict(held_out_numbers, batch_size=32),
    val_evaluator=[
        dict(type="FrechetDistance", features=features),
        dict(type="FrechetDistance", features=features, fake="fake_random", prefix="random"),
    ],
    custom_hooks=[
        dict(type="GeneratorEMA", modules=["lifting"], half_life=1_000),
        dict(type="ImageSheets", interval=250, count=8, columns=1),
    ],
    default_hooks=often,
)
