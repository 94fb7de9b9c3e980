"""Which of a patient's findings speak for a disease, by the relations of the patient's subgraph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kg.types import EvidencePath, Finding, PatientSubgraph
from kg.vocabulary import Category, Predicate

_DIRECTION = {
    Predicate.HAS_HIGH_MEASUREMENT: "high",
    Predicate.HIGH_INDICATES: "high",
    Predicate.HAS_LOW_MEASUREMENT: "low",
    Predicate.LOW_INDICATES: "low",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One statement walked from ``source`` to ``target``; ``forward`` where the statement's subject is the source."""

    source: str
    target: str
    predicate: Predicate
    statement: str
    weight: float
    forward: bool

    @property
    def against_meaning(self) -> bool:
        """True where the step reads a relation backwards that says nothing that way (treats, predisposes to)."""
        return not self.forward and self.predicate in (Predicate.TREATS, Predicate.PREDISPOSES_TO)


@dataclass(frozen=True, slots=True)
class Support:
    """A finding that speaks for a disease.

    Attributes:
        finding: of this patient.
        disease: phenotype id.
        kind: ``sign`` (the disease shows it), ``risk`` (it makes the disease likelier), ``treatment`` (it treats the
            disease), ``cause`` (the disease is its complication), ``underlying`` (it speaks for another disease,
            ``through``, of which this one is a complication), ``same`` (it names the disease).
        steps: from the finding's concept to the disease.
        score: larger is stronger; comparable within one subgraph.
    """

    finding: Finding
    disease: str
    kind: str
    steps: tuple[Step, ...]
    score: float
    through: str | None = None

    @property
    def statements(self) -> tuple[str, ...]:
        """Ids of the statements walked."""
        return tuple(step.statement for step in self.steps)


def part_of(finding: Finding) -> str:
    """Give the part of a rationale in which a finding may stand: ``lab`` for labs and vitals, else ``note``."""
    return "lab" if finding.origin in ("lab", "vital") else "note"


def can_support(finding: Finding) -> bool:
    """Say whether a finding may speak for a disease: present now, or in the patient's or family's history."""
    return not (finding.negated or finding.hypothetical)


def _kind(steps: Sequence[Step], categories: Mapping[str, Category]) -> tuple[str, str | None]:
    """Say what a path means, by its most telling relation, and through which other disease it goes."""
    last = steps[-1]
    if last.predicate is Predicate.HAS_COMPLICATION and last.forward:
        through_disease = len(steps) > 1 and categories.get(last.source) is Category.DISEASE
        return ("underlying", last.source) if through_disease else ("cause", None)
    predicates = {step.predicate for step in steps}
    if Predicate.TREATS in predicates:
        return "treatment", None
    if Predicate.PREDISPOSES_TO in predicates:
        return "risk", None
    if predicates <= {Predicate.CLOSE_MATCH, Predicate.SUBCLASS_OF}:
        return "same", None
    return "sign", None


class SupportIndex:
    """Supports of one patient's findings for the candidate diseases, by the retrieval's typed paths.

    What may speak for a disease is the retrieval's to say (`kg.retrieve`); this adds what may be said of it: denied and
    possible findings support nothing, past ones only as risk, cause or the disease itself, a family's only as risk, and
    a high value never what lowers it.
    """

    def __init__(self, subgraph: PatientSubgraph, findings: Iterable[Finding]) -> None:
        self._categories = dict(zip(subgraph.nodes, subgraph.categories, strict=True))
        self._steps: dict[tuple[str, str, str], Step] = {}
        for edge in subgraph.edges:
            source, target = subgraph.nodes[edge.source], subgraph.nodes[edge.target]
            for one, other, forward in ((source, target, True), (target, source, False)):
                step = Step(one, other, edge.predicate, edge.statement, edge.weight, forward)
                self._steps[one, other, edge.statement] = step
        by_anchor: dict[str, list[Finding]] = {}
        for finding in sorted(findings, key=_finding_order):
            if can_support(finding):
                for anchor in _anchors(finding):
                    by_anchor.setdefault(anchor, []).append(finding)
        self._best: dict[str, dict[str, Support]] = {}
        for path in sorted(subgraph.paths, key=lambda p: (-p.score, p.meta_path, p.statements)):
            for finding in by_anchor.get(path.seed, ()):
                self._add(path, finding)

    def _add(self, path: EvidencePath, finding: Finding) -> None:
        """Take over a path whose steps all stand in the subgraph and fit the finding."""
        steps = [
            self._steps.get((source, target, statement))
            for (source, target), statement in zip(pairwise(path.nodes), path.statements, strict=False)
        ]
        walked = tuple(step for step in steps if step is not None)
        if not walked or len(walked) < len(steps) or walked[-1].target != path.candidate:
            return
        directions = {_DIRECTION[step.predicate] for step in walked if step.predicate in _DIRECTION}
        if any(step.against_meaning for step in walked) or (finding.direction and directions - {finding.direction}):
            return
        kind, through = _kind(walked, self._categories)
        self._keep(Support(finding, path.candidate, kind, walked, path.score, through))

    def _keep(self, support: Support) -> None:
        finding = support.finding
        if not finding.present and support.kind not in ("risk", "same", "cause"):
            return
        if finding.family and support.kind != "risk":
            return
        key = f"{part_of(finding)}\t{finding.concept}"
        known = self._best.setdefault(support.disease, {}).get(key)
        if known is None or (finding.present, support.score) > (known.finding.present, known.score):
            self._best[support.disease][key] = support

    def of(self, disease: str, part: str | None = None, weights: Mapping[str, float] | None = None) -> list[Support]:
        """Give the supports of a disease, one a finding's concept and part.

        Args:
            disease: phenotype id.
            part: ``note`` or ``lab`` alone.
            weights: attention by concept; attended findings then stand first, heaviest first.

        Returns:
            Strongest first; equal ones in the order of their concepts' ids.
        """
        found = (s for s in self._best.get(disease, {}).values() if part is None or part_of(s.finding) == part)
        ranked = sorted(found, key=lambda s: (-s.score, s.finding.concept, s.finding.origin))
        if weights:
            ranked.sort(key=lambda support: -weights.get(support.finding.concept, 0.0))
        return ranked


def _anchors(finding: Finding) -> tuple[str, ...]:
    """Give the concepts at which a finding enters the graph: its own, and the series that it was measured by."""
    return (finding.concept,) if finding.code in (None, finding.concept) else (finding.concept, finding.code or "")


def _finding_order(finding: Finding) -> tuple[str, bool, float, float, int]:
    """Sort present before historical, heavy before light, early before late."""
    hours = finding.hours if finding.hours is not None else 0.0
    return (finding.concept, not finding.present, -finding.weight, hours, finding.start or 0)
