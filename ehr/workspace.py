"""The scratch database of an ingestion: DuckDB on disk, bounded memory, and what could not be read of the files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl
import pyarrow as pa

from ehr.errors import InputError

if TYPE_CHECKING:
    from ehr.tables import Table

MEMORY = "1500MB"
"""What DuckDB may hold in memory unless told otherwise; the rest of the process needs some hundred megabytes."""

_CSV_LINE = re.compile(r"CSV Error on Line: (\d+)")
_CSV_COLUMNS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_KINDS = {
    "MISSING COLUMNS": "wrong number of columns",
    "TOO MANY COLUMNS": "wrong number of columns",
    "UNQUOTED VALUE": "broken quotes",
    "INVALID STATE": "broken quotes",
    "INVALID ENCODING": "bytes that are no UTF-8",
    "LINE SIZE OVER MAXIMUM": "longer than 4 MB",
}


def quote(text: str) -> str:
    """Give a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def broken_gzip(path: Path | str) -> InputError:
    """Give the error for a packed file that ends early or is damaged."""
    return InputError(
        "truncated or damaged gzip file",
        where=path,
        remedy="copy or download it again, or read what is there of it with --keep-going",
    )


@contextmanager
def duckdb_errors(paths: Sequence[Path], scratch: Path) -> Iterator[None]:
    """Turn what DuckDB says of broken files and full disks into `InputError`, without the quoted line of the table."""
    try:
        yield
    except duckdb.Error as error:
        text = str(error)
        named = [path for path in paths if str(path) in text]
        where: Path | str = named[0] if named else (paths[0] if len(paths) == 1 else scratch)
        if "GZIP" in text.upper():
            raise broken_gzip(where) from None
        line = _CSV_LINE.search(text)
        if line:
            count = _CSV_COLUMNS.search(text)
            what = f"expected {count[1]} columns, found {count[2]}" if count else "not readable as CSV in UTF-8"
            raise InputError(what, where=f"{where} line {line[1]}") from None
        if "parquet" in text.lower() and named:
            raise InputError("damaged Parquet file", where=where, remedy="copy or download it again") from None
        if re.search(r"no space left|out of disk|max_temp_directory_size", text, re.IGNORECASE):
            remedy = "free some space and run the same command again"
            raise InputError("no space left on the device", where=scratch, remedy=remedy) from None
        if isinstance(error, duckdb.OutOfMemoryException):
            raise InputError("not enough memory", where=scratch, remedy="allow more with --memory") from None
        raise


def _polars(table: object) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"expected a table, found {type(table).__name__}")
    return frame


class Workspace:
    """A scratch DuckDB database on disk for one ingestion; it can be closed, or killed, and opened again.

    Attributes:
        connection: the DuckDB connection.
        scratch: its directory.
        on_read: called with a table's name whenever a statement reads it.
    """

    def __init__(self, scratch: Path, *, memory: str = MEMORY) -> None:
        """Open or make the database.

        Args:
            scratch: an existing directory; what does not fit in memory is spilled there.
            memory: limit as DuckDB writes it (``1500MB``).

        Raises:
            InputError: for a limit that DuckDB does not understand, or a full disk.
        """
        self.scratch = scratch
        self.on_read: Callable[[str], None] = lambda name: None
        self._mended: dict[str, Path] = {}
        with duckdb_errors([], scratch):
            self.connection = duckdb.connect(str(scratch / "work.duckdb"))
            try:
                self.connection.execute(f"SET memory_limit = {quote(memory)}")
            except duckdb.Error as error:
                self.connection.close()
                raise InputError(f"memory {memory!r}", remedy='expected such as "1500MB" or "4GB"') from error
            for setting in (
                f"temp_directory = {quote(str(scratch / 'spill'))}",
                "preserve_insertion_order = false",
                "enable_progress_bar = false",
                "autoinstall_known_extensions = false",
            ):
                self.connection.execute(f"SET {setting}")
            self.connection.execute("CREATE TABLE IF NOT EXISTS left_out (file VARCHAR, kind VARCHAR, n BIGINT)")
            self.connection.execute("CREATE TABLE IF NOT EXISTS done (step VARCHAR)")

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def read_instead(self, path: Path, copy: Path) -> None:
        """Read a mended copy wherever a statement names ``path``."""
        self._mended[str(path)] = copy

    def run(self, sql: str, parameters: Sequence[object] = (), *, tables: Iterable[Table] = ()) -> None:
        """Run a statement; ``tables`` are those it reads, so that an error can name the file."""
        paths = self._announce(tables)
        with duckdb_errors(paths, self.scratch):
            self.connection.execute(self._with_copies(sql, paths), list(parameters))
            self._note_rejects(self.connection, paths)

    def frame(self, sql: str, *, tables: Iterable[Table] = ()) -> pl.DataFrame:
        """Run a query whose result fits in memory."""
        paths = self._announce(tables)
        with duckdb_errors(paths, self.scratch):
            found = _polars(self.connection.sql(self._with_copies(sql, paths)).to_arrow_table())
            self._note_rejects(self.connection, paths)
        return found

    def batches(self, sql: str, rows: int, *, tables: Iterable[Table] = ()) -> Iterator[pl.DataFrame]:
        """Run a query on a cursor of its own and give its rows in frames of about ``rows``."""
        paths = self._announce(tables)
        with duckdb_errors(paths, self.scratch):
            cursor = self.connection.cursor()
            reader: pa.RecordBatchReader = cursor.sql(self._with_copies(sql, paths)).to_arrow_reader(rows)
            for batch in reader:
                yield _polars(batch)
            self._note_rejects(cursor, paths)

    def insert(self, name: str, frame: pl.DataFrame) -> None:
        """Append a frame's rows to a table, columns by name."""
        if frame.height == 0:
            return
        with duckdb_errors([], self.scratch):
            self.connection.register("incoming", frame.to_arrow())
            self.connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM incoming")  # noqa: S608
            self.connection.unregister("incoming")

    def is_done(self, step: str) -> bool:
        """Say whether a step was marked as done, in this run or in one that was stopped."""
        found = self.connection.execute("SELECT count(*) FROM done WHERE step = ?", [step]).fetchall()
        return bool(found[0][0])

    def mark_done(self, step: str) -> None:
        """Note a step as done; in a transaction together with what it wrote, where there is one."""
        self.connection.execute("INSERT INTO done VALUES (?)", [step])

    @contextmanager
    def joins_as_written(self) -> Iterator[None]:
        """Join in the order of the query, each time with the table to the right held in memory.

        DuckDB does not know how many rows a CSV file has, and may otherwise hold the file's side.
        """
        self.connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
        try:
            yield
        finally:
            self.connection.execute("SET disabled_optimizers = ''")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep everything that the block writes, or nothing."""
        self.connection.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def note_left_out(self, path: Path, kind: str, count: int) -> None:
        """Note that ``count`` records of a file could not be read as they are; the most that any reading saw."""
        self.connection.execute("INSERT INTO left_out VALUES (?, ?, ?)", [str(path), kind, count])

    def left_out(self) -> dict[str, dict[str, int]]:
        """Give how many records could not be read, by file and kind."""
        found: dict[str, dict[str, int]] = {}
        query = "SELECT file, kind, max(n) FROM left_out GROUP BY ALL ORDER BY ALL"
        for file, kind, count in self.connection.execute(query).fetchall():
            found.setdefault(file, {})[kind] = count
        return found

    def _announce(self, tables: Iterable[Table]) -> list[Path]:
        found = list(tables)
        for table in found:
            self.on_read(table.name)
        return [path for table in found for path in table.paths]

    def _with_copies(self, sql: str, paths: Sequence[Path]) -> str:
        for path in paths:
            copy = self._mended.get(str(path))
            if copy is not None:
                sql = sql.replace(quote(str(path)), quote(str(copy)))
        return sql

    def _note_rejects(self, connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> None:
        if not any(path.suffix.lower() != ".parquet" for path in paths):
            return
        original = {str(copy): path for path, copy in self._mended.items()}
        query = """
            SELECT file_path, error_type::VARCHAR, scan_id, count(DISTINCT line)
            FROM reject_errors JOIN reject_scans USING (scan_id, file_id) GROUP BY ALL
        """
        there = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchall()
        if not there[0][0]:
            return
        rows = connection.execute(query).fetchall()
        counts: dict[tuple[str, str, int], int] = {}
        for file, kind, scan, count in rows:
            key = (original.get(file, file), _KINDS.get(kind, kind.lower()), scan)
            counts[key] = counts.get(key, 0) + count
        for (file, kind, _), count in counts.items():
            self.note_left_out(Path(file), kind, count)
        connection.execute("DROP TABLE reject_errors")
        connection.execute("DROP TABLE reject_scans")
