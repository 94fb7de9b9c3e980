"""Linking: which concepts a patient's notes, labs, vital signs and home drugs name."""

from kg.link.cohort import LinkSummary, findings_of, link_cohort, naming_concepts
from kg.link.text import Linker, link_text

__all__ = ["LinkSummary", "Linker", "findings_of", "link_cohort", "link_text", "naming_concepts"]
