"""The series (labs and vitals) that the project reads: definitions, hospital item ids and unit conversions."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from ehr.errors import InputError

RULES = ("", "fraction", "temperature", "arterial")
"""How an item's values are read beyond its unit; see `SeriesItem`."""

_EMPTY_UNITS = frozenset({"", "none", "n/a", "na", "null"})


@dataclass(frozen=True, slots=True)
class SeriesDefinition:
    """One lab or vital.

    Attributes:
        code: LOINC code as a CURIE.
        name, short: names for text and for plots.
        kind: ``lab`` or ``vital``.
        unit: UCUM unit of every stored value.
        low, high: reference range of adults, None where there is none (body weight).
        plausible_low, plausible_high: values outside are measurement or typing errors and are dropped.
        paper: True for the eleven series of the ClinRaGen paper.
    """

    code: str
    name: str
    short: str
    kind: str
    unit: str
    low: float | None
    high: float | None
    plausible_low: float
    plausible_high: float
    paper: bool


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


@dataclass(frozen=True, slots=True)
class Conversion:
    """Turns a source's value into the series' unit: ``(value + shift) * factor``."""

    shift: float = 0.0
    factor: float = 1.0

    def __call__(self, value: float) -> float:
        """Convert one value."""
        return (value + self.shift) * self.factor


def _records(name: str, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    text = (files("ehr") / name).read_text(encoding="utf-8")
    reader = csv.DictReader(text.splitlines())
    if tuple(reader.fieldnames or ()) != columns:
        raise InputError(f"columns are {reader.fieldnames}, expected {list(columns)}", where=f"ehr/{name}")
    yield from enumerate(reader, start=2)


def _number(text: str) -> float | None:
    return float(text) if text else None


@lru_cache(maxsize=1)
def load_series() -> tuple[SeriesDefinition, ...]:
    """Read the series that the package carries, in the file's order."""
    columns = ("code", "name", "short", "kind", "unit", "low", "high", "plausible_low", "plausible_high", "paper")
    return tuple(
        SeriesDefinition(
            code=row["code"],
            name=row["name"],
            short=row["short"],
            kind=row["kind"],
            unit=row["unit"],
            low=_number(row["low"]),
            high=_number(row["high"]),
            plausible_low=float(row["plausible_low"]),
            plausible_high=float(row["plausible_high"]),
            paper=row["paper"] == "true",
        )
        for _, row in _records("series.csv", columns)
    )


@lru_cache(maxsize=1)
def series_by_code() -> Mapping[str, SeriesDefinition]:
    """Give the definitions by LOINC CURIE."""
    return {definition.code: definition for definition in load_series()}


@lru_cache(maxsize=4)
def load_items(layout: str) -> tuple[SeriesItem, ...]:
    """Read the item ids of a hospital layout (``mimic_iv``), in the file's order.

    Raises:
        InputError: where an item names an unknown series, rule or unit, or stands twice.
    """
    name = f"items_{layout}.csv"
    columns = ("table", "itemid", "code", "unit", "priority", "rule", "label")
    items: dict[tuple[str, str], SeriesItem] = {}
    for line, row in _records(name, columns):
        where = f"ehr/{name} line {line}"
        item = SeriesItem(
            row["table"], row["itemid"], row["code"], row["unit"], int(row["priority"]), row["rule"], row["label"]
        )
        if item.code not in series_by_code():
            raise InputError(f"unknown series {item.code!r}", where=where)
        if item.rule not in RULES:
            raise InputError(f"unknown rule {item.rule!r}", where=where)
        if conversion(item.code, item.unit) is None:
            raise InputError(f"unit {item.unit!r} has no conversion in ehr/units.csv", where=where)
        if (item.table, item.itemid) in items:
            raise InputError(f"item {item.itemid} of {item.table} stands twice", where=where)
        items[item.table, item.itemid] = item
    return tuple(items.values())


def normalise_unit(unit: str) -> str:
    """Give a unit without what hospitals write differently: case, blanks, degree signs, Greek mu, powers.

    >>> normalise_unit("mm Hg"), normalise_unit("°F"), normalise_unit("10*3/µL"), normalise_unit("None")
    ('mmhg', 'f', '103/ul', '')
    """
    text = "".join(unit.split()).lower().replace("µ", "u").replace("μ", "u")
    for sign in "°?*^.":
        text = text.replace(sign, "")
    return "" if text in _EMPTY_UNITS else text


@lru_cache(maxsize=1)
def _conversions() -> Mapping[tuple[str, str, str], Conversion]:
    found: dict[tuple[str, str, str], Conversion] = {}
    for _, row in _records("units.csv", ("code", "from", "to", "shift", "factor")):
        key = (row["code"], normalise_unit(row["from"]), normalise_unit(row["to"]))
        found[key] = Conversion(float(row["shift"]), float(row["factor"]))
    return found


def known_units() -> list[str]:
    """Give every normalised unit that some series can be read from."""
    return sorted({source for _, source, _ in _conversions()} | {normalise_unit(s.unit) for s in load_series()})


def conversion(code: str, unit: str) -> Conversion | None:
    """Give how a value of a series in ``unit`` is turned into the series' own unit.

    Args:
        code: LOINC CURIE of the series.
        unit: unit as a hospital writes it; case, blanks and degree signs do not matter.

    Returns:
        None where the two units do not fit.
    """
    source, target = normalise_unit(unit), normalise_unit(series_by_code()[code].unit)
    if source == target:
        return Conversion()
    table = _conversions()
    return table.get((code, source, target)) or table.get(("", source, target))


def item_conversion(item: SeriesItem, unit: str | None) -> Conversion | None:
    """Give the conversion of an item's value, with the item's own unit where the value comes without one."""
    written = unit or ""
    return conversion(item.code, written if normalise_unit(written) else item.unit)


def is_plausible(code: str, value: float) -> bool:
    """Say whether a value (in the series' unit) can be a true measurement; a heart rate of 0 is none."""
    definition = series_by_code()[code]
    return math.isfinite(value) and definition.plausible_low <= value <= definition.plausible_high
