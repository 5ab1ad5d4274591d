"""Inverters of the zoo's whole heads by the protocol of ``inversion_study_64``, on drawn heads.
``faceuv train inversion_study_heads_64``. MakeHuman comes with ``faceuv[heads]``."""

from mmengine.config import read_base

with read_base():
    from .inversion_study_64 import *

heads = dict(type="DiscriminatorPerceptual", zoo="teacher_heads_64")
descent = dict(losses=dict(perceptual=dict(zoo="teacher_heads_64")))
study.merge(
    dict(
        faces="inversion_heads_64",
        losses=dict(perceptual=dict(_delete_=True, **heads)),
        identity=dict(regressor="zoo:regressor/weights.safetensors"),
        inverters={"W": descent, "W+": descent, "PTI": dict(descent, pivot=descent)},
        detail=("+ local", "encoder"),
    )
)
