"""StyleRig on whole heads: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.stylerig_heads_64 import *
