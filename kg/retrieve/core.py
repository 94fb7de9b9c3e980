"""The part of the graph that retrieval walks: everything but rare diseases, genes and classification codes.

Rare diseases and codes tell how specific a finding is (information content) and nothing more: a patient's subgraph is
about the candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kg.retrieve.evidence import Triple
from kg.retrieve.pagerank import transition
from kg.retrieve.rewiring import rewire_triples
from kg.retrieve.snapshot import CATEGORIES, PREDICATES, Snapshot, pointers
from kg.vocabulary import Category, Predicate

_WALKED = {
    Predicate.SUBCLASS_OF: 0.5,
    Predicate.HAS_PHENOTYPE: 1.0,
    Predicate.PREDISPOSES_TO: 1.0,
    Predicate.TREATS: 1.0,
    Predicate.CLOSE_MATCH: 1.0,
    Predicate.HAS_COMPLICATION: 0.7,
    Predicate.HAS_HIGH_MEASUREMENT: 1.0,
    Predicate.HAS_LOW_MEASUREMENT: 1.0,
    Predicate.HIGH_INDICATES: 1.0,
    Predicate.LOW_INDICATES: 1.0,
    Predicate.DIFFERENTIAL_WITH: 0.0,
    Predicate.RELATED_TO: 0.0,
}
"""How readily a random walk takes each kind of relation; two that look alike are no evidence for each other."""
_HUB = 0.5
"""Exponent by which a concept's degree damps the walk into it."""
_KEPT = (Category.PHENOTYPE, Category.MEASUREMENT, Category.DRUG, Category.PROCEDURE, Category.EXPOSURE)
_PIECE = 500_000


@dataclass(frozen=True, slots=True)
class Core:
    """The walked concepts and statements, with local indices.

    Attributes:
        ids: CURIEs, sorted, length ``n``.
        place: index of each id.
        categories: length ``n``.
        information: information content in [0, 1], shape ``(n,)``.
        triples: the statements among them that a walk or a path may take; all of them where the graph is rewired.
        transposed, dangling: for personalised PageRank.
        candidates: ids of the candidate diseases, sorted, whether or not the bundle has them.
        snapshot: the whole graph.
        places: each concept's place in the snapshot, -1 where it has none, shape ``(n,)``.
        graph: whose statements are the edges of subgraphs: the snapshot, or the rewired statements.
        graph_places: each concept's place in ``graph``, -1 where it has none, shape ``(n,)``; ascending where it has.
    """

    ids: tuple[str, ...]
    place: Mapping[str, int]
    categories: tuple[Category, ...]
    information: NDArray[np.float64]
    triples: tuple[Triple, ...]
    transposed: sparse.csr_matrix
    dangling: NDArray[np.bool_]
    candidates: tuple[str, ...]
    snapshot: Snapshot
    places: NDArray[np.int64]
    graph: Snapshot
    graph_places: NDArray[np.int64]


def make_core(snapshot: Snapshot, candidates: Iterable[str], *, rewired_seed: int | None = None) -> Core:
    """Cut the walked part out of a snapshot.

    Args:
        snapshot: the whole graph.
        candidates: the candidate diseases.
        rewired_seed: where given, the statements are rewired first (see `rewire_triples`), a control for evaluation.
    """
    wanted = sorted(set(candidates))
    kept = snapshot.of_category(*_KEPT)
    keep = {name: at for at in kept.tolist() if not (name := snapshot.id(at)).startswith("ICD")}
    keep.update({name: at for name in wanted if (at := snapshot.place(name)) is not None})
    known = tuple(sorted(keep.keys() | set(wanted)))
    place = {identifier: index for index, identifier in enumerate(known)}
    places = np.array([keep.get(identifier, -1) for identifier in known], dtype=np.int64)
    names = {at: identifier for identifier, at in keep.items()}
    walked = None if rewired_seed is not None else [PREDICATES.index(p) for p, rate in _WALKED.items() if rate > 0]
    triples = _triples(snapshot, names, walked)
    graph, graph_places = snapshot, places
    if rewired_seed is not None:
        triples = rewire_triples(triples, rewired_seed)
        graph, graph_places = _as_snapshot(triples, known, place), np.arange(len(known), dtype=np.int64)
    transposed, dangling = transition(_adjacency(triples, place))
    return Core(
        ids=known,
        place=place,
        categories=tuple(CATEGORIES[int(snapshot.categories[p])] if p >= 0 else Category.DISEASE for p in places),
        information=np.array([float(snapshot.information[p]) if p >= 0 else 1.0 for p in places]),
        triples=tuple(triples),
        transposed=transposed,
        dangling=dangling,
        candidates=tuple(wanted),
        snapshot=snapshot,
        places=places,
        graph=graph,
        graph_places=graph_places,
    )


def _triples(snapshot: Snapshot, names: Mapping[int, str], predicates: list[int] | None) -> list[Triple]:
    """Give the statements among the concepts of ``names``, of these predicates or of all, in the snapshot's order."""
    inside = np.zeros(len(snapshot), dtype=np.bool_)
    inside[list(names)] = True
    found = []
    for begin in range(0, len(snapshot.targets), _PIECE):  # in pieces, so that nothing as long as the graph is made
        piece = slice(begin, begin + _PIECE)
        good = inside[snapshot.targets[piece]]
        if predicates is not None:
            good &= np.isin(snapshot.predicates[piece], predicates)
        edges = np.flatnonzero(good) + begin
        subjects = snapshot.subjects(edges)
        for edge, subject in zip(edges.tolist(), subjects.tolist(), strict=True):
            if inside[subject]:
                found.append(
                    Triple(
                        names[subject],
                        PREDICATES[snapshot.predicates[edge]],
                        names[int(snapshot.targets[edge])],
                        float(snapshot.weights[edge]),
                        snapshot.statements[edge].decode(),
                    )
                )
    return found


def _as_snapshot(triples: Sequence[Triple], ids: Sequence[str], place: Mapping[str, int]) -> Snapshot:
    """Lay statements out as a snapshot; those of one subject keep their order."""
    triples = sorted(triples, key=lambda t: place[t.subject])
    encoded = [identifier.encode() for identifier in ids]
    targets = np.array([place[t.object] for t in triples], dtype=np.int32)
    return Snapshot(
        id_bytes=np.frombuffer(b"".join(encoded), dtype=np.uint8),
        id_ends=np.concatenate([[0], np.cumsum([len(one) for one in encoded])]).astype(np.int64),
        categories=np.zeros(len(ids), dtype=np.int8),
        indptr=pointers(np.array([place[t.subject] for t in triples], dtype=np.int64), len(ids)),
        targets=targets,
        predicates=np.array([PREDICATES.index(t.predicate) for t in triples], dtype=np.int8),
        weights=np.array([t.weight for t in triples], dtype=np.float64),
        statements=np.array([t.statement for t in triples], dtype=np.bytes_),
        incoming_indptr=pointers(targets, len(ids)),
        incoming=np.argsort(targets, kind="stable").astype(np.int32),
        information=np.ones(len(ids)),
    )


def _adjacency(triples: Iterable[Triple], place: Mapping[str, int]) -> sparse.csr_matrix:
    """Symmetric weights, damped where they lead into hubs."""
    n = len(place)
    rows, columns, values = [], [], []
    for triple in triples:
        weight = _WALKED.get(triple.predicate, 0.0) * triple.weight
        if weight > 0:
            rows.append(place[triple.subject])
            columns.append(place[triple.object])
            values.append(weight)
    half = sparse.csr_matrix((values, (rows, columns)), shape=(n, n), dtype=np.float64)
    both = (half + half.T).tocsr()
    degree = np.asarray(both.sum(axis=1)).ravel()
    damp = sparse.diags(np.where(degree > 0, np.maximum(degree, 1e-12) ** -_HUB, 0.0))
    return sparse.csr_matrix(both @ damp)
