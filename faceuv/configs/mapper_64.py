"""The mapper for the zoo's 64² teacher: sampled codes, their coefficients, and the training of the network.

``faceuv train mapper_64``: two stages, on a CPU in minutes.
"""

from mmengine.config import read_base

with read_base():
    from .base.runtime import *

generator = dict(type="PretrainedGenerator", path="zoo:teacher_64/generator.safetensors")
face_model = dict(type="ProceduralFace", rows=97, columns=81, verbose=False)
iterations = 2000

stages = ["fits", "mapper"]
# The regressor alone reads the pictures: less true than the fitter, and many times as fast. For the fitter:
# source=dict(type="fitter", regressor="zoo:regressor/weights.safetensors", schedule="fast",
#             face_model=face_model, detector=dict(type="SyntheticLandmarks"))
fits = dict(
    type="fits",
    generator=generator,
    source=dict(type="regressor", path="zoo:regressor/weights.safetensors"),
    count=8_000,
    batch=64,
)
mapper = dict(
    type="train",
    model=dict(
        type="CoefficientMapping",
        fits="{fits}",
        widths=(256, 256),
        jitter=0.05,
        face_model=face_model,
        # as for the regressor: each in the unit of its points (%, mm, degrees)
        losses=dict(
            landmarks=dict(type="MeanDistance", of="landmarks", weight=1.0),
            angles=dict(type="MeanDistance", of="angles", weight=0.4),
            shape=dict(type="MeanDistance", of="shape", weight=0.8),
            expression=dict(type="MeanDistance", of="expression", weight=1.0),
            position=dict(type="MeanDistance", of="position", weight=0.03),
            colours=dict(type="MeanDistance", of="colours", weight=0.15),
            light=dict(type="MeanDistance", of="light", weight=0.1),
            scores=dict(type="StandardisedL1", weight=1.0),
        ),
        dtype="float16",
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule",
        mapper=dict(
            optimizer=dict(type="AdamW", lr=2e-3, weight_decay=0.02),
            # the ten rows of a code are alike, and steps of their weights add up
            rates={"face.0": 0.1, "albedo.0": 0.1},
            clip_grad=dict(max_norm=50.0),
        ),
    ),
    param_scheduler=dict(mapper=[dict(type="CosineAnnealingLR", T_max=iterations, by_epoch=False)]),
    train_cfg=dict(max_iters=iterations, val_interval=1000),
    train_dataloader=dict(
        batch_size=128,
        num_workers=0,
        dataset=dict(type="CodeFits", folder="{fits}", split="train"),
        sampler=dict(type="SeekableSampler"),
        collate_fn=dict(type="default_collate"),
    ),
    val_cfg=dict(),
    val_dataloader=dict(
        batch_size=64,
        num_workers=0,
        dataset=dict(type="CodeFits", folder="{fits}", split="val", limit=512),
        sampler=dict(type="DefaultSampler", shuffle=False),
        collate_fn=dict(type="default_collate"),
    ),
    val_evaluator=dict(type="CoefficientErrors", face_model=face_model, size=64),
)
default_hooks.merge(dict(logger=dict(interval=250)))
