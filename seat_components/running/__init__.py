"""What a run of a bundle needs beside its parts: its end on a signal, its folders for itself, its other processes."""

from seat_components.running.ending import end_on_signals, end_training
from seat_components.running.locks import FolderLock
from seat_components.running.processes import join_processes, leave_processes

__all__ = ["FolderLock", "end_on_signals", "end_training", "join_processes", "leave_processes"]
