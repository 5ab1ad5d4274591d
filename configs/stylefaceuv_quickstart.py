"""StyleFaceUV in minutes on a CPU, every stage: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.stylefaceuv_quickstart import *
