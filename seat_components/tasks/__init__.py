"""The ten tasks of the Medical Segmentation Decathlon, as published: plans, intensities and fold 0."""

from seat_components.tasks.table import Task, all_tasks, fold_cases, load_task

__all__ = ["Task", "all_tasks", "fold_cases", "load_task"]
