"""Yaw directions of the zoo's 64² teacher: every finder, side by side.

``faceuv direction direction_yaw_synthetic``. The mapper scores 200,000 codes; the regressor, which sees pictures and
never a code, measures what each direction does.
"""

score = "yaw"
generator = dict(type="PretrainedGenerator", path="zoo:teacher_64/generator.safetensors")
source = dict(type="mapper", path="zoo:mapper_64/weights.safetensors")
judge = dict(type="regressor", path="zoo:regressor/weights.safetensors")
face_model = dict(type="ProceduralFace", rows=97, columns=81)

codes = dict(samples=200_000, seed=0)
finders = dict(
    svm=dict(type="svm", ratio=0.02),
    regression=dict(type="regression"),
    conditional=dict(type="svm", ratio=0.02, orthogonal_to=["pitch", "light_right"]),
    ganspace=dict(type="ganspace", components=20),
    sefa=dict(type="sefa", components=20),
)
quality = dict(faces=128)
strip = dict(faces=5, truncation=0.7)
