"""StyleRig for the 64² teacher of the zoo: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.stylerig_64 import *
