"""What MIMIC-III and MIMIC-IV share: their words, admissions with what is odd about them, items, and joins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from ehr.files import JsonValue
from ehr.items import SeriesItem
from ehr.tables import Table, Workspace

SERVICES = {
    "CMED": "cardiology",
    "CSURG": "cardiac surgery",
    "DENT": "dentistry",
    "ENT": "ear, nose and throat",
    "EYE": "ophthalmology",
    "GU": "urology",
    "GYN": "gynaecology",
    "MED": "general medicine",
    "NB": "newborn",
    "NBB": "newborn",
    "NMED": "neurology",
    "NSURG": "neurosurgery",
    "OBS": "obstetrics",
    "OMED": "oncology",
    "ORTHO": "orthopaedics",
    "PSURG": "plastic surgery",
    "PSYCH": "psychiatry",
    "SURG": "general surgery",
    "TRAUM": "trauma surgery",
    "TSURG": "thoracic surgery",
    "VSURG": "vascular surgery",
}
"""Codes of ``services.curr_service`` in MIMIC-III and MIMIC-IV."""

# Nurses' messages and every patient's drip are no procedures.
NO_PROCEDURE = "('communication', 'significant events', 'crrt filter change', 'peripheral lines')"
"""``ordercategoryname`` of MetaVision's procedure events that are none, as an SQL list."""

LABS_IN_STAY = """
    JOIN item i ON i.source_table = 'labevents' AND i.itemid = e.itemid
    LEFT JOIN visit v ON e.hadm_id IS NULL AND v.patient_id = e.subject_id
         AND try_cast(e.charttime AS TIMESTAMP) >= v.opens AND try_cast(e.charttime AS TIMESTAMP) < v.closes
    LEFT JOIN stay s ON s.admission_id = coalesce(e.hadm_id, v.admission_id)
"""
"""Joins MIMIC's ``labevents`` (``e``) to the items and admissions; without an admission id, by time (`load_visits`)."""


def admitted_sql(rows: str) -> str:
    """Give the query of MIMIC's admissions with their times, the first row of each admission id.

    Args:
        rows: query of all: ``subject_id``, ``hadm_id``, ``admittime``, ``dischtime``, ``edregtime`` and any other.
    """
    return f"""
        SELECT *, try_cast(admittime AS TIMESTAMP) AS start, try_cast(dischtime AS TIMESTAMP) AS finish,
               try_cast(edregtime AS TIMESTAMP) AS arrival
        FROM {rows} WHERE hadm_id IS NOT NULL AND subject_id IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY hadm_id ORDER BY admittime, dischtime, subject_id) = 1
    """  # noqa: S608


def wanted_items(table: str) -> tuple[str, str]:
    """Give, for ``among`` of `Table.sql`, the items of a table of values that are read."""
    return "itemid", f"SELECT itemid FROM item WHERE source_table = '{table}'"  # noqa: S608


def odd_admissions(workspace: Workspace, rows: str, people: str, tables: Sequence[Table]) -> dict[str, JsonValue]:
    """Count what is odd about patients and admissions; none of it costs an admission but a lost or double id.

    Args:
        workspace: with ``stay`` filled.
        rows: query of all admissions: ``subject_id``, ``hadm_id``, ``admittime``, ``dischtime``, ``deathtime``.
        people: query of all patients: ``subject_id``.
        tables: what they read.
    """
    given = workspace.frame(
        f"""
        SELECT count(*) FILTER (hadm_id IS NULL OR subject_id IS NULL) AS admissions_without_id,
               count(hadm_id) - count(DISTINCT hadm_id) AS duplicate_admissions,
               count(*) FILTER (try_cast(dischtime AS TIMESTAMP) < try_cast(admittime AS TIMESTAMP))
                   AS ends_before_it_starts,
               count(*) FILTER (try_cast(admittime AS TIMESTAMP) IS NULL) AS admissions_without_time,
               count(*) FILTER (try_cast(deathtime AS TIMESTAMP) > try_cast(dischtime AS TIMESTAMP))
                   AS deaths_after_discharge,
               count(*) AS total
        FROM {rows}
        """,  # noqa: S608
        tables=tables,
    ).row(0, named=True)
    double = workspace.frame(
        f"SELECT count(subject_id) - count(DISTINCT subject_id) AS n FROM {people}",  # noqa: S608
        tables=tables,
    ).item()
    kept, unaged = workspace.frame("SELECT count(*), count(*) FILTER (age IS NULL) FROM stay").row(0)
    total = given.pop("total")
    return {
        **given,
        "duplicate_patients": double,
        "ages_unknown_or_impossible": unaged,
        "admission_rows_dropped": total - kept,
    }


def renamed_items(workspace: Workspace, items: Sequence[SeriesItem], dictionaries: Mapping[str, Table]) -> list[str]:
    """Give the items, as ``table:itemid``, that a hospital's own dictionary names otherwise than the item map.

    Names agree where their first five letters and digits do, whatever the case: a dictionary's ``ANION GAP (8-20)``
    is ``Anion Gap``. An item that the dictionary lacks is not among them.

    Args:
        workspace: to read with.
        items: the item map.
        dictionaries: by table of values, the table with ``itemid`` and ``label``.
    """
    found: list[str] = []
    for name, table in sorted(dictionaries.items()):
        rows = workspace.frame(f"SELECT itemid, label FROM {table.sql(('itemid', 'label'))}", tables=(table,))  # noqa: S608
        labels = {itemid: label for itemid, label in rows.iter_rows() if label is not None}
        for item in items:
            label = labels.get(item.itemid) if item.table == name else None
            if label is not None and _letters(label) != _letters(item.label):
                found.append(f"{name}:{item.itemid}")
    return found


def _letters(label: str) -> str:
    return "".join(c for c in label.lower() if c.isalnum())[:5]


def load_service_names(workspace: Workspace) -> None:
    """Fill ``service_name``, what the codes of `SERVICES` mean."""
    workspace.run("CREATE OR REPLACE TABLE service_name (code VARCHAR, name VARCHAR)")
    names = pl.DataFrame({"code": list(SERVICES), "name": list(SERVICES.values())})
    workspace.insert("service_name", names)
