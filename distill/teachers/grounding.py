"""Tie a plain sentence to the findings and relations that it speaks of, by the words in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from distill.rationale import named_diseases, normalise_name
from distill.teachers.graph import Case
from distill.teachers.support import SupportIndex
from distill.types import RationaleSentence
from kg.types import Finding


def speaks_of(words: str, finding: Finding, names: Mapping[str, str]) -> bool:
    """Say whether a sentence names a finding.

    Args:
        words: the sentence after `normalise_name`.
        finding: of the patient.
        names: concept id to name. A measured finding is named by its concept, or by its series and direction ("high
            creatinine", "creatinine was high").
    """
    padded = f" {words} "
    name = normalise_name(names.get(finding.concept, ""))
    if name and finding.concept != finding.code and f" {name} " in padded:
        return True
    series = normalise_name(names.get(finding.code or "", ""))
    if not series or finding.direction is None:
        return False
    direction = finding.direction
    return any(f" {told} " in padded for told in (f"{direction} {series}", f"{series} was {direction}"))


def ground(sentence: RationaleSentence, case: Case, index: SupportIndex) -> RationaleSentence | None:
    """Give a sentence the ids of the findings that it names and of the statements that lead to its disease.

    Args:
        sentence: its part, text and disease count; where it has no disease, the one that its text names alone.
        case: the admission.
        index: supports in its subgraph.

    Returns:
        None where the sentence names no disease of the case, or no finding that supports it.
    """
    disease = sentence.disease
    if disease is None:
        named = named_diseases(sentence.text, {d: case.names[d] for d in case.diseases})
        disease = named[0] if len(named) == 1 else None
    if disease is None:
        return None
    words = normalise_name(sentence.text)
    cited = [s for s in index.of(disease, sentence.part) if speaks_of(words, s.finding, case.names)]
    if not cited:
        return None
    return replace(
        sentence,
        findings=tuple(dict.fromkeys(s.finding.concept for s in cited)),
        statements=tuple(dict.fromkeys(statement for s in cited for statement in s.statements)),
        disease=disease,
    )
