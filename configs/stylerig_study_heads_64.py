"""StyleRig of whole heads measured beside other editors: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.stylerig_study_heads_64 import *
