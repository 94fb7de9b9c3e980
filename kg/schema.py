"""Columns of the bundle's tables, as polars types."""

from __future__ import annotations

import polars as pl

Schema = dict[str, pl.DataType | type[pl.DataType]]

_TEXTS = pl.List(pl.String)
_TRIPLE: Schema = {"subject": pl.String, "predicate": pl.String, "object": pl.String, "negated": pl.Boolean}

CONCEPTS: Schema = {
    "id": pl.String,
    "category": pl.String,
    "name": pl.String,
    "definition": pl.String,
    "source": pl.String,
    "deprecated": pl.Boolean,
    "replaced_by": pl.String,
    "xrefs": _TEXTS,
    "equivalents": _TEXTS,
    "sources": _TEXTS,
    "definition_source": pl.String,
}
"""``source`` gave the name, ``definition_source`` the definition; ``equivalents`` are the other ids of the clique."""
SYNONYMS: Schema = {"concept": pl.String, "text": pl.String, "scope": pl.String, "kind": pl.String, "source": pl.String}
STATEMENTS: Schema = {
    "subject": pl.String,
    "object": pl.String,
    "predicate": pl.String,
    "id": pl.String,
    "sources": _TEXTS,
    "weight": pl.Float64,
    "negated": pl.Boolean,
    "publications": _TEXTS,
    "checked": pl.Boolean,
}
"""``weight``, ``sources``, ``publications`` and ``checked`` sum up the statement's evidence. In this order the embedded
store loads the files as they are."""
WRITTEN: Schema = {
    "source": pl.String,
    "version": pl.String,
    "publications": _TEXTS,
    "weight": pl.Float64,
    "frequency": pl.String,
    "subject_as_written": pl.String,
    "object_as_written": pl.String,
    "checked": pl.Boolean,
    "note": pl.String,
}
"""What one record of one source says of a statement."""
EVIDENCE: Schema = {"id": pl.String, "statement": pl.String, **_TRIPLE, **WRITTEN, "caption": pl.String}
"""``id`` is that of the statement with a number from 1; the triple stands here too, so that no store has to join."""
MAPPINGS: Schema = {"subject": pl.String, "predicate": pl.String, "object": pl.String, "source": pl.String}
REJECTS: Schema = {"source": pl.String, "record": pl.String, "reason": pl.String}
CLIQUES: Schema = {
    "clique": pl.Int64,
    "reason": pl.String,
    "subject": pl.String,
    "predicate": pl.String,
    "object": pl.String,
    "source": pl.String,
    "members": _TEXTS,
}
"""Ids that mappings would have joined but that were not: which mapping, and why not."""

FACTS: Schema = {**_TRIPLE, **WRITTEN}
"""A statement and one reason for it, before ids are made current and statements get theirs."""

TABLES: dict[str, Schema] = {
    "concepts": CONCEPTS,
    "synonyms": SYNONYMS,
    "statements": STATEMENTS,
    "evidence": EVIDENCE,
    "mappings": MAPPINGS,
    "cliques": CLIQUES,
    "rejects": REJECTS,
}
"""Schema of each table; file ``NAME.parquet``, but ``statements/TYPE.parquet`` for each relationship type."""

ORDER: dict[str, tuple[str, ...]] = {
    "concepts": ("id",),
    "synonyms": ("concept", "text", "scope", "kind", "source"),
    "statements": ("predicate", "subject", "object", "negated"),
    "evidence": ("predicate", "subject", "object", "negated"),
    "mappings": ("subject", "predicate", "object", "source"),
    "cliques": ("clique", "reason", "subject", "predicate", "object"),
    "rejects": ("source", "record", "reason"),
}
"""By which columns the rows of each table are sorted, all of them ascending."""

NULLABLE = frozenset({("concepts", "replaced_by"), ("evidence", "checked"), ("statements", "checked")})
"""The only columns that may be null."""


def shaped(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Give the columns of a table in its order and types."""
    return frame.select(pl.col(name).cast(kind) for name, kind in schema.items())
