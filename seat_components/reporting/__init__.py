"""From records to one readable page: training curves, robustness, costs, and what the paper printed."""

from seat_components.reporting.records import RunRecords, read_run
from seat_components.reporting.report import write_report

__all__ = ["RunRecords", "read_run", "write_report"]
