"""LiftedGAN for the zoo's 64² teacher: a few minutes of one CPU core, or longer (``lift_iterations``).

What differs from the paper's recipe, because the training is a hundred times shorter: the networks are small; M starts
with the mean face, D_S with a dome; D_V, D_L and M have linear paths, which learn fastest; the learning rate is four
times as high and falls, the batch half as large; depth is smooth; first the shapes learn without M's turned codes, then
M alone learns to turn codes, then everything together. The camera is the teacher's, so that depth is in real
millimetres. Its pictures are framed by the eyes: a turned face is nearer and moved to the side, so that views have a
range along z, and turned views the framing that D_V reads off its pictures: the face lies before the centre of rotation
and stays in the middle (``shift``), and it is nearer (``zoom``).

Ablations of table 2, one line each: ``--cfg-options``
``lift.model.losses.flip=None`` ·
``lift.model.losses.perturb_shape=None lift.model.losses.perturb_code=None lift.model.losses.identity=None`` ·
``lift.model.losses.identity=None`` · ``lift.model.losses.albedo=None``
"""

from mmengine.config import read_base

with read_base():
    from .base.sampled_codes import *

lift_iterations = 720
warmup = dict(shape=200, turning=140)
generator = dict(type="PretrainedGenerator", path="zoo:teacher_64/generator.safetensors")
features = dict(type="DiscriminatorFeatures", zoo="teacher_64")

# the camera of the drawn faces
space = dict(fov_deg=14.375071934214489, distance=10.0, half_range=1.0, border=0.5, smooth=True)
views = dict(rotation_deg=60.0, translation=(1.0, 1.0, 1.0))

stages = ["lift", "report"]
lift = dict(
    type="train",
    model=dict(
        type="LiftedGAN",
        teacher=generator,
        networks=dict(centred=True, dome=1.0),
        distance=dict(perceptual=dict(type="DiscriminatorMaps", zoo="teacher_64"), weight=1.0),
        losses=dict(
            rec=dict(type="LiftedImages", pair="rec", weight=5.0),
            flip=dict(type="LiftedImages", pair="flip", weight=4.0),
            perturb_shape=dict(type="LiftedImages", pair="perturb_shape", weight=2.0),
            perturb_code=dict(type="LiftedImages", pair="perturb_code", weight=2.0),
            cycle_light=dict(type="SquaredDifference", of="light", weight=4.0),
            cycle_view=dict(type="SquaredDifference", of="view", columns=3, weight=4.0),
            identity=dict(type="IdentityDistance", features="RegressorIdentity", max_yaw_deg=25.0, weight=1.0),
            prior=dict(type="CodePrior", weight=0.5),
            albedo=dict(type="AlbedoRank", weight=0.01),
        ),
        space=space,
        views=views,
        perturbation=dict(yaw_deg=45.0, pitch_deg=15.0, shift=0.58, zoom=2.3),
        warmup=warmup,
        truncation=0.7,
        dtype="float16",
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule",
        lifting=dict(
            optimizer=dict(type="Adam", lr=4e-4, betas=(0.9, 0.999)),
            rates={"composer.linear": 5.0, "view.linear": 10.0, "light.linear": 10.0},
        ),
    ),
    param_scheduler=dict(
        lifting=[
            dict(
                type="CosineAnnealingLR",
                begin=sum(warmup.values()),
                T_max=lift_iterations - sum(warmup.values()),
                eta_min_ratio=0.05,
                by_epoch=False,
            )
        ]
    ),
    train_cfg=dict(max_iters=lift_iterations, val_interval=200),
    train_dataloader=training_numbers,
    val_cfg=dict(),
    val_dataloader=held_out_numbers,
    val_evaluator=[
        dict(type="FrechetDistance", features=features),
        dict(type="FrechetDistance", features=features, fake="fake_random", prefix="random"),
    ],
    custom_hooks=[
        dict(type="GeneratorEMA", modules=["lifting"], half_life=200),
        dict(type="ImageSheets", interval=250, count=8, columns=1),
    ],
    default_hooks=often,
)
# beside StyleFaceUV, the mapper's linear face and the rotation in 2D; tools/lifted_table.py has the errors of views
report = dict(
    type="report",
    generator=generator,
    mapper="zoo:mapper_64/weights.safetensors",
    stepper="zoo:stepper_64/weights.safetensors",
    subjects={
        "lifted": dict(type="lifted", path="{lift}/lifting.safetensors", space=space, views=views),
        "StyleFaceUV": dict(type="uv", path="zoo:quickstart/uv_generator.safetensors"),
        "linear": dict(type="linear"),
        "turned 2D": dict(type="turned"),
    },
    method="lifted",
    face_model=dict(type="ProceduralFace", rows=97, columns=81, verbose=False),
    features=features,
    losses=dict(perceptual=dict(type="DiscriminatorPerceptual", zoo="teacher_64")),
    truth=["scene"],
)
