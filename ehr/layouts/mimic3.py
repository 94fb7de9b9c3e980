"""MIMIC-III 1.4's layout: files side by side, charts of CareVue and MetaVision, ICD-9 alone, all notes in one table.

Columns: the DDL of ``MIT-LCP/mimic-code`` (``mimic-iii/buildmimic/postgres/postgres_create_tables.sql``); meanings: the
tables' pages of the MIMIC-III documentation (mimic.mit.edu/docs/iii/tables). ``ADMISSIONS.DIAGNOSIS``, ``DRGCODES``,
``PROCEDURES_ICD`` and ``CPTEVENTS`` are never opened: they state what is to be found out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from ehr.events import insert_events, prepare_events
from ehr.files import JsonValue
from ehr.icd9 import restore_zeros
from ehr.items import load_items
from ehr.layouts.common import Columns, FoundTables, hours_sql, load_drug_names, load_visits
from ehr.layouts.mimic import LABS_IN_STAY, admitted_sql, odd_admissions, renamed_items, wanted_items
from ehr.layouts.mimic3_texts import load_mimic3_facts, mimic3_notes
from ehr.progress import say
from ehr.tables import Table, Workspace, find_table

OLD_AGE = 91.4
"""Age of everybody older than 89: their birth is shifted so that they are 300, and the documentation of ``PATIENTS``
gives the median of their true ages as 91.4."""

_SPECIMEN_ITEM = "50800"
"""``D_LABITEMS``: specimen type of a blood gas (ART, VEN, MIX, CENTRAL VENOUS)."""

_ERAS = {"carevue": "2001 - 2008", "metavision": "2008 - 2012"}
"""Years of the two charting systems: the only trace of the true year that ``ICUSTAYS.DBSOURCE`` leaves."""

_NO_PLACE = "('** INFO NOT AVAILABLE **', 'UNKNOWN')"

_NEEDED: Columns = {
    "patients": ("subject_id", "gender", "dob"),
    "admissions": ("subject_id", "hadm_id", "admittime", "dischtime"),
    "diagnoses_icd": ("hadm_id", "icd9_code"),
}
_OPTIONAL: Columns = {
    "labevents": ("row_id", "subject_id", "hadm_id", "itemid", "charttime", "valuenum"),
    "chartevents": ("row_id", "hadm_id", "itemid", "charttime", "valuenum"),
    "icustays": ("hadm_id", "first_careunit", "intime"),
    "procedureevents_mv": ("hadm_id", "starttime", "itemid"),
    "d_items": ("itemid", "label"),
    "prescriptions": ("row_id", "hadm_id", "startdate", "drug"),
    "services": ("hadm_id", "transfertime", "curr_service"),
    "microbiologyevents": ("hadm_id", "chartdate", "spec_type_desc"),
    "noteevents": ("row_id", "hadm_id", "chartdate", "category", "text"),
    "d_labitems": ("itemid", "label"),
}


class MimicIII(FoundTables):
    """An opened MIMIC-III directory."""

    name = "mimic-iii"

    def __init__(self, directory: Path) -> None:
        """Find the tables and check their columns.

        Raises:
            InputError: names the missing file or column.
        """
        super().__init__(directory, "MIMIC-III", _NEEDED, _OPTIONAL, parts=("chartevents",))
        self._require_columns()

    @property
    def row_keys(self) -> Mapping[str, tuple[str, ...]]:
        """Key columns of the tables that a ``source_row`` names."""
        return {
            "labevents": ("row_id",),
            "chartevents": ("row_id", "itemid"),
            "prescriptions": ("row_id",),
            "noteevents": ("row_id",),
        }

    def load_stays(self, workspace: Workspace, counts: dict[str, JsonValue]) -> None:
        """Fill ``stay`` (one row an admission id, the first where one stands twice) and ``diagnosis``."""
        patients, admissions = self._found["patients"], self._found["admissions"]
        rows = admissions.sql(
            ("subject_id", "hadm_id", "admittime", "dischtime"),
            ("admission_type", "admission_location", "edregtime", "deathtime"),
        )
        people = patients.sql(("subject_id", "gender", "dob"))
        self._load_eras(workspace)
        workspace.run(
            f"""
            INSERT INTO stay
            WITH admitted AS ({admitted_sql(rows)}),
            person AS (
                SELECT subject_id, gender, try_cast(dob AS TIMESTAMP) AS born FROM {people}
                QUALIFY row_number() OVER (PARTITION BY subject_id ORDER BY dob, gender) = 1
            ),
            aged AS (
                SELECT a.*, p.gender, datesub('year', p.born, a.start) AS years, a.start >= p.born AS sound
                FROM admitted a LEFT JOIN person p USING (subject_id)
            )
            SELECT row_number() OVER (ORDER BY hadm_id) - 1, hadm_id, subject_id,
                   CASE WHEN years > 89 THEN {OLD_AGE} WHEN sound THEN years END, upper(gender), admission_type,
                   CASE WHEN upper(admission_location) NOT IN {_NO_PLACE} THEN admission_location END,
                   CASE WHEN finish >= start THEN date_diff('second', start, finish) / 3600.0 END,
                   era.year_group, start, finish, arrival
            FROM aged LEFT JOIN era USING (hadm_id)
            """,  # noqa: S608
            tables=(admissions, patients),
        )
        counts |= odd_admissions(workspace, rows, people, (admissions, patients))
        counts["ages_over_89"] = workspace.frame(
            f"SELECT count(*) FROM stay WHERE age = {OLD_AGE}"  # noqa: S608
        ).item()
        dictionaries = {"chartevents": "d_items", "labevents": "d_labitems"}
        named = {table: self._found[name] for table, name in dictionaries.items() if name in self._found}
        renamed = renamed_items(workspace, load_items("mimic_iii"), named)
        counts["items_named_otherwise"] = list(renamed)
        if renamed:
            say(f"{len(renamed)} items have another name in D_ITEMS or D_LABITEMS: see items_named_otherwise")
        self._load_diagnoses(workspace, counts)

    def _load_eras(self, workspace: Workspace) -> None:
        """Fill ``era``: the years of the charting system, where an admission has charts of one alone."""
        workspace.run("CREATE TABLE era (hadm_id VARCHAR, year_group VARCHAR)")
        stays = self._found.get("icustays")
        if stays is None:
            return
        cases = " ".join(f"WHEN '{source}' THEN '{years}'" for source, years in _ERAS.items())
        workspace.run(
            f"INSERT INTO era SELECT hadm_id, CASE min(lower(dbsource)) {cases} END "  # noqa: S608
            f"FROM {stays.sql(('hadm_id',), ('dbsource',))} "
            "GROUP BY hadm_id HAVING count(DISTINCT lower(dbsource)) = 1",
            tables=(stays,),
        )

    def _load_diagnoses(self, workspace: Workspace, counts: dict[str, JsonValue]) -> None:
        table = self._found["diagnoses_icd"]
        select = table.sql(("hadm_id", "icd9_code"), ("seq_num",))
        written = workspace.frame(
            f"SELECT DISTINCT icd9_code FROM {select} WHERE icd9_code IS NOT NULL ORDER BY 1",  # noqa: S608
            tables=(table,),
        )["icd9_code"].to_list()
        restored = restore_zeros(written)
        counts["distinct_codes_zeros_restored"] = len(restored.codes)
        counts["distinct_codes_zeros_ambiguous"] = len(restored.ambiguous)
        workspace.run("CREATE TABLE restored (written VARCHAR, meant VARCHAR)")
        pairs = pl.DataFrame(sorted(restored.codes.items()), schema=["written", "meant"], orient="row")
        workspace.insert("restored", pairs)
        workspace.run(
            f"""
            INSERT INTO diagnosis
            SELECT s.idx, coalesce(r.meant, d.icd9_code), '9', try_cast(d.seq_num AS INTEGER)
            FROM {select} d JOIN stay s ON s.admission_id = d.hadm_id LEFT JOIN restored r ON r.written = d.icd9_code
            """,  # noqa: S608
            tables=(table,),
        )

    def load_events(self, workspace: Workspace) -> None:
        """Fill ``event`` from ``LABEVENTS`` and ``CHARTEVENTS``; chart rows that were withdrawn (ERROR) are counted.

        A blood gas has no specimen id here: its values and its specimen type share patient and time.
        """
        prepare_events(workspace, load_items("mimic_iii"), {"labevents": _SPECIMEN_ITEM})
        load_visits(workspace)
        if "labevents" in self._found:
            self._load_labs(workspace, self._found["labevents"])
        if "chartevents" in self._found:
            self._load_chart(workspace, self._found["chartevents"])

    def _load_labs(self, workspace: Workspace, labs: Table) -> None:
        select = labs.sql(_OPTIONAL["labevents"], ("value", "valueuom"), among=wanted_items("labevents"))
        insert_events(
            workspace,
            f"""
            SELECT i.item, s.idx, {hours_sql("e.charttime")} AS hours, e.valuenum AS number, e.value AS text,
                   NULL::VARCHAR AS remark, e.valueuom AS unit, NULL::VARCHAR AS low, NULL::VARCHAR AS high,
                   e.row_id AS source,
                   CASE WHEN i.rule IN ('arterial', 'specimen')
                        THEN e.subject_id || '/' || epoch(try_cast(e.charttime AS TIMESTAMP))::BIGINT END AS specimen
            FROM {select} e
            {LABS_IN_STAY}
            """,  # noqa: S608
            (labs,),
        )

    def _load_chart(self, workspace: Workspace, chart: Table) -> None:
        select = chart.sql(_OPTIONAL["chartevents"], ("value", "valueuom", "error"), among=wanted_items("chartevents"))
        insert_events(
            workspace,
            f"""
            SELECT i.item, s.idx, {hours_sql("e.charttime")} AS hours, e.valuenum AS number, e.value AS text,
                   NULL::VARCHAR AS remark, e.valueuom AS unit, NULL::VARCHAR AS low, NULL::VARCHAR AS high,
                   e.row_id AS source, NULL::VARCHAR AS specimen,
                   coalesce(try_cast(e.error AS DOUBLE), 0) <> 0 AS withdrawn
            FROM {select} e
            JOIN item i ON i.source_table = 'chartevents' AND i.itemid = e.itemid
            LEFT JOIN stay s ON s.admission_id = e.hadm_id
            """,  # noqa: S608
            (chart,),
            withdrawn="withdrawn",
        )

    def load_medications(self, workspace: Workspace) -> None:
        """Fill ``medication`` from the prescriptions, which have a date alone; diluents (type BASE) are no drugs."""
        table = self._found.get("prescriptions")
        if table is None:
            return
        select = table.sql(("row_id", "hadm_id", "startdate", "drug"), ("drug_type",))
        load_drug_names(workspace, select, (table,))
        workspace.run(
            f"""
            INSERT INTO medication
            SELECT s.idx, n.name, {hours_sql("p.startdate")} AS hours, false,
                   'prescriptions:' || coalesce(min(try_cast(p.row_id AS BIGINT))::VARCHAR, '')
            FROM {select} p JOIN stay s ON s.admission_id = p.hadm_id JOIN drug_name n USING (drug)
            WHERE coalesce(upper(p.drug_type), 'MAIN') <> 'BASE' AND n.name <> ''
            GROUP BY ALL
            """,  # noqa: S608
            tables=(table,),
        )

    def load_facts(self, workspace: Workspace) -> None:
        """Fill ``fact`` with what an admission summary may say."""
        load_mimic3_facts(workspace, self._found)

    def notes(self, workspace: Workspace) -> Iterator[tuple[int, str, str]]:
        """Give the last discharge summary of each admission, sorted by admission."""
        return mimic3_notes(workspace, self._found)


def is_mimic3(directory: Path) -> bool:
    """Say whether ``PATIENTS``, beside the other files, has a date of birth and no anchor age."""
    table = find_table(directory, "", "patients")
    return table is not None and "dob" in table.columns and "anchor_age" not in table.columns
