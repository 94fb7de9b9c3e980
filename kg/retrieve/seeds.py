"""What retrieval starts from: a patient's findings, one seed a concept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kg.retrieve.core import Core
from kg.types import Finding, Seed
from kg.vocabulary import Category

MODES = ("all", "labs")
LAB_ORIGINS = frozenset(("lab", "vital"))
_REPEAT = 0.1
_BASE = 0.4
"""Share of a seed's weight that does not depend on how specific its term is."""
STATE_WEIGHTS = {"present": 1.0, "historical": 0.5, "family": 0.3, "denied": 0.0}
_ORDER = ("present", "historical", "family", "denied")


@dataclass(frozen=True, slots=True)
class Start:
    """A seed with the directions in which its concept was measured (where it is a series)."""

    seed: Seed
    directions: frozenset[str]


def state_of(finding: Finding) -> str | None:
    """Give a finding's state as a seed; None where it is only possible.

    >>> state_of(Finding("1", "HP:0001945", "note", negated=True))
    'denied'
    """
    if finding.hypothetical:
        return None
    if finding.family:
        return None if finding.negated else "family"
    if finding.negated:
        return "denied"
    return "historical" if finding.historical else "present"


def seeds_of(findings: Iterable[Finding], mode: str, core: Core) -> list[Start]:
    """Gather findings into seeds, the heaviest first.

    A concept that is present in one place and denied in another is present. The weight grows a little with repetition
    and with the term's information content.
    """
    by_concept: dict[str, list[tuple[str, Finding]]] = {}
    for finding in findings:
        state = state_of(finding)
        if state is None or finding.concept not in core.place:
            continue
        if mode == "labs" and finding.origin not in LAB_ORIGINS:
            continue
        by_concept.setdefault(finding.concept, []).append((state, finding))
    starts = [_start(concept, by_concept[concept], core) for concept in sorted(by_concept)]
    return sorted(starts, key=lambda start: (-start.seed.weight, start.seed.concept))


def _start(concept: str, found: list[tuple[str, Finding]], core: Core) -> Start:
    state = min((state for state, _ in found), key=_ORDER.index)
    counted = [finding for other, finding in found if other == state]
    strongest = max(finding.weight for finding in counted)
    weight = min(1.0, strongest * (1 + _REPEAT * (len(counted) - 1)))
    place = core.place[concept]
    if core.categories[place] is Category.PHENOTYPE:
        weight *= _BASE + (1 - _BASE) * float(core.information[place])
    seed = Seed(
        concept=concept,
        weight=round(weight * STATE_WEIGHTS[state], 6),
        origins=tuple(sorted({finding.origin for finding in counted})),
        state=state,
    )
    directions = frozenset(f.direction for f in counted if f.direction and f.code == concept)
    return Start(seed, directions)


def measured_directions(findings: Iterable[Finding]) -> Mapping[str, set[str]]:
    """Give the directions in which each series was abnormal."""
    directions: dict[str, set[str]] = {}
    for finding in findings:
        if finding.code and finding.direction and finding.present:
            directions.setdefault(finding.code, set()).add(finding.direction)
    return directions
