"""The findings of a report: one row a concept and state, those first that the diagnosis attended to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from distill.teachers.sentences import describe_finding
from distill.types import DiseaseResult
from kg.types import Finding


@dataclass(frozen=True, slots=True)
class FindingItem:
    """One row of the table of findings."""

    concept: str
    anchor: str
    name: str
    told: str
    state: str
    places: tuple[str, ...]
    weight: float


def finding_state(finding: Finding) -> str:
    """Give ``present``, ``denied``, ``family``, ``history`` or ``possible``."""
    if finding.negated:
        return "denied"
    if finding.family:
        return "family"
    if finding.historical:
        return "history"
    return "possible" if finding.hypothetical else "present"


_STATES = ("present", "history", "family", "possible", "denied")


def finding_items(
    findings: Sequence[Finding], diseases: Sequence[DiseaseResult], names: Mapping[str, str]
) -> list[FindingItem]:
    """Give one row a concept and state, attended ones first within each state."""
    weights: dict[str, float] = {}
    for disease in diseases:
        for node in disease.nodes:
            weights[node.concept] = max(weights.get(node.concept, 0.0), node.weight)
    rows: dict[tuple[str, str], tuple[Finding, dict[str, None]]] = {}
    for finding in findings:
        place = (finding.section or finding.origin).replace("_", " ")
        rows.setdefault((finding.concept, finding_state(finding)), (finding, {}))[1][place] = None
    items = [
        FindingItem(
            concept,
            f"finding-{concept.replace(':', '-')}",
            names.get(concept, concept),
            describe_finding(finding, names) if finding.origin in ("lab", "vital") else "",
            state,
            tuple(places),
            weights.get(concept, 0.0),
        )
        for (concept, state), (finding, places) in rows.items()
    ]
    items.sort(key=lambda item: (_STATES.index(item.state), -item.weight, item.name.casefold(), item.concept))
    seen: set[str] = set()
    unique = []
    for item in items:
        # An id may stand once in a page; a concept that is both present and denied keeps its first row's.
        unique.append(item if item.anchor not in seen else _without_anchor(item))
        seen.add(item.anchor)
    return unique


def _without_anchor(item: FindingItem) -> FindingItem:
    return FindingItem(item.concept, "", item.name, item.told, item.state, item.places, item.weight)
