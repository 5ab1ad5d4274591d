"""The paper's claims, four short trainings side by side: the packaged recipe; copy it in this folder to change it."""

from mmengine.config import read_base

with read_base():
    from ..faceuv.configs.ablations_64 import *
