"""Directions in latent space: finders, and the ``Direction`` that they give."""

from faceuv.models.directions.base import Direction, DirectionFinder, condition, load_directions, save_directions
from faceuv.models.directions.ganspace import GANSpaceDirections
from faceuv.models.directions.regression import RegressionDirection
from faceuv.models.directions.scores import SCORES, named_score
from faceuv.models.directions.sefa import SeFaDirections
from faceuv.models.directions.svm import SVMDirection
from faceuv.models.directions.table import CodeSample, ScoreTable, score_codes

__all__ = [
    "SCORES",
    "CodeSample",
    "Direction",
    "DirectionFinder",
    "GANSpaceDirections",
    "RegressionDirection",
    "SVMDirection",
    "ScoreTable",
    "SeFaDirections",
    "condition",
    "load_directions",
    "named_score",
    "save_directions",
    "score_codes",
]
