"""Table 2 of LiftedGAN on drawn cat heads: the method beside itself without one of its terms.

``faceuv train liftedgan_ablations_cats_32``: trainings alike but for one term, all shorter than the recipe's own;
``tools/lifted_table.py`` compares them with the truth.
"""

from mmengine.config import read_base

with read_base():
    from .liftedgan_cats_32 import *

lift.merge(dict(train_cfg=dict(max_iters=400, val_interval=400)))
model = lift["model"]
losses = model["losses"]
lift_no_flip = dict(lift, model=dict(model, losses=dict(losses, flip=None)))
lift_no_perturb = dict(
    lift,
    model=dict(
        model, losses=dict(losses, **dict.fromkeys([name for name in losses if name not in ("rec", "flip", "albedo")]))
    ),
)
lift_no_albedo = dict(lift, model=dict(model, losses=dict(losses, albedo=None)))
del model, losses

stages = ["lift", "lift_no_flip", "lift_no_perturb", "lift_no_albedo"]
