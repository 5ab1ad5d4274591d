"""StyleRig beside its ablations and beside other editors of codes, on the zoo's 64² teacher; the numbers of
docs/stylerig.md.

``faceuv train stylerig_study_64``: what ``stylerig_64`` trains, RigNet again without each term and as the paper has it,
and the stage ``rig_study``: 6 minutes of processor time. The judge is the regressor, which reads pictures and was not
used in any of the trainings.
"""

from mmengine.config import read_base

with read_base():
    from .stylerig_64 import *

whole = rig["model"]
rig_no_consistency = dict(rig, model=dict(whole, losses=dict(whole["losses"], consistency=None)))
rig_no_reconstruction = dict(rig, model=dict(whole, losses=dict(whole["losses"], reconstruction=None)))
rig_bilinear = dict(rig, model=dict(whole, rig=dict(whole["rig"], decoder="bilinear")))
rig_paper = dict(
    rig,
    model=dict(
        whole,
        rig=dict(encoding=32, decoder="linear", given="wanted", units="isotropic"),
        losses=dict(whole["losses"], step=None),
    ),
)
del whole

stages = [
    "pictures", "dfr", "rig", "rig_no_consistency", "rig_no_reconstruction", "rig_bilinear", "rig_paper", "study",
]  # fmt: skip
mapper_file = "{dfr}/mapper.safetensors"
study = dict(
    type="rig_study",
    generator=generator,
    mapper=mapper_file,
    face_model=face_model,
    judge=dict(type="regressor", path="zoo:regressor/weights.safetensors"),
    features=dict(type="DiscriminatorFeatures", zoo="teacher_64"),
    pairs=128,
    reference=512,
    editors={
        "rig": dict(type="rig", path="{rig}/rignet.safetensors", mapper=mapper_file),
        "no consistency": dict(type="rig", path="{rig_no_consistency}/rignet.safetensors", mapper=mapper_file),
        "no reconstruction": dict(type="rig", path="{rig_no_reconstruction}/rignet.safetensors", mapper=mapper_file),
        "bilinear decoder": dict(type="rig", path="{rig_bilinear}/rignet.safetensors", mapper=mapper_file),
        "as the paper": dict(type="rig", path="{rig_paper}/rignet.safetensors", mapper=mapper_file),
        "F_yaw": dict(type="stepper", path="zoo:stepper_64/weights.safetensors"),
        "InterFaceGAN": dict(type="direction", path="zoo:direction_yaw_64/direction.safetensors"),
        "GANSpace": dict(type="ganspace", components=10),
        "layers": dict(type="layers"),
    },
)
