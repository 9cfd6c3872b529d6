"""Experiments: many bundle runs from one plan, resumable, and the page that compares them."""

from seat_components.experiments.costs import costs_in_words, costs_of
from seat_components.experiments.plan import Plan, Run, read_plan
from seat_components.experiments.results import write_results
from seat_components.experiments.runner import run_plan
from seat_components.experiments.steps import Step, steps_of

__all__ = ["Plan", "Run", "Step", "costs_in_words", "costs_of", "read_plan", "run_plan", "steps_of", "write_results"]
