"""The paper's claims on the zoo's 64² teacher: the method beside itself with one view, without masks, and without
displacement.

``faceuv train ablations_64``: four short trainings, alike but for one setting, and a report that compares them; about
forty minutes of one CPU thread. ``tools/results.py`` writes its verdicts into docs/results.md.
"""

from mmengine.config import read_base

with read_base():
    from .stylefaceuv_64 import *

uv.merge(dict(train_cfg=dict(max_iters=600, val_interval=200)))
uv["custom_hooks"][1]["interval"] = 300

model = uv["model"]
uv_one_view = dict(uv, model=dict(model, views=dict(model["views"], names=("original",))))
uv_no_mask = dict(uv, model=dict(model, mask=None))
uv_no_displacement = dict(uv, model=dict(model, uv_generator=dict(model["uv_generator"], displacement=False)))
del model

stages = [
    "fits", "mapper", "direction", "stepper", "uv", "uv_one_view", "uv_no_mask", "uv_no_displacement", "report",
]  # fmt: skip
report.merge(
    dict(
        subjects={
            "_delete_": True,
            "ours": dict(type="uv", path="{uv}/uv_generator.safetensors"),
            "one view": dict(type="uv", path="{uv_one_view}/uv_generator.safetensors"),
            "no mask": dict(type="uv", path="{uv_no_mask}/uv_generator.safetensors"),
            "no displacement": dict(type="uv", path="{uv_no_displacement}/uv_generator.safetensors"),
            "linear": dict(type="linear"),
            "turned 2D": dict(type="turned"),
        },
        protocol=dict(pictures=96, curve=48, truth=64),
    )
)
