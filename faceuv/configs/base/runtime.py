"""How every recipe runs: seed, log lines, checkpoints.

Inherit it with ``with read_base(): from faceuv.configs.base.runtime import *``.
"""

default_scope = "faceuv"
runner_type = "faceuv.Runner"  # for mmengine.registry.RUNNERS.build(config), as the train.py of other libraries does
randomness = dict(seed=0)
default_hooks = dict(
    logger=dict(type="LoggerHook", interval=50),
    checkpoint=dict(type="CheckpointHook", interval=1000, max_keep_ckpts=3),
)
# for TensorBoard add dict(type="TensorboardVisBackend"), with pip install "faceuv[train]"
visualizer = dict(type="Visualizer", vis_backends=[dict(type="LocalVisBackend")])
