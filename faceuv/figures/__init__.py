"""The paper's figures, from a :class:`~faceuv.FaceGenerator`: tables of pictures, and turntables."""

from faceuv.figures.figure_renderer import OVER, FigureRenderer, FigureStyle, ProgressCallback
from faceuv.figures.sheets import (
    EXPRESSIONS,
    LIGHTS,
    SIGMAS,
    YAWS,
    edit_strip,
    expression_grid,
    interpolation_strip,
    light_grid,
    mixing_grid,
    turntable,
    yaw_strip,
)

__all__ = [
    "EXPRESSIONS",
    "LIGHTS",
    "OVER",
    "SIGMAS",
    "YAWS",
    "FigureRenderer",
    "FigureStyle",
    "ProgressCallback",
    "edit_strip",
    "expression_grid",
    "interpolation_strip",
    "light_grid",
    "mixing_grid",
    "turntable",
    "yaw_strip",
]
