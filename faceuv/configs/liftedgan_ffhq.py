"""LiftedGAN at the paper's scale with the paper's weights: 256², a StyleGAN2 of tightly cropped FFHQ faces, VGG-16.

You bring the teacher (``work_dirs/assets/teacher.pt``, any layout that ``faceuv convert`` reads; the authors trained
theirs on faces cropped by MTCNN) and VGG's weights (``faceuv doctor`` says where they are looked for). The authors'
face embedder is not published in a readable form: bring an ArcFace, ``work_dirs/assets/backbone.pth``.

Every place where paper and release differ has a row in docs/liftedgan.md; ``liftedgan_ffhq_release`` is the release's
side of it.

Ablations of table 2, one line each: ``--cfg-options``
``lift.model.losses.flip=None`` ·
``lift.model.losses.perturb_shape=None lift.model.losses.perturb_code=None lift.model.losses.identity=None`` ·
``lift.model.losses.identity=None`` · ``lift.model.losses.albedo=None``
"""

from mmengine.config import read_base

with read_base():
    from .base.sampled_codes import *

teacher_file = "work_dirs/assets/teacher.pt"
arcface_file = "work_dirs/assets/backbone.pth"
perturb = 2.0  # λ_perturb multiplies what belongs to equation 4

stages = ["lift"]
lift = dict(
    type="train",
    model=dict(
        type="LiftedGAN",
        teacher=dict(type="PretrainedGenerator", path=teacher_file),
        networks=dict(transformation_width=512),
        distance=dict(perceptual=dict(type="VGGMaps", scales=3), weight=1.0),
        losses=dict(
            rec=dict(type="LiftedImages", pair="rec", weight=5.0),
            flip=dict(type="LiftedImages", pair="flip", weight=0.8),
            perturb_shape=dict(type="LiftedImages", pair="perturb_shape", weight=perturb),
            perturb_code=dict(type="LiftedImages", pair="perturb_code", weight=perturb),
            cycle_light=dict(type="SquaredDifference", of="light", weight=perturb * 2.0),
            cycle_view=dict(type="SquaredDifference", of="view", weight=perturb * 2.0),
            identity=dict(
                type="IdentityDistance",
                features=dict(type="ArcFaceIdentity", weights=arcface_file, detector=dict(type="SyntheticLandmarks")),
                max_yaw_deg=25.0,
                weight=1.0,
            ),
            prior=dict(type="CodePrior", weight=perturb * 0.5),
            albedo=dict(type="AlbedoRank", kind="laplacian", pool=1, weight=0.01),
        ),
        space=dict(fov_deg=10.0, distance=10.0, half_range=1.0, border=0.5),
        views=dict(rotation_deg=60.0, translation=(1.0, 1.0, 1.0)),
        perturbation=dict(yaw_deg=45.0, pitch_deg=10.0, shift=0.0),
        truncation=1.0,
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule", lifting=dict(optimizer=dict(type="Adam", lr=1e-4, betas=(0.9, 0.999)))
    ),
    train_cfg=dict(max_iters=30_000, val_interval=5_000),
    train_dataloader=dict(training_numbers, batch_size=8, dataset=dict(type="SampleNumbers", length=10_000_000)),
    val_cfg=dict(),
    val_dataloader=dict(held_out_numbers, dataset=dict(type="SampleNumbers", length=5_000, first=20_000_000)),
    val_evaluator=[
        dict(type="FrechetDistance", features=dict(type="InceptionFeatures")),
        dict(type="FrechetDistance", features=dict(type="InceptionFeatures"), fake="fake_random", prefix="random"),
    ],
    custom_hooks=[dict(type="ImageSheets", interval=1_000, count=8, columns=1)],
    default_hooks=dict(often, checkpoint=dict(type="CheckpointHook", interval=1_000, max_keep_ckpts=2)),
)
