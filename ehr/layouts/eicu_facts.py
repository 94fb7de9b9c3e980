"""What eICU's structured notes and lists tell the admission summary."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from ehr.layouts.eicu_words import told, treatment
from ehr.summary import SUMMARY_HOURS
from ehr.tables import Table, Workspace

_SPECIALTY_UNKNOWN = "('unknown', 'specialty not specified', 'other')"


def load_eicu_facts(workspace: Workspace, found: Mapping[str, Table]) -> None:
    """Fill ``fact`` with what was known in the first 24 hours.

    They count from the admission to the hospital or, where the patient came to the unit later, from there: nothing
    is recorded of the ward. Cultures are told by their site alone, as no time says when an organism was named.

    Args:
        workspace: with this layout's table ``unit`` and ``medication`` filled.
        found: the tables that are there, by name in lower case.
    """
    workspace.run(
        "CREATE TABLE early AS SELECT idx, greatest(0, -opened) / 60.0 + ? AS ends FROM unit WHERE turn = 1",
        [SUMMARY_HOURS],
    )
    workspace.run(
        "INSERT INTO fact SELECT u.idx, 'unit', min(-u.opened / 60.0), u.unittype FROM unit u JOIN early USING (idx) "
        "WHERE u.unittype IS NOT NULL AND -u.opened / 60.0 <= ends GROUP BY ALL"
    )
    workspace.run(
        "INSERT INTO fact SELECT idx, 'drug', min(hours), name FROM medication JOIN early USING (idx) "
        "WHERE NOT before_admission AND hours <= ends GROUP BY ALL"
    )
    _columns(workspace, found, "admissiondrug", "home_drug", "drugenteredoffset", "drugname")
    _columns(workspace, found, "microlab", "specimen", "culturetakenoffset", "culturesite")
    _columns(workspace, found, "apachepatientresult", "service", None, "physicianspeciality")
    _worded(workspace, found, "pasthistory", "history", "Past History/Organ Systems/", told)
    _worded(workspace, found, "note", "symptom", "Review Of Systems/Systems/", told)
    _worded(workspace, found, "treatment", "procedure", "", lambda path, _: treatment(path))


def _columns(
    workspace: Workspace, found: Mapping[str, Table], name: str, kind: str, offset: str | None, text: str
) -> None:
    """Tell a column as it stands; without an offset at the time of the unit's admission."""
    table = found.get(name)
    if table is None:
        return
    columns = ("patientunitstayid", text) if offset is None else ("patientunitstayid", text, offset)
    hours = f"(coalesce(try_cast({f'e.{offset}' if offset else 'NULL'} AS DOUBLE), 0) - u.opened) / 60.0"
    workspace.run(
        f"""
        INSERT INTO fact
        SELECT u.idx, '{kind}', min({hours}), e.{text}
        FROM {table.sql(columns)} e JOIN unit u USING (patientunitstayid) JOIN early USING (idx)
        WHERE e.{text} IS NOT NULL AND {hours} <= ends AND lower(e.{text}) NOT IN {_SPECIALTY_UNKNOWN}
        GROUP BY u.idx, e.{text}
        """,  # noqa: S608 - names of this module
        tables=(table,),
    )


_PATHS = {
    "pasthistory": ("pasthistorypath", "pasthistoryvalue", "pasthistoryoffset"),
    "note": ("notepath", "notevalue", "noteoffset"),
    "treatment": ("treatmentstring", "treatmentstring", "treatmentoffset"),
}


def _worded(
    workspace: Workspace,
    found: Mapping[str, Table],
    name: str,
    kind: str,
    below: str,
    words: Callable[[str, str], str | None],
) -> None:
    """Tell items that were chosen below a part of the form, in the words that ``words`` makes of path and value."""
    table = found.get(name)
    if table is None:
        return
    path, value, offset = _PATHS[name]
    select = table.sql(tuple(dict.fromkeys(("patientunitstayid", path, value, offset))))
    chosen = workspace.frame(
        f"SELECT DISTINCT {path} AS path, {value} AS value FROM {select} "  # noqa: S608
        f"WHERE contains({path}, '{below}') AND {value} IS NOT NULL ORDER BY ALL",
        tables=(table,),
    ).rows()
    rows = [(a, b, text) for a, b in chosen if (text := words(a, b))]
    workspace.run("CREATE OR REPLACE TABLE worded (path VARCHAR, value VARCHAR, words VARCHAR)")
    workspace.insert("worded", pl.DataFrame(rows, schema=["path", "value", "words"], orient="row"))
    hours = f"(try_cast(e.{offset} AS DOUBLE) - u.opened) / 60.0"
    workspace.run(
        f"""
        INSERT INTO fact
        SELECT u.idx, '{kind}', min({hours}), w.words
        FROM {select} e JOIN unit u USING (patientunitstayid) JOIN early USING (idx)
        JOIN worded w ON w.path = e.{path} AND w.value = e.{value}
        WHERE {hours} <= ends
        GROUP BY u.idx, w.words
        """,  # noqa: S608
        tables=(table,),
    )
