"""Reads drug names: from the list of drugs taken before admission, and from prescriptions."""

from __future__ import annotations

import re

_NUMBERED = re.compile(r"(?:^|\s)\(?\d{1,2}[.)]\s+(?=[A-Za-z])")
_BULLET = re.compile(r"^\s*[-*•·+]\s*")
_DOSE = re.compile(
    r"\s+(?:\d|[<>~]|(?:one|two|half)\s+tab|q\.?\s?\d|(?:po|iv|im|sc|sq|sl|pr|ng|neb|nebs|inh|ih|top|tp|pat|bid|tid|qid|"
    r"qd|qhs|qam|qpm|qod|prn|daily|weekly|monthly|hs|once|twice|every|by\s+mouth|at\s+bedtime|as\s+directed|as\s+needed|"
    r"unknown|tablet|tablets|tab|tabs|capsule|capsules|cap|caps|solution|suspension|syrup|cream|ointment|gel|patch|"
    r"drops|spray|inhaler|puff|puffs|units?|mg|mcg|meq|ml|sliding\s+scale)\b)",
    re.IGNORECASE,
)
_PARENTHESIS = re.compile(r"\s*[\(\[][^)\]]*(?:[)\]]|$)")
_EDGES = " \t.,;:-*_/"
_PREAMBLE = re.compile(
    r"the\s+preadmission\s+medication\s+list[^.:\n]*[.:]|(?:home|outpatient|admission)\s+med(?:ication)?s?\s*:",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"(?:none|nil|n/?a|unknown|unable|not\s|no\s|denies|nkda|see\s|per\s|list\s|patient\s|pt\s|same\s|as\s+above|"
    r"discontinued|meds?\b|medications?\b|confirmed|unclear)",
    re.IGNORECASE,
)
# "Insulin for Hyperkalemia", "PHENobarbital - ICU alcohol withdrawal", "Furosemide-Heart Failure": why it was ordered.
_REASON = re.compile(r"(?:\s+-\s+|\s+for\s+|\s*-\s*heart failure\b|\s+alcohol withdrawal\b).*$", re.IGNORECASE)
_STRENGTH = re.compile(r"\s+(?:\d[\d.,/%]*\s*(?:%|mg|mcg|g|gm|ml|units?|meq|mmol)?\b.*)$", re.IGNORECASE)


def _name(entry: str) -> str | None:
    text = _PARENTHESIS.sub("", _BULLET.sub("", entry)).strip(_EDGES)
    text = re.sub(r"^(?:and|also|plus|takes?|on)\s+", "", text, flags=re.IGNORECASE)
    dose = _DOSE.search(text)
    text = " ".join((text[: dose.start()] if dose else text).strip(_EDGES).split())
    if _NOTHING.match(text) or len(re.sub(r"[^A-Za-z]", "", text)) < 3 or len(text.split()) > 5:
        return None
    return text


def home_medications(text: str) -> list[str]:
    """Read the drug names of a section ``medications on admission``, without doses.

    Takes numbered lists, bullets, one a line, and lists in running text (commas or semicolons).

    Returns:
        Names as written, each once (whatever its case), in the order of the text; empty for "None" and the like.
    """
    text = _PREAMBLE.sub("\n", text)
    names: dict[str, str] = {}
    for line in text.splitlines():
        entries = [part for part in _NUMBERED.split(line) if part.strip()]
        if len(entries) <= 1:
            # A comma inside a number ("1,000 units") is no border.
            entries = re.split(r"[;,](?!\d)|\s+and\s+(?=[A-Za-z]{4,})", entries[0]) if entries else []
        for entry in entries:
            name = _name(entry)
            if name:
                names.setdefault(name.lower(), name)
    return list(names.values())


def prescribed_name(text: str) -> str:
    """Give a prescription's drug without strength, reason and remarks in brackets, in lower case.

    >>> prescribed_name("OxyCODONE (Immediate Release) "), prescribed_name("Albumin 25% (12.5g / 50mL)")
    ('oxycodone', 'albumin')
    """
    plain = _STRENGTH.sub("", _REASON.sub("", _PARENTHESIS.sub("", " ".join(text.split()))))
    return plain.strip(_EDGES).lower() or text.strip().lower()
