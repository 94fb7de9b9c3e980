"""Tables of bundles as views of an in-process DuckDB that goes to disk rather than beyond a limit of memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from ehr.errors import InputError
from ehr.files import library_errors
from kg.bundle import Bundle
from kg.content import quoted
from kg.duck import connect
from kg.schema import TABLES, Schema

_OTHERS = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException, duckdb.OutOfMemoryException)
_TYPES = {pl.String: "VARCHAR", pl.Boolean: "BOOLEAN", pl.Float64: "DOUBLE", pl.Int64: "BIGINT"}


@contextmanager
def bundle_views(bundles: Mapping[str, Bundle], *, memory: str = "600MB") -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection that sees each table of each bundle as ``NAME.TABLE``.

    Args:
        bundles: by the name that queries call them; an SQL word.
        memory: what DuckDB may hold before it goes to the directory for temporary files.

    Raises:
        InputError: inside the block, where a file of a bundle cannot be read or the disk is full.
    """
    try:
        with (
            tempfile.TemporaryDirectory(prefix="clinragen-") as spill,
            library_errors(Path(spill)),
            connect(memory, Path(spill)) as connection,
        ):
            connection.execute("SET preserve_insertion_order = false")
            for name, bundle in bundles.items():
                connection.execute(f"CREATE SCHEMA {name}")
                for table, schema in TABLES.items():
                    files = bundle.files(table)
                    rows = f"SELECT * FROM read_parquet({quoted(files)})" if files else empty_table(schema)
                    connection.execute(f"CREATE VIEW {name}.{table} AS {rows}")
            yield connection
    except duckdb.Error as error:
        # A damaged file shows itself in many ways (of the file, of its compression, of its texts); these are others.
        if isinstance(error, _OTHERS):
            raise
        places = ", ".join(str(bundle.path) for bundle in bundles.values())
        raise InputError("a table cannot be read", where=places, remedy="build it again with `kg build`") from error


def empty_table(schema: Schema) -> str:
    """Give a query for a table without rows."""
    columns = ", ".join(f'NULL::{_type(kind)} AS "{name}"' for name, kind in schema.items())
    return f"SELECT {columns} WHERE false"


def _type(kind: object) -> str:
    return next((text for known, text in _TYPES.items() if kind == known), "VARCHAR[]")
