"""The teacher of whole heads: adversarial training after ``stylegan2_heads_start``."""

from mmengine.config import read_base

with read_base():
    from .stylegan2_calm import *

heads = dict(face_model=dict(type="MakeHuman", verbose=False))
train_dataloader.merge(dict(dataset=dict(dataset=heads, length=20_480)))
val_dataloader.merge(dict(dataset=dict(dataset=heads)))
custom_hooks[0].merge(dict(source="work_dirs/stylegan2_heads_start"))
# A second discriminator sees what the zoo's regressor sees: eyes and mouths come sooner (docs/teacher.md).
model.merge(
    dict(
        feature_discriminator=dict(type="FeatureDiscriminator", features=dict(type="RegressorMaps")),
        losses=dict(
            feature_generator=dict(type="GeneratorLogistic"),
            feature_discriminator=dict(type="DiscriminatorLogistic"),
        ),
    )
)
optim_wrapper.merge(dict(feature_discriminator=dict(optimizer=dict(type="Adam", lr=1e-3, betas=(0.0, 0.99)))))
