"""What several layouts share: finding tables, stretches of admissions, drug orders, notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import polars as pl

from ehr.items import SeriesItem, load_items
from ehr.medications import prescribed_name
from ehr.summary import SUMMARY_HOURS
from ehr.tables import Table, Workspace, find_table, need_table

Columns = Mapping[str, tuple[str, ...]]
"""By table, columns that it has."""


class FoundTables:
    """The tables of a hospital's directory: those that a layout needs, and those that it would use."""

    def __init__(
        self,
        directory: Path,
        layout: str,
        needed: Columns,
        optional: Columns,
        *,
        folders: Mapping[str, str] | None = None,
        parts: Sequence[str] = (),
    ) -> None:
        """Find the tables; `_require_columns` then checks what was found.

        Args:
            directory: where they lie.
            layout: for messages.
            needed: tables that must be there, with the columns that they must have.
            optional: tables that may be there, likewise.
            folders: of the tables that do not lie in the directory itself.
            parts: tables that may be cut into several files.

        Raises:
            InputError: names the missing file.
        """
        self._columns = {**needed, **optional}
        self._folders = folders or {}
        self._optional = tuple(optional)
        self._found: dict[str, Table] = {
            name: need_table(directory, self._folders.get(name, ""), name, layout) for name in needed
        }
        for name in optional:
            table = find_table(directory, self._folders.get(name, ""), name, parts=name in parts)
            if table is not None:
                self._found[name] = table

    def _require_columns(self) -> None:
        """Raise `InputError` where a table lacks a column; names both."""
        for name, table in self._found.items():
            table.require(*self._columns[name])

    @property
    def tables(self) -> Sequence[Table]:
        """Every table that is read."""
        return tuple(self._found[name] for name in sorted(self._found))

    @property
    def absent(self) -> Sequence[str]:
        """Tables that would have been used but are not there."""
        missing = (name for name in self._optional if name not in self._found)
        return tuple(f"{self._folders.get(name, '')}/{name}".removeprefix("/") for name in missing)


def hours_sql(column: str, start: str = "s.start") -> str:
    """Give the SQL expression of a time column's hours since ``start``."""
    return f"date_diff('second', {start}, try_cast({column} AS TIMESTAMP)) / 3600.0"


def load_visits(workspace: Workspace) -> None:
    """Fill ``visit`` from ``stay``: stretches of time in which a patient is in exactly one admission.

    A lab without admission id belongs to the admission whose stretch (from arrival in the emergency department
    to discharge) holds its time; where two overlap, to none.
    """
    rows = workspace.frame(
        "SELECT patient_id, admission_id, least(start, coalesce(arrival, start)) AS opens, finish AS closes "
        "FROM stay WHERE start IS NOT NULL AND finish > start ORDER BY patient_id, opens, closes, admission_id"
    )
    found: list[tuple[object, object, object, object]] = []
    for _, group in rows.group_by("patient_id", maintain_order=True):
        stretches = group.rows()
        times = sorted({time for row in stretches for time in row[2:4]})
        for opens, closes in pairwise(times):
            inside = [row for row in stretches if row[2] <= opens and closes <= row[3]]
            if len(inside) == 1:
                found.append((inside[0][0], inside[0][1], opens, closes))
    workspace.run(
        "CREATE OR REPLACE TABLE visit (patient_id VARCHAR, admission_id VARCHAR, opens TIMESTAMP, closes TIMESTAMP)"
    )
    schema = {"patient_id": pl.String, "admission_id": pl.String, "opens": pl.Datetime, "closes": pl.Datetime}
    workspace.insert("visit", pl.DataFrame(found, schema=schema, orient="row"))


def loinc_items(workspace: Workspace, table: str) -> list[SeriesItem]:
    """Give the items of a layout that names its values by LOINC codes: those of the package, and every wanted series.

    Args:
        workspace: after `ehr.events.choose_items`.
        table: the layout's table of values.
    """
    found = {item.itemid: replace(item, table=table) for item in load_items("loinc")}
    for code, unit in workspace.frame("SELECT code, unit FROM wanted ORDER BY series").iter_rows():
        bare = code.removeprefix("LOINC:")
        if bare not in found or found[bare].code != code:
            found[bare] = SeriesItem(table, bare, code, unit, 1, "", "")
    return list(found.values())


def last_notes(workspace: Workspace, query: str, tables: Sequence[Table]) -> Iterator[tuple[int, str, str]]:
    """Give the last row of each admission.

    Args:
        workspace: to read with.
        query: gives ``idx``, source row and text, sorted by admission.
        tables: what it reads.
    """
    waiting: tuple[int, str, str] | None = None
    for frame in workspace.batches(query, 2048, tables=tables):
        for idx, source_row, text in frame.iter_rows():
            if waiting is not None and waiting[0] != idx:
                yield waiting
            waiting = (idx, source_row, text)
    if waiting is not None:
        yield waiting


def load_drug_names(workspace: Workspace, select: str, tables: Sequence[Table]) -> None:
    """Fill ``drug_name``: each text of a drug order (column ``drug`` of ``select``) with its plain name."""
    names = workspace.frame(
        f"SELECT DISTINCT drug FROM {select} WHERE drug IS NOT NULL ORDER BY drug",  # noqa: S608
        tables=tables,
    )["drug"].to_list()
    workspace.run("CREATE OR REPLACE TABLE drug_name (drug VARCHAR, name VARCHAR)")
    plain = pl.DataFrame({"drug": names, "name": [prescribed_name(name) for name in names]})
    workspace.insert("drug_name", plain)


def load_drug_facts(workspace: Workspace) -> None:
    """Fill ``fact`` with the drugs of the first hours."""
    workspace.run(
        "INSERT INTO fact SELECT idx, 'drug', min(hours), name FROM medication "
        "WHERE NOT before_admission AND hours <= ? GROUP BY ALL",
        [SUMMARY_HOURS],
    )
