"""StyleFaceUV in minutes, on two CPU cores and without a download: every stage, trained for real.

From the zoo: the teacher with its discriminator, the regressor of coefficients, and the weights that the UV generator
starts with, from a longer training by ``stylefaceuv_64``. The mapper and the stepper are trained from scratch.
To start the UV generator with the teacher's weights instead: ``--cfg-options uv.model.uv_generator.weights=None``.
The ablations of ``stylefaceuv_64`` need that, too.
"""

from mmengine.config import read_base

with read_base():
    from .stylefaceuv_64 import *

fits.merge(dict(count=4_000))
mapper.merge(
    dict(
        train_cfg=dict(max_iters=1_200, val_interval=1_200),
        param_scheduler=dict(mapper=[dict(type="CosineAnnealingLR", T_max=1_200, by_epoch=False)]),
    )
)
direction.merge(dict(finder=dict(samples=20_000)))
stepper.merge(
    dict(
        train_cfg=dict(max_iters=600, val_interval=600),
        param_scheduler=dict(stepper=[dict(type="CosineAnnealingLR", T_max=600, by_epoch=False)]),
    )
)
uv.merge(
    dict(
        model=dict(uv_generator=dict(weights="zoo:quickstart/uv_generator.safetensors"), views=dict(remember=0)),
        train_cfg=dict(max_iters=400, val_interval=100),
        val_dataloader=dict(dataset=dict(limit=256)),
        default_hooks=dict(
            logger=dict(type="LoggerHook", interval=25),
            checkpoint=dict(type="CheckpointHook", interval=50, max_keep_ckpts=2, save_best="auto", rule="less"),
        ),
    )
)
uv["custom_hooks"][1]["interval"] = 200
report.merge(dict(protocol=dict(pictures=48, curve=12, truth=16)))
