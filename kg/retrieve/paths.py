"""A patient's evidence: typed paths from seeds to candidates, with scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kg.retrieve.evidence import UNDERLYING, EvidenceIndex, Template
from kg.retrieve.seeds import Start
from kg.types import EvidencePath

_STATE_FACTORS = {
    "historical": {"risk": 1.0, "complication": 0.6, "named": 0.4, "treatment": 1.0},
    "family": {"risk": 1.0},
}
"""What a past finding, or a relative's, may say; by meta-path, on top of the seed's own lower weight."""
MAX_PATHS = 24
"""Paths kept for each candidate."""
_EACH = 2
"""Paths kept for each seed and candidate."""
_HELD = 4_000
"""Seeds whose paths are kept for the next patient."""
_STRONG_SEEDS = 2
_STRONG_SHARE = 0.5


def _usable(start: Start, index: EvidenceIndex) -> list[tuple[Template, float]]:
    """Give the templates of a seed with their factors in its state."""
    seed = start.seed
    if seed.weight <= 0:
        return []
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


def evidence_paths(starts: Iterable[Start], index: EvidenceIndex) -> list[EvidencePath]:
    """Give all typed paths of a patient, best first.

    A path's score is the seed's weight times the template's factor, divided by the number of candidates that the
    seed speaks for (each counted by how strongly): a finding has one voice, and what fits everything says little.
    """
    paths: list[EvidencePath] = []
    for start in starts:
        paths.extend(_paths_of(start, index))
    paths.extend(_underlying(paths, index))
    return sorted(paths, key=_rank)


def _paths_of(start: Start, index: EvidenceIndex) -> tuple[EvidencePath, ...]:
    """Give one seed's paths; patients share them, as most seeds recur with the same state and weight."""
    seed = start.seed
    key = (seed.concept, seed.state, seed.weight, start.directions)
    held = index.paths.get(key)
    if held is not None:
        return held
    usable = _usable(start, index)
    strongest: dict[str, float] = {}
    for template, factor in usable:
        strongest[template.candidate] = max(factor, strongest.get(template.candidate, 0.0))
    weight = seed.weight / (sum(strongest.values()) / max(strongest.values())) if strongest else 0.0
    made = tuple(
        EvidencePath(t.candidate, seed.concept, t.meta_path, t.nodes, t.statements, round(weight * factor, 6))
        for t, factor in usable
    )
    if len(index.paths) >= _HELD:
        index.paths.clear()
    index.paths[key] = made
    return made


def _rank(path: EvidencePath) -> tuple[float, str, str, str]:
    return (-path.score, path.candidate, path.seed, path.meta_path)


def sums(paths: Iterable[EvidencePath]) -> dict[str, dict[str, float]]:
    """Give the best score of each seed for each candidate: ``sums(paths)[candidate][seed]``."""
    best: dict[str, dict[str, float]] = {}
    for path in paths:
        seeds = best.setdefault(path.candidate, {})
        seeds[path.seed] = max(path.score, seeds.get(path.seed, 0.0))
    return best


def _underlying(paths: Sequence[EvidencePath], index: EvidenceIndex) -> Iterable[EvidencePath]:
    """Extend the best path of each strongly supported candidate to its complications."""
    by_candidate = sums(paths)
    totals = {candidate: sum(seeds.values()) for candidate, seeds in by_candidate.items()}
    if not totals:
        return
    enough = _STRONG_SHARE * max(totals.values())
    best: dict[str, EvidencePath] = {}
    for path in sorted(paths, key=_rank):
        best.setdefault(path.candidate, path)
    for cause in sorted(totals):
        if totals[cause] < enough or len(by_candidate[cause]) < _STRONG_SEEDS:
            continue
        path = best[cause]
        for link in index.complications.get(cause, ()):
            if link.other not in path.nodes:
                yield EvidencePath(
                    link.other,
                    path.seed,
                    "underlying",
                    (*path.nodes, link.other),
                    (*path.statements, link.statement),
                    round(path.score * UNDERLYING * link.weight, 6),
                )


def best_paths(paths: Iterable[EvidencePath]) -> list[EvidencePath]:
    """Keep the first two of each seed and candidate, and the first `MAX_PATHS` of each candidate; the order stays."""
    counts: dict[str, int] = {}
    pairs: dict[tuple[str, str], int] = {}
    kept = []
    for path in paths:
        pair = (path.seed, path.candidate)
        if counts.get(path.candidate, 0) < MAX_PATHS and pairs.get(pair, 0) < _EACH:
            counts[path.candidate] = counts.get(path.candidate, 0) + 1
            pairs[pair] = pairs.get(pair, 0) + 1
            kept.append(path)
    return kept


def evidence_score(paths: Iterable[EvidencePath]) -> dict[str, float]:
    """Give each reached candidate's evidence ``s`` as a node score in [0, 1): ``s / (1 + s)``."""
    totals = {candidate: sum(seeds.values()) for candidate, seeds in sums(paths).items()}
    return {candidate: round(total / (1 + total), 6) for candidate, total in totals.items()}
