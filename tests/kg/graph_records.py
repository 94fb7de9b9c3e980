"""The records of a graph reader as plain rows, whether they come as batches or one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from kg.collect import PARTS
from kg.readers.records import Batch, Fact, Header, Mapping, Name, Record, Reject
from kg.types import Concept
from kg.vocabulary import Category, Predicate


@dataclass
class Told:
    header: Header | None = None
    concepts: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: list[dict[str, Any]] = field(default_factory=list)
    synonyms: list[dict[str, Any]] = field(default_factory=list)
    mappings: list[tuple[str, str, str]] = field(default_factory=list)
    rejects: list[tuple[str, str]] = field(default_factory=list)

    @property
    def triples(self) -> set[tuple[str, str, str]]:
        """Triples without the prefix of the predicate; negated ones begin with ``not``."""
        return {
            (f["subject"], ("not " if f.get("negated") else "") + f["predicate"].split(":")[1], f["object"])
            for f in self.facts
        }

    @property
    def notes(self) -> dict[tuple[str, str], str]:
        return {(f["subject"], f["object"]): f.get("note", "") for f in self.facts}


def told(records: Iterable[Record]) -> Told:
    """Gather records; every batch must have the columns and values that the collector takes."""
    found = Told()
    for number, record in enumerate(records):
        assert isinstance(record, Header) == (number == 0)
        if isinstance(record, Batch):
            _check(record)
            rows = record.frame.to_dicts()
            if record.kind == "concepts":
                for row in rows:
                    found.concepts[row["id"]] = row
            elif record.kind == "facts":
                found.facts += rows
            elif record.kind == "synonyms":
                found.synonyms += rows
            elif record.kind == "mappings":
                found.mappings += [(r["subject"], r["predicate"], r["object"]) for r in rows]
            else:
                found.rejects += [(r["record"], r["reason"]) for r in rows]
        elif isinstance(record, Header):
            found.header = record
        elif isinstance(record, Reject):
            found.rejects.append((record.record, record.reason))
        elif isinstance(record, Mapping):
            found.mappings.append((record.subject, record.predicate, record.object))
        elif isinstance(record, Concept):
            found.concepts[record.id] = {"id": record.id, "category": record.category.value, "name": record.name}
        else:
            assert not isinstance(record, Fact | Name), "a graph reader gives batches"
    assert found.header is not None
    return found


def _check(batch: Batch) -> None:
    schema = PARTS[batch.kind]
    for name, kind in batch.frame.schema.items():
        assert name in schema, f"{batch.kind} have no column {name}"
        assert kind == pl.DataFrame(schema=schema).schema[name], name
        assert (batch.kind, name) == ("concepts", "replaced_by") or not batch.frame[name].null_count(), name
    if batch.kind == "facts":
        assert {"subject", "predicate", "object"} <= set(batch.frame.columns)
        assert set(batch.frame["predicate"].unique()) <= {p.value for p in Predicate}
    if batch.kind == "concepts":
        assert set(batch.frame["category"].unique()) <= {c.value for c in Category}
