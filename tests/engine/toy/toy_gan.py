"""A recipe in the form that faceuv's have: pure Python, named losses, one optimiser per sub-module."""

custom_imports = dict(imports=["toy_methods"])

model = dict(type="ToyGAN", losses=dict(photo=dict(type="ToyL1", weight=2.0)))
optim_wrapper = dict(
    constructor="OptimizerPerModule",
    generator=dict(optimizer=dict(type="Adam", lr=2e-3, betas=(0.0, 0.99))),
    discriminator=dict(optimizer=dict(type="Adam", lr=2e-3, betas=(0.0, 0.99))),
)
param_scheduler = dict(
    generator=[dict(type="LinearLR", start_factor=0.5, end=20, by_epoch=False)],
)
train_cfg = dict(max_iters=40, val_interval=10)
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    dataset=dict(type="ToyImages", length=50),
    sampler=dict(type="SeekableSampler"),
    collate_fn=dict(type="default_collate"),
)
val_cfg = dict()
val_dataloader = dict(
    batch_size=8,
    num_workers=0,
    dataset=dict(type="ToyImages", length=20),
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="default_collate"),
)
val_evaluator = dict(type="ToyError")
test_cfg, test_dataloader, test_evaluator = val_cfg, val_dataloader, val_evaluator

default_hooks = dict(
    logger=dict(type="LoggerHook", interval=10),
    checkpoint=dict(type="CheckpointHook", interval=10, max_keep_ckpts=2, save_best="error", rule="less"),
)
custom_hooks = [
    dict(type="GeneratorEMA", modules=["generator"], half_life=100),
    dict(type="ImageSheets", interval=20, count=6),
]
