"""The teacher on a GPU: a StyleGAN2 of 128² synthetic faces, a purely adversarial training of 3,200,000 images.

``faceuv train stylegan2_synthetic_128 --amp``. The GPU first draws 262,144 pictures, which the cache keeps as bytes (13
GB). Never run: no GPU was at hand.
"""

from mmengine.config import read_base

with read_base():
    from .stylegan2_synthetic import *

size = 128
code_dim = 256
model.merge(
    dict(
        generator=dict(
            size=size, latent_dim=code_dim, code_dim=code_dim, mapping_depth=8, mapping_rate=0.01,
            channel_base=8192, channel_max=256,
        ),
        discriminator=dict(size=size, channel_base=8192, channel_max=256),
        losses=dict(r1=dict(gamma=0.5), paired=None),
        noise="random",
        discriminator_first=0,
    )
)  # fmt: skip
optim_wrapper.merge(dict(generator=dict(optimizer=dict(lr=2.5e-3), rates=dict())))
train_cfg.merge(dict(max_iters=100_000, val_interval=5000))
drawn = dict(size=size, device="cuda")
train_dataloader.merge(
    dict(
        batch_size=32,
        num_workers=4,
        persistent_workers=True,
        dataset=dict(dataset=drawn, length=262_144, chunk=1024, workers=0, facts=()),
    )
)
val_dataloader.merge(dict(dataset=dict(dataset=drawn, length=8192, chunk=1024, workers=0)))
val_evaluator.merge(dict(features=dict(network=dict(size=size))))
test_cfg, test_dataloader, test_evaluator = val_cfg, val_dataloader, val_evaluator
default_hooks.merge(dict(checkpoint=dict(interval=5000)))
custom_hooks = [
    dict(type="GeneratorEMA", modules=["generator"], half_life=10_000),
    dict(type="ImageSheets", interval=2500, count=64, columns=8),
]
