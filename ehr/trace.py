"""From a kept value back to the row of the hospital's own file that it came from, read again."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from ehr.cohort import Cohort
from ehr.errors import InputError
from ehr.hospital import WORK_TABLES, Hospital
from ehr.ingest import open_hospital
from ehr.mending import mend
from ehr.series import SeriesDefinition
from ehr.tables import ROW_NUMBER, Table, Workspace

Row = dict[str, object]

_LONG = 40
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the values of one hospital table come from: the table, its key columns, and the files' sizes then."""

    table: Table
    keys: tuple[str, ...]


def trace(
    cohort: Cohort, admission_id: str, series: str, *, source: Path | None = None, include_text: bool = False
) -> list[Row]:
    """Give every kept value of a series of one admission with its source row as it stands in the hospital's file now.

    Args:
        cohort: an ingested cohort.
        admission_id: of the cohort.
        series: LOINC code (with or without prefix), name or short name.
        source: the hospital's directory, where it no longer lies where it was ingested from.
        include_text: show cells of free text too; without it a long cell is told by its length alone.

    Returns:
        One row a value: ``hours``, ``value``, ``unit``, ``source_row``, ``file`` and ``record``, the source row's cells
        that are not empty (None where the row cannot be found any more).

    Raises:
        InputError: for an unknown admission or series, a directory that is gone, or files that changed since.
    """
    if admission_id not in set(cohort.ids()):
        raise InputError(f"no admission {admission_id!r}", where=cohort.path)
    code = _find_series(cohort.series_set(), series).code
    values = (
        cohort.scan("series")
        .filter((pl.col("admission_id") == admission_id) & (pl.col("code") == code))
        .select("hours", "value", "unit", "source_row")
        .collect()
    )
    hospital, directory = _hospital(cohort, source)
    found: dict[int, tuple[str, dict[str, object]]] = {}
    with tempfile.TemporaryDirectory(prefix="clinragen-trace-") as scratch:
        workspace = Workspace(Path(scratch))
        try:
            parts = values.with_row_index().with_columns(pl.col("source_row").str.split(":").alias("parts"))
            start: datetime | None = None
            for name in sorted({str(cells[0]) for cells in parts["parts"]}):
                origin = _source_of(hospital, name)
                _check_unchanged(cohort, origin.table, directory)
                _mended(cohort, origin.table, workspace)
                wanted = [
                    (int(index), float(hours), ":".join(cells[1:]).split(":", len(origin.keys) - 1))
                    for index, hours, cells in parts.select("index", "hours", "parts").iter_rows()
                    if cells[0] == name
                ]
                records = _read(workspace, origin, [keys for _, _, keys in wanted])
                for index, hours, keys in wanted:
                    candidates = records.get(tuple(keys), [])
                    if len(candidates) > 1:
                        start = start or _start(hospital, workspace, admission_id)
                        candidates = [one for one in candidates if _is_at(one[1], start, hours)] or candidates
                    if candidates:
                        found[index] = candidates[0]
        finally:
            workspace.close()
    rows: list[Row] = []
    for index, row in enumerate(values.iter_rows(named=True)):
        file, record = found.get(index, ("", None))
        shown = None if record is None else {k: _cell(v, include_text) for k, v in record.items() if v is not None}
        rows.append({**row, "file": file, "record": shown})
    return rows


def _cell(value: object, include_text: bool) -> object:
    if isinstance(value, str) and len(value) > _LONG and not include_text:
        return f"[{len(value)} characters; --include-text shows them]"
    return value


def _find_series(definitions: Sequence[SeriesDefinition], wanted: str) -> SeriesDefinition:
    key = wanted.strip().lower()
    for one in definitions:
        if key in {one.code.lower(), one.code.lower().removeprefix("loinc:"), one.name.lower(), one.short.lower()}:
            return one
    names = ", ".join(f"{one.short} ({one.code})" for one in definitions[:6])
    raise InputError(f"no series {wanted!r} in this cohort", remedy=f"expected such as {names}")


def _hospital(cohort: Cohort, source: Path | None) -> tuple[Hospital, Path]:
    origin = cohort.manifest.get("source")
    told: Mapping[str, object] = origin if isinstance(origin, dict) else {}
    directory = source if source is not None else Path(str(told.get("directory", "")))
    if not directory.is_dir() or not told.get("directory"):
        remedy = "say where it lies now with --source"
        raise InputError("the hospital's directory is not there any more", where=directory, remedy=remedy)
    notes = told.get("notes")
    place = Path(str(notes)) if notes and Path(str(notes)).is_dir() else None
    return open_hospital(directory, str(told.get("layout", "auto")), notes=place), directory


def _source_of(hospital: Hospital, name: str) -> _Source:
    for table in hospital.tables:
        if table.name.rpartition("/")[2] == name and name in hospital.row_keys:
            return _Source(table, tuple(hospital.row_keys[name]))
    raise InputError(f"the hospital has no table {name!r} any more", where=hospital.name)


def _check_unchanged(cohort: Cohort, table: Table, directory: Path) -> None:
    origin = cohort.manifest.get("source")
    files = origin.get("files") if isinstance(origin, dict) else None
    for path in table.paths:
        name = str(path.relative_to(directory)) if path.is_relative_to(directory) else path.name
        told = files.get(name) if isinstance(files, dict) else None
        if not isinstance(told, dict) or told.get("bytes") != path.stat().st_size:
            remedy = "ingest again, or name the right directory with --source"
            raise InputError("is not the file that the cohort was made from", where=path, remedy=remedy)


def _mended(cohort: Cohort, table: Table, workspace: Workspace) -> None:
    """Read a file with broken bytes as ingestion did."""
    broken = cohort.manifest.get("records_left_out")
    for number, path in enumerate(table.paths):
        if isinstance(broken, dict) and path.name in broken and not table.is_parquet:
            copy = workspace.scratch / f"{table.name.replace('/', '-')}-{number}.csv"
            mend(path, len(table.columns), copy, keep_going=True, quoted=table.delimiter == ",")
            if copy.is_file():
                workspace.read_instead(path, copy)


def _read(
    workspace: Workspace, origin: _Source, keys: Sequence[Sequence[str]]
) -> dict[tuple[str, ...], list[tuple[str, dict[str, object]]]]:
    """Read the rows with these keys, by key, each with its file."""
    found: dict[tuple[str, ...], list[tuple[str, dict[str, object]]]] = {}
    names = [f"k{i}" for i in range(len(origin.keys))]
    frame = pl.DataFrame(sorted({tuple(key) for key in keys}), schema=dict.fromkeys(names, pl.String), orient="row")
    workspace.run("CREATE OR REPLACE TABLE looked_for (" + ", ".join(f"{name} VARCHAR" for name in names) + ")")
    workspace.insert("looked_for", frame)
    # Numbers are compared as numbers: a key may have been written 0172 or 172.0.
    same = " AND ".join(
        f"(e.{key}::VARCHAR = w.{name} OR try_cast(e.{key}::VARCHAR AS BIGINT) = try_cast(w.{name} AS BIGINT))"
        if key != ROW_NUMBER
        else f"e.{key} = w.{name}::BIGINT"
        for key, name in zip(origin.keys, names, strict=True)
    )
    numbered = (ROW_NUMBER,) if ROW_NUMBER in origin.keys else ()
    for path in origin.table.paths:
        one = origin.table.alone(path)
        query = f"SELECT w.*, e.* FROM {one.sql((*one.columns, *numbered))} e JOIN looked_for w ON {same}"  # noqa: S608
        for row in workspace.frame(f"{query} ORDER BY ALL", tables=[one]).iter_rows(named=True):
            key = tuple(str(row.pop(name)) for name in names)
            found.setdefault(key, []).append((path.name, row))
    return found


def _start(hospital: Hospital, workspace: Workspace, admission_id: str) -> datetime | None:
    """Give when an admission began, read again: a cohort has no dates."""
    for table in WORK_TABLES:
        workspace.run(f"CREATE TABLE IF NOT EXISTS {table}")
    hospital.load_stays(workspace, {})
    frame = workspace.frame("SELECT admission_id, start FROM stay")
    starts = frame.filter(pl.col("admission_id") == admission_id)["start"].to_list()
    return starts[0] if starts else None


def _is_at(record: Mapping[str, object], start: datetime | None, hours: float) -> bool:
    """Say whether a cell of the record is the value's time."""
    if start is None:
        return False
    time = start + timedelta(hours=hours)
    for cell in record.values():
        try:
            if isinstance(cell, str) and abs(datetime.fromisoformat(cell) - time) <= _SECOND:
                return True
        except (ValueError, TypeError):
            continue
    return False
