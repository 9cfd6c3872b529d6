"""What a config needs to run beside its parts: how a run starts and ends, its folders, its other processes."""

from seat_components.networks.fit import check_network
from seat_components.running.console import speak
from seat_components.running.ending import end_training
from seat_components.running.locks import FolderLock
from seat_components.running.processes import join_processes, leave_processes
from seat_components.running.provenance import cases_sha256, setup_sha256
from seat_components.running.starting import begin_training, check_command_line, start, write_run_record
from seat_components.running.tracking import end_tracking

__all__ = [
    "FolderLock",
    "begin_training",
    "cases_sha256",
    "check_command_line",
    "check_network",
    "end_tracking",
    "end_training",
    "join_processes",
    "leave_processes",
    "setup_sha256",
    "speak",
    "start",
    "write_run_record",
]
