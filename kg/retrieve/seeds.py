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

    @property
    def order(self) -> tuple[float, str]:
        """Sort key: the heaviest first."""
        return -self.seed.weight, self.seed.concept


def state_of(finding: Finding) -> str | None:
    """Give a finding's state as a seed; None where it is only possible.

    >>> state_of(Finding("1", "HP:0001945", "note", negated=True))
    'denied'
    """
    if finding.hypothetical:
        return None
    if finding.family:
        return None if finding.negated else "family"
    return "denied" if finding.negated else "historical" if finding.historical else "present"


Item = tuple[str, str, float, str | None]
"""State, origin, weight and direction (where the concept is the series itself) of a finding."""
Items = tuple[Item, ...]


def seeds_of(findings: Iterable[Finding], mode: str, core: Core) -> list[Start]:
    """Gather findings into seeds, the heaviest first.

    A concept that is present in one place and denied in another is present. The weight grows a little with repetition
    and with the term's information content.
    """
    groups = in_mode(gathered(findings, core), mode)
    return sorted([start_of(concept, items, core) for concept, items in groups], key=lambda start: start.order)


def gathered(findings: Iterable[Finding], core: Core) -> dict[str, list[Item]]:
    """Group the findings that may be seeds by concept."""
    every: dict[str, list[Item]] = {}
    place = core.place
    for finding in findings:
        concept = finding.concept
        if concept not in place:
            continue
        state = state_of(finding)
        if state is None:
            continue
        direction = (finding.direction or None) if finding.code == concept else None
        item = (state, finding.origin, finding.weight, direction)
        held = every.get(concept)
        if held is None:
            every[concept] = [item]
        else:
            held.append(item)
    return every


def in_mode(groups: Mapping[str, list[Item]], mode: str) -> list[tuple[str, Items]]:
    """Give the groups, or what of them is from labs and vital signs."""
    if mode == "all":
        return [(concept, tuple(items)) for concept, items in groups.items()]
    labs = [(concept, tuple([item for item in items if item[1] in LAB_ORIGINS])) for concept, items in groups.items()]
    return [group for group in labs if group[1]]


def start_of(concept: str, found: Items, core: Core) -> Start:
    """Make a seed of the findings of one concept."""
    state = min((item[0] for item in found), key=_ORDER.index)
    counted = [item for item in found if item[0] == state]
    strongest = max(weight for _, _, weight, _ in counted)
    weight = min(1.0, strongest * (1 + _REPEAT * (len(counted) - 1)))
    place = core.place[concept]
    if core.categories[place] is Category.PHENOTYPE:
        weight *= _BASE + (1 - _BASE) * float(core.information[place])
    seed = Seed(
        concept=concept,
        weight=round(weight * STATE_WEIGHTS[state], 6),
        origins=tuple(sorted({origin for _, origin, _, _ in counted})),
        state=state,
    )
    return Start(seed, frozenset(direction for _, _, _, direction in counted if direction))


def measured_directions(findings: Iterable[Finding], mode: str) -> dict[str, set[str]]:
    """Give the directions in which each series was abnormal."""
    directions: dict[str, set[str]] = {}
    for finding in findings:
        code, direction = finding.code, finding.direction
        if code and direction and finding.present and (mode == "all" or finding.origin in LAB_ORIGINS):
            directions.setdefault(code, set()).add(direction)
    return directions
