"""What a run of a bundle needs beside its parts: how it begins and ends, its folders, its other processes."""

from seat_components.running.beginning import begin_run
from seat_components.running.ending import end_training
from seat_components.running.locks import FolderLock
from seat_components.running.processes import join_processes, leave_processes

__all__ = ["FolderLock", "begin_run", "end_training", "join_processes", "leave_processes"]
