"""The warm start of the calm teacher, 64²: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.stylegan2_calm_start import *
