"""Rationale distillation: teachers, data, three stages, prediction, evaluation, reports."""
