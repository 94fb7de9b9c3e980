"""Reads eICU's picklists: fields of two codes, drug orders, and paths (``Past History/…/COPD/COPD - moderate``)."""

from __future__ import annotations

import re

from ehr.labels import is_listed
from ehr.medications import prescribed_name

OLD_AGE = 90.0
"""Age of everybody whose age is written ``> 89``; the least it can be."""

_SEPARATOR = re.compile(r"[,;]")
# "5 ML VIAL : DILTIAZEM HCL 25 MG/5ML IV SOLN", "1 ML  -  DIPHENHYDRAMINE", "Volume (mL) Magnesium (ml/hr)"
_PACKAGE = re.compile(
    r"^(?:[\d.,]+\s*(?:ml|l|g|gm|mg|ea)\b[^:]{0,20}?\s*(?::|\s-)\s+|volume\s*\(ml\)\s*)", re.IGNORECASE
)
_PRIORITIES = {"primary": 1, "major": 2, "other": 3}
_MARK = re.compile(r"\s*\([A-Z]\)$")
_NOTHING = re.compile(
    r"(?:no|none|normal|negative|unknown|unable|not|denies|no health problems|performed|obtain(?:ed)?|other)\b",
    re.IGNORECASE,
)


def code_version(code: str) -> str:
    """Say whether a code of a field that mixes both is ICD-9-CM (``9``) or ICD-10-CM (``10``).

    >>> [code_version(code) for code in ("038.9", "A41.9", "E87.1", "E871.0", "E46", "V58.61", "V43.52XA")]
    ['9', '10', '10', '9', '10', '9', '10']
    """
    text = code.strip().upper()
    if not text or text[0].isdigit():
        return "9"
    digits = len(text.partition(".")[0]) - 1
    if text[0] == "E":
        # ICD-9-CM's external causes have three digits before the point, ICD-10-CM's endocrine chapter two.
        return "9" if digits >= 3 and is_listed(text, 9) else "10"
    return "9" if text[0] == "V" and is_listed(text, 9) else "10"


def split_codes(field: str) -> list[tuple[str, str]]:
    """Give the codes of one field ``icd9code`` with their versions.

    >>> split_codes("428.1, 402.91, I11.0, I50.1")
    [('428.1', '9'), ('402.91', '9'), ('I11.0', '10'), ('I50.1', '10')]
    """
    parts = (part.strip() for part in _SEPARATOR.split(field))
    return [(part, code_version(part)) for part in dict.fromkeys(parts) if part]


def priority(text: str | None) -> int | None:
    """Give 1 for Primary, 2 for Major, 3 for Other: eICU ranks its diagnoses no finer."""
    return _PRIORITIES.get((text or "").strip().lower())


def age(text: str | None) -> float | None:
    """Read an age in years: ``> 89`` is `OLD_AGE`, ``-1`` and anything else that is no age is missing.

    >>> age("> 89"), age("61"), age("-1"), age("")
    (90.0, 61.0, None, None)
    """
    plain = "".join((text or "").split())
    if plain.startswith(">"):
        return OLD_AGE
    if not plain.isdecimal() or not plain.isascii() or len(plain) > 3:
        return None
    return min(float(plain), OLD_AGE)


def order_name(text: str) -> str:
    """Give the drug of an order or infusion, in lower case, without package, strength and rate.

    >>> order_name("5 ML VIAL : DILTIAZEM HCL 25 MG/5ML IV SOLN"), order_name("Norepinephrine (mcg/min)")
    ('diltiazem hcl', 'norepinephrine')
    """
    return prescribed_name(_PACKAGE.sub("", " ".join(text.split())))


def told(path: str, value: str) -> str | None:
    """Give the words of an item that was chosen in a structured note; None where it says nothing.

    >>> told("notes/Past History/Organ Systems/Cardiovascular (R)/Congestive Heart Failure/CHF", "CHF")
    'Congestive Heart Failure CHF'
    >>> told("notes/Past History/Organ Systems/Pulmonary/COPD/COPD  - moderate", "COPD  - moderate")
    'COPD - moderate'
    """
    chosen = " ".join(value.split())
    if not chosen or _NOTHING.match(chosen):
        return None
    parent = path.removesuffix(value).rstrip("/") if path.endswith(value) else path.rpartition("/")[0]
    topic = _MARK.sub("", " ".join(parent.rpartition("/")[2].split()))
    if topic.lower() in chosen.lower():
        return chosen
    return f"{topic} {chosen}"


def treatment(path: str) -> str | None:
    """Give what was done of a treatment's path, without the organ system and the disorder above it.

    >>> treatment("cardiovascular|hypertension|beta blocker|metoprolol"), treatment("renal|dialysis|hemodialysis")
    ('beta blocker metoprolol', 'hemodialysis')
    """
    parts = [" ".join(part.split()) for part in path.split("|")]
    if len(parts) < 3:
        return None
    return " ".join(parts[2:][-2:]) or None
