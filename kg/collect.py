"""Gathers the records of one source into column chunks, so that no source is held as Python objects."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from kg.readers.records import Batch, Fact, Header, Mapping, Name, Record, Reject
from kg.schema import CONCEPTS, EVIDENCE, MAPPINGS, REJECTS, SYNONYMS, Schema
from kg.types import Concept, Synonym

_CHUNK = 50_000
PARTS: dict[str, Schema] = {
    "concepts": CONCEPTS,
    "synonyms": SYNONYMS,
    "names": SYNONYMS,
    "facts": {
        "subject": pl.String,
        "predicate": pl.String,
        "object": pl.String,
        "negated": pl.Boolean,
        **{name: kind for name, kind in EVIDENCE.items() if name != "statement"},
    },
    "mappings": MAPPINGS,
    "rejects": REJECTS,
}
"""What one source says, by kind of record (see `kg.readers.records.Batch`)."""

_TRIPLE: Schema = {"subject": pl.String, "predicate": pl.String, "object": pl.String, "negated": pl.Boolean}
FACTS: Schema = _TRIPLE | EVIDENCE
"""Evidence with the triple that it stands for."""


class Columns:
    """Rows of one table, turned into a frame every `_CHUNK` rows."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._rows: list[tuple[object, ...]] = []
        self._chunks: list[pl.DataFrame] = []

    def add(self, row: tuple[object, ...]) -> None:
        """Append a row with values in the order of the schema."""
        self._rows.append(row)
        if len(self._rows) >= _CHUNK:
            self._flush()

    def _flush(self) -> None:
        columns = zip(*self._rows, strict=True) if self._rows else (() for _ in self.schema)
        series = [pl.Series(n, c, dtype=t, strict=True) for (n, t), c in zip(self.schema.items(), columns, strict=True)]
        self._chunks.append(pl.DataFrame(series))
        self._rows = []

    def frame(self) -> pl.DataFrame:
        """Give all rows."""
        if self._rows or not self._chunks:
            self._flush()
        return pl.concat(self._chunks)


@dataclass(slots=True)
class Collected:
    """All that one source said.

    Attributes:
        header: version and licence as the file has them.
        concepts, synonyms, facts, mappings, rejects: frames; ``names`` are synonyms of concepts of other sources.
    """

    header: Header
    concepts: pl.DataFrame
    synonyms: pl.DataFrame
    facts: pl.DataFrame
    names: pl.DataFrame
    mappings: pl.DataFrame
    rejects: pl.DataFrame


@dataclass(slots=True)
class Collector:
    """Takes records one by one."""

    source: str
    header: Header = field(default_factory=Header)
    _concepts: Columns = field(default_factory=lambda: Columns(dict(CONCEPTS)))
    _synonyms: Columns = field(default_factory=lambda: Columns(dict(SYNONYMS)))
    _facts: Columns = field(default_factory=lambda: Columns(dict(FACTS)))
    _names: Columns = field(default_factory=lambda: Columns(dict(SYNONYMS)))
    _mappings: Columns = field(default_factory=lambda: Columns(dict(MAPPINGS)))
    _rejects: Columns = field(default_factory=lambda: Columns(dict(REJECTS)))

    def add(self, record: Record) -> None:
        """Take one record of a reader."""
        if isinstance(record, Fact):
            self._add_fact(record)
        elif isinstance(record, Concept):
            self._add_concept(record)
        elif isinstance(record, Mapping):
            self._mappings.add((record.subject, record.predicate, record.object, self.source))
        elif isinstance(record, Reject):
            self._rejects.add((self.source, record.record, record.reason))
        elif isinstance(record, Batch):
            raise NotImplementedError  # comes with the spilling collector
        elif isinstance(record, Name):
            self._names.add(self._synonym(record.concept, record.synonym))
        else:
            self.header = record

    def _synonym(self, concept: str, synonym: Synonym) -> tuple[object, ...]:
        return concept, synonym.text, synonym.scope, synonym.kind, self.source

    def _add_concept(self, concept: Concept) -> None:
        self._concepts.add(
            (
                concept.id,
                concept.category.value,
                concept.name,
                concept.definition,
                concept.source,
                concept.deprecated,
                concept.replaced_by,
                concept.xrefs,
            )
        )
        for synonym in concept.synonyms:
            self._synonyms.add(self._synonym(concept.id, synonym))

    def _add_fact(self, fact: Fact) -> None:
        statement, evidence = fact.statement, fact.evidence
        self._facts.add(
            (
                statement.subject,
                statement.predicate.value,
                statement.object,
                statement.negated,
                evidence.statement,
                evidence.source,
                evidence.version,
                evidence.publications,
                evidence.weight,
                evidence.frequency,
                evidence.subject_as_written,
                evidence.object_as_written,
                evidence.checked,
                evidence.note,
            )
        )

    def finish(self) -> Collected:
        """Give the frames."""
        return Collected(
            self.header,
            self._concepts.frame(),
            self._synonyms.frame(),
            self._facts.frame(),
            self._names.frame(),
            self._mappings.frame(),
            self._rejects.frame(),
        )
