"""eICU-CRD 2.0's layout: one file a table, times in minutes from a unit's admission, no free-text notes.

Columns: the DDL of ``MIT-LCP/eicu-code`` (``build-db/duckdb/duckdb_create_tables.sql``); meanings: the tables' pages of
the documentation (eicu-crd.mit.edu/eicutables).

An admission is a hospital stay (``patienthealthsystemstayid``) with all its unit stays. Hours count from the admission
to the hospital: each unit's ``hospitaladmitoffset`` says when that was. Never opened or read: ``apachePredVar``,
``apacheApsVar``, ``admissionDx``, ``patient.apacheadmissiondx`` and the outcomes in ``apachePatientResult``; they
state or foretell what is to be found out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from ehr.files import JsonValue
from ehr.layouts.common import Columns, FoundTables
from ehr.layouts.eicu_events import load_eicu_events
from ehr.layouts.eicu_facts import load_eicu_facts
from ehr.layouts.eicu_words import age, order_name, priority, split_codes
from ehr.medications import prescribed_name
from ehr.tables import Workspace, find_table

_NEEDED: Columns = {
    "patient": ("patientunitstayid", "patienthealthsystemstayid", "uniquepid", "age", "gender", "hospitaladmitoffset"),
    "diagnosis": ("patientunitstayid", "icd9code"),
}
_OPTIONAL: Columns = {
    "lab": ("labid", "patientunitstayid", "labresultoffset", "labname", "labresult"),
    "vitalperiodic": ("vitalperiodicid", "patientunitstayid", "observationoffset"),
    "vitalaperiodic": ("vitalaperiodicid", "patientunitstayid", "observationoffset"),
    "nursecharting": (
        "nursingchartid",
        "patientunitstayid",
        "nursingchartoffset",
        "nursingchartcelltypevallabel",
        "nursingchartcelltypevalname",
        "nursingchartvalue",
    ),
    "respiratorycharting": (
        "respchartid",
        "patientunitstayid",
        "respchartoffset",
        "respchartvaluelabel",
        "respchartvalue",
    ),
    "intakeoutput": ("intakeoutputid", "patientunitstayid", "intakeoutputoffset", "celllabel", "cellvaluenumeric"),
    "medication": ("medicationid", "patientunitstayid", "drugstartoffset", "drugname"),
    "infusiondrug": ("infusiondrugid", "patientunitstayid", "infusionoffset", "drugname"),
    "admissiondrug": ("admissiondrugid", "patientunitstayid", "drugenteredoffset", "drugname"),
    "pasthistory": ("patientunitstayid", "pasthistoryoffset", "pasthistorypath", "pasthistoryvalue"),
    "note": ("patientunitstayid", "noteoffset", "notepath", "notevalue"),
    "treatment": ("patientunitstayid", "treatmentoffset", "treatmentstring"),
    "microlab": ("patientunitstayid", "culturetakenoffset", "culturesite"),
    "apachepatientresult": ("patientunitstayid", "physicianspeciality"),
}


class Eicu(FoundTables):
    """An opened eICU directory."""

    name = "eicu"

    def __init__(self, directory: Path) -> None:
        """Find the tables and check their columns.

        Raises:
            InputError: names the missing file or column.
        """
        super().__init__(directory, "eICU", _NEEDED, _OPTIONAL)
        self._require_columns()

    @property
    def row_keys(self) -> Mapping[str, tuple[str, ...]]:
        """Key columns of the tables that a ``source_row`` names."""
        return {
            "lab": ("labid",),
            "vitalperiodic": ("vitalperiodicid",),
            "vitalaperiodic": ("vitalaperiodicid",),
            "nursecharting": ("nursingchartid",),
            "respiratorycharting": ("respchartid",),
            "intakeoutput": ("intakeoutputid",),
            "patient": ("patientunitstayid",),
            "medication": ("medicationid",),
            "infusiondrug": ("infusiondrugid",),
            "admissiondrug": ("admissiondrugid",),
        }

    def load_stays(self, workspace: Workspace, counts: dict[str, JsonValue]) -> None:
        """Fill ``stay``, ``diagnosis`` and this layout's own ``unit`` (each unit stay's admission and clock).

        Age, sex, place and year are those of the first unit stay: the one whose ``hospitaladmitoffset`` is the
        largest, as the documentation of ``patient`` orders them.
        """
        self._load_units(workspace, counts)
        ages = workspace.frame("SELECT DISTINCT age FROM unit WHERE age IS NOT NULL ORDER BY age")["age"].to_list()
        workspace.run("CREATE TABLE age_read (written VARCHAR, years DOUBLE)")
        pairs = {"written": ages, "years": [age(text) for text in ages]}
        workspace.insert("age_read", pl.DataFrame(pairs, schema={"written": pl.String, "years": pl.Float64}))
        workspace.run(
            """
            INSERT INTO stay
            SELECT idx, patienthealthsystemstayid, uniquepid, years,
                   CASE lower(gender) WHEN 'female' THEN 'F' WHEN 'male' THEN 'M' END, NULL,
                   coalesce(hospitaladmitsource, unitadmitsource),
                   CASE WHEN try_cast(hospitaldischargeoffset AS DOUBLE) >= opened
                        THEN (try_cast(hospitaldischargeoffset AS DOUBLE) - opened) / 60.0 END,
                   hospitaldischargeyear, NULL, NULL, NULL
            FROM unit LEFT JOIN age_read ON written = age WHERE turn = 1
            """
        )
        counts["ages_over_89"] = workspace.frame("SELECT count(*) FROM unit WHERE turn = 1 AND age LIKE '>%'").item()
        self._load_diagnoses(workspace, counts)

    def _load_units(self, workspace: Workspace, counts: dict[str, JsonValue]) -> None:
        """Fill ``unit``: each unit stay once, with its admission, when that began, and its turn in it."""
        table = self._found["patient"]
        select = table.sql(
            _NEEDED["patient"],
            (
                "hospitaldischargeoffset",
                "hospitaladmitsource",
                "unitadmitsource",
                "hospitaldischargeyear",
                "unittype",
                "unitvisitnumber",
                "unitdischargeoffset",
                "admissionweight",
                "dischargeweight",
            ),
        )
        workspace.run(
            f"""
            CREATE TABLE unit AS
            WITH given AS (
                SELECT *, coalesce(try_cast(hospitaladmitoffset AS DOUBLE), 0) AS opened FROM {select}
                WHERE patientunitstayid IS NOT NULL AND patienthealthsystemstayid IS NOT NULL AND uniquepid IS NOT NULL
                QUALIFY row_number() OVER (PARTITION BY patientunitstayid
                                           ORDER BY patienthealthsystemstayid, uniquepid, hospitaladmitoffset) = 1
            )
            SELECT *, dense_rank() OVER (ORDER BY patienthealthsystemstayid) - 1 AS idx,
                   row_number() OVER (PARTITION BY patienthealthsystemstayid ORDER BY opened DESC,
                       try_cast(unitvisitnumber AS INTEGER), try_cast(patientunitstayid AS BIGINT), patientunitstayid)
                       AS turn
            FROM given
            """,  # noqa: S608
            tables=(table,),
        )
        given = workspace.frame(f"SELECT count(*) FROM {select}", tables=(table,)).item()  # noqa: S608
        units, several, moved = workspace.frame(
            "SELECT count(*), count(*) FILTER (turn = 2), count(*) FILTER (opened > 0) FROM unit"
        ).row(0)
        counts["unit_stays"] = units
        counts["unit_stays_dropped"] = given - units
        counts["admissions_with_several_unit_stays"] = several
        counts["units_before_the_hospital"] = moved

    def _load_diagnoses(self, workspace: Workspace, counts: dict[str, JsonValue]) -> None:
        """Fill ``diagnosis`` with every code that was charted in any unit stay, each once an admission."""
        table = self._found["diagnosis"]
        select = table.sql(("patientunitstayid", "icd9code"), ("diagnosispriority",))
        fields = workspace.frame(
            f"SELECT DISTINCT icd9code FROM {select} WHERE icd9code IS NOT NULL ORDER BY 1",  # noqa: S608
            tables=(table,),
        )["icd9code"].to_list()
        rows = [(field, code, version) for field in fields for code, version in split_codes(field)]
        workspace.run("CREATE TABLE code_read (field VARCHAR, code VARCHAR, version VARCHAR)")
        workspace.insert("code_read", pl.DataFrame(rows, schema=["field", "code", "version"], orient="row"))
        ranks = " ".join(f"WHEN '{name}' THEN {priority(name)}" for name in ("primary", "major", "other"))
        workspace.run(
            f"""
            INSERT INTO diagnosis
            SELECT u.idx, c.code, c.version, min(CASE lower(d.diagnosispriority) {ranks} END)
            FROM {select} d JOIN unit u USING (patientunitstayid) JOIN code_read c ON c.field = d.icd9code
            GROUP BY ALL
            """,  # noqa: S608
            tables=(table,),
        )
        counts["diagnoses_without_code"] = workspace.frame(
            f"SELECT count(*) FROM {select} WHERE icd9code IS NULL",  # noqa: S608
            tables=(table,),
        ).item()

    def load_events(self, workspace: Workspace) -> None:
        """Fill ``event`` from labs, monitors, nurses' and respiratory charts and weights."""
        load_eicu_events(workspace, self._found)

    def load_medications(self, workspace: Workspace) -> None:
        """Fill ``medication`` from orders that were not cancelled, infusions, and the drugs taken before admission.

        Rows without a drug's name (an order may have its HICL number alone) name no drug.
        """
        for name, offset, select in self._drug_tables():
            table = self._found[name]
            before = name == "admissiondrug"
            texts = workspace.frame(
                f"SELECT DISTINCT drugname FROM {select} WHERE drugname IS NOT NULL ORDER BY 1",  # noqa: S608
                tables=(table,),
            )["drugname"].to_list()
            plain = [prescribed_name(text) if before else order_name(text) for text in texts]
            workspace.run("CREATE OR REPLACE TABLE drug_name (drugname VARCHAR, name VARCHAR)")
            workspace.insert("drug_name", pl.DataFrame({"drugname": texts, "name": plain}))
            hours = "NULL::DOUBLE" if before else f"(try_cast(d.{offset} AS DOUBLE) - u.opened) / 60.0"
            workspace.run(
                f"""
                INSERT INTO medication
                SELECT u.idx, n.name, {hours} AS hours, {before},
                       '{name}:' || min(try_cast(d.{self.row_keys[name][0]} AS BIGINT))
                FROM {select} d JOIN unit u USING (patientunitstayid) JOIN drug_name n USING (drugname)
                WHERE n.name <> '' AND coalesce(lower(d.drugordercancelled), 'no') <> 'yes'
                GROUP BY u.idx, n.name, hours
                """,  # noqa: S608
                tables=(table,),
            )

    def _drug_tables(self) -> Iterator[tuple[str, str, str]]:
        for name, offset in (
            ("admissiondrug", "drugenteredoffset"),
            ("medication", "drugstartoffset"),
            ("infusiondrug", "infusionoffset"),
        ):
            if name in self._found:
                yield name, offset, self._found[name].sql(_OPTIONAL[name], ("drugordercancelled",))

    def load_facts(self, workspace: Workspace) -> None:
        """Fill ``fact`` from what was known in the first hours."""
        load_eicu_facts(workspace, self._found)

    def notes(self, workspace: Workspace) -> Iterator[tuple[int, str, str]]:
        """Give nothing: eICU has no free text; the summary stands in."""
        return iter(())


def is_eicu(directory: Path) -> bool:
    """Say whether ``patient`` has eICU's unit stays."""
    table = find_table(directory, "", "patient")
    return table is not None and "patientunitstayid" in table.columns
