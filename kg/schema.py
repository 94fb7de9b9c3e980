"""Columns of the bundle's tables, as polars types."""

from __future__ import annotations

import polars as pl

Schema = dict[str, pl.DataType | type[pl.DataType]]

_TEXTS = pl.List(pl.String)

CONCEPTS: Schema = {
    "id": pl.String,
    "category": pl.String,
    "name": pl.String,
    "definition": pl.String,
    "source": pl.String,
    "deprecated": pl.Boolean,
    "replaced_by": pl.String,
    "xrefs": _TEXTS,
}
SYNONYMS: Schema = {"concept": pl.String, "text": pl.String, "scope": pl.String, "kind": pl.String, "source": pl.String}
STATEMENTS: Schema = {
    "id": pl.String,
    "subject": pl.String,
    "predicate": pl.String,
    "object": pl.String,
    "negated": pl.Boolean,
    "weight": pl.Float64,
    "sources": _TEXTS,
}
EVIDENCE: Schema = {
    "statement": pl.String,
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
MAPPINGS: Schema = {"subject": pl.String, "predicate": pl.String, "object": pl.String, "source": pl.String}
REJECTS: Schema = {"source": pl.String, "record": pl.String, "reason": pl.String}

TABLES: dict[str, Schema] = {
    "concepts": CONCEPTS,
    "synonyms": SYNONYMS,
    "statements": STATEMENTS,
    "evidence": EVIDENCE,
    "mappings": MAPPINGS,
    "rejects": REJECTS,
}
"""Schema of each table; file ``NAME.parquet``."""

NULLABLE = frozenset({("concepts", "replaced_by"), ("evidence", "checked")})
"""The only columns that may be null."""
