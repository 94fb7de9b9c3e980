"""The admission summary: what stands in where a hospital gave no note.

It is rendered from what was known without discharge coding, says only what was recorded, and nothing of what was not.
Labs and vitals are series and never words here. The same facts give the same text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SUMMARY_HOURS = 24.0
"""Facts up to this many hours after admission are told (earlier ones, as in the emergency department, too)."""

KINDS = ("service", "unit", "symptom", "history", "home_drug", "drug", "procedure", "specimen", "organism")
"""Kinds of facts that a layout may give."""

_MAX_ITEMS = 40
_WORDS = {
    "ew emer": "emergency",
    "direct emer": "direct emergency",
    "eu observation": "emergency observation",
    "observation admit": "observation",
}
_UNKNOWN = frozenset({"", "information not available", "unknown", "?"})


@dataclass(frozen=True, slots=True)
class SummaryFacts:
    """What the summary of one admission is made of; ``facts`` maps a kind to texts in order of time."""

    age: float | None = None
    sex: str | None = None
    admission_type: str | None = None
    admission_location: str | None = None
    facts: Mapping[str, Sequence[str]] = field(default_factory=dict)


def _person(age: float | None, sex: str | None) -> str | None:
    noun = {"F": "woman", "M": "man"}.get((sex or "").upper())
    if age is None:
        return noun.capitalize() if noun else None
    if age >= 90:
        # MIMIC-IV writes 91 for everybody older than 89.
        return f"{(noun or 'person').capitalize()} over 89 years"
    return f"{int(age)}-year-old {noun or 'person'}"


def _clean(text: str) -> str:
    return " ".join(text.replace(".", " ").split()).lower()


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(list(dict.fromkeys(filter(None, map(_clean, texts))))[:_MAX_ITEMS])


def render_summary(known: SummaryFacts) -> str:
    """Render the summary; a kind without facts gives no sentence, so nothing is asserted that was not recorded."""
    sentences = [_person(known.age, known.sex)]
    kind, location = (_clean(text or "") for text in (known.admission_type, known.admission_location))
    if kind not in _UNKNOWN:
        origin = f", from: {location}" if location not in _UNKNOWN else ""
        sentences.append(f"Admission type: {_WORDS.get(kind, kind)}{origin}")
    elif location not in _UNKNOWN:
        sentences.append(f"Admitted from: {location}")
    for name, lead in (
        ("service", "Service"),
        ("unit", "Intensive care unit"),
        ("symptom", "Review of systems"),
        ("history", "Past medical history"),
        ("home_drug", "Taken before admission"),
        ("drug", "Drugs in the first 24 hours"),
        ("procedure", "Procedures in the first 24 hours"),
        ("specimen", "Specimens taken"),
        ("organism", "Grown in culture"),
    ):
        listed = _listed(known.facts.get(name, ()))
        if listed:
            sentences.append(f"{lead}: {listed}")
    return " ".join(f"{sentence}." for sentence in sentences if sentence)
