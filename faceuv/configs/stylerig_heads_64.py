"""StyleRig on whole heads: ``stylerig_64`` on the zoo's 64² teacher of MakeHuman's people. MakeHuman comes with
``faceuv[heads]``.

The mapper learns what the zoo's regressor of whole heads reads off pictures of mixed codes. The paper's training by
self-supervision needs no regressor: ``--cfg-options stages="('pictures','dfr','rig')"
rig.model.mapper={dfr}/mapper.safetensors``; docs/stylerig.md compares. RigNet compares faces of MakeHuman's 6,000
vertices, which have the coefficients of its 21,500.
"""

from mmengine.config import read_base

with read_base():
    from .mapper_64 import fits, mapper
    from .stylerig_64 import *

generator = dict(type="PretrainedGenerator", path="zoo:teacher_heads_64/generator.safetensors", size=64)
face_model = dict(type="MakeHuman", subdivisions=0, verbose=False)
full_face_model = dict(type="MakeHuman", verbose=False)
iterations = 3_000

stages = ["pictures", "fits", "mapper", "rig", "study"]
pictures.merge(
    dict(
        generator=dict(_delete_=True, **generator),
        detector=dict(type="SyntheticLandmarks", path="zoo:landmarks_mixed/weights.safetensors"),
    )
)
fits.merge(
    dict(
        generator=dict(_delete_=True, **generator),
        source=dict(path="zoo:regressor_heads_64/weights.safetensors"),
        count=24_000,
        most=5,
    )
)
mapper.merge(
    dict(
        model=dict(face_model=dict(_delete_=True, **full_face_model)),
        param_scheduler=dict(mapper=[dict(type="CosineAnnealingLR", T_max=iterations, by_epoch=False)]),
        train_cfg=dict(max_iters=iterations),
        val_evaluator=dict(face_model=dict(_delete_=True, **full_face_model)),
    )
)
dfr["model"].merge(
    dict(
        face_model=dict(_delete_=True, **face_model),
        # ARKit's movements go from 0 to 1, and heads of all ages lie at more distances
        deviations=dict(expression=0.1, translation=0.8),
        losses=dict(identity=dict(weight=5e-4), expression=dict(weight=5e-4)),
    )
)
rig["model"].merge(
    dict(
        mapper="{mapper}/mapper.safetensors",
        face_model=dict(_delete_=True, **face_model),
        full_face_model=dict(_delete_=True, **full_face_model),
        generator=dict(_delete_=True, **generator),
        rig=dict(reach=4.0),  # most of the teacher's people hardly open the mouth, or raise a brow
        # ours: at 32² an expression moves less than a tenth of a pixel, and RenderLoss alone teaches none
        losses=dict(
            expression=dict(type="MeanDistance", of="expression", weight=0.15),
            consistency=dict(weight=0.3),  # with 1.0 it holds back the pose, and no person is kept better
        ),
    )
)
# the judge taught the mapper, and StyleFaceUV's, so that it is no independent one
study = dict(
    type="rig_study",
    generator=generator,
    mapper="{mapper}/mapper.safetensors",
    face_model=face_model,
    judge=dict(type="regressor", path="zoo:regressor_heads_64/weights.safetensors"),
    features=dict(type="DiscriminatorFeatures", zoo="teacher_heads_64"),
    pairs=64,
    reference=512,
    editors={
        "rig": dict(type="rig", path="{rig}/rignet.safetensors", mapper="{mapper}/mapper.safetensors"),
        "F_yaw": dict(type="stepper", path="zoo:heads_64/stepper.safetensors"),
        "direction": dict(type="direction", path="zoo:heads_64/directions.safetensors"),
        "GANSpace": dict(type="ganspace", components=10),
        "layers": dict(type="layers"),
    },
)
