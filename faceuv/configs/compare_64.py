"""Four systems and their baselines on the zoo's 64² teacher, by one protocol: the zoo's weights, nothing is trained.

``faceuv train compare_64`` takes a minute of one CPU core.
"""

from mmengine.config import read_base

with read_base():
    from .base.runtime import *

generator = dict(type="PretrainedGenerator", path="zoo:teacher_64/generator.safetensors")
space = dict(fov_deg=14.375071934214489, distance=10.0, half_range=1.0, border=0.5, smooth=True)
views = dict(rotation_deg=60.0, translation=(1.0, 1.0, 1.0))  # camera and views of the zoo's LiftedGAN

stages = ["report"]
report = dict(
    type="report",
    generator=generator,
    mapper="zoo:mapper_64/weights.safetensors",
    stepper="zoo:stepper_64/weights.safetensors",
    subjects={
        "StyleFaceUV": dict(type="uv", path="zoo:quickstart/uv_generator.safetensors"),
        "LiftedGAN": dict(type="lifted", path="zoo:liftedgan/lifting.safetensors", space=space, views=views),
        "StyleRig": dict(
            type="rig", path="zoo:stylerig_64/rig.safetensors", mapper="zoo:stylerig_64/mapper.safetensors"
        ),
        "inversion": dict(type="inverted", faces="inversion_64"),
        "linear face": dict(type="linear"),
        "turned 2D": dict(type="turned"),
    },
    method="StyleFaceUV",
    face_model=dict(type="ProceduralFace", rows=97, columns=81, verbose=False),
    features=dict(type="DiscriminatorFeatures", zoo="teacher_64"),
    losses=dict(perceptual=dict(type="DiscriminatorPerceptual", zoo="teacher_64")),
    truth=["scene"],
    protocol=dict(pictures=96, curve=24, truth=32),
)
