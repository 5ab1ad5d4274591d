"""The warm start of the calm teacher, 64²: the packaged recipe; copy this file to change it."""

from mmengine.config import read_base

with read_base():
    from faceuv.configs.stylegan2_calm_start import *
