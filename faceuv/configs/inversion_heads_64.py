"""Inversion on whole heads: ``inversion_64`` for the zoo's ``heads_64``, MakeHuman's mesh with 128² maps.
``faceuv train inversion_heads_64``. MakeHuman comes with ``faceuv[heads]``.

The trunk of the encoder is the zoo's regressor as it is: trained on the generator's pictures, it reads other pictures
worse (docs/inversion.md). So no loss compares coefficients, and the encoder's file holds the pyramid alone.
"""

from mmengine.config import read_base

with read_base():
    from .inversion_64 import *

faces = "heads_64"
regressor = "zoo:regressor_heads_64/weights.safetensors"
face_model = dict(type="MakeHuman", verbose=False)
perceptual = dict(type="DiscriminatorPerceptual", zoo="teacher_heads_64")
encoder_iterations = 2400
local_iterations = 1000
encoder.merge(
    dict(
        model=dict(
            faces=faces,
            face_model=dict(_delete_=True, **face_model),
            encoder=dict(_delete_=True, regressor=regressor, own_trunk=False, width=48, hidden=192),
            growth=dict(over=encoder_iterations),
            drawn=0.2,
            pictured=0.5,
            losses=dict(
                _delete_=True,
                code=dict(type="CodeDistance", weight=1.0),
                image=dict(type="PhotometricLoss", norm="squared", weight=10.0),
                perceptual=dict(**perceptual, weight=0.8),
            ),
        ),
        optim_wrapper=dict(
            encoder=dict(
                _delete_=True,
                optimizer=dict(type="AdamW", lr=1.5e-3, weight_decay=0.01),
                clip_grad=dict(max_norm=5.0),
            )
        ),
        param_scheduler=dict(
            _delete_=True, encoder=[dict(type="CosineAnnealingLR", T_max=encoder_iterations, by_epoch=False)]
        ),
        train_cfg=dict(max_iters=encoder_iterations),
    )
)
local.merge(
    dict(
        model=dict(
            faces=faces,
            face_model=dict(_delete_=True, **face_model),
            local=dict(widths=(16, 32, 64, 96)),  # 16 in place of 32 at 128²: a quarter less of a step
            growth=dict(over=local_iterations // 2),
            losses=dict(perceptual=dict(zoo="teacher_heads_64")),
        ),
        param_scheduler=dict(
            _delete_=True, local=[dict(type="CosineAnnealingLR", T_max=local_iterations, by_epoch=False)]
        ),
        train_cfg=dict(max_iters=local_iterations),
        val_dataloader=dict(dataset=dict(length=64)),
        val_evaluator=dict(losses=dict(perceptual=dict(_delete_=True, **perceptual))),
    )
)
