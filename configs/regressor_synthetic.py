"""The coefficient regressor on a CPU, 64² pictures: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.regressor_synthetic import *
