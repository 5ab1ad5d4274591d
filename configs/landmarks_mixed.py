"""The landmark network on several head models: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.landmarks_mixed import *
