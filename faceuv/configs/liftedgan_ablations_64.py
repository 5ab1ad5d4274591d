"""Table 2 of LiftedGAN on the zoo's 64² teacher: the method beside itself without one of its terms.

``faceuv train liftedgan_ablations_64``: trainings alike but for one term;
``tools/lifted_table.py`` compares them with the truth.
"""

from mmengine.config import read_base

with read_base():
    from .liftedgan_64 import *

model = lift["model"]
losses = model["losses"]
lift_no_flip = dict(lift, model=dict(model, losses=dict(losses, flip=None)))
lift_no_perturb = dict(
    lift,
    model=dict(
        model, losses=dict(losses, **dict.fromkeys([name for name in losses if name not in ("rec", "flip", "albedo")]))
    ),
)
lift_no_identity = dict(lift, model=dict(model, losses=dict(losses, identity=None)))
lift_no_albedo = dict(lift, model=dict(model, losses=dict(losses, albedo=None)))
del model, losses

stages = ["lift", "lift_no_flip", "lift_no_perturb", "lift_no_identity", "lift_no_albedo", "report"]
report["subjects"].update(
    {
        f"no {term}": dict(type="lifted", path=f"{{lift_no_{term}}}/lifting.safetensors", space=space, views=views)
        for term in ("flip", "perturb", "identity", "albedo")
    }
)
