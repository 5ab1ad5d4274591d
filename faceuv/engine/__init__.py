"""The training engine: MMEngine's Runner with safe checkpoints and exact resume. ``import faceuv`` does not load it.

Importing this package registers its parts: runner, loop, sampler, optimiser wrappers, hooks, log lines.
"""

# ruff: noqa: E402
# The check comes first: MMEngine's hooks import OpenCV, and where it does not start a user reads one line.
from faceuv.opencv import check_opencv

check_opencv()

from faceuv.engine.checkpoint_hook import CheckpointHook
from faceuv.engine.compat.checkpoints import CorruptCheckpoint, load_weights, read_checkpoint
from faceuv.engine.compat.configs import find_config, load_config
from faceuv.engine.compat.distributed import Replicated, start_processes, stop_processes
from faceuv.engine.compat.optim import OptimizerPerModule, OptimWrapper
from faceuv.engine.compat.options import parse_options
from faceuv.engine.compat.randomness import KeepRandomState, random_state, set_random_state
from faceuv.engine.compat.sampling import SeekableSampler, SeekingTrainLoop
from faceuv.engine.divergence import StopOnDivergence, TrainingDiverged
from faceuv.engine.ema import GeneratorEMA
from faceuv.engine.image_sheets import ImageSheets
from faceuv.engine.logs import LoggerHook, LogProcessor, ProgressBar, TensorboardVisBackend
from faceuv.engine.runner import Runner
from faceuv.engine.training import clean_stages, completed, evaluate, evaluate_stage, train, train_stages
from faceuv.engine.warm_start import WarmStart

__all__ = [
    "CheckpointHook",
    "CorruptCheckpoint",
    "GeneratorEMA",
    "ImageSheets",
    "KeepRandomState",
    "LogProcessor",
    "LoggerHook",
    "OptimWrapper",
    "OptimizerPerModule",
    "ProgressBar",
    "Replicated",
    "Runner",
    "SeekableSampler",
    "SeekingTrainLoop",
    "StopOnDivergence",
    "TensorboardVisBackend",
    "TrainingDiverged",
    "WarmStart",
    "clean_stages",
    "completed",
    "evaluate",
    "evaluate_stage",
    "find_config",
    "load_config",
    "load_weights",
    "parse_options",
    "random_state",
    "read_checkpoint",
    "set_random_state",
    "start_processes",
    "stop_processes",
    "train",
    "train_stages",
]
