"""The part of the graph that retrieval walks: everything but rare diseases, genes and classification codes.

Rare diseases and codes tell how specific a finding is (information content) and nothing more: a patient's subgraph is
about the candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kg.retrieve.evidence import INDICATES, MEASURES, Triple
from kg.retrieve.pagerank import transition
from kg.retrieve.rewiring import rewire_triples
from kg.retrieve.snapshot import CATEGORIES, PREDICATES, Snapshot
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
_HELD = 50_000


class Step(NamedTuple):
    """A statement seen from its subject; ``measure`` is the (series, direction) that it speaks of, if any."""

    target: int
    predicate: Predicate
    statement: str
    weight: float
    measure: tuple[int, str] | None


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
        rewired: statements by subject's index where the graph is rewired, else None.
        held: statements that were read lately, by place in the snapshot.
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
    rewired: Mapping[int, list[Step]] | None = None
    held: dict[int, Step] = field(default_factory=dict)

    def steps_among(self, chosen: Sequence[int], known_among: int = 0) -> list[list[Step]]:
        """Give for each of the chosen concepts the statements about another of them, read from the snapshot.

        Args:
            chosen: different concepts.
            known_among: statements of which both ends are among the first so many are left out.
        """
        inside = set(chosen)
        if self.rewired is not None:
            head = set(chosen[:known_among])
            return [
                [s for s in self.rewired.get(n, ()) if s.target in inside and not (n in head and s.target in head)]
                for n in chosen
            ]
        found: dict[int, list[Step]] = {node: [] for node in chosen}
        known = sorted(node for node in chosen if self.places[node] >= 0)
        places = self.places[known]  # ascending, as both are in the order of ids
        s = self.snapshot
        edges = s.out_edges(places)
        ends = s.targets[edges]
        at = np.minimum(np.searchsorted(places, ends), max(len(places) - 1, 0))
        hits = np.flatnonzero(places[at] == ends) if len(places) else edges
        subjects = np.searchsorted(places, s.subjects(edges[hits]))
        if known_among:
            first = np.isin(places, self.places[list(chosen[:known_among])])
            new = ~(first[subjects] & first[at[hits]])
            subjects, hits = subjects[new], hits[new]
        held = self.held
        for subject, target, edge in zip(subjects.tolist(), at[hits].tolist(), edges[hits].tolist(), strict=True):
            step = held.get(edge)
            if step is None:
                if len(held) >= _HELD:
                    held.clear()
                predicate = PREDICATES[s.predicates[edge]]
                measure = _measure(known[subject], predicate, known[target])
                step = Step(known[target], predicate, s.statements[edge].decode(), float(s.weights[edge]), measure)
                held[edge] = step
            found[known[subject]].append(step)
        return [found[node] for node in chosen]


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
    rewired: dict[int, list[Step]] | None = None
    if rewired_seed is not None:
        triples = rewire_triples(triples, rewired_seed)
        rewired = {}
        for t in triples:
            measure = _measure(place[t.subject], t.predicate, place[t.object])
            step = Step(place[t.object], t.predicate, t.statement, t.weight, measure)
            rewired.setdefault(place[t.subject], []).append(step)
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
        rewired=rewired,
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


def _measure(subject: int, predicate: Predicate, target: int) -> tuple[int, str] | None:
    """Give the (series, direction) that a statement speaks of, if any."""
    if predicate in MEASURES:
        return target, MEASURES[predicate]
    return (subject, INDICATES[predicate]) if predicate in INDICATES else None


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
