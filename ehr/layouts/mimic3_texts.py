"""What MIMIC-III tells the admission summary, and its discharge summaries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ehr.layouts.common import hours_sql, last_notes, load_drug_facts
from ehr.layouts.mimic import NO_PROCEDURE, load_service_names
from ehr.summary import SUMMARY_HOURS
from ehr.tables import Table, Workspace

_UNITS = {
    "CCU": "coronary care unit",
    "CSRU": "cardiac surgery recovery unit",
    "MICU": "medical intensive care unit",
    "NICU": "neonatal intensive care unit",
    "SICU": "surgical intensive care unit",
    "TSICU": "trauma surgical intensive care unit",
}
_MASKED = re.compile(r"\[\*\*.{0,200}?\*\*\]", re.DOTALL)


def unmask(text: str) -> str:
    """Give a note with MIMIC-IV's mark (``___``) where MIMIC-III says what was removed (``[**Hospital1 18**]``)."""
    return _MASKED.sub("___", text)


def load_mimic3_facts(workspace: Workspace, found: Mapping[str, Table]) -> None:
    """Fill ``fact`` from services, ICU stays, early drugs, charted procedures and specimens.

    Organisms are left out: the table has no time at which the laboratory named them.
    """
    load_service_names(workspace)
    load_drug_facts(workspace)
    _fact(
        workspace,
        found,
        "service",
        "e.transfertime",
        "coalesce(n.name, lower(e.curr_service))",
        ("services", ("hadm_id", "transfertime", "curr_service")),
        "LEFT JOIN service_name n ON n.code = upper(e.curr_service)",
    )
    units = " ".join(f"WHEN '{code}' THEN '{name}'" for code, name in _UNITS.items())
    _fact(
        workspace,
        found,
        "unit",
        "e.intime",
        f"CASE upper(e.first_careunit) {units} ELSE e.first_careunit END",
        ("icustays", ("hadm_id", "first_careunit", "intime")),
    )
    items = found.get("d_items")
    if items is not None:
        _fact(
            workspace,
            found,
            "procedure",
            "e.starttime",
            "d.label",
            ("procedureevents_mv", ("hadm_id", "starttime", "itemid")),
            f"JOIN {items.sql(('itemid', 'label'))} d USING (itemid)",
            f"AND coalesce(lower(e.ordercategoryname), '') NOT IN {NO_PROCEDURE}",
        )
    _fact(
        workspace,
        found,
        "specimen",
        "coalesce(e.charttime, e.chartdate)",
        "e.spec_type_desc",
        ("microbiologyevents", ("hadm_id", "chartdate", "spec_type_desc")),
    )


def _fact(
    workspace: Workspace,
    found: Mapping[str, Table],
    kind: str,
    time: str,
    text: str,
    source: tuple[str, tuple[str, ...]],
    join: str = "",
    where: str = "",
) -> None:
    table = found.get(source[0])
    if table is None:
        return
    select = table.sql(source[1], [c for c in ("charttime", "ordercategoryname") if c not in source[1]])
    workspace.run(
        f"""
        INSERT INTO fact
        SELECT s.idx, '{kind}', min({hours_sql(time)}) AS hours, {text} AS told
        FROM {select} e {join} JOIN stay s ON s.admission_id = e.hadm_id
        WHERE {text} IS NOT NULL AND {hours_sql(time)} <= {SUMMARY_HOURS} {where}
        GROUP BY s.idx, told
        """,  # noqa: S608
        tables=[table, *([found["d_items"]] if "d_items" in found else [])],
    )


def mimic3_notes(workspace: Workspace, found: Mapping[str, Table]) -> Iterator[tuple[int, str, str]]:
    """Give the last discharge summary of each admission, sorted by admission.

    Passed over: addenda, notes marked as an error, notes of other categories, and notes without admission id.
    Discharge summaries have a date and no time; of two of one date the later row counts.
    """
    table = found.get("noteevents")
    if table is None:
        return
    select = table.sql(("row_id", "hadm_id", "chartdate", "category", "text"), ("charttime", "description", "iserror"))
    query = f"""
        SELECT s.idx, 'noteevents:' || coalesce(n.row_id, '') AS source_row, n.text
        FROM {select} n JOIN stay s ON s.admission_id = n.hadm_id
        WHERE lower(n.category) = 'discharge summary' AND n.text IS NOT NULL
              AND lower(coalesce(n.description, 'report')) NOT LIKE '%addendum%'
              AND coalesce(try_cast(n.iserror AS DOUBLE), 0) = 0
        ORDER BY s.idx, try_cast(coalesce(n.charttime, n.chartdate) AS TIMESTAMP) NULLS FIRST,
                 try_cast(n.row_id AS BIGINT), n.text
    """  # noqa: S608
    for idx, source_row, text in last_notes(workspace, query, (table,)):
        yield idx, source_row, unmask(text)
