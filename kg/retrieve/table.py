"""Subgraphs as a table: one row an admission and mode, parts as lists and lists of structs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from kg.types import Edge, EvidencePath, PatientSubgraph, Seed
from kg.vocabulary import Category, Predicate

_Fields = dict[str, pl.DataType | type[pl.DataType]]

_SEED: _Fields = {"concept": pl.String, "weight": pl.Float64, "origins": pl.List(pl.String), "state": pl.String}
_EDGE: _Fields = {
    "source": pl.Int32,
    "target": pl.Int32,
    "predicate": pl.String,
    "statement": pl.String,
    "weight": pl.Float64,
}
_PATH: _Fields = {
    "candidate": pl.String,
    "seed": pl.String,
    "meta_path": pl.String,
    "nodes": pl.List(pl.String),
    "statements": pl.List(pl.String),
    "score": pl.Float64,
}
_TEXTS = ("origins", "nodes", "statements")
_NUMBERS = {"weight": pa.float64(), "score": pa.float64(), "source": pa.int32(), "target": pa.int32()}
_ARROW = {
    field: pa.list_(pa.string()) if field in _TEXTS else _NUMBERS.get(field, pa.string())
    for field in (*_SEED, *_EDGE, *_PATH)
}
SCHEMA: dict[str, pl.DataType] = {
    "admission_id": pl.String(),
    "mode": pl.String(),
    "nodes": pl.List(pl.String),
    "categories": pl.List(pl.String),
    "scores": pl.List(pl.Float64),
    "seeds": pl.List(pl.Struct(_SEED)),
    "edges": pl.List(pl.Struct(_EDGE)),
    "paths": pl.List(pl.Struct(_PATH)),
}
"""Columns of the table ``subgraphs``: the fields of `kg.types.PatientSubgraph`."""


def _structs(rows: Sequence[Sequence[Any]], fields: _Fields, name: str) -> pl.Series:
    """Build a column of lists of structs from flat arrays, which is far faster than from dictionaries."""
    items = [item for row in rows for item in row]
    arrays = [pa.array([_plain(value) for value in map(attrgetter(field), items)], _ARROW[field]) for field in fields]
    offsets = np.cumsum([0, *(len(row) for row in rows)], dtype=np.int32)
    structs = pa.StructArray.from_arrays(arrays, names=list(fields))
    return pl.Series(name, pa.ListArray.from_arrays(pa.array(offsets), structs))


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Predicate) else value


def to_frame(subgraphs: Sequence[PatientSubgraph]) -> pl.DataFrame:
    """Turn subgraphs into rows, in their order."""
    simple = {
        "admission_id": [s.admission_id for s in subgraphs],
        "mode": [s.mode for s in subgraphs],
        "nodes": [list(s.nodes) for s in subgraphs],
        "categories": [[c.value for c in s.categories] for s in subgraphs],
        "scores": [list(s.scores) for s in subgraphs],
    }
    frame = pl.DataFrame(simple, schema={name: SCHEMA[name] for name in simple})
    return frame.with_columns(
        _structs([s.seeds for s in subgraphs], _SEED, "seeds"),
        _structs([s.edges for s in subgraphs], _EDGE, "edges"),
        _structs([s.paths for s in subgraphs], _PATH, "paths"),
    ).cast(SCHEMA)  # type: ignore[arg-type]


def from_frame(frame: pl.DataFrame) -> Iterable[PatientSubgraph]:
    """Turn rows back into subgraphs."""
    categories = {category.value: category for category in Category}
    predicates = {predicate.value: predicate for predicate in Predicate}
    for row in frame.iter_rows(named=True):
        yield PatientSubgraph(
            admission_id=row["admission_id"],
            mode=row["mode"],
            nodes=tuple(row["nodes"]),
            categories=tuple(categories[c] for c in row["categories"]),
            scores=tuple(row["scores"]),
            seeds=tuple(Seed(s["concept"], s["weight"], tuple(s["origins"]), s["state"]) for s in row["seeds"]),
            edges=tuple(
                Edge(e["source"], e["target"], predicates[e["predicate"]], e["statement"], e["weight"])
                for e in row["edges"]
            ),
            paths=tuple(
                EvidencePath(
                    p["candidate"],
                    p["seed"],
                    p["meta_path"],
                    tuple(p["nodes"]),
                    tuple(p["statements"]),
                    p["score"],
                )
                for p in row["paths"]
            ),
        )
