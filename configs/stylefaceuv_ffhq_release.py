"""StyleFaceUV as the authors' release trains it: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.stylefaceuv_ffhq_release import *
