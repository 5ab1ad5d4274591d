"""StyleRig at the scale of the paper: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.stylerig_ffhq import *
