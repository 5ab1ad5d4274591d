"""Table 2 of LiftedGAN on drawn cat heads: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.liftedgan_ablations_cats_32 import *
