"""What a reader yields, as rows: records and batches alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from kg.collect import PARTS
from kg.readers.formats import FORMATS
from kg.readers.records import Batch, Fact, Header, Mapping, Record, Reject
from kg.readers.source import Context, Source
from kg.types import Concept
from kg.vocabulary import Category, Predicate

Row = dict[str, object]


@dataclass
class Rows:
    header: Header
    parts: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    @property
    def rejects(self) -> list[tuple[object, object]]:
        return [(row["record"], row["reason"]) for row in self.parts["rejects"]]

    @property
    def mappings(self) -> set[tuple[object, object, object]]:
        return {(row["subject"], row["predicate"], row["object"]) for row in self.parts["mappings"]}

    @property
    def facts(self) -> set[tuple[object, object, object, object]]:
        """Subject, predicate by its last part, object, note."""
        return {
            (row["subject"], str(row["predicate"]).partition(":")[2], row["object"], row.get("note", ""))
            for row in self.parts["facts"]
        }

    def concept(self, identifier: str) -> Row:
        (row,) = [row for row in self.parts["concepts"] if row["id"] == identifier]
        return row

    def synonyms(self, identifier: str) -> set[tuple[object, object]]:
        return {(row["text"], row["kind"]) for row in self.parts["synonyms"] if row["concept"] == identifier}


def read_rows(format_: str, path: Path, category: Category | None = None, **options: str) -> Rows:
    """Read a source of a format under the format's name."""
    source = Source(format_, format_, path, category=category, options=options)
    return rows_of(FORMATS[format_].read(source, Context()))


def rows_of(records: Iterable[Record]) -> Rows:
    """Gather records; checks what the collector relies on: header first, columns, types, vocabulary."""
    found: Rows | None = None
    for record in records:
        if found is None:
            assert isinstance(record, Header), "the header comes first"
            found = Rows(record)
        elif isinstance(record, Batch):
            _check(record)
            found.parts[record.kind] += record.frame.to_dicts()
        elif isinstance(record, Concept):
            found.parts["concepts"].append({"id": record.id, "category": record.category.value, "name": record.name})
        elif isinstance(record, Fact):
            statement = record.statement
            found.parts["facts"].append(
                {"subject": statement.subject, "predicate": statement.predicate.value, "object": statement.object}
            )
        elif isinstance(record, Mapping):
            found.parts["mappings"].append(
                {"subject": record.subject, "predicate": record.predicate, "object": record.object}
            )
        elif isinstance(record, Reject):
            found.parts["rejects"].append({"record": record.record, "reason": record.reason})
    assert found is not None
    return found


def _check(batch: Batch) -> None:
    schema = PARTS[batch.kind]
    assert batch.frame.height > 0
    for name, kind in batch.frame.schema.items():
        assert kind == schema[name], f"{batch.kind}.{name} is {kind}, expected {schema[name]}"
    nulls = {"replaced_by", "checked"}
    assert not any(batch.frame[name].null_count() for name in batch.frame.columns if name not in nulls)
    if "category" in batch.frame.columns:
        assert set(batch.frame["category"]) <= {c.value for c in Category}
    if batch.kind == "facts":
        assert set(batch.frame["predicate"]) <= {p.value for p in Predicate}
        assert batch.frame.select(pl.struct("subject", "predicate", "object", "note").is_unique().all()).item()
