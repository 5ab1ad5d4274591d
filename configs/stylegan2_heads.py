"""The teacher of whole heads on a CPU, 64²: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.stylegan2_heads import *
