"""MIMIC-IV's layout: ``hosp/``, ``icu/`` and, where there are notes, ``note/discharge``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from ehr.events import insert_events, prepare_events
from ehr.files import JsonValue
from ehr.items import load_items
from ehr.layouts.common import Columns, FoundTables, hours_sql, load_drug_names, load_visits
from ehr.layouts.mimic import LABS_IN_STAY, admitted_sql, odd_admissions, wanted_items
from ehr.layouts.mimic4_texts import load_mimic4_facts, mimic4_notes, notes_elsewhere
from ehr.tables import Table, Workspace, find_table

_SPECIMEN_ITEM = "52033"
"""``d_labitems``: the specimen type of a blood gas (ART., VEN., MIX., CENTRAL VENOUS.)."""

_OLDEST = 120.0
_NEEDED: Columns = {
    "patients": ("subject_id", "gender", "anchor_age", "anchor_year"),
    "admissions": ("subject_id", "hadm_id", "admittime", "dischtime"),
    "diagnoses_icd": ("hadm_id", "icd_code", "icd_version"),
}
_OPTIONAL: Columns = {
    "labevents": ("labevent_id", "subject_id", "hadm_id", "itemid", "charttime", "valuenum"),
    "chartevents": ("hadm_id", "stay_id", "itemid", "charttime", "valuenum"),
    "icustays": ("hadm_id", "first_careunit", "intime"),
    "procedureevents": ("hadm_id", "starttime", "itemid"),
    "d_items": ("itemid", "label"),
    "prescriptions": ("hadm_id", "starttime", "drug"),
    "services": ("hadm_id", "transfertime", "curr_service"),
    "microbiologyevents": ("hadm_id", "spec_type_desc"),
    "discharge": ("hadm_id", "text"),
}
_FOLDERS = {
    **dict.fromkeys((*_NEEDED, *_OPTIONAL), "hosp"),
    **dict.fromkeys(("chartevents", "icustays", "procedureevents", "d_items"), "icu"),
    "discharge": "note",
}


class MimicIV(FoundTables):
    """An opened MIMIC-IV directory."""

    name = "mimic-iv"

    def __init__(self, directory: Path, notes: Path | None = None) -> None:
        """Find the tables and check their columns.

        Args:
            directory: with ``hosp/`` and ``icu/``.
            notes: directory of MIMIC-IV-Note; by default looked for there and beside it.

        Raises:
            InputError: names the missing file or column.
        """
        super().__init__(directory, "MIMIC-IV", _NEEDED, _OPTIONAL, folders=_FOLDERS, parts=("chartevents",))
        if notes is not None or "discharge" not in self._found:
            self._found |= notes_elsewhere(directory, notes)
        self._require_columns()

    @property
    def row_keys(self) -> Mapping[str, tuple[str, ...]]:
        """Key columns of the tables that a ``source_row`` names."""
        return {
            "labevents": ("labevent_id",),
            "chartevents": ("stay_id", "itemid"),
            "prescriptions": ("pharmacy_id",),
            "discharge": ("note_id",),
        }

    def load_stays(self, workspace: Workspace, counts: dict[str, JsonValue]) -> None:
        """Fill ``stay`` (one row an admission id, the first where one stands twice) and ``diagnosis``."""
        patients, admissions = self._found["patients"], self._found["admissions"]
        rows = admissions.sql(
            ("subject_id", "hadm_id", "admittime", "dischtime"),
            ("admission_type", "admission_location", "edregtime", "deathtime"),
        )
        people = patients.sql(("subject_id", "gender", "anchor_age", "anchor_year"), ("anchor_year_group",))
        workspace.run(
            f"""
            INSERT INTO stay
            WITH once AS ({admitted_sql(rows)}),
            person AS (
                SELECT *, try_cast(anchor_age AS DOUBLE) AS years FROM {people}
                QUALIFY row_number() OVER (PARTITION BY subject_id ORDER BY anchor_year, anchor_age, gender) = 1
            )
            SELECT row_number() OVER (ORDER BY once.hadm_id) - 1, once.hadm_id, once.subject_id,
                   CASE WHEN years > {_OLDEST} THEN NULL WHEN years > 89 THEN years
                        WHEN years + year(start) - try_cast(anchor_year AS INTEGER) BETWEEN 0 AND {_OLDEST}
                        THEN years + year(start) - try_cast(anchor_year AS INTEGER) END,
                   upper(gender), admission_type, admission_location,
                   CASE WHEN finish >= start THEN date_diff('second', start, finish) / 3600.0 END,
                   anchor_year_group, start, finish, arrival
            FROM once LEFT JOIN person ON person.subject_id = once.subject_id
            """,  # noqa: S608
            tables=(patients, admissions),
        )
        counts |= odd_admissions(workspace, rows, people, (admissions, patients))
        codes = self._found["diagnoses_icd"]
        with workspace.joins_as_written():
            workspace.run(
                "INSERT INTO diagnosis SELECT s.idx, d.icd_code, d.icd_version, try_cast(d.seq_num AS INTEGER) "  # noqa: S608
                f"FROM {codes.sql(('hadm_id', 'icd_code', 'icd_version'), ('seq_num',))} d "
                "JOIN stay s ON s.admission_id = d.hadm_id",
                tables=(codes,),
            )

    def load_events(self, workspace: Workspace) -> None:
        """Fill ``event`` from ``labevents`` and ``chartevents``."""
        prepare_events(workspace, load_items("mimic_iv"), {"labevents": _SPECIMEN_ITEM})
        load_visits(workspace)
        labs = self._found.get("labevents")
        if labs is not None:
            self._load_labs(workspace, labs)
        chart = self._found.get("chartevents")
        if chart is not None:
            select = chart.sql(
                ("hadm_id", "stay_id", "itemid", "charttime", "valuenum"),
                ("value", "valueuom"),
                among=wanted_items("chartevents"),
            )
            insert_events(
                workspace,
                f"""
                SELECT i.item, s.idx, {hours_sql("e.charttime")} AS hours, e.valuenum AS number, e.value AS text,
                       NULL::VARCHAR AS remark, e.valueuom AS unit, NULL::VARCHAR AS low, NULL::VARCHAR AS high,
                       e.stay_id AS source, NULL::VARCHAR AS specimen
                FROM {select} e
                JOIN item i ON i.source_table = 'chartevents' AND i.itemid = e.itemid
                LEFT JOIN stay s ON s.admission_id = e.hadm_id
                """,  # noqa: S608
                (chart,),
            )

    def _load_labs(self, workspace: Workspace, labs: Table) -> None:
        select = labs.sql(
            ("labevent_id", "subject_id", "hadm_id", "itemid", "charttime", "valuenum"),
            ("specimen_id", "value", "valueuom", "ref_range_lower", "ref_range_upper", "comments"),
            among=wanted_items("labevents"),
        )
        insert_events(
            workspace,
            f"""
            SELECT i.item, s.idx, {hours_sql("e.charttime")} AS hours, e.valuenum AS number, e.value AS text,
                   e.comments AS remark, e.valueuom AS unit, e.ref_range_lower AS low, e.ref_range_upper AS high,
                   e.labevent_id AS source, e.specimen_id AS specimen
            FROM {select} e
            {LABS_IN_STAY}
            """,  # noqa: S608
            (labs,),
        )

    def load_medications(self, workspace: Workspace) -> None:
        """Fill ``medication`` from the prescriptions; diluents (drug type BASE) are no drugs."""
        table = self._found.get("prescriptions")
        if table is None:
            return
        select = table.sql(("hadm_id", "starttime", "drug"), ("pharmacy_id", "drug_type"))
        load_drug_names(workspace, select, (table,))
        with workspace.joins_as_written():
            workspace.run(
                f"""
                INSERT INTO medication
                SELECT s.idx, n.name, {hours_sql("p.starttime")} AS hours, false,
                       'prescriptions:' || coalesce(min(p.pharmacy_id), '')
                FROM {select} p JOIN stay s ON s.admission_id = p.hadm_id JOIN drug_name n USING (drug)
                WHERE coalesce(upper(p.drug_type), 'MAIN') <> 'BASE' AND n.name <> ''
                GROUP BY ALL
                """,  # noqa: S608
                tables=(table,),
            )

    def load_facts(self, workspace: Workspace) -> None:
        """Fill ``fact`` with what an admission summary may say."""
        load_mimic4_facts(workspace, self._found)

    def notes(self, workspace: Workspace) -> Iterator[tuple[int, str, str]]:
        """Give the last discharge summary of each admission, sorted by admission."""
        return mimic4_notes(workspace, self._found)


def is_mimic4(directory: Path) -> bool:
    """Say whether ``patients`` has MIMIC-IV's anchor columns."""
    table = find_table(directory, "hosp", "patients")
    return table is not None and "anchor_age" in table.columns
