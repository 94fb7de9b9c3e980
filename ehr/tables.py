"""Finds and reads a hospital's tables, CSV or Parquet, with DuckDB: any size, bounded memory, errors that say where.

A record that cannot be read never costs the file: it is left out and counted by kind (`ehr.workspace`).
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ehr.errors import InputError
from ehr.files import user_errors
from ehr.workspace import Workspace, broken_gzip, duckdb_errors, quote

__all__ = ["ROW_NUMBER", "Table", "Workspace", "duckdb_errors", "find_table", "need_table"]

ROW_NUMBER = "file_row_number"
"""Column that every table has: the record's place among those of its file, from 0."""

# From the one that is taken where several lie there to the one that is taken last.
_SUFFIXES = (".csv", ".csv.gz", ".parquet")
_MAX_LINE = 4 * 1024 * 1024
# DuckDB takes 16 times the longest line for each buffer unless told, far more than memory allows.
_BUFFER = 2 * _MAX_LINE
_CSV = (
    "header = true, auto_detect = false, store_rejects = true, "
    f"rejects_line_size_limit = 1, max_line_size = {_MAX_LINE}, buffer_size = {_BUFFER}"
)


# Athena, which hands out OMOP's vocabularies, writes tabs and no quotes round what it writes.
_DIALECTS = {",": "delim = ',', quote = '\"', escape = '\"'", "\t": "delim = '\\t', quote = '', escape = ''"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the hospital, in one or more files of equal form.

    Attributes:
        name: as in ``hosp/labevents``.
        paths: its files, sorted; all CSV (packed or not) or all Parquet.
        columns: column names in lower case, in file order; those of the first file.
        delimiter: comma or tab, as the header of the first file has it; nothing is quoted between tabs.
    """

    name: str
    paths: tuple[Path, ...]
    columns: tuple[str, ...]
    delimiter: str = ","

    @property
    def is_parquet(self) -> bool:
        """Say whether its files are Parquet."""
        return _kind(self.paths[0]) == ".parquet"

    def alone(self, path: Path) -> Table:
        """Give one of its files as a table; Parquet files may each have columns of their own (MEDS)."""
        columns = _header(path)[0] if self.is_parquet else self.columns
        return Table(self.name, (path,), columns, self.delimiter)

    def require(self, *columns: str) -> None:
        """Raise `InputError` where a column is missing; says which and what stands there."""
        absent = [column for column in columns if column not in self.columns and column != ROW_NUMBER]
        if absent:
            raise InputError(
                f"no column {absent[0]!r}; it has {', '.join(self.columns)}",
                where=self.paths[0],
                remedy=f"expected the table {self.name} as its publisher documents it",
            )

    def sql(self, columns: Sequence[str], optional: Sequence[str] = (), *, among: tuple[str, str] | None = None) -> str:
        """Give a sub-query with these columns as trimmed texts, NULL where empty.

        Args:
            columns: columns that must be there; `ROW_NUMBER` may be one of them (an integer).
            optional: columns that are NULL where the table lacks them.
            among: a column, and a query that gives the values that are wanted of it; other rows are passed over before
                anything else is done with them, which is quicker than to leave that to a join.
        """
        self.require(*columns, *(among[:1] if among else ()))
        chosen = [ROW_NUMBER if column == ROW_NUMBER else _text(column) for column in columns]
        chosen += [_text(c) if c in self.columns else f"NULL::VARCHAR AS {c}" for c in optional]
        numbered = ROW_NUMBER in columns
        readers = [self._reader(path, numbered) for path in self.paths] if numbered else [self._reader(*self.paths)]
        wanted = f" WHERE trim({_quoted(among[0])}::VARCHAR) IN ({among[1]})" if among else ""
        return f"(SELECT {', '.join(chosen)} FROM ({' UNION ALL '.join(readers)}){wanted})"  # noqa: S608

    def _reader(self, *paths: Path | bool) -> str:
        numbered = paths[-1] is True
        files = ", ".join(quote(str(path)) for path in paths if isinstance(path, Path))
        if self.is_parquet:
            return f"SELECT * FROM read_parquet([{files}], file_row_number = {str(numbered).lower()})"  # noqa: S608
        types = ", ".join(f"{quote(column)}: 'VARCHAR'" for column in self.columns)
        options = f"{_DIALECTS[self.delimiter]}, {_CSV}"
        # A window without an order counts in the order of the file; DuckDB runs it in one thread for that.
        number = f", row_number() OVER () - 1 AS {ROW_NUMBER}" if numbered else ""
        return f"SELECT *{number} FROM read_csv([{files}], columns = {{{types}}}, {options})"  # noqa: S608


def _quoted(column: str) -> str:
    return f'"{column}"'


def _text(column: str) -> str:
    return f"nullif(trim({_quoted(column)}::VARCHAR), '') AS {_quoted(column)}"


def _kind(path: Path) -> str | None:
    name = path.name.lower()
    return next((suffix for suffix in reversed(_SUFFIXES) if name.endswith(suffix)), None)


def _stem(path: Path) -> str | None:
    kind = _kind(path)
    return None if kind is None else path.name.lower().removesuffix(kind)


def find_table(directory: Path, folder: str, name: str, *, parts: bool = False) -> Table | None:
    """Find a table as ``folder/name.csv``, ``.csv.gz`` or ``.parquet``, in any letter case, or in the directory itself.

    A folder ``name`` or ``name.parquet`` of Parquet or CSV files is a table in parts, too.

    Args:
        directory: the hospital's directory.
        folder: where the published layout has the table; empty where it has no folders.
        name: the table, in lower case.
        parts: also take every file whose name begins with the table's (``chartevents_1.csv.gz``).

    Returns:
        None where there is none. Where a table lies there in several kinds of files, CSV is taken before packed CSV
        and Parquet last.

    Raises:
        InputError: for an unreadable or empty file, or parts of unequal columns.
    """
    if not directory.is_dir():
        raise InputError("no such directory", where=directory)
    with user_errors(directory):
        places = [p for p in sorted(directory.iterdir()) if p.is_dir() and p.name.lower() == folder]
        for place in [*places, directory]:
            found = _files(place, name, parts=parts)
            for kinds in ((".csv", ".csv.gz"), (".parquet",)):
                chosen = tuple(found[stem] for stem in sorted(found) if _kind(found[stem]) in kinds)
                if chosen:
                    return _open_table(f"{folder}/{name}".removeprefix("/"), chosen)
    return None


def _files(place: Path, name: str, *, parts: bool) -> dict[str, Path]:
    """Give the files of a table by stem, of each stem the one to be taken."""
    found: dict[str, Path] = {}

    def offer(stem: str, path: Path) -> None:
        kind = _kind(path) or ""
        if stem not in found or _SUFFIXES.index(kind) < _SUFFIXES.index(_kind(found[stem]) or ""):
            found[stem] = path

    for path in sorted(place.iterdir()):
        if path.is_dir() and path.name.lower() in (name, f"{name}.parquet"):
            for part in sorted(path.iterdir()):
                stem = _stem(part)
                if stem is not None and part.is_file() and not part.name.startswith((".", "_")):
                    offer(f"{name}/{stem}", part)
        stem = _stem(path)
        if stem is not None and path.is_file() and (stem == name or (parts and stem.startswith(name))):
            offer(stem, path)
    return found


def need_table(directory: Path, folder: str, name: str, layout: str) -> Table:
    """Find a table that the layout cannot do without.

    Raises:
        InputError: names the missing file.
    """
    table = find_table(directory, folder, name)
    if table is None:
        place = f"{folder}/{name}".removeprefix("/")
        raise InputError(f"no {layout} directory: {place}.csv or {place}.csv.gz is missing", where=directory)
    return table


def _open_table(name: str, paths: tuple[Path, ...]) -> Table:
    headers = [_header(path) for path in paths]
    for path, header in zip(paths, headers, strict=True):
        if header != headers[0]:
            raise InputError(f"columns differ from those of {paths[0].name}: {', '.join(header[0])}", where=path)
    names, delimiter = headers[0]
    return Table(name, paths, names, delimiter)


def _header(path: Path) -> tuple[tuple[str, ...], str]:
    """Give the names of the columns in lower case, and what divides them."""
    row, delimiter = _first_row(path), ","
    if len(row) == 1 and "\t" in row[0]:
        row, delimiter = row[0].split("\t"), "\t"
    names = tuple(cell.strip().lower() for cell in row)
    if not any(names):
        raise InputError("the file is empty; expected a CSV header", where=path)
    if len(set(names)) != len(names) or any('"' in name for name in names):
        raise InputError(f"a column name stands twice or is broken: {', '.join(names)}", where=path)
    return names, delimiter


def _first_row(path: Path) -> list[str]:
    try:
        if _kind(path) == ".parquet":
            return list(pq.read_schema(path).names)
        if path.name.lower().endswith(".gz"):
            with gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as file:
                return next(csv.reader(file), [])
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return next(csv.reader(file), [])
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise broken_gzip(path) from error
    except csv.Error as error:
        raise InputError("its first line is no CSV header", where=path) from error
    except pa.ArrowException as error:
        raise InputError("no Parquet file, or a damaged one", where=path, remedy="copy or download it again") from error
