"""StyleRig on whole heads beside its ablations and beside other editors of codes; the numbers of docs/stylerig.md.

``faceuv train stylerig_study_heads_64``: what ``stylerig_heads_64`` trains, RigNet again without each term, with the
other decoders and as the paper has it, and the stage ``rig_study``: 11 minutes of processor time, most of it
``pictures``, ``fits`` and ``mapper``, which all share. The judge taught the mapper.
"""

from mmengine.config import read_base

with read_base():
    from .stylerig_heads_64 import *

whole = rig["model"]
rig_no_expression = dict(rig, model=dict(whole, losses=dict(whole["losses"], expression=None)))
rig_no_consistency = dict(rig, model=dict(whole, losses=dict(whole["losses"], consistency=None)))
rig_no_reconstruction = dict(rig, model=dict(whole, losses=dict(whole["losses"], reconstruction=None)))
rig_bilinear = dict(rig, model=dict(whole, rig=dict(whole["rig"], decoder="bilinear")))
rig_hidden = dict(rig, model=dict(whole, rig=dict(whole["rig"], decoder="hidden")))
rig_paper = dict(
    rig,
    model=dict(
        whole,
        rig=dict(encoding=32, decoder="linear", given="wanted", units="isotropic"),
        losses=dict(whole["losses"], step=None, expression=None),
    ),
)
del whole

stages = [
    "pictures", "fits", "mapper", "rig", "rig_no_expression", "rig_no_consistency", "rig_no_reconstruction",
    "rig_bilinear", "rig_hidden", "rig_paper", "study",
]  # fmt: skip
mapper_file = "{mapper}/mapper.safetensors"
ablations = {
    "no expression": dict(type="rig", path="{rig_no_expression}/rignet.safetensors", mapper=mapper_file),
    "no consistency": dict(type="rig", path="{rig_no_consistency}/rignet.safetensors", mapper=mapper_file),
    "no reconstruction": dict(type="rig", path="{rig_no_reconstruction}/rignet.safetensors", mapper=mapper_file),
    "bilinear decoder": dict(type="rig", path="{rig_bilinear}/rignet.safetensors", mapper=mapper_file),
    "hidden layer": dict(type="rig", path="{rig_hidden}/rignet.safetensors", mapper=mapper_file),
    "as the paper": dict(type="rig", path="{rig_paper}/rignet.safetensors", mapper=mapper_file),
}
study["editors"] = {**study["editors"], **ablations}
del ablations
