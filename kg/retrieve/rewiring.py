"""Relations whose objects are exchanged, so that degrees and predicates stay and meaning goes: a control."""

from __future__ import annotations

import numpy as np

from kg.retrieve.evidence import Triple
from kg.types import statement_id


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
