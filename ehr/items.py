"""Items: which entries of a hospital's own dictionary hold values of which series, and how they are read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ehr.conversions import Conversion, conversion
from ehr.errors import InputError
from ehr.records import own_records, package_records
from ehr.series import SeriesDefinition, loinc_curie, series_by_code
from ehr.units import normalise_unit

RULES = ("", "fraction", "temperature", "arterial")
"""How an item's values are read beyond its unit; see `SeriesItem`."""
_COLUMNS = ("table", "itemid", "code", "unit", "priority", "rule", "label")


@dataclass(frozen=True, slots=True)
class SeriesItem:
    """One item of a hospital's own dictionary that holds values of a series.

    Attributes:
        table: the hospital table, such as ``labevents``.
        itemid: the hospital's id.
        code: the series.
        unit: unit of a value that comes without one.
        priority: where one series has several values at one time, the lowest number stays (an arterial line before a
            cuff, the laboratory's own row before its copy in the chart).
        rule: ``fraction`` (a value up to 1 is a fraction, to be read as per cent), ``temperature`` (a value that only
            the other of Celsius and Fahrenheit makes possible is read so), ``arterial`` (not from a specimen that the
            laboratory calls venous or mixed), or empty.
    """

    table: str
    itemid: str
    code: str
    unit: str
    priority: int
    rule: str
    label: str


@lru_cache(maxsize=8)
def load_items(layout: str) -> tuple[SeriesItem, ...]:
    """Read the item ids of a hospital layout (``mimic_iv``), in the file's order.

    Raises:
        InputError: where an item names an unknown series, rule or unit, or stands twice.
    """
    name = f"items_{layout}.csv"
    return _items(package_records(name, _COLUMNS), f"ehr/{name}", series_by_code())


def read_items(path: Path, definitions: Sequence[SeriesDefinition]) -> tuple[SeriesItem, ...]:
    """Read a user's own item ids, a CSV with ``table``, ``itemid``, ``code`` and, where wanted, the other columns.

    They are added to the layout's, or take the place of those with the same table and item id.

    Raises:
        InputError: see `load_items`.
    """
    rows = (
        (
            line,
            dict.fromkeys(_COLUMNS, "")
            | row
            | {"code": loinc_curie(row["code"]) or row["code"], "priority": row.get("priority") or "1"},
        )
        for line, row in own_records(path, ("table", "itemid", "code"))
    )
    return _items(rows, str(path), {definition.code: definition for definition in definitions})


def _items(
    rows: Iterable[tuple[int, dict[str, str]]], source: str, known: Mapping[str, SeriesDefinition]
) -> tuple[SeriesItem, ...]:
    items: dict[tuple[str, str], SeriesItem] = {}
    for line, row in rows:
        where = f"{source} line {line}"
        definition = known.get(row["code"])
        if definition is None:
            raise InputError(f"unknown series {row['code']!r}", where=where)
        if not row["priority"].isdigit():
            raise InputError(f"priority {row['priority']!r} is no number", where=where)
        unit = row["unit"] or definition.unit
        item = SeriesItem(
            row["table"], row["itemid"], row["code"], unit, int(row["priority"]), row["rule"], row["label"]
        )
        if item.rule not in RULES:
            raise InputError(f"unknown rule {item.rule!r}", where=where)
        if conversion(item.code, item.unit, definition.unit) is None:
            raise InputError(f"unit {item.unit!r} has no conversion to {definition.unit!r}", where=where)
        if (item.table, item.itemid) in items:
            raise InputError(f"item {item.itemid} of {item.table} stands twice", where=where)
        items[item.table, item.itemid] = item
    return tuple(items.values())


def item_conversion(item: SeriesItem, unit: str | None) -> Conversion | None:
    """Give the conversion of an item's value, with the item's own unit where the value comes without one."""
    written = unit or ""
    return conversion(item.code, written if normalise_unit(written) else item.unit)
