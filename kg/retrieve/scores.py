"""Scores of the candidates from a subgraph alone, without training."""

from __future__ import annotations

from kg.retrieve.paths import sums
from kg.types import PatientSubgraph


def candidate_scores(subgraph: PatientSubgraph) -> dict[str, float]:
    """Sum for each candidate that any path reaches the best path of each seed, damped and weighted by retrieval."""
    best = sums(subgraph.paths)
    return {candidate: round(sum(seeds.values()), 6) for candidate, seeds in sorted(best.items())}


def edge_count(subgraph: PatientSubgraph) -> dict[str, float]:
    """Count for each candidate the findings that are linked to it, each by its strongest statements.

    The counter baseline (Wang et al., ICLR 2022): no seed weight, no decay, no damping; a link counts the product of
    its statements' weights, and a finding counts once.
    """
    weights = {edge.statement: edge.weight for edge in subgraph.edges}
    best: dict[tuple[str, str], float] = {}
    for path in subgraph.paths:
        if path.meta_path == "underlying":
            continue
        count = 1.0
        for statement in path.statements:
            count *= weights.get(statement, 0.0)
        place = (path.candidate, path.seed)
        best[place] = max(count, best.get(place, 0.0))
    totals: dict[str, float] = {}
    for (candidate, _), count in sorted(best.items()):
        totals[candidate] = totals.get(candidate, 0.0) + count
    return {candidate: round(total, 6) for candidate, total in totals.items()}
