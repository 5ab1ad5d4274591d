"""LiftedGAN on whole heads: ``liftedgan_64`` on the zoo's 64² teacher of MakeHuman's people. The report's face model,
MakeHuman, comes with ``faceuv[heads]``; the lifting itself needs none.
"""

from mmengine.config import read_base

with read_base():
    from .liftedgan_64 import *

lift_iterations = 2400
warmup = dict(shape=300, turning=250)
entry = "teacher_heads_64"
generator = dict(type="PretrainedGenerator", path="zoo:teacher_heads_64/generator.safetensors", size=64)
features = dict(type="DiscriminatorFeatures", zoo=entry)

lift.merge(
    dict(
        model=dict(
            teacher=dict(_delete_=True, **generator),
            warmup=warmup,
            distance=dict(perceptual=dict(zoo=entry)),
            losses=dict(
                identity=dict(
                    features=dict(type="RegressorIdentity", regressor="zoo:regressor_heads_64/weights.safetensors")
                )
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
        train_cfg=dict(max_iters=lift_iterations, val_interval=600),
        val_evaluator=[
            dict(type="FrechetDistance", features=features),
            dict(type="FrechetDistance", features=features, fake="fake_random", prefix="random"),
        ],
    )
)
report.merge(
    dict(
        generator=dict(_delete_=True, **generator),
        mapper="zoo:heads_64/mapper.safetensors",
        stepper="zoo:heads_64/stepper.safetensors",
        subjects={"StyleFaceUV": dict(path="zoo:heads_64/uv_generator.safetensors")},
        face_model=dict(_delete_=True, type="MakeHuman", verbose=False),
        features=dict(_delete_=True, **features),
        losses=dict(perceptual=dict(zoo=entry)),
        truth=["fitted"],  # the scenes behind the teacher's codes are known for the procedural face alone
        source=dict(
            type="fitter",
            face_model=dict(type="MakeHuman", verbose=False),
            detector=dict(type="SyntheticLandmarks", path="zoo:landmarks_mixed/weights.safetensors"),
            schedule="fast",
            regressor="zoo:regressor_heads_64/weights.safetensors",
        ),
    )
)
