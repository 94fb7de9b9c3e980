"""Writes sorted facts as statements and evidence, batch by batch."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from kg.schema import EVIDENCE, STATEMENTS, Schema, shaped
from kg.vocabulary import Predicate

_FACT = tuple(name for name in EVIDENCE if name not in ("id", "caption"))
_ROWS = 262_144
_TYPES: dict[str, str] = {one.value: one.relationship for one in Predicate}
_PLAIN = {
    "caption",
    "source",
    "version",
    "predicate",
    "frequency",
    "note",
    "subject",
    "object",
    "sources",
    "publications",
}
"""Columns whose values repeat, so that a dictionary pays."""


def arrow_schema(schema: Schema) -> pa.Schema:
    """Give a table's columns as Arrow types."""
    return pl.DataFrame(schema=schema).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


class _File:
    """One Parquet file of row groups of equal size, so that equal rows give equal bytes however they come."""

    def __init__(self, path: Path, schema: Schema) -> None:
        self._schema = arrow_schema(schema)
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression="zstd",
            use_dictionary=[name for name in schema if name in _PLAIN],
            write_statistics=True,
        )
        self._held: list[pl.DataFrame] = []
        self._count = 0
        self.rows = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        self._held.append(frame)
        self._count += frame.height
        self.rows += frame.height
        while self._count >= _ROWS:
            whole = pl.concat(self._held)
            self._write(whole.head(_ROWS))
            rest = whole.slice(_ROWS)
            self._held, self._count = [rest], rest.height

    def close(self) -> None:
        """Write what is left."""
        if self._count:
            self._write(pl.concat(self._held))
        self._writer.close()

    def _write(self, frame: pl.DataFrame) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(self._schema)
        self._writer.write_table(table, row_group_size=_ROWS)


class FactWriter:
    """Takes facts sorted by statement; one statement may go on in the next batch."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "statements"
        self._folder.mkdir()
        self._evidence = _File(folder / "evidence.parquet", EVIDENCE)
        self._statements: dict[str, _File] = {}
        self._held: pl.DataFrame | None = None

    def add(self, batch: pl.DataFrame) -> int:
        """Take a batch with the columns of evidence but ``id`` and ``caption``; gives its number of rows."""
        facts = batch.select(_FACT) if self._held is None else pl.concat([self._held, batch.select(_FACT)])
        cut = _first_of_last(facts["statement"])
        self._held = facts.slice(cut)
        self._write(facts.head(cut))
        return batch.height

    def close(self) -> dict[str, int]:
        """Write what is left, and give the rows by table."""
        if self._held is not None:
            self._write(self._held)
            self._held = None
        self._evidence.close()
        for file in self._statements.values():
            file.close()
        return {
            "evidence": self._evidence.rows,
            "statements": sum(file.rows for file in self._statements.values()),
        }

    def _write(self, facts: pl.DataFrame) -> None:
        if not facts.height:
            return
        numbered = _numbered(facts)
        label = pl.when(pl.col("version") == "").then(pl.lit("")).otherwise(pl.lit(" ") + pl.col("version"))
        identified = numbered.with_columns(
            id=pl.col("statement") + "." + pl.col("number").cast(pl.String), caption=pl.col("source") + label
        )
        self._evidence.add(shaped(identified, EVIDENCE))
        for (predicate,), rows in (
            _summed(numbered).partition_by("predicate", as_dict=True, maintain_order=True).items()
        ):
            name = _TYPES[str(predicate)]
            if name not in self._statements:
                self._statements[name] = _File(self._folder / f"{name}.parquet", STATEMENTS)
            self._statements[name].add(rows)


def _numbered(facts: pl.DataFrame) -> pl.DataFrame:
    """Drop rows that say the same as the one before, and count the evidence of each statement from 1.

    Most statements have one evidence: then there is nothing to compare and to count.
    """
    again = pl.col("statement") == pl.col("statement").shift()
    if not facts.select(again.any()).item():
        return facts.with_columns(number=pl.lit(1, dtype=pl.Int32))
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift()) for name in _FACT)
    facts = facts.filter(~same.fill_null(False)).with_row_index("row")
    start = pl.when(again.fill_null(False)).then(None).otherwise(pl.col("row")).forward_fill()
    return facts.with_columns(number=(pl.col("row") - start + 1).cast(pl.Int32)).drop("row")


def _first_of_last(statements: pl.Series) -> int:
    """Give the place where the last run of equal values begins."""
    changes = (statements != statements.shift()).fill_null(True).arg_true()
    return int(changes[-1])


def _summed(numbered: pl.DataFrame) -> pl.DataFrame:
    """Give one row a statement; most have a single evidence, and are spared the grouping."""
    followed = pl.col("number").shift(-1).fill_null(1) > 1
    marked = numbered.with_row_index("row").with_columns(several=(pl.col("number") > 1) | followed)
    single = marked.filter(~pl.col("several"))
    cited = pl.col("publications")
    if single.select((cited.list.len() > 1).any()).item():
        cited = cited.list.unique().list.sort()
    rows = single.select(
        "row", *_TRIPLE, weight="weight", sources=pl.concat_list("source"), publications=cited, checked="checked"
    )
    if rows.height < numbered.height:
        grouped = (
            marked.filter("several")
            .group_by("statement", maintain_order=True)
            .agg(
                pl.col("row", *_TRIPLE[1:]).first(),
                weight=pl.col("weight").max(),
                sources=pl.col("source").unique().sort(),
                publications=pl.col("publications").explode(empty_as_null=False, keep_nulls=False).unique().sort(),
                checked=pl.col("checked").max(),
            )
        )
        rows = pl.concat([rows, grouped.select(rows.columns)]).sort("row")
    return shaped(rows.rename({"statement": "id"}), STATEMENTS)


_TRIPLE = ("statement", "subject", "predicate", "object", "negated")
