"""Robust training: methods, the self-adaptive schedule, checkpoints and history."""

from seat_components.training.checkpoint import TrainingCheckpoint
from seat_components.training.handlers import DataOrder, TrackedStatistics, Validation
from seat_components.training.history import TrainingHistory
from seat_components.training.learning_rate import learning_rate_schedule
from seat_components.training.memory import StepPlan, in_memory_mode, plan_step
from seat_components.training.methods import CleanUpdate, FreeUpdate, NFGSMUpdate, PGDUpdate, RandomUpdate
from seat_components.training.phased import PhasedSchedule
from seat_components.training.progress import EpochLine, EvaluationProgress, TrainingProgress
from seat_components.training.schedule import FixedSchedule, GrowingSchedule, SelfAdaptiveSchedule
from seat_components.training.timing import EpochTiming
from seat_components.training.trainer import RobustTrainer
from seat_components.training.weights import WeightSaver

__all__ = [
    "CleanUpdate",
    "DataOrder",
    "EpochLine",
    "EpochTiming",
    "EvaluationProgress",
    "FixedSchedule",
    "FreeUpdate",
    "GrowingSchedule",
    "NFGSMUpdate",
    "PGDUpdate",
    "PhasedSchedule",
    "RandomUpdate",
    "RobustTrainer",
    "SelfAdaptiveSchedule",
    "StepPlan",
    "TrackedStatistics",
    "TrainingCheckpoint",
    "TrainingHistory",
    "TrainingProgress",
    "Validation",
    "WeightSaver",
    "in_memory_mode",
    "learning_rate_schedule",
    "plan_step",
]
