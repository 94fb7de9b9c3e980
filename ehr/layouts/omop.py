"""OMOP Common Data Model 5.4 as CSV or Parquet: any hospital that has been converted to it.

Source: OHDSI CommonDataModel, ``inst/ddl/5.4``. Admissions are visits of an inpatient kind, and visits to an emergency
or observation room that last over a night (``ehr/visits_omop.csv``), since converters put whole stays under the place
where they began. Diagnoses are read by their ICD source codes; where there are none, by SNOMED through the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ehr.errors import InputError
from ehr.events import insert_events, prepare_events, unit_sql
from ehr.files import JsonValue
from ehr.layouts.common import (
    Columns,
    FoundTables,
    hours_sql,
    load_drug_facts,
    load_drug_names,
    load_visits,
    loinc_items,
)
from ehr.layouts.omop_concepts import find_vocabulary, load_concepts, load_visit_kinds
from ehr.layouts.omop_conditions import load_diagnoses
from ehr.layouts.omop_visits import load_admissions, moment_sql
from ehr.tables import Table, Workspace, find_table

_NEEDED: Columns = {
    "person": ("person_id",),
    "visit_occurrence": ("visit_occurrence_id", "person_id", "visit_concept_id"),
}
_OPTIONAL: Columns = {
    "measurement": ("measurement_id", "person_id", "measurement_concept_id", "value_as_number"),
    "condition_occurrence": ("person_id", "condition_concept_id"),
    "drug_exposure": ("person_id", "drug_concept_id"),
    "note": ("person_id", "note_text"),
}
# Of SNOMED's Meas Value Operator, in which OMOP writes what stands before a number at the limit of detection.
_OPERATORS = "CASE e.operator_concept_id WHEN '4171756' THEN '<' WHEN '4171754' THEN '<=' WHEN '4172704' THEN '>' " + (
    "WHEN '4171755' THEN '>=' END"
)
_IN_STAY = """
    LEFT JOIN stay s0 ON s0.admission_id = e.visit_occurrence_id
    LEFT JOIN visit v ON s0.idx IS NULL AND v.patient_id = e.person_id AND e.time >= v.opens AND e.time < v.closes
    LEFT JOIN stay s ON s.admission_id = coalesce(s0.admission_id, v.admission_id)
"""
_BEFORE_NAME = r"^(NDA\d+\s+)?([\d.]+\s+(ML|HR|ACTUAT|MG)\s+)*"
_DISCHARGE_SUMMARY = "44814637"
"""Note type "Discharge summary" of OMOP before 2021."""


class Omop(FoundTables):
    """An opened directory of OMOP tables."""

    name = "omop"

    def __init__(self, directory: Path) -> None:
        """Find the tables and check their columns.

        Raises:
            InputError: names the missing file or column.
        """
        super().__init__(directory, "OMOP", _NEEDED, _OPTIONAL)
        if not {"measurement", "condition_occurrence"} & set(self._found):
            raise InputError("neither measurement nor condition_occurrence is there", where=directory)
        self._require_columns()
        self._vocabulary = {
            name: find_vocabulary(directory, name) for name in ("concept", "concept_relationship", "concept_ancestor")
        }

    @property
    def tables(self) -> Sequence[Table]:
        """Every table that is read."""
        return (*self._found.values(), *(table for tables in self._vocabulary.values() for table in tables))

    @property
    def row_keys(self) -> Mapping[str, tuple[str, ...]]:
        """Key columns of the tables that a ``source_row`` names."""
        return {
            "measurement": ("measurement_id",),
            "drug_exposure": ("drug_exposure_id",),
            "note": ("note_id",),
        }

    @property
    def absent(self) -> Sequence[str]:
        """Tables that would have been used but are not there."""
        return (*super().absent, *(name for name, tables in self._vocabulary.items() if not tables))

    def _ancestors(self) -> Table | None:
        return next(iter(self._vocabulary["concept_ancestor"]), None)

    def _load_vocabulary(self, workspace: Workspace) -> None:
        used = []
        for name, columns in {
            "visit_occurrence": ("visit_concept_id",),
            "condition_occurrence": ("condition_concept_id", "condition_source_concept_id"),
            "measurement": ("measurement_concept_id", "measurement_source_concept_id", "unit_concept_id"),
            "drug_exposure": ("drug_concept_id",),
            "note": ("note_class_concept_id",),
        }.items():
            table = self._found.get(name)
            if table is not None:
                used += [
                    f"SELECT DISTINCT {c} AS concept_id FROM {table.sql((c,))} WHERE {c} IS NOT NULL"  # noqa: S608
                    for c in columns
                    if c in table.columns
                ]
        load_concepts(workspace, self._vocabulary["concept"], " UNION ".join(used), tuple(self._found.values()))
        load_visit_kinds(workspace, self._ancestors())

    def load_stays(self, workspace: Workspace, counts: dict[str, JsonValue]) -> None:
        """Fill ``stay``, ``diagnosis`` and ``code_map``.

        Raises:
            InputError: where no visit is an admission; says what kinds of visits there are.
        """
        self._load_vocabulary(workspace)
        load_admissions(workspace, self._found["person"], self._found["visit_occurrence"], counts)
        table = self._found.get("condition_occurrence")
        if table is not None:
            load_visits(workspace)
            load_diagnoses(workspace, table, self._vocabulary["concept_relationship"], self._ancestors(), counts)

    def load_events(self, workspace: Workspace) -> None:
        """Fill ``event`` from ``measurement``, by the LOINC code of its concept, source concept or source value."""
        prepare_events(workspace, loinc_items(workspace, "measurement"), {})
        load_visits(workspace)
        table = self._found.get("measurement")
        if table is None:
            return
        select = table.sql(
            ("measurement_id", "person_id", "measurement_concept_id", "value_as_number"),
            (
                "measurement_date",
                "measurement_datetime",
                "measurement_source_value",
                "measurement_source_concept_id",
                "visit_occurrence_id",
                "operator_concept_id",
                "unit_concept_id",
                "unit_source_value",
                "value_source_value",
                "range_low",
                "range_high",
            ),
        )
        loinc = "(SELECT concept_id, code FROM concept WHERE vocabulary = 'LOINC')"
        unit = "CASE WHEN u.factor IS NULL THEN coalesce(uc.code, unit_source_value) ELSE unit_source_value END"
        insert_events(
            workspace,
            f"""
            SELECT i.item, s.idx, {hours_sql("e.time")} AS hours,
                   CASE WHEN {_OPERATORS} IS NULL THEN e.value_as_number END AS number,
                   CASE WHEN {_OPERATORS} IS NULL THEN e.value_source_value
                        ELSE {_OPERATORS} || e.value_as_number END AS text,
                   NULL::VARCHAR AS remark, {unit} AS unit, e.range_low AS low, e.range_high AS high,
                   e.measurement_id AS source, NULL::VARCHAR AS specimen
            FROM (SELECT *, {moment_sql("measurement")} AS time FROM {select}) e
            LEFT JOIN {loinc} c ON c.concept_id = e.measurement_concept_id
            LEFT JOIN {loinc} sc ON sc.concept_id = e.measurement_source_concept_id
            JOIN item i ON i.source_table = 'measurement'
                 AND i.itemid = coalesce(c.code, sc.code, e.measurement_source_value)
            LEFT JOIN concept uc ON uc.concept_id = e.unit_concept_id AND uc.vocabulary = 'UCUM'
            LEFT JOIN conversion u ON u.item = i.item AND e.unit_source_value IS NOT NULL
                 AND u.unit = {unit_sql("e.unit_source_value")}
            {_IN_STAY}
            """,  # noqa: S608
            (table,),
        )

    def load_medications(self, workspace: Workspace) -> None:
        """Fill ``medication`` from ``drug_exposure``."""
        table = self._found.get("drug_exposure")
        if table is None:
            return
        select = table.sql(
            ("person_id", "drug_concept_id"),
            (
                "drug_exposure_id",
                "drug_source_value",
                "drug_exposure_start_date",
                "drug_exposure_start_datetime",
                "visit_occurrence_id",
            ),
        )
        # A source value may be a mere code; the concept has the name, and before it what RxNorm sets there.
        rows = (
            f"(SELECT d.*, {moment_sql('drug_exposure_start')} AS time, "  # noqa: S608
            f"coalesce(regexp_replace(c.name, '{_BEFORE_NAME}', '', 'i'), "
            "CASE WHEN regexp_matches(d.drug_source_value, '[A-Za-z]{3}') THEN d.drug_source_value END) "
            f"AS drug FROM {select} d LEFT JOIN concept c ON c.concept_id = d.drug_concept_id AND c.concept_id <> '0')"
        )
        load_drug_names(workspace, rows, (table,))
        workspace.run(
            f"""
            INSERT INTO medication
            SELECT idx, name, hours, false, 'drug_exposure:' || coalesce(min(source), '')
            FROM (SELECT s.idx, n.name, {hours_sql("e.time")} AS hours, e.drug_exposure_id AS source
                  FROM {rows} e JOIN drug_name n USING (drug) {_IN_STAY})
            WHERE idx IS NOT NULL AND name <> '' GROUP BY idx, name, hours
            """,  # noqa: S608
            tables=(table,),
        )

    def load_facts(self, workspace: Workspace) -> None:
        """Fill ``fact`` with early drugs; visit details and procedures are not read."""
        load_drug_facts(workspace)

    def notes(self, workspace: Workspace) -> Iterator[tuple[int, str, str]]:
        """Give the last discharge summary of each admission, told by title, source value, class or type of the note."""
        table = self._found.get("note")
        if table is None:
            return
        select = table.sql(
            ("person_id", "note_text"),
            (
                "note_id",
                "note_date",
                "note_datetime",
                "note_title",
                "note_source_value",
                "note_class_concept_id",
                "note_type_concept_id",
                "visit_occurrence_id",
            ),
        )
        query = f"""
            SELECT s.idx, 'note:' || coalesce(e.note_id, '') AS source_row, e.note_text
            FROM (SELECT *, {moment_sql("note")} AS time FROM {select}) e
            LEFT JOIN concept c ON c.concept_id = e.note_class_concept_id
            {_IN_STAY}
            WHERE s.idx IS NOT NULL AND e.note_text IS NOT NULL
              AND (e.note_type_concept_id = '{_DISCHARGE_SUMMARY}' OR regexp_matches(
                   lower(concat_ws(' ', e.note_title, e.note_source_value, c.name)), 'discharge[ _-]?(summar|note)'))
            QUALIFY row_number() OVER (
                PARTITION BY s.idx ORDER BY e.time DESC NULLS LAST, try_cast(e.note_id AS BIGINT) DESC, e.note_text) = 1
            ORDER BY s.idx
        """  # noqa: S608
        for frame in workspace.batches(query, 2048, tables=(table,)):
            yield from frame.iter_rows()


def is_omop(directory: Path) -> bool:
    """Say whether ``person`` and ``visit_occurrence`` are there, with OMOP's columns."""
    person, visit = (find_table(directory, "", name) for name in ("person", "visit_occurrence"))
    return person is not None and visit is not None and "person_id" in person.columns
