"""Controls for evaluation: a subgraph that keeps its shape and loses its meaning, and another patient's subgraph.

The graph as a whole is rewired by `kg.retrieve.Retriever` with ``rewired_seed``; that is the main control.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ehr.errors import InputError
from kg.retrieve.evidence import MEASURES, EvidenceIndex, Triple
from kg.retrieve.path_store import PathStore
from kg.retrieve.path_table import all_paths, best_paths, evidence_of
from kg.retrieve.rewiring import permuted_objects
from kg.retrieve.roster import Labels
from kg.retrieve.seeds import Start
from kg.types import Edge, PatientSubgraph, statement_id
from kg.vocabulary import Category


def rewire(subgraph: PatientSubgraph, seed: int) -> PatientSubgraph:
    """Permute the targets of edges within each predicate and pair of categories.

    Nodes, seeds, and each node's in- and out-degree by predicate stay. The new statements' ids start with ``R``, the
    paths are found anew on the rewired edges, and the candidates' scores follow them.
    """
    generator = np.random.default_rng(seed)
    groups: dict[tuple[str, str, str], list[int]] = {}
    for index, edge in enumerate(subgraph.edges):
        ends = (subgraph.categories[edge.source].value, subgraph.categories[edge.target].value)
        groups.setdefault((edge.predicate.value, *ends), []).append(index)
    edges = list(subgraph.edges)
    for key in sorted(groups):
        members = groups[key]
        sources = [subgraph.nodes[edges[i].source] for i in members]
        targets = permuted_objects(sources, [subgraph.nodes[edges[i].target] for i in members], generator)
        place = {node: index for index, node in enumerate(subgraph.nodes)}
        for index, source, target in zip(members, sources, targets, strict=True):
            edge = edges[index]
            identifier = "R" + statement_id(source, edge.predicate, target, False)[1:]
            edges[index] = Edge(edge.source, place[target], edge.predicate, identifier, edge.weight)
    edges.sort(key=lambda e: (e.source, e.target, e.predicate.value, e.statement))
    return _with_paths(replace(subgraph, edges=tuple(edges)))


def _with_paths(subgraph: PatientSubgraph) -> PatientSubgraph:
    """Find paths and candidates' scores anew from a subgraph's edges."""
    nodes = subgraph.nodes
    triples = [Triple(nodes[e.source], e.predicate, nodes[e.target], e.weight, e.statement) for e in subgraph.edges]
    candidates = [n for n, c in zip(nodes, subgraph.categories, strict=True) if c is Category.DISEASE]
    directions: dict[str, set[str]] = {}
    for triple in triples:
        if triple.predicate in MEASURES:
            directions.setdefault(triple.object, set()).add(MEASURES[triple.predicate])
    starts = [Start(seed, frozenset(directions.get(seed.concept, ()))) for seed in subgraph.seeds]
    ids = sorted(nodes)
    places = {node: at for at, node in enumerate(ids)}
    store = PathStore(EvidenceIndex(triples, candidates), ids, places, sorted(candidates), Labels())
    entries = np.array([store.entry(start) for start in starts], dtype=np.int64)
    found = best_paths(all_paths(store, 1, np.zeros_like(entries), entries), store)
    evidence = dict(zip(store.candidates, evidence_of(found, store, 1)[0].tolist(), strict=True))
    scores = tuple(evidence.get(node, score) for node, score in zip(nodes, subgraph.scores, strict=True))
    paths = store.objects(found.template.tolist(), found.score.tolist())
    return replace(subgraph, paths=tuple(paths), scores=scores)


def other_patient(subgraphs: Mapping[str, PatientSubgraph], seed: int) -> dict[str, PatientSubgraph]:
    """Give each admission the subgraph of another; none keeps its own.

    Raises:
        InputError: for fewer than two admissions.
    """
    if len(subgraphs) < 2:
        raise InputError(f"{len(subgraphs)} admissions cannot exchange their subgraphs", remedy="give two or more")
    ids = sorted(subgraphs)
    order = [ids[i] for i in np.random.default_rng(seed).permutation(len(ids))]
    givers = dict(zip(order, order[1:] + order[:1], strict=True))
    return {receiver: replace(subgraphs[givers[receiver]], admission_id=receiver) for receiver in ids}
