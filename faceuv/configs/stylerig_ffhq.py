"""StyleRig at the paper's scale: a 256² FFHQ teacher, BFM 2009, F by self-supervision, RigNet as the paper has it.

The files are those of ``stylefaceuv_ffhq`` without the fits: docs/ffhq.md. What the paper does not publish is ours: the
factors of the losses, the optimisers, the number of steps. It trains for 24 hours on one GPU; this recipe was not run
at its full size.

Ablations, one line each: ``--cfg-options``
``rig.model.rig.units=covariance rig.model.rig.given=change`` (better on the embedded teacher, docs/stylerig.md) ·
``rig.model.losses.consistency=None`` · ``rig.model.losses.reconstruction=None`` · ``rig.model.controls="('pose',)"``
"""

from mmengine.config import read_base

with read_base():
    from .base.drawn_codes import *

generator = dict(type="PretrainedGenerator", path="{teacher}/generator.safetensors", size=256)
face_model = dict(type="BFM2009")
batch_size = 16
dfr_iterations = 100_000
rig_iterations = 100_000  # with the cycle, of 16 codes each: the paper sees 200,000 samples several times

stages = ["teacher", "pictures", "dfr", "rig"]
teacher = dict(type="teacher", path="asset:stylegan2_ffhq256", size=256)
pictures = dict(
    type="pictures",
    generator=generator,
    detector=dict(type="FaceAlignmentLandmarks"),
    count=50_000,  # 13 GB of pictures and masks
    batch=32,
)
training_codes.merge(
    dict(batch_size=batch_size, num_workers=2, dataset=dict(held_out=50)),
)
held_out_codes.merge(dict(batch_size=batch_size, dataset=dict(held_out=50)))
del held_out_codes["dataset"]["limit"]
dfr = dict(
    type="train",
    model=dict(
        type="SelfSupervisedMapping",
        pictures="{pictures}",
        face_model=face_model,
        held_out=50,
        losses=dict(
            render=dict(type="RenderLoss", landmarks=200.0, emphasis=10.0),
            identity=dict(type="CoefficientPenalty", group="identity", weight=2e-4),
            expression=dict(type="CoefficientPenalty", group="expression", weight=1e-4),
            albedo=dict(type="CoefficientPenalty", group="albedo", weight=2e-4),
            lighting=dict(type="CoefficientPenalty", group="lighting", weight=2e-4),
        ),
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule",
        mapper=dict(optimizer=dict(type="Adam", lr=1e-4), clip_grad=dict(max_norm=5.0)),
    ),
    param_scheduler=dict(mapper=[dict(type="CosineAnnealingLR", T_max=dfr_iterations, by_epoch=False)]),
    train_cfg=dict(max_iters=dfr_iterations, val_interval=10_000),
    train_dataloader=training_codes,
    val_cfg=dict(),
    val_dataloader=held_out_codes,
    val_evaluator=dict(type="MeanErrors"),
)
rig = dict(
    type="train",
    model=dict(
        type="StyleRig",
        pictures="{pictures}",
        mapper="{dfr}/mapper.safetensors",
        face_model=face_model,
        generator=generator,
        held_out=50,
        controls=("pose", "expression", "light"),
        rig=dict(encoding=32, decoder="linear", given="wanted", units="isotropic"),
        losses=dict(
            reconstruction=dict(type="CodeDistance", weight=1.0),
            edit=dict(type="RenderLoss", landmarks=200.0, emphasis=10.0, weight=1.0),
            consistency=dict(type="RenderLoss", landmarks=200.0, emphasis=10.0, weight=1.0),
        ),
    ),
    optim_wrapper=dict(
        constructor="OptimizerPerModule",
        rig=dict(optimizer=dict(type="Adam", lr=2e-4), clip_grad=dict(max_norm=5.0)),
    ),
    param_scheduler=dict(rig=[dict(type="CosineAnnealingLR", T_max=rig_iterations, by_epoch=False)]),
    train_cfg=dict(max_iters=rig_iterations, val_interval=10_000),
    train_dataloader=training_codes,
    val_cfg=dict(),
    val_dataloader=held_out_codes,
    val_evaluator=dict(type="MeanErrors"),
)
