"""Directions of one score, found in several ways and measured side by side: the body of ``faceuv direction``."""

from faceuv.engine.direction_study.reading import CodeReader
from faceuv.engine.direction_study.running import Found, find_all, measure, score_all, write_all
from faceuv.engine.direction_study.setup import DirectionStudy, MovedFaces, build_study

__all__ = [
    "CodeReader",
    "DirectionStudy",
    "Found",
    "MovedFaces",
    "build_study",
    "find_all",
    "measure",
    "score_all",
    "write_all",
]
