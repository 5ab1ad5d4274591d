"""Inverters of the zoo's 64² generator by one protocol: drawn faces with truth, and a hidden view of each.
``faceuv train inversion_study_64``."""

from mmengine.config import read_base

with read_base():
    from .base.runtime import *

perceptual = dict(type="DiscriminatorPerceptual", zoo="teacher_64")
losses = dict(image=dict(type="PhotometricLoss", norm="squared"), perceptual=dict(perceptual, weight=0.1))

stages = ["study"]
study = dict(
    type="inversion_study",
    faces="inversion_64",
    count=12,
    truncation=0.8,
    losses=dict(perceptual=perceptual),
    # of the other world: no training of this entry has used it. study.identity=DlibIdentity tells persons apart better,
    # and needs faceuv[recognition]
    identity=dict(type="RegressorIdentity", regressor="zoo:regressor_heads_64/weights.safetensors"),
    inverters={
        "encoder": dict(type="EncoderInverter", detail=False),
        "+ local": dict(type="EncoderInverter", detail=True),
        "+ local, fitted": dict(type="EncoderInverter", detail=True, refine="fast"),
        "W": dict(type="WProjection", steps=150, losses=losses),
        "W+": dict(type="WPlusProjection", steps=150, losses=losses),
        "PTI": dict(
            type="PivotalTuning", steps=50, losses=losses, pivot=dict(type="WProjection", steps=150, losses=losses)
        ),
        "encoder, fitted": dict(type="EncoderInverter", detail=False, refine="fast"),
    },
    detail=("+ local, fitted", "encoder, fitted"),
)
