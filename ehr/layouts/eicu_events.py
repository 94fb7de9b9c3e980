"""Values of eICU: labs by name, monitors with one column a vital, charts by label; offsets in minutes."""

from __future__ import annotations

from collections.abc import Mapping

from ehr.events import insert_events, prepare_events
from ehr.items import load_items
from ehr.tables import Table, Workspace

_REST = (
    "NULL::VARCHAR AS remark, {unit} AS unit, NULL::VARCHAR AS low, NULL::VARCHAR AS high, {key} AS source, "
    "NULL::VARCHAR AS specimen"
)
# eICU writes -1 where the monitor or the form had nothing.
_MISSING = "(SELECT * FROM {0} WHERE coalesce(try_cast({1} AS DOUBLE), 0) <> -1)"


def load_eicu_events(workspace: Workspace, found: Mapping[str, Table]) -> None:
    """Prepare and fill ``event``.

    Args:
        workspace: with this layout's table ``unit``.
        found: the tables that are there, by name in lower case.
    """
    items = load_items("eicu")
    prepare_events(workspace, items, {})
    if "lab" in found:
        _labs(workspace, found["lab"])
    for name in ("vitalperiodic", "vitalaperiodic"):
        if name in found:
            vitals = [item.itemid for item in items if item.table == name]
            _columns(workspace, found[name], name, f"{name}id", "observationoffset", vitals)
    if "nursecharting" in found:
        _chart(
            workspace,
            found["nursecharting"],
            "nursecharting",
            ("nursingchartid", "nursingchartoffset", "nursingchartvalue"),
            ("nursingchartcelltypevallabel", "nursingchartcelltypevalname"),
        )
    if "respiratorycharting" in found:
        columns = ("respchartid", "respchartoffset", "respchartvalue")
        _chart(workspace, found["respiratorycharting"], "respiratorycharting", columns, ("respchartvaluelabel",))
    if "intakeoutput" in found:
        columns = ("intakeoutputid", "intakeoutputoffset", "cellvaluenumeric")
        _chart(workspace, found["intakeoutput"], "intakeoutput", columns, ("celllabel",))
    _weights(workspace)


def _hours(offset: str) -> str:
    return f"(try_cast({offset} AS DOUBLE) - u.opened) / 60.0"


def _labs(workspace: Workspace, table: Table) -> None:
    """Insert labs; of a value that was revised the last revision counts, the others are marked as withdrawn.

    A lab before a unit's admission is repeated in each unit stay that follows; at one time one row stays.
    """
    select = table.sql(
        ("labid", "patientunitstayid", "labresultoffset", "labname", "labresult"),
        ("labresulttext", "labmeasurenamesystem", "labresultrevisedoffset"),
    )
    revised = "coalesce(try_cast(labresultrevisedoffset AS DOUBLE), 0)"
    insert_events(
        workspace,
        f"""
        SELECT i.item, u.idx, {_hours("e.labresultoffset")} AS hours, e.labresult AS number, e.labresulttext AS text,
               {_REST.format(unit="e.labmeasurenamesystem", key="e.labid")},
               e.last_revision > {revised} AS withdrawn
        FROM (SELECT *, max({revised}) OVER (PARTITION BY patientunitstayid, lower(labname), labresultoffset)
                        AS last_revision
              FROM {select} WHERE lower(labname) IN (SELECT itemid FROM item WHERE source_table = 'lab')) e
        JOIN item i ON i.source_table = 'lab' AND i.itemid = lower(e.labname)
        LEFT JOIN unit u USING (patientunitstayid)
        """,  # noqa: S608 - names of this module
        (table,),
        withdrawn="withdrawn",
    )


def _columns(workspace: Workspace, table: Table, name: str, key: str, offset: str, columns: list[str]) -> None:
    """Insert a table with one column a vital."""
    present = [column for column in columns if column in table.columns]
    if not present:
        return
    select = table.sql((key, "patientunitstayid", offset, *present))
    narrow = f"(UNPIVOT {select} ON {', '.join(present)} INTO NAME itemid VALUE measured)"
    insert_events(
        workspace,
        f"""
        SELECT i.item, u.idx, {_hours(f"e.{offset}")} AS hours, e.measured AS number, NULL::VARCHAR AS text,
               {_REST.format(unit="NULL::VARCHAR", key=f"e.{key}")}
        FROM {_MISSING.format(narrow, "measured")} e
        JOIN item i ON i.source_table = '{name}' AND i.itemid = e.itemid
        LEFT JOIN unit u USING (patientunitstayid)
        """,  # noqa: S608
        (table,),
    )


def _chart(
    workspace: Workspace, table: Table, name: str, columns: tuple[str, str, str], label: tuple[str, ...]
) -> None:
    """Insert a table of key, offset and value whose labels, joined by a bar, are the item."""
    key, offset, value = columns
    select = table.sql((key, "patientunitstayid", offset, value, *label))
    itemid = " || '|' || ".join(f"lower(coalesce(e.{column}, ''))" for column in label)
    # "35%" is 35.
    measured = f"regexp_replace(e.{value}, '\\s*%$', '')"
    insert_events(
        workspace,
        f"""
        SELECT i.item, u.idx, {_hours(f"e.{offset}")} AS hours, {measured} AS number, {measured} AS text,
               {_REST.format(unit="NULL::VARCHAR", key=f"e.{key}")}
        FROM {_MISSING.format(select, value)} e
        JOIN item i ON i.source_table = '{name}' AND i.itemid = {itemid}
        LEFT JOIN unit u USING (patientunitstayid)
        """,  # noqa: S608
        (table,),
    )


def _weights(workspace: Workspace) -> None:
    """Insert the weights of ``patient``: at admission to the unit and at discharge from it."""
    insert_events(
        workspace,
        f"""
        SELECT i.item, u.idx, {_hours("e.minute")} AS hours, e.measured AS number, NULL::VARCHAR AS text,
               {_REST.format(unit="NULL::VARCHAR", key="e.patientunitstayid")}
        FROM (
            SELECT patientunitstayid, 'admissionweight' AS itemid, '0' AS minute, admissionweight AS measured
            FROM unit WHERE coalesce(try_cast(admissionweight AS DOUBLE), -1) > 0
            UNION ALL
            SELECT patientunitstayid, 'dischargeweight', unitdischargeoffset, dischargeweight
            FROM unit WHERE coalesce(try_cast(dischargeweight AS DOUBLE), -1) > 0
        ) e
        JOIN item i ON i.source_table = 'patient' AND i.itemid = e.itemid
        JOIN unit u USING (patientunitstayid)
        """,  # noqa: S608
        (),
    )
