"""Finds and reads a hospital's CSV tables with DuckDB: any size, bounded memory, errors that name the file."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa

from ehr.errors import InputError
from ehr.files import user_errors

_SUFFIXES = (".csv", ".csv.gz")
_MEMORY = "1500MB"
_CSV_LINE = re.compile(r"CSV Error on Line: (\d+)")
_CSV_COLUMNS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_MAX_LINE = 4 * 1024 * 1024
# DuckDB takes 16 times the longest line for each buffer unless told, far more than memory allows.
_BUFFER = 2 * _MAX_LINE


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the hospital, in one or more files of equal form.

    Attributes:
        name: as in ``hosp/labevents``.
        paths: its files, sorted.
        columns: column names in lower case, in file order; those of the first file.
    """

    name: str
    paths: tuple[Path, ...]
    columns: tuple[str, ...]

    def require(self, *columns: str) -> None:
        """Raise `InputError` where a column is missing; says which and what stands there."""
        absent = [column for column in columns if column not in self.columns]
        if absent:
            raise InputError(
                f"no column {absent[0]!r}; it has {', '.join(self.columns)}",
                where=self.paths[0],
                remedy="expected the table as published",
            )

    def sql(self, columns: Sequence[str], optional: Sequence[str] = ()) -> str:
        """Give a sub-query with these columns as trimmed texts, NULL where empty.

        Args:
            columns: columns that must be there.
            optional: columns that are NULL where the table lacks them.
        """
        self.require(*columns)
        chosen = [_text(column) for column in columns]
        chosen += [_text(c) if c in self.columns else f"NULL::VARCHAR AS {c}" for c in optional]
        files = ", ".join(_quote(str(path)) for path in self.paths)
        types = ", ".join(f"{_quote(column)}: 'VARCHAR'" for column in self.columns)
        options = "header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"'"
        limits = f"max_line_size = {_MAX_LINE}, buffer_size = {_BUFFER}"
        read = f"read_csv([{files}], columns = {{{types}}}, {options}, {limits})"
        return f"(SELECT {', '.join(chosen)} FROM {read})"  # noqa: S608 - names checked, paths quoted


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _text(column: str) -> str:
    return f'nullif(trim("{column}"), \'\') AS "{column}"'


def _stem(path: Path) -> str | None:
    name = path.name.lower()
    for suffix in reversed(_SUFFIXES):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return None


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def find_table(directory: Path, folder: str, name: str, *, parts: bool = False) -> Table | None:
    """Find a table as ``folder/name.csv`` or ``.csv.gz``, in any letter case, or in the directory itself.

    Args:
        directory: the hospital's directory.
        folder: where the published layout has the table; empty for the directory itself.
        name: the table.
        parts: also take every file whose name begins with the table's (``chartevents_1.csv.gz``).

    Returns:
        None where there is none. Where a file lies there packed and unpacked, the unpacked one is taken.

    Raises:
        InputError: for an unreadable or empty file, or parts of unequal columns.
    """
    if not directory.is_dir():
        raise InputError("no such directory", where=directory)
    with user_errors(directory):
        places = [p for p in sorted(directory.iterdir()) if p.is_dir() and p.name.lower() == folder]
        for place in [*places, directory]:
            found: dict[str, Path] = {}
            for path in sorted(place.iterdir()):
                stem = _stem(path)
                if stem is None or not path.is_file() or not (stem == name or (parts and stem.startswith(name))):
                    continue
                if stem not in found or not path.name.lower().endswith(".gz"):
                    found[stem] = path
            if found:
                return _open_table(_join(folder, name), tuple(found[stem] for stem in sorted(found)))
    return None


def need_table(directory: Path, folder: str, name: str, layout: str) -> Table:
    """Find a table that the layout cannot do without.

    Raises:
        InputError: names the missing file.
    """
    table = find_table(directory, folder, name)
    if table is None:
        place = _join(folder, name)
        raise InputError(f"no {layout} directory: {place}.csv or {place}.csv.gz is missing", where=directory)
    return table


def _open_table(name: str, paths: tuple[Path, ...]) -> Table:
    headers = [_header(path) for path in paths]
    for path, header in zip(paths, headers, strict=True):
        if header != headers[0]:
            raise InputError(f"columns differ from those of {paths[0].name}: {', '.join(header)}", where=path)
    return Table(name, paths, headers[0])


def _header(path: Path) -> tuple[str, ...]:
    try:
        if path.name.lower().endswith(".gz"):
            with gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:
                row = next(csv.reader(file), [])
        else:
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                row = next(csv.reader(file), [])
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _broken_gzip(path) from error
    except csv.Error as error:
        raise InputError("its first line is no CSV header", where=path) from error
    names = tuple(cell.strip().lower() for cell in row)
    if not any(names):
        raise InputError("the file is empty; expected a CSV header", where=path)
    if len(set(names)) != len(names) or any('"' in name for name in names):
        raise InputError(f"a column name stands twice or is broken: {', '.join(names)}", where=path)
    return names


def _broken_gzip(path: Path | str) -> InputError:
    return InputError("truncated or damaged gzip file", where=path, remedy="copy or download it again")


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
            raise _broken_gzip(where) from None
        line = _CSV_LINE.search(text)
        if line:
            count = _CSV_COLUMNS.search(text)
            what = f"expected {count[1]} columns, found {count[2]}" if count else "not readable as CSV in UTF-8"
            raise InputError(what, where=f"{where} line {line[1]}") from None
        if re.search(r"no space left|out of disk|max_temp_directory_size", text, re.IGNORECASE):
            remedy = "free some space and run the same command again"
            raise InputError("no space left on the device", where=scratch, remedy=remedy) from None
        raise


def _polars(table: object) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError(f"expected a table, found {type(table).__name__}")
    return frame


class Workspace:
    """A scratch DuckDB database on disk for one ingestion; gone with the directory it lies in.

    Attributes:
        connection: the DuckDB connection.
        scratch: its directory.
    """

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._paths: list[Path] = []
        with duckdb_errors([], scratch):
            self.connection = duckdb.connect(str(scratch / "work.duckdb"))
            for setting in (
                f"memory_limit = '{_MEMORY}'",
                f"temp_directory = {_quote(str(scratch / 'spill'))}",
                "preserve_insertion_order = false",
                "enable_progress_bar = false",
                "autoinstall_known_extensions = false",
            ):
                self.connection.execute(f"SET {setting}")

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def run(self, sql: str, parameters: Sequence[object] = (), *, tables: Iterable[Table] = ()) -> None:
        """Run a statement; ``tables`` are those it reads, so that an error can name the file."""
        with duckdb_errors([path for table in tables for path in table.paths], self.scratch):
            self.connection.execute(sql, list(parameters))

    def frame(self, sql: str, *, tables: Iterable[Table] = ()) -> pl.DataFrame:
        """Run a query whose result fits in memory."""
        with duckdb_errors([path for table in tables for path in table.paths], self.scratch):
            return _polars(self.connection.sql(sql).to_arrow_table())

    def batches(self, sql: str, rows: int, *, tables: Iterable[Table] = ()) -> Iterator[pl.DataFrame]:
        """Run a query on a cursor of its own and give its rows in frames of about ``rows``."""
        with duckdb_errors([path for table in tables for path in table.paths], self.scratch):
            reader: pa.RecordBatchReader = self.connection.cursor().sql(sql).to_arrow_reader(rows)
            for batch in reader:
                yield _polars(batch)

    def insert(self, name: str, frame: pl.DataFrame) -> None:
        """Append a frame's rows to a table, columns by name."""
        if frame.height == 0:
            return
        with duckdb_errors([], self.scratch):
            self.connection.register("incoming", frame.to_arrow())
            self.connection.execute(f"INSERT INTO {name} BY NAME SELECT * FROM incoming")  # noqa: S608
            self.connection.unregister("incoming")
