"""Stages: a recipe is a list of steps, each with a folder and a record of what its outputs depend on."""

from faceuv.engine.stages.base import Stage, StageContext, StageResult
from faceuv.engine.stages.direction import DirectionStage
from faceuv.engine.stages.fits import FitsStage
from faceuv.engine.stages.inversion_study import InversionStudyStage
from faceuv.engine.stages.pictures import PicturesStage
from faceuv.engine.stages.plan import PlannedStage, make_plan, show
from faceuv.engine.stages.report import ReportStage
from faceuv.engine.stages.rig_study import RigStudyStage
from faceuv.engine.stages.running import run_stages
from faceuv.engine.stages.teacher import TeacherStage
from faceuv.engine.stages.train import TrainStage
from faceuv.fitting.sources import CoefficientSource, Estimates

__all__ = [
    "CoefficientSource",
    "DirectionStage",
    "Estimates",
    "FitsStage",
    "InversionStudyStage",
    "PicturesStage",
    "PlannedStage",
    "ReportStage",
    "RigStudyStage",
    "Stage",
    "StageContext",
    "StageResult",
    "TeacherStage",
    "TrainStage",
    "make_plan",
    "run_stages",
    "show",
]
