"""StyleFaceUV on whole heads: a 64² teacher of MakeHuman's people, a regressor that reads them, then every stage of
``stylefaceuv_64`` on MakeHuman's mesh. MakeHuman comes with ``faceuv[heads]``.

The teacher is the zoo's ``teacher_heads_64``, that of ``stylegan2_heads``; another one:
``faceuv train stylefaceuv_heads_64 --cfg-options teacher.path=FOLDER``.
"""

from mmengine.config import read_base

with read_base():
    from .regressor_makehuman import custom_hooks as reading_hooks
    from .regressor_makehuman import default_hooks as reading_default_hooks
    from .regressor_makehuman import model as reading
    from .regressor_makehuman import optim_wrapper as reading_optimizer
    from .regressor_makehuman import param_scheduler as reading_rates
    from .regressor_makehuman import train_cfg as reading_cfg
    from .regressor_makehuman import train_dataloader as reading_data
    from .regressor_makehuman import val_dataloader as reading_held_out
    from .regressor_makehuman import val_evaluator as reading_errors
    from .stylefaceuv_64 import *

generator = dict(type="PretrainedGenerator", path="{teacher}/generator.safetensors", size=64)
discriminator = "{teacher}/discriminator.safetensors"
regressor_file = "{regressor}/regressor.safetensors"
face_model = dict(type="MakeHuman", verbose=False)
features = dict(type="DiscriminatorFeatures", weights=discriminator)
fitter = dict(
    type="fitter",
    face_model=face_model,
    detector=dict(type="SyntheticLandmarks", path="zoo:landmarks_mixed/weights.safetensors"),
    schedule="fast",
    regressor=regressor_file,
)
calm = dict(world="calm")  # the teacher's world

stages = ["teacher", "regressor", *stages]
teacher = dict(type="teacher", path="zoo:teacher_heads_64/", size=64, discriminator=True)
reading.merge(dict(population=calm))
reading_data.merge(dict(dataset=dict(dataset=calm)))
reading_held_out.merge(dict(dataset=dict(dataset=calm)))
regressor = dict(
    type="train",
    model=reading,
    optim_wrapper=reading_optimizer,
    param_scheduler=reading_rates,
    train_cfg=reading_cfg,
    train_dataloader=reading_data,
    val_cfg=dict(),
    val_dataloader=reading_held_out,
    val_evaluator=reading_errors,
    default_hooks=reading_default_hooks,
    custom_hooks=reading_hooks,
)
fits.merge(dict(generator=dict(_delete_=True, **generator), source=dict(path=regressor_file)))
mapper.merge(
    dict(
        model=dict(face_model=dict(_delete_=True, **face_model)),
        val_evaluator=dict(face_model=dict(_delete_=True, **face_model)),
    )
)
direction.merge(dict(generator=dict(_delete_=True, **generator)))
stepper.merge(dict(model=dict(generator=dict(_delete_=True, **generator), regressor=regressor_file)))
uv.merge(
    dict(
        model=dict(
            teacher=dict(_delete_=True, **generator),
            uv_generator=dict(size=128),  # the face has a third of MakeHuman's chart
            face_model=dict(_delete_=True, **face_model),
            discriminator=discriminator,
            losses=dict(
                percept=dict(_delete_=True, type="DiscriminatorPerceptual", weights=discriminator, weight=2.0),
                calm=dict(face_model=dict(_delete_=True, **face_model)),
            ),
        ),
        val_evaluator=[
            dict(type="FrechetDistance", features=features),
            dict(type="FrechetDistance", features=features, real="real_symmetric", fake="fake_symmetric"),
        ],
    )
)
report.merge(
    dict(
        generator=dict(_delete_=True, **generator),
        face_model=dict(_delete_=True, **face_model),
        features=dict(_delete_=True, **features),
        losses=dict(perceptual=dict(_delete_=True, type="DiscriminatorPerceptual", weights=discriminator)),
        truth=["fitted"],  # the scenes behind the teacher's codes are known for the procedural face alone
        source=fitter,
    )
)
