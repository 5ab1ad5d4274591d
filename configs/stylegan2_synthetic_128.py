"""The teacher on a GPU, 128²: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.stylegan2_synthetic_128 import *
