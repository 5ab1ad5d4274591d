"""What both steps of the CPU teacher share: the network, the 64² synthetic faces, the distance."""

from mmengine.config import read_base

with read_base():
    from .runtime import *

size = 64
batch_size = 8

# latent_dim: the normal numbers that decide about a scene. The mapping learns at full rate: in the first step it has to
# find out which of them matter; adversarial training slows it down again, with its optimiser's settings.
generator = dict(
    type="StyleGAN2Generator",
    size=size,
    latent_dim=383,
    code_dim=128,
    mapping_depth=4,
    mapping_rate=1.0,
    channel_base=2048,
    channel_max=128,
)
faces = dict(type="SyntheticFaces", size=size)
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=0,
    dataset=dict(type="CachedImages", dataset=dict(faces, seed=0), length=8192, workers=2, facts=("latent",)),
    sampler=dict(type="SeekableSampler"),
    collate_fn=dict(type="default_collate"),
)
# Held out: the faces of another seed. A full validation set takes minutes to draw, once.
val_cfg = dict()
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    dataset=dict(type="CachedImages", dataset=dict(faces, seed=1), length=1024, workers=2),
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
)
val_evaluator = dict(
    type="FrechetDistance",
    features=dict(type="DiscriminatorFeatures", network=dict(type="StyleGAN2Discriminator", size=size,
                  channel_base=1024, channel_max=64), seed=0),
)  # fmt: skip
test_cfg, test_dataloader, test_evaluator = val_cfg, val_dataloader, val_evaluator
