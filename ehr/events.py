"""From a hospital's charted values to clean series: units, plausible ranges, one value at a time.

A layout appends its rows to the workspace's table ``event`` (`insert_events`); what may not be used keeps a status that
says why, so that nothing is lost without being counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import polars as pl

from ehr.conversions import conversion, known_units
from ehr.files import fingerprint
from ehr.items import SeriesItem
from ehr.schemas import SERIES_SCHEMA
from ehr.series import SeriesDefinition
from ehr.tables import Table, Workspace
from ehr.workspace import quote

SPECIMEN = "specimen"
"""Rule of an item that says where a blood gas was drawn; its rows are no values of a series."""

# `<0.01` and `GREATER THAN 50`: outside what the analyser can measure, so the limit is the value.
_CENSORED = r"'^\s*(?:<|>|less than|greater than)\s*=?\s*([0-9]*\.?[0-9]+)', 1, 'i'"
# `1,200`; `7,4` may be meant otherwise and is no number.
_THOUSANDS = (
    r"CASE WHEN regexp_full_match(text, '\d{1,3}(,\d{3})+(\.\d+)?') THEN try_cast(replace(text, ',', '') AS DOUBLE) END"
)
# The same as `ehr.units.normalise_unit`; a test holds the two together.
_UNIT = r"regexp_replace(lower(replace(replace(coalesce({0}, ''), 'µ', 'u'), 'μ', 'u')), '[\s°?*^.\[\]]', '', 'g')"
_EMPTY = "('', 'none', 'n/a', 'na', 'null')"


def unit_sql(column: str) -> str:
    """Give the SQL expression that normalises a unit as `ehr.units.normalise_unit` does."""
    unit = _UNIT.format(column)
    return f"CASE WHEN {unit} IN {_EMPTY} THEN '' ELSE {unit} END"


def choose_items(
    workspace: Workspace, definitions: Sequence[SeriesDefinition], items: Sequence[SeriesItem] = ()
) -> None:
    """Note which series are wanted, and a user's own items, before the layout calls `prepare_events`."""
    workspace.run(
        "CREATE OR REPLACE TABLE wanted (series INTEGER, code VARCHAR, unit VARCHAR, low DOUBLE, high DOUBLE)"
    )
    rows = [
        {"series": place, "code": one.code, "unit": one.unit, "low": one.plausible_low, "high": one.plausible_high}
        for place, one in enumerate(sorted(definitions, key=lambda one: one.code))
    ]
    workspace.insert("wanted", pl.DataFrame(rows))
    workspace.run(
        "CREATE OR REPLACE TABLE own_item (source_table VARCHAR, itemid VARCHAR, code VARCHAR, unit VARCHAR, "
        "priority INTEGER, rule VARCHAR)"
    )
    own = [(one.table, one.itemid, one.code, one.unit, one.priority, one.rule) for one in items]
    names = ("source_table", "itemid", "code", "unit", "priority", "rule")
    workspace.insert("own_item", pl.DataFrame(own, schema=names, orient="row"))


def prepare_events(workspace: Workspace, items: Sequence[SeriesItem], specimens: Mapping[str, str]) -> None:
    """Create the tables ``item``, ``conversion`` and ``event``.

    Args:
        workspace: the scratch database, after `choose_items`.
        items: the layout's items of all series; those of series that are not wanted are passed over.
        specimens: table name to the item id by which that table states the specimen of a blood gas.
    """
    wanted = {row["code"]: row for row in workspace.frame("SELECT * FROM wanted ORDER BY series").iter_rows(named=True)}
    own = [
        SeriesItem(table, itemid, code, unit, priority, rule, "")
        for table, itemid, code, unit, priority, rule in workspace.frame(
            "SELECT source_table, itemid, code, unit, priority, rule FROM own_item ORDER BY ALL"
        ).iter_rows()
    ]
    chosen = {(item.table, item.itemid): item for item in (*items, *own) if item.code in wanted}
    rows: list[dict[str, object]] = []
    units: list[dict[str, object]] = []
    for number, item in enumerate(chosen.values()):
        series = wanted[item.code]
        row = {"item": number, "source_table": item.table, "itemid": item.itemid, "series": series["series"]}
        rows.append(row | {"priority": item.priority, "rule": item.rule, "low": series["low"], "high": series["high"]})
        units += _conversions(number, item, series["unit"])
    for number, (table, itemid) in enumerate(sorted(specimens.items()), start=len(chosen)):
        rows.append({"item": number, "source_table": table, "itemid": itemid, "rule": SPECIMEN})
    workspace.run(
        "CREATE OR REPLACE TABLE item (item INTEGER, source_table VARCHAR, itemid VARCHAR, series INTEGER, "
        "priority INTEGER, rule VARCHAR, low DOUBLE, high DOUBLE)"
    )
    types = {"series": pl.Int64, "priority": pl.Int64, "low": pl.Float64, "high": pl.Float64}
    workspace.insert("item", pl.DataFrame(rows, schema_overrides=types))
    workspace.run("CREATE OR REPLACE TABLE conversion (item INTEGER, unit VARCHAR, shift DOUBLE, factor DOUBLE)")
    workspace.insert("conversion", pl.DataFrame(units))
    workspace.run(
        "CREATE TABLE IF NOT EXISTS event (idx INTEGER, item INTEGER, hours DOUBLE, value DOUBLE, low DOUBLE, "
        "high DOUBLE, source BIGINT, specimen VARCHAR, censored BOOLEAN, status VARCHAR)"
    )


def _conversions(number: int, item: SeriesItem, target: str) -> Iterator[dict[str, object]]:
    """Every spelling of a unit that is known, with how it is turned into the item's series' unit."""
    for unit in ["", *known_units()]:
        found = conversion(item.code, unit or item.unit, target)
        if found is not None:
            yield {"item": number, "unit": unit, "shift": found.shift, "factor": found.factor}


def insert_events(workspace: Workspace, select: str, tables: Sequence[Table], *, withdrawn: str = "false") -> None:
    """Append a hospital table's values, cleaned, each with a status.

    Args:
        workspace: prepared by `prepare_events`.
        select: query that gives ``item``, ``idx`` (NULL outside all admissions), ``hours``, ``number``, ``text``,
            ``remark``, ``unit``, ``low``, ``high``, ``source`` and ``specimen``, already joined with ``item``.
        tables: the files that the query reads.
        withdrawn: column of ``select`` that is true where the hospital itself calls the row an error.

    Joins are made in the order in which the query has them: the hospital's table first, small tables after it.
    A query whose rows are there already, from a run that was stopped, is not run again.
    """
    step = f"event {fingerprint(select)}"
    if workspace.is_done(step):
        return
    plain = f"coalesce(try_cast(number AS DOUBLE), try_cast(text AS DOUBLE), {_THOUSANDS})"
    limit = f"coalesce(try_cast(regexp_extract(text, {_CENSORED}) AS DOUBLE), " + (
        f"try_cast(regexp_extract(remark, {_CENSORED}) AS DOUBLE))"
    )
    with workspace.joins_as_written(), workspace.transaction():
        workspace.run(
            f"""
            INSERT INTO event
            WITH raw AS ({select}),
            read AS (
                SELECT raw.*, item.rule, item.low AS least, item.high AS most, c.shift, c.factor,
                       coalesce({plain}, {limit}) AS given, {plain} IS NULL AS beyond
                FROM raw JOIN item USING (item)
                LEFT JOIN conversion c ON c.item = raw.item AND c.unit = {unit_sql("raw.unit")}
            ),
            converted AS (SELECT *, round((given + shift) * factor, 6) AS plainly FROM read),
            ruled AS (
                SELECT *, CASE
                    WHEN rule = 'fraction' AND given > 0 AND given <= 1 THEN round(given * 100, 6)
                    WHEN rule = 'temperature' AND plainly NOT BETWEEN least AND most
                         AND given BETWEEN least AND most THEN given
                    WHEN rule = 'temperature' AND plainly NOT BETWEEN least AND most
                         AND (given - 32) / 1.8 BETWEEN least AND most THEN round((given - 32) / 1.8, 6)
                    ELSE plainly END AS value
                FROM converted
            )
            SELECT idx, item, ruled.hours, value, (try_cast(low AS DOUBLE) + shift) * factor,
                   (try_cast(high AS DOUBLE) + shift) * factor, try_cast(source AS BIGINT),
                   CASE WHEN rule = '{SPECIMEN}' THEN specimen || ':' || upper(coalesce(text, '')) ELSE specimen END,
                   beyond AND value IS NOT NULL,
                   CASE WHEN rule = '{SPECIMEN}' THEN '{SPECIMEN}'
                        WHEN {withdrawn} THEN 'withdrawn'
                        WHEN idx IS NULL THEN 'outside_admissions'
                        WHEN ruled.hours IS NULL THEN 'no_time'
                        WHEN given IS NULL THEN 'no_number'
                        WHEN factor IS NULL THEN 'unknown_unit'
                        WHEN NOT isfinite(value) OR value NOT BETWEEN least AND most THEN 'implausible'
                        WHEN ruled.hours > horizon.hours THEN 'after_cut_off'
                        ELSE 'kept' END
            FROM ruled LEFT JOIN horizon USING (idx)
            """,  # noqa: S608 - built from this module's own texts
            tables=tables,
        )
        workspace.mark_done(step)


def drop_venous(workspace: Workspace) -> None:
    """Mark values of `arterial` items whose specimen the laboratory calls venous or mixed."""
    workspace.run(
        f"""
        UPDATE event SET status = 'venous'
        WHERE status = 'kept' AND item IN (SELECT item FROM item WHERE rule = 'arterial')
          AND specimen IN (
              SELECT split_part(specimen, ':', 1) FROM event
              WHERE status = '{SPECIMEN}' AND regexp_matches(split_part(specimen, ':', 2), 'VEN|MIX'))
        """  # noqa: S608
    )


_SORTED = """
    SELECT stay.admission_id, series_code.code, e.hours, e.value, series_code.unit,
           e.low AS reference_low, e.high AS reference_high,
           e.source_table || ':' || coalesce(e.source::VARCHAR, '')
               || CASE WHEN e.source_table IN {by_item} THEN ':' || e.itemid ELSE '' END AS source_row
    FROM (SELECT event.*, i.series, i.priority, i.source_table, i.itemid
          FROM event JOIN item i USING (item)
          WHERE event.status = 'kept' AND event.idx BETWEEN {first} AND {last}) e
    JOIN wanted AS series_code USING (series) JOIN stay USING (idx)
    ORDER BY e.idx, e.series, e.hours, e.priority, e.item, e.source, e.value, e.low, e.high
"""
_ROWS_A_SORT = 1_000_000


def _names(names: Iterable[str]) -> str:
    return "(" + ", ".join(["''", *(quote(name) for name in sorted(names))]) + ")"


def _ranges(workspace: Workspace) -> list[tuple[int, int]]:
    """Give stretches of admissions with about a million values each, so that every sort stays in memory."""
    sizes = workspace.frame("SELECT idx, count(*) AS n FROM event WHERE status = 'kept' GROUP BY idx ORDER BY idx")
    found: list[tuple[int, int]] = []
    rows = 0
    for idx, count in sizes.iter_rows():
        if found and rows + count <= _ROWS_A_SORT:
            found[-1] = (found[-1][0], idx)
            rows += count
        else:
            found.append((idx, idx))
            rows = count
    return found


def series_frames(
    workspace: Workspace, counts: dict[str, int], row_keys: Mapping[str, tuple[str, ...]]
) -> Iterator[pl.DataFrame]:
    """Give the kept values as rows of the table ``series``, sorted, one value a series and time.

    Args:
        workspace: after all `insert_events`.
        counts: filled with how many rows were kept or dropped, and why.
        row_keys: of the hospital; where a table has two key columns, the second is the item's id.
    """
    drop_venous(workspace)
    for status, count, censored in workspace.frame(
        f"SELECT status, count(*), count(*) FILTER (censored) FROM event WHERE status <> '{SPECIMEN}' "  # noqa: S608
        "GROUP BY status"
    ).iter_rows():
        counts[status] = count
        if status == "kept":
            counts["kept_at_detection_limit"] = censored
    by_item = _names(table for table, keys in row_keys.items() if len(keys) > 1)
    counts["same_time"] = 0
    last: tuple[object, ...] | None = None
    for first, last_idx in _ranges(workspace):
        for frame in workspace.batches(_SORTED.format(first=first, last=last_idx, by_item=by_item), 100_000):
            unique = frame.unique(["admission_id", "code", "hours"], keep="first", maintain_order=True)
            if last == tuple(frame.row(0)[:3]):
                unique = unique[1:]
            last = tuple(frame.row(-1)[:3])
            counts["same_time"] += frame.height - unique.height
            yield unique.cast(SERIES_SCHEMA)
    counts["kept"] = counts.get("kept", 0) - counts["same_time"]
