"""Inverters of whole heads, compared: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.inversion_study_heads_64 import *
