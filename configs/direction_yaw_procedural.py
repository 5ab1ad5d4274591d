"""Yaw directions of the procedural generator: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.direction_yaw_procedural import *
