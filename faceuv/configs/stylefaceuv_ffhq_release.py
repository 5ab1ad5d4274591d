"""StyleFaceUV at the paper's scale as the authors' release trains it, wherever that differs from the paper.

Differences from ``stylefaceuv_ffhq``: the unsquared photometric norm, the perceptual loss masked by the render's
coverage alone, clamped renders, no running average of the UV generator; a stepper of the mapper's size, trained on the
symmetric angle alone, with the mapper's milestones. docs/stylefaceuv.md has the reasons.
"""

from mmengine.config import read_base

with read_base():
    from .stylefaceuv_ffhq import *

stepper["model"].update(widths=(4608, 3072, 1536, 512), activation="tanh", symmetric=1.0)
stepper["optim_wrapper"]["stepper"]["optimizer"]["lr"] = 1e-3
stepper["param_scheduler"] = dict(stepper=[dict(type="MultiStepLR", milestones=[5, 10, 15], gamma=0.1, by_epoch=True)])
stepper["train_cfg"] = dict(by_epoch=True, max_epochs=22, val_interval=1)
stepper["train_dataloader"].update(batch_size=16, sampler=dict(type="DefaultSampler", shuffle=True))

uv["model"]["losses"]["photo"]["norm"] = "length"
uv["model"]["losses"]["percept"]["mask"] = "coverage"
uv["model"]["views"]["clamp"] = True
uv["custom_hooks"] = uv["custom_hooks"][1:]
