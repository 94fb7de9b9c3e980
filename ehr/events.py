"""From a hospital's charted values to clean series: units, plausible ranges, one value at a time.

A layout appends its rows to the workspace's table ``event`` (`insert_events`); what may not be used keeps a status that
says why, so that nothing is lost without being counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from ehr.cohort import SERIES_SCHEMA
from ehr.series import SeriesItem, conversion, known_units, series_by_code
from ehr.tables import Table, Workspace

SPECIMEN = "specimen"
"""Rule of an item that says where a blood gas was drawn; its rows are no values of a series."""

# `<0.01` and `GREATER THAN 50`: outside what the analyser can measure, so the limit is the value.
_CENSORED = r"'^\s*(?:<|>|less than|greater than)\s*=?\s*([0-9]*\.?[0-9]+)', 1, 'i'"
# The same as `ehr.series.normalise_unit`; a test holds the two together.
_UNIT = r"regexp_replace(lower(replace(replace(coalesce({0}, ''), 'µ', 'u'), 'μ', 'u')), '[\s°?*^.]', '', 'g')"
_EMPTY = "('', 'none', 'n/a', 'na', 'null')"


def unit_sql(column: str) -> str:
    """Give the SQL expression that normalises a unit as `ehr.series.normalise_unit` does."""
    unit = _UNIT.format(column)
    return f"CASE WHEN {unit} IN {_EMPTY} THEN '' ELSE {unit} END"


def prepare_events(workspace: Workspace, items: Sequence[SeriesItem], specimens: Mapping[str, str]) -> None:
    """Create the tables ``item``, ``conversion`` and ``event``.

    Args:
        workspace: the scratch database.
        items: the layout's items of all series.
        specimens: table name to the item id by which that table states the specimen of a blood gas.
    """
    codes = sorted({item.code for item in items})
    rows = [
        {
            "item": number,
            "source_table": item.table,
            "itemid": item.itemid,
            "series": codes.index(item.code),
            "priority": item.priority,
            "rule": item.rule,
            "low": series_by_code()[item.code].plausible_low,
            "high": series_by_code()[item.code].plausible_high,
        }
        for number, item in enumerate(items)
    ]
    for number, (table, itemid) in enumerate(sorted(specimens.items()), start=len(items)):
        rows.append({"item": number, "source_table": table, "itemid": itemid, "rule": SPECIMEN})
    workspace.run(
        "CREATE TABLE item (item INTEGER, source_table VARCHAR, itemid VARCHAR, series INTEGER, priority INTEGER, "
        "rule VARCHAR, low DOUBLE, high DOUBLE)"
    )
    workspace.insert("item", pl.DataFrame(rows, schema_overrides={"series": pl.Int64, "low": pl.Float64}))
    workspace.run("CREATE TABLE conversion (item INTEGER, unit VARCHAR, shift DOUBLE, factor DOUBLE)")
    workspace.insert("conversion", pl.DataFrame(list(_conversions(items))))
    workspace.run("CREATE TABLE series_code (series INTEGER, code VARCHAR, unit VARCHAR)")
    named = [{"series": i, "code": code, "unit": series_by_code()[code].unit} for i, code in enumerate(codes)]
    workspace.insert("series_code", pl.DataFrame(named))
    workspace.run(
        "CREATE TABLE event (idx INTEGER, item INTEGER, hours DOUBLE, value DOUBLE, low DOUBLE, high DOUBLE, "
        "source BIGINT, specimen VARCHAR, censored BOOLEAN, status VARCHAR)"
    )


def _conversions(items: Sequence[SeriesItem]) -> Iterator[dict[str, object]]:
    """Every spelling of a unit that is known, with how it is turned into the item's series' unit."""
    for number, item in enumerate(items):
        for unit in ["", *known_units()]:
            found = conversion(item.code, unit or item.unit)
            if found is not None:
                yield {"item": number, "unit": unit, "shift": found.shift, "factor": found.factor}


def insert_events(workspace: Workspace, select: str, tables: Sequence[Table]) -> None:
    """Append a hospital table's values, cleaned, each with a status.

    Args:
        workspace: prepared by `prepare_events`.
        select: query that gives ``item``, ``idx`` (NULL outside all admissions), ``hours``, ``number``, ``text``,
            ``remark``, ``unit``, ``low``, ``high``, ``source`` and ``specimen``, already joined with ``item``.
        tables: the files that the query reads.
    """
    plain = "coalesce(try_cast(number AS DOUBLE), try_cast(text AS DOUBLE))"
    limit = f"coalesce(try_cast(regexp_extract(text, {_CENSORED}) AS DOUBLE), " + (
        f"try_cast(regexp_extract(remark, {_CENSORED}) AS DOUBLE))"
    )
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
        SELECT idx, item, hours, value, (try_cast(low AS DOUBLE) + shift) * factor,
               (try_cast(high AS DOUBLE) + shift) * factor, try_cast(source AS BIGINT),
               CASE WHEN rule = '{SPECIMEN}' THEN specimen || ':' || upper(coalesce(text, '')) ELSE specimen END,
               beyond AND value IS NOT NULL,
               CASE WHEN rule = '{SPECIMEN}' THEN '{SPECIMEN}'
                    WHEN idx IS NULL THEN 'outside_admissions'
                    WHEN hours IS NULL THEN 'no_time'
                    WHEN given IS NULL THEN 'no_number'
                    WHEN factor IS NULL THEN 'unknown_unit'
                    WHEN value NOT BETWEEN least AND most THEN 'implausible'
                    ELSE 'kept' END
        FROM ruled
        """,  # noqa: S608 - built from this module's own texts
        tables=tables,
    )


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
           CASE WHEN e.source_table IN ('chartevents', 'data') THEN e.source_table || ':'
                     || coalesce(e.source::VARCHAR, '') || ':' || e.itemid
                ELSE e.source_table || ':' || coalesce(e.source::VARCHAR, '') END AS source_row
    FROM (SELECT event.*, i.series, i.priority, i.source_table, i.itemid
          FROM event JOIN item i USING (item)
          WHERE event.status = 'kept' AND event.idx BETWEEN {first} AND {last}) e
    JOIN series_code USING (series) JOIN stay USING (idx)
    ORDER BY e.idx, e.series, e.hours, e.priority, e.item, e.source, e.value, e.low, e.high
"""
_ROWS_A_SORT = 1_000_000


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


def series_frames(workspace: Workspace, counts: dict[str, int]) -> Iterator[pl.DataFrame]:
    """Give the kept values as rows of the table ``series``, sorted, one value a series and time.

    Args:
        workspace: after all `insert_events`.
        counts: filled with how many rows were kept or dropped, and why.
    """
    drop_venous(workspace)
    for status, count, censored in workspace.frame(
        f"SELECT status, count(*), count(*) FILTER (censored) FROM event WHERE status <> '{SPECIMEN}' "  # noqa: S608
        "GROUP BY status"
    ).iter_rows():
        counts[status] = count
        if status == "kept":
            counts["kept_at_detection_limit"] = censored
    counts["same_time"] = 0
    last: tuple[object, ...] | None = None
    for first, last_idx in _ranges(workspace):
        for frame in workspace.batches(_SORTED.format(first=first, last=last_idx), 100_000):
            unique = frame.unique(["admission_id", "code", "hours"], keep="first", maintain_order=True)
            if last == tuple(frame.row(0)[:3]):
                unique = unique[1:]
            last = tuple(frame.row(-1)[:3])
            counts["same_time"] += frame.height - unique.height
            yield unique.cast(SERIES_SCHEMA)
    counts["kept"] = counts.get("kept", 0) - counts["same_time"]
