"""Biolink's categories and predicates in terms of the graph's own (``biolink.toml``).

Source: https://github.com/biolink/biolink-model, version 4.4.6
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from kg.readers.curies import category_of
from kg.vocabulary import Category, Predicate


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an edge's predicate states.

    Attributes:
        predicate: of the statement.
        turned: the edge's object is the statement's subject.
        symmetric: it reads both ways, and the smaller id stands first.
        note: its own name, where the graph has none that says as much.
        mapping: where the edge is a mapping, that mapping's predicate.
    """

    predicate: Predicate
    turned: bool = False
    symmetric: bool = False
    note: str = ""
    mapping: str = ""


@dataclass(frozen=True, slots=True)
class _Tables:
    categories: dict[str, tuple[int, Category]]
    predicates: dict[str, Meaning]


@cache
def _tables() -> _Tables:
    read = tomllib.loads(files("kg.readers").joinpath("biolink.toml").read_text(encoding="utf-8"))
    ours = {category.label: category for category in Category}
    categories = {
        name: (rank, ours[label]) for rank, (label, names) in enumerate(read["categories"].items()) for name in names
    }
    own = {predicate.value.partition(":")[2]: predicate for predicate in Predicate}
    predicates = {name: Meaning(predicate) for name, predicate in own.items()}
    for name, lists in read["predicates"].items():
        for way, others in lists.items():
            for other in others:
                predicates[other] = Meaning(
                    own[name],
                    turned=way == "inverse",
                    symmetric=way == "symmetric",
                    note="" if other == name or _only_turned(other, lists) else other,
                )
    for name, mapping in read["mappings"].items():
        predicates[name] = Meaning(Predicate.CLOSE_MATCH, mapping=mapping)
    return _Tables(categories, predicates)


def _only_turned(name: str, lists: dict[str, list[str]]) -> bool:
    """Say whether this is the plain inverse of the graph's own predicate: then nothing is lost by turning it."""
    return lists.get("inverse", [])[:1] == [name]


def meaning_of(written: str) -> Meaning:
    """Give what a predicate states (``biolink:treated_by``); `Predicate.RELATED_TO` with its name where none fits.

    >>> meaning_of("biolink:treated_by").turned, meaning_of("RO:0002200").note
    (True, 'RO:0002200')
    """
    name = written.strip()
    prefix, colon, local = name.partition(":")
    if colon and prefix.lower() not in ("biolink", "clinragen"):
        return Meaning(Predicate.RELATED_TO, note=name[:100])
    bare = (local if colon else name).strip().lower().replace(" ", "_")
    return _tables().predicates.get(bare) or Meaning(Predicate.RELATED_TO, note=name[:100])


def category_among(written: Sequence[str], identifier: str) -> Category:
    """Give the most specific of a node's categories; where none is known, what its id's prefix tells.

    >>> category_among(["biolink:NamedThing", "biolink:BiologicalProcess", "biolink:Pathway"], "X:1").label
    'Pathway'
    """
    known = _tables().categories
    found = [known[name] for one in written if (name := one.strip().rpartition(":")[2]) in known]
    return min(found)[1] if found else category_of(identifier)
