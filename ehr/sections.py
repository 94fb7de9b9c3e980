"""Cuts a discharge note into the sections that were known before discharge.

A discharge note tells the end of the story: its course and its discharge diagnoses state the labels. By default only
what was known at admission is kept (policy ``admission``); ``paper`` adds the hospital course, which the ClinRaGen
paper used as its note. Discharge diagnoses, results and instructions are never kept.
"""

from __future__ import annotations

import re
from typing import Literal

NotePolicy = Literal["admission", "paper"]

SECTIONS = (
    "chief_complaint",
    "history_of_present_illness",
    "past_medical_history",
    "family_history",
    "social_history",
    "medications_on_admission",
    "physical_exam",
    "hospital_course",
    "admission_summary",
)
"""Section names in the order in which they are stored."""

_KEPT = {
    "chief_complaint": "chief complaint|cc|reason for admission|presenting complaint",
    "history_of_present_illness": "history of present illness|history of the present illness|hpi|present illness",
    "past_medical_history": (
        "past medical history|pmh|pmhx|past medical and surgical history|past medical/surgical history|"
        "past medical history/past surgical history|past surgical history|psh|past history"
    ),
    "family_history": "family history|fh|fhx|family medical history",
    "social_history": "social history|sh|shx|social hx",
    "medications_on_admission": (
        "medications on admission|meds on admission|admission medications|admission meds|home medications|home meds|"
        "medications at home|outpatient medications|preadmission medications|preadmission medication list|"
        "medications prior to admission"
    ),
    "physical_exam": (
        "physical exam|physical examination|admission physical exam|admission physical examination|admission exam|"
        "physical exam on admission|physical examination on admission|exam on admission"
    ),
    "hospital_course": "brief hospital course|hospital course|hospital course by problem|summary of hospital course",
}
_ENDS = (
    "name|unit no|admission date|date of birth|sex|service|allergies|attending|major surgical or invasive procedure|"
    "major surgical or invasive procedures|procedures|pertinent results|results|laboratory data|imaging|microbiology|"
    "studies|admission labs|admission diagnosis|admitting diagnosis|primary diagnosis|primary diagnoses|"
    "secondary diagnosis|secondary diagnoses|principal diagnosis|final diagnosis|final diagnoses|diagnosis|diagnoses|"
    "transitional issues|issues for follow-up|followup instructions|follow-up instructions|follow up instructions|"
    "facility|code status|disposition|condition|instructions"
)
_HEADINGS: dict[str, str | None] = dict.fromkeys(_ENDS.split("|")) | {
    name: section for section, names in _KEPT.items() for name in names.split("|")
}
_HEADING = re.compile(r"^[ \t*#_=-]*([A-Za-z][A-Za-z/&'() \t-]{0,58}?)[ \t*_]*(:|$)", re.MULTILINE)
# MIMIC-III's dictated summaries vary what follows: CONCISE SUMMARY OF HOSPITAL COURSE BY SYSTEM, LABORATORY DATA ON
# ADMISSION, ASSESSMENT AND PLAN. What such a heading opens is course, result or diagnosis, never what is kept.
_COURSE = re.compile(r"\bhospital course\b")
_NOT_KEPT = re.compile(r"\b(?:laborator(?:y|ies)|diagnos[ei]s|impression|assessment|radiology|radiologic)\b")
_AFTER_DISCHARGE = re.compile(r"\bdischarge\b|\bdischarged\b|\bd/c\b|\bdc\b", re.IGNORECASE)
_NEW_LINE = re.compile(r"(?:[-*•·+]|\(?\d{1,2}[.)]\s|[A-Z][A-Za-z/ ]{1,20}:)")
_RULE_LINE = re.compile(r"[=_*#~\s-]{3,}")


def heading_section(heading: str, *, colon: bool = True) -> tuple[bool, str | None]:
    """Say whether a text is a heading that begins another section, and which.

    Args:
        heading: text at the start of a line.
        colon: whether a colon follows; a bare line counts only where it is a section's full name.

    Returns:
        ``(True, section)``; the section is None where what follows is not kept.
    """
    text = " ".join(heading.lower().split())
    if colon and len(text) <= 45 and _AFTER_DISCHARGE.search(text):
        return True, None
    if text in _HEADINGS and (colon or len(text) > 8):
        return True, _HEADINGS[text]
    if colon and _COURSE.search(text):
        return True, "hospital_course"
    if colon and _NOT_KEPT.search(text):
        return True, None
    if not colon and text.startswith("discharge ") and len(text.split()) <= 4:
        return True, None
    return False, None


def unwrap(text: str) -> str:
    """Join lines that only a page's width broke; paragraphs, list items and inner headings keep their own line."""
    lines: list[str] = []
    broken = True
    for raw in text.splitlines():
        line = " ".join(raw.split())
        if not line or _RULE_LINE.fullmatch(line):
            broken = True
        elif broken or _NEW_LINE.match(line):
            lines.append(line)
            broken = False
        else:
            lines[-1] += f" {line}"
    return "\n".join(lines)


def cut_sections(note: str, policy: NotePolicy = "admission") -> dict[str, str]:
    """Cut a note at its headings and keep the sections that the policy allows.

    Args:
        note: the whole note, MIMIC style (``Chief Complaint:`` at the start of a line).
        policy: ``admission`` keeps what was known before discharge, ``paper`` the hospital course as well.

    Returns:
        Section name to text, in the order of `SECTIONS`, without empty ones.
    """
    parts: dict[str, list[str]] = {}
    section: str | None = None
    start = 0
    for found in _HEADING.finditer(note):
        is_heading, following = heading_section(found.group(1), colon=found.group(2) == ":")
        if not is_heading:
            continue
        if section is not None:
            parts.setdefault(section, []).append(note[start : found.start()])
        section, start = following, found.end()
    if section is not None:
        parts.setdefault(section, []).append(note[start:])
    kept = [name for name in SECTIONS if name in parts and (policy == "paper" or name != "hospital_course")]
    texts = {name: unwrap("\n\n".join(parts[name])) for name in kept}
    return {name: text for name, text in texts.items() if text}
