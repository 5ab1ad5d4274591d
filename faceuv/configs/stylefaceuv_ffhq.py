"""StyleFaceUV at the paper's scale: 256², BFM 2009, an FFHQ teacher, LPIPS-VGG; from the teacher's file to the report.

What you bring and how long it takes: docs/ffhq.md.

Weights, ratios, rates and batch are the paper's; where the paper is silent, the recipe does as the authors' release
does. The number of epochs is ours, as are the running average and the momenta (StyleGAN2's). Every place where paper,
release and recipe differ has a row in docs/stylefaceuv.md; ``stylefaceuv_ffhq_release`` is the release's side of it.

Ablations, one line each: ``--cfg-options``
``uv.model.views.names="('original',)"`` · ``uv.model.mask=None`` · ``uv.model.uv_generator.displacement=False`` ·
``uv.model.uv_generator.diffuse=False`` · ``uv.model.views.maps=own`` · ``uv.model.views.coefficients=predicted`` ·
``uv.model.losses.photo.norm=length``
"""

from mmengine.config import read_base

with read_base():
    from .stepper_ffhq import *

epochs = 15
batch_size = 12
rec = 10.0  # the reconstruction's weight beside the adversarial term
percept = 0.2  # LPIPS's within the reconstruction

features = dict(type="DiscriminatorFeatures", weights="{teacher}/discriminator.safetensors")

stages = ["teacher", "fits", "mapper", "direction", "stepper", "uv", "report"]
teacher.merge(dict(discriminator=True))
uv = dict(
    type="train",
    model=dict(
        type="StyleFaceUV",
        teacher=generator,
        mapper="{mapper}/mapper.safetensors",
        stepper="{stepper}/stepper.safetensors",
        directions="{direction}/directions.safetensors",
        face_model=face_model,
        discriminator="{teacher}/discriminator.safetensors",
        uv_generator=dict(size=256, displacement_scale=0.01, displacement_space="xyz"),
        losses=dict(
            photo=dict(type="PhotometricLoss", norm="squared", divide_by="pixels", weight=rec),
            percept=dict(type="LPIPS", weight=rec * percept),
            adversarial=dict(type="GeneratorLogistic"),
            discriminator=dict(type="DiscriminatorLogistic"),
            r1=dict(type="R1Penalty", gamma=10.0, interval=16),
        ),
        views=dict(names=("original", "symmetric"), symmetric_weight=0.75, coefficients="fitted", maps="shared"),
        mask=dict(rule="splat", override=0.5),
        adversarial=dict(sees="covered", every=5, per_view=True),
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule",
        uv_generator=dict(optimizer=dict(type="Adam", lr=1e-3, betas=(0.0, 0.99))),
        discriminator=dict(optimizer=dict(type="Adam", lr=1e-3, betas=(0.0, 0.99))),
    ),
    train_cfg=dict(max_iters=epochs * 38_820 // batch_size, val_interval=38_820 // batch_size),
    train_dataloader=dict(
        batch_size=batch_size,
        num_workers=0,
        dataset=dict(type="CodeFits", folder="{fits}", max_yaw_deg=30.0),
        sampler=dict(type="SeekableSampler"),
        collate_fn=dict(type="default_collate"),
    ),
    # About once an epoch, on a tenth of the codes; training sees them too, as the paper holds none out. What is
    # exported is the best by the first. With Inception's weights, features = dict(type="InceptionFeatures"), the
    # distance is the FID.
    val_cfg=dict(),
    val_dataloader=dict(
        batch_size=batch_size,
        num_workers=0,
        dataset=dict(type="CodeFits", folder="{fits}", split="val", limit=2_000),
        sampler=dict(type="DefaultSampler", shuffle=False),
        collate_fn=dict(type="default_collate"),
    ),
    val_evaluator=[
        dict(type="FrechetDistance", features=features),
        dict(type="FrechetDistance", features=features, real="real_symmetric", fake="fake_symmetric"),
    ],
    default_hooks=dict(
        checkpoint=dict(type="CheckpointHook", interval=1000, max_keep_ckpts=3, save_best="auto", rule="less"),
    ),
    custom_hooks=[
        dict(type="GeneratorEMA", modules=["uv_generator"], half_life=10_000),
        dict(type="ImageSheets", interval=1000, count=8, columns=1),
    ],
)
# FID instead of distances in the discriminator's space: features=dict(type="InceptionFeatures"), with its weights;
# identity=dict(type="ArcFaceIdentity", …) likewise. The regressor that reads poses has seen drawn faces only.
report = dict(
    type="report",
    generator=generator,
    mapper="{mapper}/mapper.safetensors",
    stepper="{stepper}/stepper.safetensors",
    subjects={
        "ours": dict(type="uv", path="{uv}/uv_generator.safetensors"),
        "linear": dict(type="linear"),
        "turned 2D": dict(type="turned"),
    },
    face_model=face_model,
    features=features,
    losses=dict(perceptual=dict(type="LPIPS")),
    truth=["fitted"],
    source=fitter,
    protocol=dict(pictures=1000, curve=200, truth=100),
)
