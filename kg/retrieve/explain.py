"""A subgraph's evidence as rows that a person can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import polars as pl

from kg.retrieve.scores import candidate_scores
from kg.types import EvidencePath, PatientSubgraph
from kg.vocabulary import Category

if TYPE_CHECKING:
    from kg.bundle import Bundle

Row = dict[str, str | float | int]
_SHOWN = 6
"""Statements named for a node that only the walk brought."""


def sources_of(bundle: Bundle, statements: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Give the sources of each statement; one that no bundle holds (a rewired one) has none."""
    rows = bundle.statements.filter(pl.col("id").is_in(sorted(set(statements)))).select("id", "sources").collect()
    return {identifier: tuple(sources) for identifier, sources in rows.iter_rows()}


def ranked_candidates(subgraph: PatientSubgraph) -> dict[str, int]:
    """Give the rank (1 is best) of each candidate that a path reaches."""
    totals = candidate_scores(subgraph)
    order = sorted(totals, key=lambda candidate: (-totals[candidate], candidate))
    return {candidate: place + 1 for place, candidate in enumerate(order)}


def explain(subgraph: PatientSubgraph, bundle: Bundle) -> list[Row]:
    """Say which findings speak for which candidate, by which statements of which sources.

    Returns:
        One row a path: ``rank`` and ``score`` of the candidate, ``candidate``, ``name``, ``finding``, ``state``,
        ``origins``, ``meta_path``, ``path`` (names from finding to candidate), ``strength`` of the path,
        ``statements``, ``sources``; strongest candidate first.
    """
    sources = sources_of(bundle, (statement for path in subgraph.paths for statement in path.statements))
    totals = candidate_scores(subgraph)
    rank = ranked_candidates(subgraph)
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
                "sources": _together(path.statements, sources),
            }
        )
    return found


def explain_nodes(subgraph: PatientSubgraph, bundle: Bundle) -> list[Row]:
    """Say of every node why it is there.

    Returns:
        One row a node, in the subgraph's order of importance: ``node``, ``name``, ``category``, ``why`` (``candidate``,
        ``finding``, ``on a path``, ``walk``), ``rank`` and ``score`` among the nodes that are there for the same reason
        (of a candidate that nothing reaches 0), ``from`` (state and origins of a finding), ``path`` (the strongest one
        through the node), ``meta_path``, ``statements`` (of that path; of a node that the walk brought, those that tie
        it to the rest), ``sources``.
    """
    best: dict[str, EvidencePath] = {}
    for path in sorted(subgraph.paths, key=lambda p: (-p.score, p.candidate, p.seed, p.meta_path)):
        for node in path.nodes:
            best.setdefault(node, path)
    ties: dict[str, list[str]] = {}
    for edge in sorted(subgraph.edges, key=lambda e: (-e.weight, e.statement)):
        for end in (edge.source, edge.target):
            ties.setdefault(subgraph.nodes[end], []).append(edge.statement)
    seeds = {seed.concept: seed for seed in subgraph.seeds}
    named = {statement for path in best.values() for statement in path.statements}
    sources = sources_of(bundle, named | {s for told in ties.values() for s in told[:_SHOWN]})
    ranks = ranked_candidates(subgraph)
    scores = dict(zip(subgraph.nodes, subgraph.scores, strict=True))
    counts: dict[str, int] = {}
    rows: list[Row] = []
    for node, category in sorted(
        zip(subgraph.nodes, subgraph.categories, strict=True), key=lambda pair: (-scores[pair[0]], pair[0])
    ):
        why = reason(node, category, seeds, best)
        counts[why] = counts.get(why, 0) + 1
        path_ = best.get(node)
        statements = path_.statements if path_ else tuple(ties.get(node, ())[:_SHOWN]) if why == "walk" else ()
        seed = seeds.get(node)
        rows.append(
            {
                "node": node,
                "name": bundle.name(node),
                "category": category.label,
                "why": why,
                "rank": ranks.get(node, 0) if why == "candidate" else counts[why],
                "score": scores[node],
                "from": f"{seed.state}, {'/'.join(seed.origins)}, {seed.weight:.2f}" if seed else "",
                "path": " > ".join(bundle.name(one) for one in path_.nodes) if path_ else "",
                "meta_path": path_.meta_path if path_ else "",
                "statements": ", ".join(statements),
                "sources": _together(statements, sources),
            }
        )
    order = ("candidate", "finding", "on a path", "walk")
    return sorted(rows, key=lambda row: (order.index(str(row["why"])), row["rank"] or 99, row["node"]))


def reason(node: str, category: Category, seeds: Mapping[str, object], best: Mapping[str, EvidencePath]) -> str:
    """Say why a node is in a subgraph; the first reason that holds."""
    if category is Category.DISEASE:
        return "candidate"
    if node in seeds:
        return "finding"
    return "on a path" if node in best else "walk"


def _together(statements: Iterable[str], sources: Mapping[str, tuple[str, ...]]) -> str:
    return ", ".join(sorted({source for one in statements for source in sources.get(one, ())}))
