"""Yaw directions of the generator that is its own truth: every figure here is exact.

``faceuv direction direction_yaw_procedural``: about a minute on two cores, most of it drawing the strips. Its codes are
normal numbers that vary alike in every direction, so principal components have nothing to find here, and it has no
style weights for ``sefa``; ``direction_yaw_synthetic`` compares all of them on a trained generator.
"""

score = "yaw"
generator = dict(type="ProceduralGenerator", size=128, code_dim=512)
source = dict(type="truth")
face_model = dict(type="ProceduralFace", rows=97, columns=81)

codes = dict(samples=200_000, seed=0)
finders = dict(
    svm=dict(type="svm", ratio=0.02),
    regression=dict(type="regression"),
    conditional=dict(type="svm", ratio=0.02, orthogonal_to=["pitch", "light_right"]),
    ganspace=dict(type="ganspace", components=20),
)
quality = dict(faces=256)
strip = dict(faces=5, truncation=0.7)
