"""A subgraph's evidence as rows that a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from kg.retrieve.scores import candidate_scores
from kg.types import PatientSubgraph

if TYPE_CHECKING:
    from kg.bundle import Bundle

Row = dict[str, str | float | int]


def explain(subgraph: PatientSubgraph, bundle: Bundle) -> list[Row]:
    """Say which findings speak for which candidate, by which statements of which sources.

    Returns:
        One row a path: ``rank`` and ``score`` of the candidate, ``candidate``, ``name``, ``finding``, ``state``,
        ``origins``, ``meta_path``, ``path`` (names from finding to candidate), ``strength`` of the path,
        ``statements``, ``sources``; strongest candidate first.
    """
    wanted = sorted({statement for path in subgraph.paths for statement in path.statements})
    rows = bundle.statements.filter(pl.col("id").is_in(wanted)).select("id", "sources").collect()
    sources = dict(rows.iter_rows())
    totals = candidate_scores(subgraph)
    order = sorted(totals, key=lambda c: (-totals[c], c))
    rank = {candidate: place + 1 for place, candidate in enumerate(order)}
    seeds = {seed.concept: seed for seed in subgraph.seeds}
    found: list[Row] = []
    for path in sorted(subgraph.paths, key=lambda p: (rank[p.candidate], -p.score, p.seed, p.meta_path)):
        seed = seeds[path.seed]
        found.append(
            {
                "rank": rank[path.candidate],
                "score": totals[path.candidate],
                "candidate": path.candidate,
                "name": bundle.name(path.candidate),
                "finding": bundle.name(path.seed),
                "state": seed.state,
                "origins": ", ".join(seed.origins),
                "meta_path": path.meta_path,
                "path": " > ".join(bundle.name(node) for node in path.nodes),
                "strength": path.score,
                "statements": ", ".join(path.statements),
                "sources": ", ".join(sorted({s for i in path.statements for s in sources.get(i, ())})),
            }
        )
    return found
