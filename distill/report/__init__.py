"""Pages for people: one diagnosis with its evidence, and the results of a run."""

from distill.report.page import write_report
from distill.report.results import write_results

__all__ = ["write_report", "write_results"]
