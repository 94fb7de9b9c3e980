"""DuckDB in this process, with a limit of memory beyond which it goes to disk."""

from __future__ import annotations

from pathlib import Path

import duckdb

THREADS = "2"


def connect(memory: str, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open a database in memory.

    Args:
        memory: what it may hold, such as ``600MB``.
        spill: directory for the rest; by default DuckDB's own beside the working directory.
    """
    connection = duckdb.connect(config={"threads": THREADS})
    connection.execute("SET enable_progress_bar = false")  # standard output is for the answer alone
    connection.execute(f"SET memory_limit = '{memory}'")
    if spill is not None:
        connection.execute("SET temp_directory = $1", [str(spill)])
    return connection
