"""The offline teacher: reasons straight from the patient's subgraph, given the known diagnoses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from distill.teachers.sentences import lab_sentence, note_sentence, unexplained_sentence
from distill.teachers.support import Support, SupportIndex
from distill.types import Rationale, RationaleSentence
from kg.types import Finding, PatientSubgraph

MAX_FINDINGS = 2
"""Findings a sentence; more do not fit into a small model's target."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a teacher is given of one admission.

    Attributes:
        diseases: the phenotype ids that are known (labels when teaching, predictions when explaining), in order.
        findings: the patient's findings.
        subgraph: mode ``all``.
        names: names of concepts, series and diseases by id.
        notes: section to text; only teachers that are allowed to read notes are given any.
        weights: by disease, what a student attended to, by concept; such findings are cited first.
    """

    admission_id: str
    diseases: tuple[str, ...]
    findings: Sequence[Finding]
    subgraph: PatientSubgraph
    names: Mapping[str, str]
    notes: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


class GraphTeacher:
    """Writes for each disease one sentence from the note's findings and one from labs and vitals.

    Deterministic: the phrasing is drawn by a hash of seed, admission, disease and part.
    """

    name = "graph"

    def __init__(self, *, seed: int = 0, max_findings: int = MAX_FINDINGS, unexplained: bool = True) -> None:
        self.seed, self.max_findings, self.unexplained = seed, max_findings, unexplained

    @property
    def settings(self) -> dict[str, object]:
        """What the output depends on, for the table's fingerprint."""
        return {"seed": self.seed, "max_findings": self.max_findings, "unexplained": self.unexplained}

    def explain(self, case: Case) -> Rationale:
        """Write the rationale of one admission."""
        index = SupportIndex(case.subgraph, case.findings)
        sentences: list[RationaleSentence] = []
        for disease in case.diseases:
            written = [
                sentence
                for part in ("note", "lab")
                if (sentence := self._sentence(case, index.of(disease, part, case.weights.get(disease)), disease, part))
                is not None
            ]
            if not written and self.unexplained:
                text = unexplained_sentence(case.names[disease], self.seed, case.admission_id, disease)
                written = [RationaleSentence(part="note", text=text, disease=disease)]
            sentences.extend(written)
        ordered = [s for part in ("note", "lab") for s in sentences if s.part == part]
        return Rationale(diseases=case.diseases, sentences=tuple(ordered))

    def _sentence(self, case: Case, supports: Sequence[Support], disease: str, part: str) -> RationaleSentence | None:
        if not supports:
            return None
        first = supports[0]
        alike = [s for s in supports if (s.kind, s.through) == (first.kind, first.through)]
        chosen = _distinct(alike, case.names)[: self.max_findings]
        write = note_sentence if part == "note" else lab_sentence
        text = write(chosen, case.names[disease], case.names, self.seed, case.admission_id, disease, part)
        return RationaleSentence(
            part=part,
            text=text,
            findings=tuple(dict.fromkeys(support.finding.concept for support in chosen)),
            statements=tuple(dict.fromkeys(statement for support in chosen for statement in support.statements)),
            disease=disease,
        )


def _distinct(supports: Sequence[Support], names: Mapping[str, str]) -> list[Support]:
    """Drop supports that would say the same again: one series once, no broader term beside its narrower one."""
    kept: list[Support] = []
    for support in supports:
        key = support.finding.code or names.get(support.finding.concept)
        passed = {step.target for other in kept for step in other.steps}
        through = {step.target for step in support.steps}
        if any((other.finding.code or names.get(other.finding.concept)) == key for other in kept):
            continue
        if support.finding.concept in passed or any(other.finding.concept in through for other in kept):
            continue
        kept.append(support)
    return kept
