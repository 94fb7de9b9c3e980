"""Gathers the records of one source into Parquet parts, so that no source is held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from ehr.errors import ClinRaGenError
from kg.readers.records import Batch, Fact, Header, Mapping, Name, Record, Reject
from kg.schema import CONCEPTS, FACTS, MAPPINGS, REJECTS, SYNONYMS, Schema
from kg.types import Concept, Synonym

_CHUNK = 50_000
_MUCH = 64 << 20
"""Characters of texts that are held at once; 50,000 usual records have a tenth of it."""

_DECLARED: Schema = {
    name: kind for name, kind in CONCEPTS.items() if name not in ("equivalents", "sources", "definition_source")
}

PARTS: dict[str, Schema] = {
    "concepts": _DECLARED,
    "synonyms": SYNONYMS,
    "names": SYNONYMS,
    "facts": FACTS,
    "mappings": MAPPINGS,
    "rejects": REJECTS,
}
"""What one source says, by kind of record (see `kg.readers.records.Batch`); ``names`` are those of other sources."""

_NULL = {"replaced_by": pl.String, "checked": pl.Boolean}
_DEFAULTS: dict[str, object] = {
    "negated": False,
    "deprecated": False,
    "weight": 1.0,
    "scope": "exact",
    "definition": "",
    "kind": "",
    "frequency": "",
    "note": "",
    "name": "",
}
_LISTS = ("publications", "xrefs")


@dataclass(frozen=True, slots=True)
class Collected:
    """All that one source said.

    Attributes:
        source: its name.
        header: version and licence as the file has them.
        parts: Parquet files by kind (a key of `PARTS`).
        counts: records by kind.
    """

    source: str
    header: Header
    parts: dict[str, tuple[Path, ...]]
    counts: dict[str, int]

    def scan(self, kind: str) -> pl.LazyFrame:
        """Give the rows of one kind, with a column ``rank`` (the source's place in the recipe)."""
        files = self.parts.get(kind, ())
        if not files:
            return pl.LazyFrame(schema={**PARTS[kind], "rank": pl.Int32})
        return pl.scan_parquet(list(files), glob=False)


@dataclass(slots=True)
class Collector:
    """Takes records one by one, or many at once, and writes them to ``folder`` chunk by chunk."""

    source: str
    rank: int
    folder: Path
    header: Header = field(default_factory=Header)
    _rows: dict[str, list[tuple[object, ...]]] = field(default_factory=lambda: {kind: [] for kind in PARTS})
    _parts: dict[str, list[Path]] = field(default_factory=lambda: {kind: [] for kind in PARTS})
    _size: int = 0
    _counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))

    def add(self, record: Record) -> int:
        """Take one record of a reader, and give the number of records that it stands for."""
        if isinstance(record, Fact):
            self._add_fact(record)
        elif isinstance(record, Concept):
            self._add_concept(record)
        elif isinstance(record, Mapping):
            self._row("mappings", (record.subject, record.predicate, record.object, self.source))
        elif isinstance(record, Reject):
            self._row("rejects", (self.source, record.record, record.reason))
        elif isinstance(record, Batch):
            return self._add_batch(record)
        elif isinstance(record, Name):
            self._row("names", self._synonym(record.concept, record.synonym))
        else:
            self.header = record
        return 1

    def finish(self) -> Collected:
        """Write what is left, and give all parts."""
        for kind in PARTS:
            self._flush(kind)
        return Collected(self.source, self.header, {k: tuple(p) for k, p in self._parts.items()}, dict(self._counts))

    def _row(self, kind: str, row: tuple[object, ...]) -> None:
        rows = self._rows[kind]
        rows.append(row)
        self._size += sum(len(value) for value in row if isinstance(value, str))
        if len(rows) >= _CHUNK:
            self._flush(kind)
        elif self._size > _MUCH:
            for every in PARTS:
                self._flush(every)
            self._size = 0

    def _flush(self, kind: str) -> None:
        rows = self._rows[kind]
        if rows:
            columns = zip(*rows, strict=True)
            schema = PARTS[kind].items()
            series = [pl.Series(n, c, dtype=t, strict=True) for (n, t), c in zip(schema, columns, strict=True)]
            self._write(kind, pl.DataFrame(series))
            self._rows[kind] = []

    def _write(self, kind: str, frame: pl.DataFrame) -> None:
        path = self.folder / f"{self.rank:03d}-{kind}-{len(self._parts[kind]):05d}.parquet"
        frame.with_columns(rank=pl.lit(self.rank, dtype=pl.Int32)).write_parquet(path, compression="lz4")
        self._parts[kind].append(path)
        self._counts[kind] += frame.height

    def _add_batch(self, batch: Batch) -> int:
        if batch.kind not in PARTS:
            raise ClinRaGenError(f"reader of {self.source}: unknown kind of batch {batch.kind!r}")
        self._flush(batch.kind)  # so that rows keep the order of the file
        if batch.frame.height:
            self._write(batch.kind, self._completed(batch))
        return batch.frame.height

    def _completed(self, batch: Batch) -> pl.DataFrame:
        """Put defaults for the columns that a reader left out."""
        present = set(batch.frame.columns)
        columns: list[pl.Expr] = []
        for name, kind in PARTS[batch.kind].items():
            if name in present:
                columns.append(pl.col(name).cast(kind))
            elif name in _LISTS:
                columns.append(pl.lit([], dtype=kind).alias(name))
            elif name in _NULL:
                columns.append(pl.lit(None, dtype=kind).alias(name))
            elif name in ("subject_as_written", "object_as_written"):
                columns.append(pl.col(name.partition("_")[0]).alias(name))
            elif name == "source":
                columns.append(pl.lit(self.source).alias(name))
            elif name == "version":
                columns.append(pl.lit(self.header.version).alias(name))
            elif name in _DEFAULTS:
                columns.append(pl.lit(_DEFAULTS[name], dtype=kind).alias(name))
            else:
                raise ClinRaGenError(f"reader of {self.source}: a batch of {batch.kind} lacks column {name!r}")
        frame = batch.frame.select(columns)
        return frame.with_columns(pl.col(n).fill_null(_DEFAULTS[n]) for n in frame.columns if n in _DEFAULTS)

    def _synonym(self, concept: str, synonym: Synonym) -> tuple[object, ...]:
        return concept, synonym.text, synonym.scope, synonym.kind, self.source

    def _add_concept(self, concept: Concept) -> None:
        self._row(
            "concepts",
            (
                concept.id,
                concept.category.value,
                concept.name,
                concept.definition,
                concept.source,
                concept.deprecated,
                concept.replaced_by,
                concept.xrefs,
            ),
        )
        for synonym in concept.synonyms:
            self._row("synonyms", self._synonym(concept.id, synonym))

    def _add_fact(self, fact: Fact) -> None:
        statement, evidence = fact.statement, fact.evidence
        self._row(
            "facts",
            (
                statement.subject,
                statement.predicate.value,
                statement.object,
                statement.negated,
                evidence.source,
                evidence.version,
                evidence.publications,
                evidence.weight,
                evidence.frequency,
                evidence.subject_as_written,
                evidence.object_as_written,
                evidence.checked,
                evidence.note,
            ),
        )


def parts_of(collected: Sequence[Collected], kind: str) -> list[Path]:
    """Give the files of one kind of all sources, in the order of the recipe."""
    return [path for one in collected for path in one.parts.get(kind, ())]
