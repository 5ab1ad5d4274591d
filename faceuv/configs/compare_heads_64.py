"""Systems and baselines on the zoo's 64² teacher of whole heads, by one protocol: ``compare_64`` on MakeHuman's people.
The zoo's weights, nothing is trained. MakeHuman comes with ``faceuv[heads]``.

``faceuv train compare_heads_64`` takes minutes of one CPU core, most of them fits.
"""

from mmengine.config import read_base

with read_base():
    from .compare_64 import *

entry = "teacher_heads_64"
generator = dict(type="PretrainedGenerator", path="zoo:teacher_heads_64/generator.safetensors", size=64)
face_model = dict(type="MakeHuman", verbose=False)

report.merge(
    dict(
        generator=dict(_delete_=True, **generator),
        mapper="zoo:heads_64/mapper.safetensors",
        stepper="zoo:heads_64/stepper.safetensors",
        subjects={
            "StyleFaceUV": dict(path="zoo:heads_64/uv_generator.safetensors"),
            "LiftedGAN": dict(path="zoo:liftedgan_heads_64/lifting.safetensors"),
            "StyleRig": dict(
                path="zoo:stylerig_heads_64/rig.safetensors", mapper="zoo:stylerig_heads_64/mapper.safetensors"
            ),
            "inversion": dict(faces="inversion_heads_64"),
        },
        face_model=dict(_delete_=True, **face_model),
        features=dict(_delete_=True, type="DiscriminatorFeatures", zoo=entry),
        losses=dict(perceptual=dict(zoo=entry)),
        truth=["fitted"],  # a report knows the scenes of the procedural face alone
        source=dict(
            type="fitter",
            face_model=face_model,
            detector=dict(type="SyntheticLandmarks", path="zoo:landmarks_mixed/weights.safetensors"),
            schedule="fast",
            regressor="zoo:regressor_heads_64/weights.safetensors",
        ),
    )
)
