"""Text files written from columns: rows are put together as text by DuckDB or polars and written as they lie in memory.

No row becomes a Python object on its way, and no table is held whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import duckdb
import numpy as np
import pyarrow as pa

from ehr.progress import Advance
from kg.duck import connect

MEMORY = "800MB"
"""What DuckDB may hold before it goes to disk."""
_BATCH = 50_000


@contextmanager
def workbench(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a DuckDB that holds little, and goes to disk in ``folder``."""
    connection = connect(MEMORY, folder / ".duckdb")
    try:
        yield connection
    finally:
        connection.close()


def write_query(connection: duckdb.DuckDBPyConnection, file: BinaryIO, query: str, advance: Advance | None) -> int:
    """Write a query's only column, a text a row that brings its own line end; null writes nothing.

    Returns:
        The number of rows written.
    """
    count = 0
    for batch in connection.sql(query).to_arrow_reader(_BATCH):
        texts = batch.column(0).drop_null()
        write_array(file, texts)
        count += len(texts)
        if advance is not None:
            advance(batch.num_rows)
    return count


def write_array(file: BinaryIO, texts: pa.Array) -> None:
    """Write an array of texts without nulls, one after the other."""
    if not len(texts):
        return
    if texts.type not in (pa.string(), pa.large_string()):
        texts = texts.cast(pa.large_string())
    _, ends, data = texts.buffers()
    width = np.int64 if texts.type == pa.large_string() else np.int32
    places = np.frombuffer(ends, dtype=width)[texts.offset : texts.offset + len(texts) + 1]
    if places[-1] > places[0]:  # no buffer at all where every text is empty
        file.write(memoryview(data)[int(places[0]) : int(places[-1])])


def quoted_sql(text: str) -> str:
    """Give a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def define_map(connection: duckdb.DuckDBPyConnection, name: str, values: Mapping[str, str]) -> None:
    """Define a macro that gives the text that another stands for, null where it stands for none."""
    keys, found = (", ".join(quoted_sql(one) for one in texts) for texts in (values.keys(), values.values()))
    connection.execute(f"CREATE MACRO {name}(k) AS MAP(CAST([{keys}] AS VARCHAR[]), CAST([{found}] AS VARCHAR[]))[k]")


def one_of(values: Sequence[str]) -> str:
    """Give texts as a list in SQL, to stand after ``IN``; an empty one holds nothing."""
    return "(" + ", ".join(quoted_sql(value) for value in values) + ")" if values else "(NULL)"
