"""Any MEDS data set (Medical Event Data Standard 0.4): one long table of subject, time, code and value.

What the codes mean is read by `ehr.layouts.meds_codes`. Admissions are stated by the codes ``HOSPITAL_ADMISSION`` and
``HOSPITAL_DISCHARGE``, joined by a column such as ``hadm_id`` or, where there is none, in order of time; or by one row
``Visit/IP`` with its ``end``. Values stand at the time that the data set gives them: those of a laboratory often at the
time when they were stored, hours after the specimen was taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ehr.events import insert_events, prepare_events
from ehr.files import JsonValue
from ehr.layouts.common import load_drug_facts, load_drug_names, load_visits, loinc_items
from ehr.layouts.meds_codes import TABLE, series_items
from ehr.layouts.meds_files import open_files
from ehr.layouts.meds_rows import MedsRows
from ehr.summary import SUMMARY_HOURS
from ehr.tables import Table, Workspace

_HOURS = "date_diff('second', s.start, e.time) / 3600.0"
_IN_STAY = """
    LEFT JOIN visit v ON e.visit IS NULL AND v.patient_id = e.patient AND e.time >= v.opens AND e.time < v.closes
    LEFT JOIN stay s ON s.admission_id = coalesce(e.visit, v.admission_id)
"""
# MEDS keeps 32 bits of a number; the text beside it may have them all.
_NUMBER = (
    "CASE WHEN try_cast(e.text_value AS FLOAT) = e.numeric_value THEN e.text_value ELSE e.numeric_value::VARCHAR END"
)


class Meds:
    """An opened MEDS data set."""

    name = "meds"

    def __init__(self, directory: Path) -> None:
        """Find the files and check their schemas.

        Raises:
            InputError: names the missing or ill-formed file.
        """
        self._files = open_files(directory)
        self._rows = MedsRows(self._files)

    @property
    def tables(self) -> Sequence[Table]:
        """Every file that is read."""
        known = (self._files.codes, self._files.data, self._files.dataset, self._files.splits)
        return tuple(table for table in known if table is not None)

    @property
    def row_keys(self) -> Mapping[str, tuple[str, ...]]:
        """A row has no key; subject and code name it together with its time."""
        return {TABLE: ("subject_id", "code")}

    @property
    def absent(self) -> Sequence[str]:
        """Tables that would have been used but are not there."""
        found = {"metadata/codes": self._files.codes, "metadata/subject_splits": self._files.splits}
        return tuple(name for name, table in found.items() if table is None)

    def load_stays(self, workspace: Workspace, counts: dict[str, JsonValue]) -> None:
        """Fill ``stay``, ``diagnosis`` and ``code_map``.

        Raises:
            InputError: where no code states an admission; says which kinds of codes there are.
        """
        self._rows.read_codes(workspace)
        self._rows.load_stays(workspace, counts)

    def load_events(self, workspace: Workspace) -> None:
        """Fill ``event`` with the values of codes that `series_items` knows."""
        items = series_items(self._rows.meanings(workspace), loinc_items(workspace, TABLE))
        prepare_events(workspace, items, {})
        load_visits(workspace)
        insert_events(
            workspace,
            f"""
            SELECT i.item, s.idx, {_HOURS} AS hours, {_NUMBER} AS number, e.text_value AS text, NULL::VARCHAR AS remark,
                   coalesce(e.unit, e.stated_unit) AS unit, e.reference_low AS low, e.reference_high AS high,
                   e.subject_id AS source, NULL::VARCHAR AS specimen
            FROM {self._rows.sql("item", "loinc")} e
            JOIN item i ON i.source_table = '{TABLE}' AND i.itemid = e.code
            {_IN_STAY}
            """,  # noqa: S608
            (self._files.data,),
        )

    def load_medications(self, workspace: Workspace) -> None:
        """Fill ``medication`` with drugs that were started, and those taken before where the data set says so."""
        rows = f"(SELECT *, value AS drug FROM {self._rows.sql('drug', 'home_drug')})"  # noqa: S608
        load_drug_names(workspace, rows, (self._files.data,))
        workspace.run(
            f"""
            INSERT INTO medication
            SELECT idx, name, hours, home, '{TABLE}:' || subject_id || ':' || min(code)
            FROM (SELECT s.idx, CASE WHEN e.kind = 'home_drug' THEN e.drug ELSE n.name END AS name,
                         CASE WHEN e.kind = 'drug' THEN {_HOURS} END AS hours, e.kind = 'home_drug' AS home,
                         e.subject_id, e.code
                  FROM {rows} e JOIN drug_name n USING (drug) {_IN_STAY})
            WHERE idx IS NOT NULL AND name <> '' GROUP BY idx, name, hours, home, subject_id
            """,  # noqa: S608
            tables=(self._files.data,),
        )

    def load_facts(self, workspace: Workspace) -> None:
        """Fill ``fact`` with early drugs, units and charted procedures."""
        load_drug_facts(workspace)
        workspace.run(
            f"""
            INSERT INTO fact
            SELECT s.idx, e.kind, min({_HOURS}) AS hours, e.value
            FROM {self._rows.sql("unit", "procedure")} e {_IN_STAY}
            WHERE s.idx IS NOT NULL AND e.value IS NOT NULL AND {_HOURS} <= {SUMMARY_HOURS}
            GROUP BY s.idx, e.kind, e.value
            """,  # noqa: S608
            tables=(self._files.data,),
        )

    def notes(self, workspace: Workspace) -> Iterator[tuple[int, str, str]]:
        """Give the last discharge summary of each admission, sorted by admission."""
        query = f"""
            SELECT s.idx, '{TABLE}:' || e.subject_id || ':' || e.code AS source_row, e.text_value
            FROM {self._rows.sql("note")} e {_IN_STAY}
            WHERE s.idx IS NOT NULL AND e.text_value IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY s.idx ORDER BY e.time DESC NULLS LAST, e.text_value) = 1
            ORDER BY s.idx
        """  # noqa: S608
        for frame in workspace.batches(query, 2048, tables=(self._files.data,)):
            yield from frame.iter_rows()
