"""What a seed may say for a candidate, and whose voice counts how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from kg.retrieve.evidence import EvidenceIndex, Template
from kg.retrieve.seeds import Start
from kg.types import EvidencePath

_STATE_FACTORS = {
    "historical": {"risk": 1.0, "complication": 0.6, "named": 0.4, "treatment": 1.0},
    "family": {"risk": 1.0},
}
"""What a past finding, or a relative's, may say; by meta-path, on top of the seed's own lower weight."""


def usable(start: Start, index: EvidenceIndex) -> list[tuple[Template, float]]:
    """Give a seed's templates with their factors in its state, one for each candidate and meta-path, in that order."""
    seed = start.seed
    directions: Sequence[str | None] = sorted(start.directions) or [None]
    factors = _STATE_FACTORS.get(seed.state)
    found: dict[tuple[str, str], tuple[Template, float]] = {}
    for direction in directions:
        for template in index.templates(seed.concept, direction):
            factor = template.factor * (1.0 if factors is None else factors.get(template.meta_path, 0.0))
            place = (template.candidate, template.meta_path)
            if factor > 0 and (place not in found or factor > found[place][1]):
                found[place] = (template, factor)
    return [found[place] for place in sorted(found)]


def divisor(found: Iterable[tuple[Template, float]]) -> float:
    """Give the number of candidates that a seed speaks for, each counted by how strongly.

    A path's score is the seed's weight times the template's factor, divided by it: a finding has one voice, and what
    fits everything says little.
    """
    strongest: dict[str, float] = {}
    for template, factor in found:
        strongest[template.candidate] = max(factor, strongest.get(template.candidate, 0.0))
    return sum(strongest.values()) / max(strongest.values()) if strongest else 1.0


def sums(paths: Iterable[EvidencePath]) -> dict[str, dict[str, float]]:
    """Give the best score of each seed for each candidate: ``sums(paths)[candidate][seed]``."""
    best: dict[str, dict[str, float]] = {}
    for path in paths:
        seeds = best.setdefault(path.candidate, {})
        seeds[path.seed] = max(path.score, seeds.get(path.seed, 0.0))
    return best


def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round non-negative numbers to six digits, each as Python's `round` does.

    >>> rounded(np.array([0.1234565, 2 / 3])).tolist() == [round(0.1234565, 6), round(2 / 3, 6)]
    True
    """
    scaled = values * 1e6
    found: NDArray[np.float64] = np.rint(scaled) / 1e6
    # Scaling may carry a number across the middle between two roundings; elsewhere both agree.
    for at in np.flatnonzero(np.abs(scaled - np.floor(scaled) - 0.5) < 1e-6 + 1e-9 * scaled).tolist():
        found[at] = round(float(values[at]), 6)
    return found
