"""Bundles made of a part of another: its rows that one rule keeps, written as a bundle of its own in a temporary place.

What runs over evidence is read batch by batch, the rest goes through DuckDB, which goes to disk where it must.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ehr.progress import bar
from kg.bundle import Bundle, commit
from kg.content import quoted
from kg.schema import CONCEPTS, MAPPINGS, ORDER, SYNONYMS, TABLES, Schema
from kg.sorted_facts import FactWriter

_BATCH = 131_072
_COLUMNS: dict[str, Schema] = {"concepts": CONCEPTS, "synonyms": SYNONYMS, "mappings": MAPPINGS}


def rows_of(bundle: Bundle) -> dict[str, int]:
    """Give the number of rows of every table."""
    return {name: sum(pq.read_metadata(file).num_rows for file in bundle.files(name)) for name in TABLES}


def write_facts(bundle: Bundle, folder: Path, keep: pl.Expr) -> None:
    """Write the evidence that ``keep`` lets pass, and the statements that it speaks for, summed up anew."""
    writer = FactWriter(folder)
    file = pq.ParquetFile(bundle.files("evidence")[0])
    with bar("choosing evidence", file.metadata.num_rows) as advance:
        for batch in file.iter_batches(_BATCH):
            frame = pl.DataFrame(pa.table(batch)).filter(keep)
            if frame.height:
                writer.add(frame)
            advance(batch.num_rows)
    writer.close()


def show_tables(connection: duckdb.DuckDBPyConnection, bundle: Bundle) -> None:
    """Show the concepts, synonyms and mappings of a bundle as views of their names."""
    for name in _COLUMNS:
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({quoted(bundle.files(name))})")


def show_ends(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Make table ``ends`` (id, source): the ids that statements in ``folder`` name, and the first source that does."""
    files = sorted((folder / "statements").glob("*.parquet"))
    if not files:
        connection.execute("CREATE TABLE ends (id VARCHAR, source VARCHAR)")
        return
    statements = f"read_parquet({quoted(files)})"
    connection.execute(
        f"""CREATE TABLE ends AS SELECT id, min(source) AS source FROM (
            SELECT subject AS id, min(list_min(sources)) AS source FROM {statements} GROUP BY 1
            UNION ALL SELECT object, min(list_min(sources)) FROM {statements} GROUP BY 1
        ) GROUP BY id"""
    )


def write_table(connection: duckdb.DuckDBPyConnection, folder: Path, name: str, query: str) -> None:
    """Write the rows of a query as a table, with its columns and in its order."""
    columns = ", ".join(_COLUMNS[name])
    order = ", ".join(ORDER[name])
    file = str(folder / f"{name}.parquet").replace("'", "''")
    connection.execute(
        f"COPY (SELECT {columns} FROM ({query}) ORDER BY {order}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)"
    )


def finish(bundle: Bundle, place: Path, folder: Path, said: Mapping[str, object]) -> Bundle:
    """Make a bundle in ``place`` of the tables in ``folder``; what could not be read or merged is no part of it.

    Args:
        bundle: that the rows were taken from.
        place: a directory without a bundle in it.
        folder: holds every table but rejects and cliques.
        said: what the manifest says of it, ``sources`` among it.
    """
    for name in ("rejects", "cliques"):
        pl.DataFrame(schema=TABLES[name]).write_parquet(folder / f"{name}.parquet")
    commit(place, folder, {**said, "derived_from": bundle.hash})
    return Bundle.open(place)
