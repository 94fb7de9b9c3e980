"""The rows that a load leaves in Neo4j, with the fingerprint that it keeps of each.

All that the export needs to know of `kg.stores.neo4j_load` stands here, so that in a database filled by Neo4j's import
tool `kg build --store neo4j://…` finds nothing to change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from kg.search import WordCounts
from kg.stores.base import BundleFiles
from kg.stores.manifest import READY, manifest_of, manifest_text
from kg.stores.neo4j_difference import CONTENT, with_fingerprints
from kg.stores.neo4j_schema import INDEXES, WAIT
from kg.stores.tables import GraphTables
from kg.vocabulary import Category, Predicate

__all__ = ["CONTENT", "FINISH", "SCHEMA_STATEMENTS", "Kind", "bundle_node", "kinds", "rows", "second_label"]

SCHEMA_STATEMENTS = (*(one.statement for one in INDEXES), f"CALL db.awaitIndexes({WAIT})")
"""Cypher statements that make constraints and indexes and wait for them."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Nodes of one label, or relationships of one type.

    Attributes:
        name: label or type.
        relations: whether these are relationships, with columns ``subject`` and ``object`` for their ends.
        key: property that tells them apart.
        count: number of rows.
    """

    name: str
    relations: bool
    key: str
    count: int


def kinds(tables: GraphTables) -> Iterator[Kind]:
    """Give what a load makes, but the one ``Bundle`` node."""
    yield Kind("Source", False, "id", tables.sources.height)
    yield Kind("Concept", False, "id", tables.concepts)
    yield Kind("Evidence", False, "id", tables.evidence)
    for predicate, count in tables.relations.items():
        yield Kind(predicate.relationship, True, "statement", count)


def rows(tables: GraphTables, kind: Kind) -> Iterator[pl.DataFrame]:
    """Give the rows of a kind in batches, properties as columns; `CONTENT` is the last."""
    return map(with_fingerprints, _batches(tables, kind))


def _batches(tables: GraphTables, kind: Kind) -> Iterator[pl.DataFrame]:
    if kind.relations:
        return tables.relation_batches(Predicate[kind.name])
    if kind.name == "Concept":
        return tables.concept_batches()
    return tables.evidence_batches() if kind.name == "Evidence" else iter([tables.sources])


def second_label() -> pl.Expr:
    """Give the second label of a concept by its ``category``."""
    return pl.col("category").replace_strict({one.value: one.label for one in Category}, return_dtype=pl.String)


def bundle_node(bundle: BundleFiles, tables: GraphTables) -> dict[str, str | bytes | list[str]]:
    """Give the ``Bundle`` node of a load that is not finished; `FINISH` finishes it."""
    return {
        "id": "bundle",
        "state": "loading",
        "hash": bundle.hash,
        "manifest": manifest_text(manifest_of(bundle, tables)),
        "_words": WordCounts.of(tables.concept_batches()).packed(),
    }


FINISH = f"MATCH (b:Bundle {{id: 'bundle'}}) SET b.state = '{READY}'"
"""Cypher that says the database holds the bundle whole."""
