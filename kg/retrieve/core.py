"""The part of the graph that retrieval walks: everything but rare diseases, genes and classification codes.

Rare diseases and codes tell how specific a finding is (information content) and nothing more: a patient's subgraph is
about the candidates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from kg.retrieve.evidence import INDICATES, MEASURES, Triple
from kg.retrieve.pagerank import transition
from kg.retrieve.snapshot import CATEGORIES, PREDICATES, Snapshot
from kg.types import statement_id
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
_KEPT = frozenset((Category.PHENOTYPE, Category.MEASUREMENT, Category.DRUG, Category.PROCEDURE, Category.EXPOSURE))


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
        triples: statements among them.
        outgoing: statements by subject's index.
        transposed, dangling: for personalised PageRank.
        candidates: ids of the candidate diseases, sorted, whether or not the bundle has them.
    """

    ids: tuple[str, ...]
    place: Mapping[str, int]
    categories: tuple[Category, ...]
    information: NDArray[np.float64]
    triples: tuple[Triple, ...]
    outgoing: Mapping[int, list[Step]]
    transposed: sparse.csr_matrix
    dangling: NDArray[np.bool_]
    candidates: tuple[str, ...]


def make_core(snapshot: Snapshot, candidates: Iterable[str], *, rewired_seed: int | None = None) -> Core:
    """Cut the walked part out of a snapshot.

    Args:
        snapshot: the whole graph.
        candidates: the candidate diseases.
        rewired_seed: where given, the statements are rewired first (see `rewire_triples`), a control for evaluation.
    """
    wanted = sorted(set(candidates))
    prefixes = np.array([str(i).split(":", 1)[0] for i in snapshot.ids])
    kept_categories = [index for index, category in enumerate(CATEGORIES) if category in _KEPT]
    keep = np.isin(snapshot.categories, kept_categories) & ~np.char.startswith(prefixes, "ICD")
    keep |= np.isin(snapshot.ids, wanted)
    subjects = snapshot.subjects
    inside = np.flatnonzero(keep[subjects] & keep[snapshot.targets])
    ids = [str(i) for i in snapshot.ids]
    triples = [
        Triple(ids[s], PREDICATES[p], ids[o], float(w), t.decode())
        for s, p, o, w, t in zip(
            subjects[inside],
            snapshot.predicates[inside],
            snapshot.targets[inside],
            snapshot.weights[inside],
            snapshot.statements[inside],
            strict=True,
        )
    ]
    if rewired_seed is not None:
        triples = rewire_triples(triples, rewired_seed)
    places = {ids[i]: i for i in np.flatnonzero(keep)}
    known = tuple(sorted(places.keys() | set(wanted)))
    place = {identifier: index for index, identifier in enumerate(known)}
    outgoing: dict[int, list[Step]] = {}
    for t in triples:
        outgoing.setdefault(place[t.subject], []).append(_step(t, place))
    transposed, dangling = transition(_adjacency(triples, place))
    return Core(
        ids=known,
        place=place,
        categories=tuple(
            CATEGORIES[int(snapshot.categories[places[i]])] if i in places else Category.DISEASE for i in known
        ),
        information=np.array([float(snapshot.information[places[i]]) if i in places else 1.0 for i in known]),
        triples=tuple(triples),
        outgoing=outgoing,
        transposed=transposed,
        dangling=dangling,
        candidates=tuple(wanted),
    )


def _step(triple: Triple, place: Mapping[str, int]) -> Step:
    measure = None
    if triple.predicate in MEASURES:
        measure = (place[triple.object], MEASURES[triple.predicate])
    elif triple.predicate in INDICATES:
        measure = (place[triple.subject], INDICATES[triple.predicate])
    return Step(place[triple.object], triple.predicate, triple.statement, triple.weight, measure)


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


def rewire_triples(triples: list[Triple], seed: int) -> list[Triple]:
    """Permute objects within each predicate and pair of vocabularies, so that all degrees and predicates stay.

    Loops and doubled statements that the permutation makes are exchanged with random others as far as possible. The
    new statements' ids start with ``R``: they are false on purpose and stand in no bundle.
    """
    generator = np.random.default_rng(seed)
    groups: dict[tuple[str, str, str], list[int]] = {}
    for index, t in enumerate(triples):
        key = (t.predicate.value, t.subject.split(":", 1)[0], t.object.split(":", 1)[0])
        groups.setdefault(key, []).append(index)
    rewired = list(triples)
    for key in sorted(groups):
        members = groups[key]
        subjects = [triples[i].subject for i in members]
        objects = permuted_objects(subjects, [triples[i].object for i in members], generator)
        for index, object_ in zip(members, objects, strict=True):
            t = triples[index]
            identifier = "R" + statement_id(t.subject, t.predicate, object_, False)[1:]
            rewired[index] = Triple(t.subject, t.predicate, object_, t.weight, identifier)
    return rewired


def permuted_objects(subjects: list[str], objects: list[str], generator: np.random.Generator) -> list[str]:
    """Permute ``objects`` against ``subjects``, mending loops and doubles by exchanges (at most 50 rounds)."""
    found = [objects[i] for i in generator.permutation(len(objects))]
    for _ in range(50):
        seen: set[tuple[str, str]] = set()
        bad = []
        for index, pair in enumerate(zip(subjects, found, strict=True)):
            if pair in seen or pair[0] == pair[1]:
                bad.append(index)
            seen.add(pair)
        if not bad:
            break
        for index in bad:
            other = int(generator.integers(len(found)))
            found[index], found[other] = found[other], found[index]
    return found
