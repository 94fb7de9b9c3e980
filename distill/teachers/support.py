"""Which of a patient's findings speak for a disease, by the relations of the patient's subgraph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from kg.types import EvidencePath, Finding, PatientSubgraph
from kg.vocabulary import Category, Predicate

MAX_HOPS = 3
HOP_DAMPING = 0.5
"""A relation that needs one more step counts half."""

_DIRECTION = {
    Predicate.HAS_HIGH_MEASUREMENT: "high",
    Predicate.HIGH_INDICATES: "high",
    Predicate.HAS_LOW_MEASUREMENT: "low",
    Predicate.LOW_INDICATES: "low",
}
_NEVER = {Predicate.DIFFERENTIAL_WITH}
"""A differential diagnosis says that two diseases look alike, not that one speaks for the other."""


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
            disease), ``cause`` (the disease is its complication), ``same`` (it names the disease).
        steps: from the finding's concept to the disease.
        score: larger is stronger; comparable within one subgraph.
    """

    finding: Finding
    disease: str
    kind: str
    steps: tuple[Step, ...]
    score: float

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


def _kind(steps: Sequence[Step]) -> str:
    """Say what a walk means, by its most telling relation."""
    predicates = {step.predicate for step in steps}
    if Predicate.TREATS in predicates:
        return "treatment"
    if Predicate.PREDISPOSES_TO in predicates:
        return "risk"
    if any(step.predicate is Predicate.HAS_COMPLICATION and step.forward for step in steps):
        return "cause"
    if predicates <= {Predicate.CLOSE_MATCH, Predicate.SUBCLASS_OF}:
        return "same"
    return "sign"


class SupportIndex:
    """Supports of one patient's findings for any disease of the subgraph.

    The retrieval's own paths come first. For a finding that has none to a disease, walks of at most three statements
    are searched; such a walk's score is the finding's weight times the statements' weights, halved with each further
    step, and only phenotypic features, measurements and the like lie on it, never another disease.
    """

    def __init__(self, subgraph: PatientSubgraph, findings: Iterable[Finding]) -> None:
        self._category = dict(zip(subgraph.nodes, subgraph.categories, strict=True))
        self._steps: dict[str, list[Step]] = {}
        for edge in subgraph.edges:
            if edge.predicate in _NEVER:
                continue
            source, target = subgraph.nodes[edge.source], subgraph.nodes[edge.target]
            for one, other, forward in ((source, target, True), (target, source, False)):
                step = Step(one, other, edge.predicate, edge.statement, edge.weight, forward)
                self._steps.setdefault(one, []).append(step)
        for steps in self._steps.values():
            steps.sort(key=lambda s: (-s.weight, s.statement, s.target))
        self._paths: dict[tuple[str, str], float] = {}
        for path in subgraph.paths:
            key = (path.seed, path.candidate)
            self._paths[key] = max(path.score, self._paths.get(key, path.score))
        self._best: dict[str, dict[str, Support]] = {}
        useful = [finding for finding in sorted(findings, key=_finding_order) if can_support(finding)]
        by_anchor: dict[str, list[Finding]] = {}
        for finding in useful:
            for anchor in _anchors(finding):
                by_anchor.setdefault(anchor, []).append(finding)
        for path in sorted(subgraph.paths, key=lambda p: (-p.score, p.meta_path, p.statements)):
            self._add_path(path, by_anchor.get(path.seed, ()))
        for finding in useful:
            for walk in self._walks(finding):
                if any((anchor, walk[-1].target) in self._paths for anchor in _anchors(finding)):
                    continue
                score = finding.weight * HOP_DAMPING ** (len(walk) - 1)
                for step in walk:
                    score *= step.weight
                self._keep(Support(finding, walk[-1].target, _kind(walk), walk, score))

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

    def _walks(self, finding: Finding) -> Iterable[tuple[Step, ...]]:
        for anchor in _anchors(finding):
            yield from self._walks_from(anchor, finding.direction)

    def _walks_from(self, anchor: str, direction: str | None) -> Iterable[tuple[Step, ...]]:
        frontier: list[tuple[str | None, tuple[Step, ...]]] = [(direction, ())]
        for _ in range(MAX_HOPS):
            following: list[tuple[str | None, tuple[Step, ...]]] = []
            for told, walk in frontier:
                here = walk[-1].target if walk else anchor
                visited = {anchor, *(step.target for step in walk)}
                for step in self._steps.get(here, ()):
                    means = _DIRECTION.get(step.predicate)
                    if step.target in visited or step.against_meaning or (means and told not in (None, means)):
                        continue
                    longer = (*walk, step)
                    if self._category[step.target] is Category.DISEASE:
                        yield longer
                    elif _may_continue(step):
                        following.append((told or means, longer))
            frontier = following

    def _add_path(self, path: EvidencePath, findings: Sequence[Finding]) -> None:
        """Take over a path of the retrieval: typed, hubs damped."""
        steps = []
        for (source, target), statement in zip(pairwise(path.nodes), path.statements, strict=False):
            step = next(
                (s for s in self._steps.get(source, ()) if s.target == target and s.statement == statement), None
            )
            if step is None or step.against_meaning:
                return
            steps.append(step)
        if not steps or (steps[-1].target != path.candidate):
            return
        for finding in findings:
            if all(
                _DIRECTION.get(step.predicate) in (None, finding.direction or _DIRECTION.get(step.predicate))
                for step in steps
            ):
                self._keep(Support(finding, path.candidate, _kind(steps), tuple(steps), path.score))

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
        ranked = sorted(found, key=self._rank)
        if weights:
            ranked.sort(key=lambda support: -weights.get(support.finding.concept, 0.0))
        return ranked

    def _rank(self, support: Support) -> tuple[bool, float, str, str]:
        # What retrieval ranked by itself (typed, hubs damped) goes before what only the walk found.
        paths = (self._paths.get((anchor, support.disease)) for anchor in _anchors(support.finding))
        path = max((score for score in paths if score is not None), default=None)
        return (
            path is None,
            -(support.score if path is None else path),
            support.finding.concept,
            support.finding.origin,
        )


def _anchors(finding: Finding) -> tuple[str, ...]:
    """Give the concepts at which a finding enters the graph: its own, and the series that it was measured by."""
    return (finding.concept,) if finding.code in (None, finding.concept) else (finding.concept, finding.code or "")


def _may_continue(step: Step) -> bool:
    """Say whether a walk may go on after ``step``: to what a value means, to a broader term, or to the same thing."""
    if step.predicate is Predicate.SUBCLASS_OF:
        return step.forward
    return step.predicate in (Predicate.HIGH_INDICATES, Predicate.LOW_INDICATES, Predicate.CLOSE_MATCH)


def _finding_order(finding: Finding) -> tuple[str, bool, float, float, int]:
    """Sort present before historical, heavy before light, early before late."""
    hours = finding.hours if finding.hours is not None else 0.0
    return (finding.concept, not finding.present, -finding.weight, hours, finding.start or 0)
