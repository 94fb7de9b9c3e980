"""The words of the graph teacher: short sentences that say only what findings and relations say."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from distill.teachers.support import Support, part_of
from kg.types import Finding

_UNITS = {"1": "", "Cel": "°C", "10*3/uL": "×10³/µL", "/min": "/min"}

# Phrasings by kind of support, for one and for several findings: {f} findings, {d} disease, {m} the disease between.
_PHRASES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "sign": (
        ("{f} points to {d}.", "{f} point to {d}."),
        ("{f} suggests {d}.", "{f} suggest {d}."),
        ("{f} fits {d}.", "{f} fit {d}."),
        ("{f} supports {d}.", "{f} support {d}."),
    ),
    "same": (
        ("{f} means {d}.", "{f} mean {d}."),
        ("{f} stands for {d}.", "{f} stand for {d}."),
    ),
    "risk": (
        ("{f} raises the risk of {d}.", "{f} raise the risk of {d}."),
        ("{f} predisposes to {d}.", "{f} predispose to {d}."),
    ),
    "cause": (
        ("{f} can lead to {d}.", "{f} can lead to {d}."),
        ("{f} may be complicated by {d}.", "{f} may be complicated by {d}."),
    ),
    "underlying": (
        ("{f} points to {m}, which can lead to {d}.", "{f} point to {m}, which can lead to {d}."),
        ("{f} suggests {m}, which may be complicated by {d}.", "{f} suggest {m}, which may be complicated by {d}."),
    ),
    "treatment": (
        ("{f} before admission suggests {d}.", "{f} before admission suggest {d}."),
        ("{f}, taken at home, treats {d}.", "{f}, taken at home, treat {d}."),
    ),
}
_LAB_PHRASES = (
    ("{name} was {direction}{value}, which fits {d}.", "{f} fit {d}."),
    ("{name} was {direction}{value}, which points to {d}.", "{f} point to {d}."),
    ("{f} fits {d}.", "{f} fit {d}."),
    ("{f} suggests {d}.", "{f} suggest {d}."),
)
_NO_SUPPORT = ("No finding in the graph explains {d}.", "The graph has no finding that explains {d}.")


def _pick(options: Sequence[tuple[str, str]] | Sequence[str], *key: object) -> int:
    digest = hashlib.sha256("\t".join(map(str, key)).encode()).digest()
    return digest[0] % len(options)


def in_sentence(name: str) -> str:
    """Give a concept's name as it stands inside a sentence: lower-case start unless it is an abbreviation or a name."""
    first = name.split(" ", 1)[0].rstrip(",;:")
    plain = len(first) > 1 and first[1:] == first[1:].lower() and first[1:].isalpha()
    return name[0].lower() + name[1:] if plain and first not in _PROPER else name


# fmt: off
_PROPER = frozenset([
    "Babinski", "Barrett", "Bence", "Brudzinski", "Cheyne", "Crohn", "Cushing", "Dupuytren", "Glasgow", "Gottron",
    "Heinz", "Hodgkin", "Howell", "Janeway", "Kayser", "Kernig", "Kussmaul", "Mallory", "Osler", "Raynaud", "Roth",
    "Torsade", "Trousseau", "Wolff",
])
"""First words of concept names that keep their capital inside a sentence."""
# fmt: on


def _sentence_start(text: str) -> str:
    """Give ``text`` with a capital first letter, unless its first word mixes cases (pH, pCO2, mRNA)."""
    first = text.split(" ", 1)[0]
    return text if first != first.lower() else text[:1].upper() + text[1:]


def format_value(value: float) -> str:
    """Give a measured value with at most three decimals for small and none for large values.

    >>> [format_value(v) for v in (3.1, 7.123, 0.0123, 1234.0)]
    ['3.1', '7.12', '0.012', '1234']
    """
    size = abs(value)
    decimals = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_unit(unit: str | None) -> str:
    """Give a UCUM unit as people write it; empty for pure numbers."""
    return _UNITS.get(unit or "1", unit or "")


def format_hour(hours: float) -> str:
    """Say when a value was taken, in whole hours from admission."""
    whole = round(abs(hours))
    if hours < 0 and whole:
        return f"{whole} h before admission"
    return f"at hour {whole}"


def measurement(finding: Finding) -> str:
    """Give the measured value in brackets, such as `` (3.1 mg/dL at hour 6)``; empty where none was kept."""
    if finding.value is None:
        return ""
    unit = format_unit(finding.unit)
    amount = format_value(finding.value) + (unit if unit in ("%", "/min") else f" {unit}" if unit else "")
    if finding.hours is None:
        return f" ({amount})"
    when = format_hour(finding.hours)
    return f" ({amount}{',' if 'before' in when else ''} {when})"


def _join(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _mention(finding: Finding, names: Mapping[str, str]) -> str:
    name = in_sentence(names.get(finding.concept, finding.concept))
    if finding.family:
        return f"family history of {name}"
    return f"past {name}" if finding.historical else name


def _lab_mention(finding: Finding, names: Mapping[str, str]) -> str:
    if finding.code is None or finding.direction is None:
        return _mention(finding, names) + measurement(finding)
    return f"{finding.direction} {names.get(finding.code, finding.code)}{measurement(finding)}"


def describe_finding(finding: Finding, names: Mapping[str, str]) -> str:
    """Say what was found in a few words, with the measured value where there is one."""
    return _lab_mention(finding, names) if part_of(finding) == "lab" else _mention(finding, names)


def note_sentence(supports: Sequence[Support], disease: str, names: Mapping[str, str], *key: object) -> str:
    """Say which findings of the note speak for a disease.

    Args:
        supports: of one kind.
        disease: the disease's name.
        names: concept id to name.
        key: chooses among the phrasings; equal keys, equal words.
    """
    phrases = _PHRASES[supports[0].kind]
    one, several = phrases[_pick(phrases, *key)]
    mentions = list(dict.fromkeys(_mention(support.finding, names) for support in supports))
    between = in_sentence(names.get(supports[0].through or "", ""))
    text = (one if len(mentions) == 1 else several).format(f=_join(mentions), d=disease, m=between)
    return _sentence_start(text)


def lab_sentence(supports: Sequence[Support], disease: str, names: Mapping[str, str], *key: object) -> str:
    """Say which measured labs or vitals speak for a disease; the value stands in brackets."""
    through = supports[0].through
    phrases = _LAB_PHRASES if through is None else _PHRASES["underlying"]
    one, several = phrases[_pick(phrases, *key)]
    mentions = [_lab_mention(support.finding, names) for support in supports]
    finding = supports[0].finding
    if len(mentions) == 1 and (finding.code is None or finding.direction is None):
        one = one if through is not None else "{f} fits {d}."
    text = (one if len(mentions) == 1 else several).format(
        f=_join(mentions),
        d=disease,
        m=in_sentence(names.get(through or "", "")),
        name=names.get(finding.code or finding.concept, finding.code or finding.concept),
        direction=finding.direction,
        value=measurement(finding),
    )
    return _sentence_start(text)


def unexplained_sentence(disease: str, *key: object) -> str:
    """Say that the graph explains a disease by none of the patient's findings."""
    return _NO_SUPPORT[_pick(_NO_SUPPORT, *key)].format(d=disease)
